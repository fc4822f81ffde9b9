"""Which forge a git remote belongs to, and where its API is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from posthog_code.ports.forge import RemoteRepository

GITHUB = "github.com"
_SCP = re.compile(r"(?:(?P<user>[^@/\s]+)@)?(?P<host>\[[0-9A-Fa-f:]+\]|[^:/\\\s]+):(?!//)(?P<path>.+)")
_OTHER_FORGES = ("gitlab", "bitbucket", "codeberg", "gitea", "sourcehut", "sr.ht", "dev.azure.com", "visualstudio.com")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})


@dataclass(frozen=True, slots=True)
class RemoteName:
    """A remote URL, taken apart."""

    scheme: str
    """https, http, ssh or git."""
    host: str
    """Lower case, with the port of http(s) URLs."""
    owner: str
    name: str


def parse_remote(url: str, ssh_config: Path | None = None) -> RemoteName | None:
    """Host, owner and name of a remote in https, ssh:// or scp form; None for paths and anything else.

    `ssh_config` is read for the real host name of an alias ("git@work:acme/web.git").
    """
    url = url.strip()
    if "://" in url:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            return None
        scheme = parts.scheme.lower().removeprefix("git+")
        host = (parts.hostname or "").lower()
        if scheme not in ("https", "http", "ssh", "git") or not host:
            return None
        path = parts.path
        if ":" in host:
            host = f"[{host}]"
        if scheme in ("https", "http") and port and port != (443 if scheme == "https" else 80):
            host = f"{host}:{port}"
    else:
        match = _SCP.fullmatch(url)
        if match is None or (len(match["host"]) == 1 and match["user"] is None):  # C:\repo is a path
            return None
        scheme, host, path = "ssh", match["host"].lower(), match["path"]
    if scheme == "ssh":
        host = _ssh_host(host, ssh_config)
    names = [unquote(part) for part in path.strip("/").split("/") if part]
    if len(names) != 2:
        return None
    owner, name = names[0], names[1].removesuffix(".git")
    if not owner or not name or owner in (".", "..") or name in (".", ".."):
        return None
    return RemoteName(scheme, host, owner, name)


def _ssh_host(host: str, config: Path | None) -> str:
    if "." not in host and config is not None:
        host = _ssh_alias(host, config) or host
    if host in ("ssh.github.com", "www.github.com"):
        return GITHUB
    return host


def _ssh_alias(alias: str, config: Path) -> str:
    """`HostName` of an exact `Host` entry. Patterns and includes are left to ssh: an alias is nearly always exact."""
    try:
        lines = config.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    inside = False
    for line in lines:
        words = re.split(r"[\s=]+", line.strip(), maxsplit=1)
        if len(words) != 2:
            continue
        key, value = words[0].lower(), words[1].strip().strip('"')
        if key in ("host", "match"):
            inside = key == "host" and alias in value.lower().split()
        elif key == "hostname" and inside:
            return value.lower()
    return ""


def locate(remote_url: str, api_override: str = "", ssh_config: Path | None = None) -> RemoteRepository | None:
    """The repository behind a remote URL.

    With `api_override` any remote is looked up there, and the account is the override's host, so that a token of
    the remote's own host never travels to another one. Without it: github.com, *.ghe.com, and every host that is not
    known to be another forge is taken for an Enterprise Server (no token goes there unless one was stored for it).
    """
    remote = parse_remote(remote_url, ssh_config)
    if remote is None:
        return None
    if api_override:
        base = api_override.rstrip("/")
        return RemoteRepository(host_of_api(base), remote.owner, remote.name, base)
    host = GITHUB if remote.host == "www.github.com" else remote.host
    if host != GITHUB and any(word in host for word in _OTHER_FORGES):
        return None
    return RemoteRepository(host, remote.owner, remote.name, api_of_host(host, plain=remote.scheme == "http"))


def api_of_host(host: str, plain: bool = False) -> str:
    """Base URL of a host's REST API. Plain http only for this machine itself."""
    if host == GITHUB:
        return "https://api.github.com"
    if host.endswith(".ghe.com"):
        return f"https://api.{host}"
    scheme = "http" if plain and is_loopback(host) else "https"
    return f"{scheme}://{host}/api/v3"


def host_of_api(api_url: str) -> str:
    """The host that an API base belongs to, as accounts are named by it."""
    netloc = urlsplit(api_url).netloc.rpartition("@")[2].lower()
    if netloc == "api.github.com":
        return GITHUB
    if netloc.startswith("api.") and netloc.endswith(".ghe.com"):
        return netloc.removeprefix("api.")
    return netloc


def graphql_url(api_url: str) -> str:
    """Enterprise Server has it beside v3, not below it."""
    if api_url.endswith("/api/v3"):
        return api_url.removesuffix("/v3") + "/graphql"
    return f"{api_url}/graphql"


def is_loopback(host: str) -> bool:
    return host in _LOOPBACK or re.sub(r":\d+$", "", host) in _LOOPBACK


def is_cloud(host: str) -> bool:
    """github.com or a data residency host: the hosts that GH_TOKEN and GITHUB_TOKEN are for."""
    return host == GITHUB or host.endswith(".ghe.com")


def same_origin(one: str, other: str) -> bool:
    a, b = urlsplit(one), urlsplit(other)
    return (a.scheme, a.netloc.lower()) == (b.scheme, b.netloc.lower())
