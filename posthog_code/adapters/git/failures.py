"""What git's words on stderr mean for a person."""

from __future__ import annotations

import re
from collections.abc import Sequence

from posthog_code.domain.errors import (
    Conflict,
    GitFailed,
    InvalidInput,
    NotFound,
    NotSignedIn,
    Offline,
    Refused,
    StorageFailed,
    ToolMissing,
    UserError,
)

DETAIL_LINES = 30

INSTALL_LINE = "Install it with `sudo apt install git`, `sudo dnf install git` or `brew install git`."

_RULES: tuple[tuple[str, type[UserError], str, str], ...] = (
    (r"no space left on device|disk quota exceeded|unable to write .*: out of space", StorageFailed,
     "The disk is full.", "Free some space and try again; nothing was overwritten."),
    (r"read-only file system", StorageFailed,
     "The file system is read-only.", "Make it writable, or choose another folder."),
    (r"detected dubious ownership", InvalidInput,
     "The repository belongs to another user, so git does not open it.",
     "If you trust it, run the `git config --global --add safe.directory …` line that git names."),
    (r"could not resolve host|failed to connect to|couldn't connect to server|connection (refused|timed out|reset)"
     r"|network is unreachable|no route to host|operation timed out|could not resolve hostname",
     Offline,
     "The remote cannot be reached.", "Check the connection and try again."),
    (r"repository .*not found|does not appear to be a git repository|remote: not found"
     r"|requested url returned error: 404", NotFound,
     "The remote repository was not found.", "Check the URL of the remote, and that you may read it."),
    (r"could not read (username|password)|authentication failed|terminal prompts disabled|permission denied \(publickey"
     r"|invalid username or (password|token)|http basic: access denied|requested url returned error: 40[13]"
     r"|could not read from remote repository.*access rights|host key verification failed|permission to .* denied",
     NotSignedIn, "The remote did not accept your credentials.",
     "Sign in to the remote (credential helper or SSH key) and try again."),
    (r"protected branch|gh006|gh013|repository rule violations|pre-receive hook declined|hook declined"
     r"|push declined|denied by (policy|rule)", Refused,
     "The remote refused the push.", "Read what it says below; the branch may be protected."),
    (r"non-fast-forward|\[rejected\].*\(fetch first\)|\[rejected\].*\(stale info\)"
     r"|tip of your current branch is behind",
     Conflict, "The remote branch has commits that are not here.",
     "Fetch and merge or rebase them, then push again. Nothing was forced."),
    (r"please tell me who you are|unable to auto-detect email|empty ident name|user\.useconfigonly", Refused,
     "Git does not know who you are.",
     'Run `git config --global user.name "Your Name"` and `git config --global user.email you@example.com`.'),
    (r"is already (checked out|used by worktree) at", Conflict,
     "The branch is already checked out in another worktree.", "Open that task, or use another name."),
    (r"a branch named .* already exists", Conflict, "A branch with this name exists already.", "Use another name."),
    (r"unable to create .*\.lock': file exists|another git process seems to be running", Conflict,
     "Another git process is writing to this repository.", "Wait until it has ended and try again."),
    (r"not a git repository", InvalidInput, "This folder is not in a git repository.", "Choose a folder under git."),
    (r"permission denied", StorageFailed, "Git may not read or write a file here.", "Check the permissions."),
    (r"(filter|clean|smudge).*(failed|error)|external filter", GitFailed,
     "A git filter of this repository failed.", "Check that the filter's program (git-lfs, for one) is installed."),
)  # fmt: skip

_COMPILED = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), kind, title, hint) for pattern, kind, title, hint in _RULES
)


def last_lines(text: str, limit: int = DETAIL_LINES) -> str:
    """The end of an output, without empty lines and progress that was overwritten."""
    lines = [line.rsplit("\r", 1)[-1].rstrip() for line in text.splitlines()]
    return "\n".join([line for line in lines if line][-limit:])


def explain(args: Sequence[str], code: int, output: str) -> UserError:
    """The error for a git command that ended with `code`; `output` is its stderr (and stdout, for hooks)."""
    detail = last_lines(redact(output))
    for pattern, kind, title, hint in _COMPILED:
        if pattern.search(output):
            return kind(title, hint, detail)
    if code < 0:
        return GitFailed(f"git {command_name(args)} was killed.", "Try again; what it had begun is taken back.", detail)
    return GitFailed(
        f"git {command_name(args)} failed (exit code {code}).", "Mend what git says and try again.", detail
    )


def missing_git() -> ToolMissing:
    return ToolMissing("Git is not installed, or not on the PATH.", INSTALL_LINE)


def redact(text: str) -> str:
    """Without the user and password part of URLs."""
    return re.sub(r"(\w+://)[^/\s@]+@", r"\1", text)


def command_name(args: Sequence[str]) -> str:
    """The subcommand: the first argument that is neither an option nor the value of -c."""
    for number, part in enumerate(args):
        if not part.startswith("-") and (number == 0 or args[number - 1] != "-c"):
            return part
    return ""
