"""What the rows of one conversation share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from posthog_code.domain.ids import TaskId
from posthog_code.domain.transcript import Transcript
from posthog_code.ui.context import UiContext


@dataclass
class ViewState:
    """Owned by the panel; rows read it when they are bound and painted."""

    ctx: UiContext
    task_id: TaskId | None = None
    transcript: Transcript = field(default_factory=Transcript)
    worktree: str = ""
    place: str = "task worktree"
    """What the agent's folder is called."""
    agent: str = "The agent"
    author: str = "You"
    """Who wrote the first message."""
    may_restore: bool = False
    """The files may be put back to before a turn now."""
    opened: set[str] = field(default_factory=set)
    """Keys of rows and calls that are open."""
    whole: set[str] = field(default_factory=set)
    """Keys of calls whose whole output is shown."""
    current: str = ""
    """The key that J and K moved to."""
    focused: bool = False
    """The stream has the keyboard."""
    query: str = ""
    """What *find* looks for, in lower case."""
    found: str = ""
    """Key of the row with the current match."""
    toggle: Callable[[str], None] = lambda key: None
    """Open or fold the row or call of a key."""
    show_whole: Callable[[str], None] = lambda key: None
    select: Callable[[str], None] = lambda key: None
    """Make a key the current one."""
    act: Callable[[str, str], None] = lambda action, key: None
    """Do the action of a notice or of the set-up card."""
    answer: Callable[[str, str], None] = lambda request_id, option_id: None
    answer_question: Callable[[str, dict[str, object] | None], None] = lambda request_id, content: None
    resized: Callable[[str], None] = lambda key: None
    """A row wants another height."""
