"""Errors that a person can act on. Anything else that is raised is a bug."""

from __future__ import annotations


class UserError(Exception):
    """Something went wrong that the person should know of.

    `title` says what happened in one sentence, `hint` what to do about it, `detail` holds the evidence (output of a
    command, the answer of a server); all are shown as they are.
    """

    code = "error"

    def __init__(self, title: str, hint: str = "", detail: str = "") -> None:
        super().__init__(title)
        self.title = title
        self.hint = hint
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.title} {self.hint}".strip()


class NotFound(UserError):
    """What was asked for is not there."""

    code = "not_found"


class InvalidInput(UserError):
    """The request itself cannot be carried out as it was made."""

    code = "invalid_input"


class Refused(UserError):
    """An outside tool or a safety rule said no. A refusal is an answer: nothing is forced."""

    code = "refused"


class ToolMissing(UserError):
    """A program that is needed is not installed, or too old."""

    code = "tool_missing"


class AgentFailed(UserError):
    """The agent did not start, stopped, or broke the protocol."""

    code = "agent_failed"


class GitFailed(UserError):
    """A git command failed; `detail` has its output."""

    code = "git_failed"


class StorageFailed(UserError):
    """The data folder cannot be read or written."""

    code = "storage_failed"


class Offline(UserError):
    """A server could not be reached; what is known stays as it was."""

    code = "offline"


class NotSignedIn(UserError):
    """Credentials are missing, expired or lack a permission."""

    code = "not_signed_in"


class RateLimited(UserError):
    """A server asks to wait; `until` is a UNIX time in seconds."""

    code = "rate_limited"

    def __init__(self, title: str, hint: str = "", detail: str = "", *, until: float = 0.0) -> None:
        super().__init__(title, hint, detail)
        self.until = until


class Conflict(UserError):
    """Somebody else changed the same thing first."""

    code = "conflict"
