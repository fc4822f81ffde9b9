"""Which PostHog: a region, or a host of one's own."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from posthog_code.domain.errors import InvalidInput

REGIONS = {"us": "https://us.posthog.com", "eu": "https://eu.posthog.com"}
_ALIASES = {
    "app.posthog.com": "us",
    "us.posthog.com": "us",
    "eu.posthog.com": "eu",
    "us.i.posthog.com": "us",
    "eu.i.posthog.com": "eu",
    "posthog.com": "us",
}


def origin_of(words: str) -> str:
    """The origin for "us", "eu", a host name or a URL with any path and slashes. Raises InvalidInput for what is none,
    and for plain http to anything but this machine."""
    words = words.strip()
    if words.lower() in REGIONS:
        return REGIONS[words.lower()]
    try:
        parts = urlsplit(words if "://" in words else f"https://{words}")
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise InvalidInput(f"“{words}” is no address of a PostHog.", "Use us, eu, or a URL.") from error
    if not host or parts.scheme not in ("http", "https") or any(c.isspace() or c == "\\" for c in words):
        raise InvalidInput(f"“{words}” is no address of a PostHog.", "Use us, eu, or a URL.")
    if host in _ALIASES:
        return REGIONS[_ALIASES[host]]
    if parts.scheme == "http" and not is_loopback(host):
        raise InvalidInput(
            f"{host} would be asked without encryption.", "Use its https address: credentials travel with each request."
        )
    shown = f"[{host}]" if ":" in host else host
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{shown}" + (f":{port}" if port and port != usual else "")


def region_of(origin: str) -> str:
    return next((name for name, known in REGIONS.items() if known == origin), "")


def capture_origin(origin: str) -> str:
    """Where a PostHog takes events: regions have a host of their own for it."""
    region = region_of(origin)
    return f"https://{region}.i.posthog.com" if region else origin


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False  # a name, perhaps one that begins like an address


def is_safe(url: str) -> bool:
    """Whether something that is nobody else's business may travel there: by https, or without leaving this machine."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))


def same_origin(one: str, other: str) -> bool:
    return _origin(one) == _origin(other)


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    return parts.scheme, (parts.hostname or "").lower(), port or (443 if parts.scheme == "https" else 80)
