"""Branch and ref names that can be given to git without being taken for something else."""

from __future__ import annotations

import re

from posthog_code.domain.errors import InvalidInput

HIDDEN = "refs/posthog-code/"
"""Only refs below this are ever deleted by us without a person's wish."""

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|\.lock(/|$)|/\.|\.$|/$|^/|^\.|^-|^@$")
_OID = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_ABBREVIATED = re.compile(r"[0-9a-fA-F]{4,64}")


def is_ref_name(name: str) -> bool:
    """git check-ref-format's rules, and no leading hyphen."""
    return bool(name) and not _FORBIDDEN.search(name)


def branch_ref(name: str) -> str:
    """refs/heads/<name>. Raises InvalidInput."""
    if not is_ref_name(name) or name == "HEAD":
        raise InvalidInput(
            f"“{name}” cannot be the name of a branch.",
            "Use letters, digits, hyphens and slashes; no spaces, no leading hyphen.",
        )
    return f"refs/heads/{name}"


def hidden_ref(ref: str) -> str:
    """The ref itself, if it is below refs/posthog-code/. Raises InvalidInput."""
    if not ref.startswith(HIDDEN) or not is_ref_name(ref):
        raise InvalidInput(f"“{ref}” is not a checkpoint.", f"Checkpoints are kept below {HIDDEN}.")
    return ref


def commit_id(name: str) -> str:
    """A full object id. Raises InvalidInput."""
    if not _OID.fullmatch(name):
        raise InvalidInput(f"“{name}” is not a commit.", "A full commit id is needed here.")
    return name


def is_commit_id(name: str) -> bool:
    return bool(_OID.fullmatch(name))


def may_be_abbreviated(name: str) -> bool:
    return bool(_ABBREVIATED.fullmatch(name))
