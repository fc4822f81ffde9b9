"""Secrets out of everything that is written down."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_SECRETS = re.compile(
    r"\b(ph[acrxse]_)[A-Za-z0-9_\-]{4,}"
    r"|\b(eyJ)[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{4,}(?:\.[A-Za-z0-9_\-]*)?"
    r"|((?:code|code_verifier|refresh_token|access_token|client_secret|X-Amz-Signature|X-Amz-Credential|"
    r"X-Amz-Security-Token|sandbox_connect_token|github_user_token)(?:=|\"\s*:\s*\"|'\s*:\s*'))[^&\s\"']+"
    r"|(Bearer\s+)[^\s\"',]+",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """The text with tokens, JWTs, codes and signatures cut to what tells their kind."""
    return _SECRETS.sub(lambda match: f"{next(filter(None, match.groups()), '')}…", text)


def place(url: str, origin: str) -> str:
    """A URL for a log line: without its query, and without our own origin."""
    parts = urlsplit(url)
    path = parts.path or "/"
    return path if url.startswith(origin) else f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}"
