"""Keeps secrets out of logs."""

from __future__ import annotations

import re

_SECRETS = re.compile(
    r"(gh[opusr]_|github_pat_|gl(?:pat|ptt)-|ph[acrxs]_|sk-|xox[abp]-|AIza|AKIA)[A-Za-z0-9_\-]{8,}"
    r"|((?i:bearer|token|basic)\s+)[A-Za-z0-9_\-.=+/]{16,}"
    r"|((?i:(?:api[_-]?key|token|secret|password))[\"']?\s*[=:]\s*[\"']?)[^\s\"']{8,}"
    r"|(://[^/\s:@]*:)[^/\s@]+(?=@)"
)


def redact(text: str) -> str:
    """The text with what looks like a token, key or password cut down to how it begins."""
    return _SECRETS.sub(lambda match: f"{match[1] or match[2] or match[3] or match[4] or ''}…", text)
