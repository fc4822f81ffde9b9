"""Where the window is: the place shown, and the way back."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtCore import QObject, Signal

from posthog_code.domain.ids import RepositoryId, TaskId

TASK = "task"
NEW_TASK = "new_task"
SETTINGS = "settings"
INBOX = "inbox"

_HISTORY = 50


@dataclass(frozen=True, slots=True)
class Place:
    """A page, and what of it is in view."""

    page: str
    """task, new_task, settings or inbox."""
    task_id: TaskId | None = None
    tab: str = ""
    """Panel of the task (changes, logs, ...) or page of the settings; "" leaves it as it was."""
    repository_id: RepositoryId | None = None
    """Repository that *New task* starts with."""
    path: str = ""
    """File to bring into view in the panel of changes."""
    line: int = 0
    """Line of that file, 0 for its top; in its old version when `side` is "old"."""
    side: str = "new"
    report_id: str = ""
    """Report that the inbox shows, or that *New task* starts from; "" leaves both as they were."""


class Nav(QObject):
    """History of places. Holds no widgets; the window follows `changed`."""

    changed = Signal(object)
    """The new Place."""
    turn_asked = Signal(object, int)
    """A turn of a task should come into view in its conversation."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._history: list[Place] = [Place(NEW_TASK)]
        self._at = 0
        self._recent: list[TaskId] = []

    @property
    def place(self) -> Place:
        return self._history[self._at]

    @property
    def task_id(self) -> TaskId | None:
        return self.place.task_id

    @property
    def recent_tasks(self) -> tuple[TaskId, ...]:
        """Tasks in the order they were last shown, the current one first."""
        return tuple(self._recent)

    def open_task(self, task_id: TaskId, tab: str = "") -> None:
        self.go(Place(TASK, task_id, tab))

    def open_file(self, task_id: TaskId, path: str, line: int = 0, side: str = "new") -> None:
        """Shows a file, or one of its lines, among the task's changes."""
        self.go(Place(TASK, task_id, "changes", path=path, line=line, side=side))

    def open_new_task(self, repository_id: RepositoryId | None = None) -> None:
        self.go(Place(NEW_TASK, repository_id=repository_id))

    def open_settings(self, page: str = "") -> None:
        self.go(Place(SETTINGS, tab=page))

    def open_inbox(self, report_id: str = "") -> None:
        self.go(Place(INBOX, report_id=report_id))

    def go(self, place: Place) -> None:
        """Shows `place`. Another tab of the same page takes its entry in the history instead of adding one."""
        here = self.place
        if here.path:
            # Coming back finds the diff where it was left.
            self._history[self._at] = here = replace(here, path="", line=0)
        if (place.page, place.task_id) == (here.page, here.task_id):
            self._history[self._at] = place
        else:
            del self._history[self._at + 1 :]
            self._history.append(place)
            del self._history[:-_HISTORY]
            self._at = len(self._history) - 1
        self._arrive()

    def back(self) -> None:
        if self.can_go_back():
            self._at -= 1
            self._arrive()

    def forward(self) -> None:
        if self.can_go_forward():
            self._at += 1
            self._arrive()

    def can_go_back(self) -> bool:
        return self._at > 0

    def can_go_forward(self) -> bool:
        return self._at < len(self._history) - 1

    def leave_task(self, task_id: TaskId) -> None:
        """Forgets a task that is gone; when it was in view, the one before it is shown."""
        gone = self.place.task_id == task_id
        kept = [place for place in self._history[: self._at + 1] if place.task_id != task_id]
        later = [place for place in self._history[self._at + 1 :] if place.task_id != task_id]
        if task_id in self._recent:
            self._recent.remove(task_id)
        self._history = (kept or [Place(NEW_TASK)]) + later
        self._at = max(0, len(kept) - 1)
        if gone:
            self._arrive()

    def _arrive(self) -> None:
        task_id = self.place.task_id
        if task_id is not None:
            if task_id in self._recent:
                self._recent.remove(task_id)
            self._recent.insert(0, task_id)
        at, place = self._at, self.place
        if place.report_id:
            # A wish of this once: coming back finds what the page shows by then.
            self._history[at] = replace(place, report_id="")
        self.changed.emit(place)
