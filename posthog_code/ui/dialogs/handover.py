"""Steps of a hand-over, live, in a sheet: what *Take over here* and *Send to the cloud* share."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QSizePolicy, QWidget

from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.state import Topic
from posthog_code.domain.task import StepState, Task, TaskPhase
from posthog_code.ui.context import UiContext
from posthog_code.ui.dialogs.publish_steps import Evidence, StepsView
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.cards import ProgressLine
from posthog_code.ui.kit.labels import Label
from posthog_code.ui.kit.overlay import Sheet

_OVER = (StepState.DONE, StepState.SKIPPED)


class HandoverSheet(Sheet):
    """Closing it stops nothing: the steps are the task's own and go on. Cancel takes back what can be taken back."""

    def __init__(self, ctx: UiContext, title: str, words: str, window: QWidget) -> None:
        super().__init__(window, title)
        self._ctx = ctx
        self._task_id: TaskId | None = None
        self._ended = False
        self.problem = Label("", self, font="small", token="status.failed", wrap=True, selectable=True)
        self.problem.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        self.problem.hide()
        self.evidence: Evidence | None = None
        self.steps = StepsView(self)
        self.steps.hide()
        self.line = ProgressLine(self)
        self.line.hide()
        self.words = Label(words, self, font="small", token="text.muted", wrap=True)
        for part in (self.problem, self.steps, self.line, self.words):
            self.body.addWidget(part)
        self.cancel = self.add_button(Button("Cancel", self, kind="ghost"))
        self.cancel.clicked.connect(self._on_cancel)
        self.go = self.add_button(Button("Try again", self, kind="primary"))
        self.go.clicked.connect(self._on_go)
        ctx.bridge.changed.connect(self._on_changed)

    # what the two say

    def begin(self) -> None:
        """Start it, or go on where it stopped."""
        raise NotImplementedError

    def arrived(self, task: Task) -> None:
        """All steps are done."""
        raise NotImplementedError

    # steps

    def follow(self, task_id: TaskId) -> None:
        """Show the steps of this task from now on."""
        self._task_id, self._ended = task_id, False
        self.say("")
        self._render()

    def running(self) -> bool:
        task = self._task()
        return task is not None and task.phase is TaskPhase.SETTING_UP

    def _task(self) -> Task | None:
        return self._ctx.state.tasks.get(self._task_id) if self._task_id else None

    def _on_changed(self, topics: frozenset[Topic]) -> None:
        if self._task_id is not None and self.is_open() and Topic("task", self._task_id) in topics:
            self._render()

    def _render(self) -> None:
        task = self._task()
        if task is None:
            return
        steps = task.steps
        self.steps.set_steps(steps)
        self.steps.setVisible(bool(steps))
        done = sum(step.state in _OVER for step in steps)
        self.line.setVisible(self.running())
        self.line.set_share(done / len(steps) if steps else 0.0)
        failed = task.phase is TaskPhase.SETUP_FAILED
        self.go.setVisible(failed)
        self.go.setText("Try again")
        self.go.setEnabled(True)
        self.cancel.setText("Close" if failed else "Cancel")
        self.relayout()
        if task.phase is TaskPhase.READY and not self._ended:
            self._ended = True
            # The last tick is seen before the sheet goes.
            QTimer.singleShot(0, self, self._arrive)

    def _arrive(self) -> None:
        task = self._task()
        if task is not None and self.is_open():
            self.arrived(task)

    # words

    def say(self, problem: str, evidence: str = "") -> None:
        """Why it cannot begin, and what shows it; "" takes it away."""
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))
        if self.evidence is not None:
            self.body.removeWidget(self.evidence)
            self.evidence.hide()
            self.evidence.deleteLater()
            self.evidence = None
        if evidence:
            self.evidence = Evidence(evidence, self)
            self.body.insertWidget(self.body.indexOf(self.problem) + 1, self.evidence)
        self.relayout()

    def refused(self, error: UserError) -> None:
        self.say(f"{error.title} {error.hint}".strip(), error.detail)

    def _on_go(self) -> None:
        self.begin()

    def _on_cancel(self) -> None:
        task_id = self._task_id
        if task_id is None or not self.running():
            self.close_sheet(None)
            return
        self._ctx.actions.start(
            f"task.cancel {task_id}", lambda: self._ctx.services.tasks.cancel_setup(task_id), busy=self.cancel
        )
