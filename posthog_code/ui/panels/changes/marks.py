"""The marks left of the line numbers: read while the panel is in view, and painted by the diff."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from PySide6.QtCore import QObject, QTimer

from posthog_code.domain.changes import Scope
from posthog_code.domain.code_signals import CodeSignals
from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.provenance import EARLIER, YOU, Provenance, Stretch
from posthog_code.domain.session import Turn
from posthog_code.domain.state import Topic
from posthog_code.ui.context import UiContext
from posthog_code.ui.diff.marks import Gutter, Run, Sign, signs_of
from posthog_code.ui.diff.view import DiffView

_ICONS = {
    "flag": "ph.flag",
    "event": "ph.lightning",
    "experiment": "ph.gauge",
    "error": "ph.warning-octagon",
}
_TONES = {
    "good": "status.success",
    "warn": "status.waiting",
    "bad": "status.failed",
    "info": "status.running",
    "neutral": "text.muted",
}
_TURNS = ("glyph.running", "glyph.cloud")
"""Turns alternate."""
_PROMPT = 160
_LATER_MS = 250
"""An agent that writes changes the files many times a second."""


class MarksKeeper(QObject):
    """Keeps the diff's gutter true for the one task that is in view."""

    def __init__(self, ctx: UiContext, view: DiffView, parent: QObject) -> None:
        super().__init__(parent)
        self._ctx, self._view = ctx, view
        self._task_id: TaskId | None = None
        self._scope = Scope.ALL
        self._provenance: Provenance = {}
        self._later = QTimer(self, interval=_LATER_MS, singleShot=True)
        self._later.timeout.connect(self._read)
        ctx.bridge.changed.connect(self._changed)
        view.signPressed.connect(self._show_signals)
        view.turnPressed.connect(self._show_turn)

    def follow(self, task_id: TaskId | None, scope: Scope = Scope.ALL) -> None:
        """No task while the panel is hidden."""
        another = task_id != self._task_id
        self._scope = scope
        if another:
            self._task_id, self._provenance = task_id, {}
            self._later.stop()
        self._show()
        if another and task_id is not None:
            self._read()

    def _changed(self, topics: frozenset[Topic]) -> None:
        if self._task_id is None:
            return
        mine = {topic.kind for topic in topics if topic.id == self._task_id}
        if "code_signals" in mine:
            self._show()
        if mine & {"changes", "session"} and not self._later.isActive():
            self._later.start()

    def _read(self) -> None:
        task_id, provenance = self._task_id, self._ctx.services.provenance
        if task_id is None:
            return

        async def read() -> tuple[TaskId, Provenance]:
            return task_id, await provenance.read(task_id)

        self._ctx.actions.start(f"provenance {task_id}", read, on_done=self._found, on_error=_unknown)

    def _found(self, result: tuple[TaskId, Provenance]) -> None:
        task_id, provenance = result
        if task_id == self._task_id and provenance != self._provenance:
            self._provenance = provenance
            self._show()

    def _show(self) -> None:
        state, task_id = self._ctx.state, self._task_id
        signals = state.code_signals.get(task_id) if task_id is not None else None
        session = state.session_of(task_id) if task_id is not None else None
        turns = {turn.number: turn for turn in session.turns} if session is not None else {}
        runs = {
            (path, side): tuple(_runs(stretches, turns))
            for (path, side), stretches in self._provenance.items()
            # Other scopes count the lines of another old side.
            if side == "new" or self._scope is Scope.ALL
        }
        self._view.set_gutter(Gutter(signs_of(_signs(signals)) if signals else {}, runs))

    def _show_signals(self, _path: str, _side: str, _line: int) -> None:
        if self._task_id is not None:
            self._ctx.nav.open_task(self._task_id, "signals")

    def _show_turn(self, number: int) -> None:
        if self._task_id is not None:
            self._ctx.nav.turn_asked.emit(self._task_id, number)


def _unknown(_error: UserError) -> None:
    """Nobody is named then: what failed is told by the diff itself, which reads the same files."""


def _signs(signals: CodeSignals) -> Iterator[tuple[str, str, int, Sign]]:
    """Of each row at its first place, and of the further uses of the same name in the file."""
    rows = {}
    for row in signals.rows:
        words = f"{row.kind.capitalize()} {row.name}"
        told = ", ".join(part for part in (row.figure, row.state) if part)
        sign = Sign(
            _ICONS.get(row.kind, "ph.activity"),
            _TONES.get(row.tone, "text.muted"),
            f"{words}: {told}" if told else words,
        )
        rows[row.kind, row.name, row.path] = (row.line, sign)
        yield row.path, "old" if row.removed else "new", row.line, sign
    for use in signals.uses:
        line, known = rows.get((use.kind, use.name, use.path), (use.line, None))
        if known is not None and line != use.line:
            yield use.path, "new", use.line, known


def _runs(stretches: Iterable[Stretch], turns: dict[int, Turn]) -> Iterator[Run]:
    for stretch in stretches:
        if stretch.author == YOU:
            yield Run(stretch.start, stretch.end, "You", "accent.default", "")
        elif stretch.author != EARLIER:
            turn = turns.get(stretch.author)
            prompt = " ".join(turn.prompt.split())[:_PROMPT] if turn is not None else ""
            token = _TURNS[stretch.author % len(_TURNS)]
            yield Run(stretch.start, stretch.end, f"T{stretch.author}", token, prompt, stretch.author)
