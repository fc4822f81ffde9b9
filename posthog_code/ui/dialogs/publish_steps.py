"""The steps of *Create PR* while they run, and the one that failed with its reason."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from posthog_code.domain.task import Step, StepState
from posthog_code.domain.text import duration
from posthog_code.ui.kit import painting
from posthog_code.ui.kit.labels import ElidedLabel, Label, StateLabel
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.glyphs import Glyph

_GLYPHS = {
    StepState.TODO: Glyph.TODO,
    StepState.RUNNING: Glyph.RUNNING,
    StepState.DONE: Glyph.DONE,
    StepState.FAILED: Glyph.FAILED,
    StepState.SKIPPED: Glyph.SKIPPED,
}


class StepsView(QWidget):
    """One row a step; below the failed one what happened, and the evidence as it came."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(6)
        self._steps: tuple[Step, ...] = ()
        self.setAccessibleName("Steps")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    def steps(self) -> tuple[Step, ...]:
        return self._steps

    def set_steps(self, steps: tuple[Step, ...]) -> None:
        if steps == self._steps:
            return
        self._steps = steps
        while (item := self._column.takeAt(0)) is not None:
            old = item.widget()
            if old is not None:
                old.hide()
                old.deleteLater()
        for step in steps:
            self._column.addWidget(self._row(step))
            if step.state is StepState.FAILED and step.detail:
                reason, _, evidence = step.detail.partition("\n")
                told = Label(reason, self, font="small", token="status.failed", wrap=True, selectable=True)
                told.setContentsMargins(24, 0, 0, 0)
                self._column.addWidget(told)
                if evidence.strip():
                    self._column.addWidget(Evidence(evidence.strip(), self))

    def _row(self, step: Step) -> QWidget:
        box = QWidget(self)
        row = QHBoxLayout(box)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        mark = StateLabel(_GLYPHS[step.state], "", box)
        row.addWidget(mark)
        quiet = step.state in (StepState.TODO, StepState.SKIPPED)
        row.addWidget(ElidedLabel(step.title, box, token="text.muted" if quiet else "text.primary", mode="middle"), 1)
        if step.ended_at > step.started_at > 0:
            spent = ElidedLabel(
                duration(step.ended_at - step.started_at), box, font="small", token="text.muted", tabular=True
            )
            row.addWidget(spent)
        box.setAccessibleName(f"{step.title}: {step.state.value}")
        box.setMinimumHeight(theme().px(22))
        return box


class Evidence(QWidget):
    """Output of a command, as it came, on the inset surface."""

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        label = Label(text, self, font="codeSmall", token="terminal.text", wrap=True, selectable=True)
        label.setAccessibleName("Output")
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 7, 10, 7)
        column.addWidget(label)

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        with QPainter(self) as painter:
            painting.rounded(painter, QRectF(self.rect()), look.size("radius.md"), look.color("surface.inset"))
