"""*Waiting in the cloud*: tasks that somebody could pick up, below the prompt of New task."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from posthog_code.domain.cloud import NOT_STARTED, CloudTask
from posthog_code.domain.text import age, ago
from posthog_code.ui.cloud.links import open_cloud_task
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.cards import Card, Hairline
from posthog_code.ui.kit.labels import ElidedLabel, Label
from posthog_code.ui.kit.spinner import arc_clock
from posthog_code.ui.models import cloud_list
from posthog_code.ui.models.task_view import TaskView
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.glyphs import MOVING, paint_glyph


class CloudWaiting(QWidget):
    """Rows are made anew only when what they say has changed; with nothing waiting there is nothing to see."""

    def __init__(self, ctx: UiContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._ctx = ctx
        self._shown: tuple[object, ...] = ()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 20, 0, 0)
        self._column.setSpacing(8)
        self._column.addWidget(Label("Waiting in the cloud", self, font="heading"))
        self._card: Card | None = None
        self.hide()

    def refresh(self) -> None:
        state, now = self._ctx.state, self._ctx.now()
        tasks = cloud_list.waiting(state) if state.account.signed_in else ()
        rows = tuple((task.id, task.title, about(task, now), cloud_list.state_of(state, task)) for task in tasks)
        self.setVisible(bool(rows))
        if rows == self._shown:
            return
        self._shown = rows
        if self._card is not None:
            self._column.removeWidget(self._card)
            self._card.hide()
            self._card.deleteLater()
        self._card = card = Card(self, fill="surface.panel")
        self._column.addWidget(card)
        for number, task in enumerate(tasks):
            if number:
                card.body.addWidget(Hairline(card))
            card.body.addWidget(self._row(card, task, rows[number][2], rows[number][3]))

    def _row(self, card: Card, task: CloudTask, detail: str, view: TaskView) -> QWidget:
        row = QWidget(card)
        line = QHBoxLayout(row)
        line.setContentsMargins(12, 7, 10, 7)
        line.setSpacing(10)
        line.addWidget(_Mark(view, row))
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(ElidedLabel(task.title or task.slug, row, font="bodyStrong"))
        words.addWidget(ElidedLabel(detail, row, font="small", token="text.muted"))
        line.addLayout(words, 1)
        button = Button("Open here", row, icon="ph.arrow-square-in", size="sm")
        button.setAccessibleName(f"Open {task.title} here")
        button.clicked.connect(partial(self._open, task.id))
        line.addWidget(button)
        row.setAccessibleName(f"{task.title}, {view.word.lower()}, {detail}")
        return row

    def _open(self, task_id: str) -> None:
        open_cloud_task(self._ctx, task_id)


class _Mark(QWidget):
    """The state of a row."""

    def __init__(self, view: TaskView, parent: QWidget) -> None:
        super().__init__(parent)
        self._glyph = view.glyph
        side = theme().px(18)
        self.setFixedSize(side, side)
        self.setToolTip(view.word)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            paint_glyph(painter, QRectF(self.rect()), self._glyph, theme(), arc_clock().phase())
        if self._glyph in MOVING:
            arc_clock().painted(self)


def about(task: CloudTask, now: float) -> str:
    """ "harbor-api · Ana started it from Slack · running for 40 m"."""
    run = task.run
    seconds = max(0.0, now - (run.created_at if run and not run.over else task.updated_at))
    if run is None:
        last = f"made {ago(seconds)}"
    elif run.over:
        last = f"{ {'completed': 'finished', 'failed': 'failed'}.get(run.status, 'ended') } {ago(seconds)}"
    else:
        since = "" if seconds < 60 else f" for {age(seconds)}"
        last = f"{'queued' if run.status in NOT_STARTED else 'running'}{since}"
    name = task.repository.rpartition("/")[2]
    return " · ".join(part for part in (name, cloud_list.who(task), last) if part)
