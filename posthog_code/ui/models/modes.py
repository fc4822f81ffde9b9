"""What the modes of agents mean, from the ids they give them."""

from __future__ import annotations

from posthog_code.domain.task import Workspace

_ASK = "ph.shield-check"
_AUTO = "ph.lightning"
_ICONS = (
    ("ph.compass", ("plan", "architect", "read-only", "read_only")),
    ("ph.pencil-line", ("accept", "edit", "write", "build", "code")),
    (_AUTO, ("auto", "yolo", "bypass", "full", "dontask", "autopilot", "act")),
)


def mode_icon(mode_id: str) -> str:
    """The icon of a mode by its id, which may be a URL."""
    low = mode_id.rsplit("#", 1)[-1].lower()
    for icon, words in _ICONS:
        if any(word in low for word in words):
            return icon
    return _ASK


def mode_tone(mode_id: str, workspace: Workspace) -> str:
    """Colour token for a mode that needs care: an agent that asks nothing, in the person's own checkout; else ""."""
    return "status.waiting" if workspace is Workspace.LOCAL and mode_icon(mode_id) == _AUTO else ""
