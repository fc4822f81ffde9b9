"""*Create PR*: a form, then its steps live, then the pull request. Closing keeps what was typed and stops nothing."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from posthog_code.domain.coverage import CoverageMissing
from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.publishing import NewPullRequest, PullRequestProposal
from posthog_code.domain.pull_request import PullRequest
from posthog_code.domain.state import Topic
from posthog_code.domain.task import StepState
from posthog_code.ui import platform
from posthog_code.ui.context import UiContext
from posthog_code.ui.dialogs.create_pr_form import CreatePrForm
from posthog_code.ui.dialogs.publish_steps import StepsView
from posthog_code.ui.kit.buttons import Button, SplitButton
from posthog_code.ui.kit.empty import Skeleton
from posthog_code.ui.kit.labels import Label
from posthog_code.ui.kit.menu_rows import MenuItem
from posthog_code.ui.kit.overlay import Sheet
from posthog_code.ui.kit.popup import PopupList

_READY, _DRAFT = "ready", "draft"


class CreatePrDialog(Sheet):
    """`finished` tells the pull request, or None when it was closed before."""

    def __init__(self, ctx: UiContext, task_id: TaskId, parent: QWidget) -> None:
        super().__init__(parent, "Create pull request")
        self._ctx, self._task_id = ctx, task_id
        self._wants_draft: bool | None = None
        self._proposed: NewPullRequest | None = None
        self._existing: PullRequest | None = None
        self._started = False
        self._popup: PopupList | None = None
        self.form: CreatePrForm | None = None
        self.setObjectName("createPullRequest")
        self.skeleton = Skeleton(self, rows=6, row_height=32)
        self.body.addWidget(self.skeleton)
        self.problem = Label("", self, font="small", token="status.failed", wrap=True, selectable=True)
        self.problem.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        self.problem.hide()
        self.steps = StepsView(self)
        self.steps.hide()
        self.again = self.add_button(Button("Check again", self, kind="ghost", icon="ph.arrow-clockwise"), left=True)
        self.again.clicked.connect(self._propose)
        self.again.hide()
        self.edit = self.add_button(Button("Edit", self, kind="ghost", icon="ph.pencil-simple"), left=True)
        self.edit.clicked.connect(self._show_form)
        self.edit.hide()
        self.anyway = self.add_button(Button("Create without the check", self, kind="ghost"), left=True)
        self.anyway.clicked.connect(self._submit_anyway)
        self.anyway.hide()
        self.cancel = self.add_button(Button("Cancel", self, kind="ghost"))
        self.cancel.clicked.connect(self._dismiss)
        self.submit = SplitButton(
            "Create PR", self, kind="primary", keys="Ctrl+Return", menu_name="Ready or draft", show_keys=True
        )
        self.submit.clicked.connect(self._submit)
        self.submit.menuRequested.connect(self._menu)
        self.submit.setEnabled(False)
        self.add_button(self.submit)
        self.show_it = self.add_button(Button("Show it", self, kind="primary", keys="Ctrl+Return"))
        self.show_it.clicked.connect(self._show_existing)
        self.show_it.hide()
        self.mend = Button("Add with agent", self, icon="ph.sparkle", size="sm")
        self.mend.clicked.connect(self._add_with_agent)
        self.mend.hide()
        self.body.addWidget(self.problem)
        self.body.addWidget(self.mend, 0, Qt.AlignmentFlag.AlignLeft)
        self.body.addWidget(self.steps)
        self.finished.connect(self._keep)
        ctx.bridge.changed.connect(self._on_changed)

    def open(self) -> None:
        super().open()
        if self._ctx.services.pull_requests.creating(self._task_id):
            self._started = True
            self._render_steps()
        self._propose()

    def set_draft(self, on: bool) -> None:
        self._wants_draft = on
        if self.form is not None:
            self.form.draft = on
        self._label()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent) and _is_submit(event):
            self._submit()
            return True
        return super().eventFilter(watched, event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if _is_submit(event):
            self._submit()
        else:
            super().keyPressEvent(event)

    # -- proposal ------------------------------------------------------------------------------------------------

    def _propose(self) -> None:
        pulls = self._ctx.services.pull_requests
        self._ctx.actions.start(
            f"propose-pr {self._task_id}",
            lambda: pulls.propose(self._task_id),
            on_done=self._proposal_known,
            on_error=self._proposal_failed,
            busy=self.again,
        )

    def _proposal_failed(self, error: UserError) -> None:
        self.skeleton.hide()
        self._say(str(error))
        self.again.show()

    def _proposal_known(self, proposal: PullRequestProposal) -> None:
        if not self.is_open():
            return
        self.skeleton.hide()
        self._existing = proposal.existing
        typed = self.form.value() if self.form is not None else None
        if self.form is not None:
            self.body.removeWidget(self.form)
            self.form.hide()
            self.form.deleteLater()
        self.form = CreatePrForm(proposal, self)
        self._proposed = self.form.value()
        if typed is not None:
            self.form.title.setText(typed.title)
            self.form.description.setText(typed.body)
        if self._wants_draft is not None:
            self.form.draft = self._wants_draft
        self.form.resized.connect(self.relayout)
        for editor in self.form.editors():
            editor.installEventFilter(self)
        self.body.insertWidget(0, self.form)
        self.again.setVisible(bool(proposal.problem))
        self._say(proposal.problem or (proposal.coverage if proposal.coverage_required else ""))
        self.mend.setVisible(proposal.coverage_required and not proposal.problem)
        if self._existing is not None:
            self._say(f"Pull request #{self._existing.number} is open for this branch already.")
            self.mend.hide()
        self.form.setVisible(self._existing is None and not self._started)
        self.submit.setEnabled(not proposal.problem)
        self._label()
        self._load_branches()
        if self.form.isVisibleTo(self):
            self.form.title.setFocus(Qt.FocusReason.OtherFocusReason)
            self.form.title.edit.end(False)
        self.relayout()

    def _load_branches(self) -> None:
        repository = self._ctx.state.repository_of(self._task_id)
        if repository is None:
            return
        repositories = self._ctx.services.repositories

        async def names() -> tuple[str, ...]:
            found = await repositories.branches(repository.id)
            plain = (branch.name.removeprefix("origin/") if branch.remote else branch.name for branch in found)
            return tuple(dict.fromkeys(plain))

        self._ctx.actions.start(f"pr-branches {self._task_id}", names, on_done=self._branches_known)

    def _branches_known(self, names: tuple[str, ...]) -> None:
        if self.form is not None:
            self.form.set_branches(names)

    # -- creating ------------------------------------------------------------------------------------------------

    def _submit_anyway(self) -> None:
        self._create(without_coverage=True)

    def _submit(self) -> None:
        self._create()

    def _create(self, *, without_coverage: bool = False) -> None:
        if not self.submit.isEnabled() or self.submit.loading() or self.form is None:
            return
        if self._existing is not None:
            self._show_existing()
            return
        if not self.form.check():
            return
        new, pulls = self.form.value(), self._ctx.services.pull_requests
        self._started = True
        self._say("")
        self.mend.hide()
        self.anyway.hide()
        self._ctx.actions.start(
            f"create-pr {self._task_id}",
            lambda: pulls.create(self._task_id, new, without_coverage=without_coverage),
            on_done=self._created,
            on_error=self._failed,
            busy=self._busy,
        )
        self._render_steps()

    def _show_existing(self) -> None:
        self._ctx.nav.open_task(self._task_id, "pull_request")
        self.close_sheet(self._existing)

    def _busy(self, on: bool) -> None:
        self.submit.set_loading(on, "Creating…")
        self.cancel.setText("Close" if on else "Cancel")

    def _created(self, pull: PullRequest) -> None:
        url = pull.url
        self._ctx.toasts.show(
            f"Opened pull request #{pull.number}",
            pull.title,
            kind="success",
            actions=[("Open on GitHub", lambda: platform.open_url(url))],
        )
        self._ctx.nav.open_task(self._task_id, "pull_request")
        self.close_sheet(pull)

    def _failed(self, error: UserError) -> None:
        self._render_steps()
        if not any(step.state is StepState.FAILED for step in self.steps.steps()):
            self._show_form()
            self._say(str(error))
            self.mend.setVisible(isinstance(error, CoverageMissing))
            self.anyway.setVisible(isinstance(error, CoverageMissing))
        self._label()

    def _add_with_agent(self) -> None:
        signals, task_id = self._ctx.services.code_signals, self._task_id

        def sent(_result: object) -> None:
            self._ctx.toasts.show("Sent to the agent", "Create the pull request when it is done.", kind="success")
            self._ctx.nav.open_task(task_id, "conversation")
            self.close_sheet(None)

        self._ctx.actions.start(f"ask {task_id}", lambda: signals.add_with_agent(task_id), on_done=sent, busy=self.mend)

    def _on_changed(self, topics: frozenset[Topic]) -> None:
        if self._started and self.is_open() and Topic("publish", self._task_id) in topics:
            self._render_steps()

    def _render_steps(self) -> None:
        """The form gives way to the steps; what was typed stays in it."""
        steps = self._ctx.state.publishing.get(self._task_id, ())
        if steps:
            self.steps.set_steps(steps)
        failed = any(step.state is StepState.FAILED for step in steps)
        self.steps.setVisible(bool(steps))
        if self.form is not None:
            self.form.setVisible(not steps)
        self.skeleton.hide()
        self.edit.setVisible(failed)
        self._label()
        self.relayout()

    def _show_form(self) -> None:
        self._started = False
        self.steps.hide()
        self.edit.hide()
        if self.form is not None:
            self.form.show()
            self.form.title.setFocus(Qt.FocusReason.OtherFocusReason)
        self._label()
        self.relayout()

    def _keep(self, result: object) -> None:
        """What was typed is there again next time; what was only proposed is proposed afresh."""
        if result is not None or self.form is None or self._existing is not None:
            return
        value, pulls, task_id = self.form.value(), self._ctx.services.pull_requests, self._task_id
        if value != self._proposed and not pulls.creating(task_id):
            self._ctx.actions.start(f"keep-pr-form {task_id}", lambda: pulls.keep_form(task_id, value))

    # -- words ---------------------------------------------------------------------------------------------------

    def _say(self, problem: str) -> None:
        self.problem.setText(problem)
        self.problem.set_token("text.secondary" if self._existing is not None else "status.failed")
        self.problem.setVisible(bool(problem))

    def _label(self) -> None:
        failed = self._started and any(step.state is StepState.FAILED for step in self.steps.steps())
        self.submit.setVisible(self._existing is None)
        self.show_it.setVisible(self._existing is not None)
        if failed:
            self.submit.setText("Try again")
        else:
            self.submit.setText("Create draft" if self._draft() else "Create PR")

    def _draft(self) -> bool:
        return self.form.draft if self.form is not None else bool(self._wants_draft)

    def _menu(self) -> None:
        draft = self._draft()
        popup = PopupList((), self.window(), name="Ready or draft")
        popup.set_items(
            [
                MenuItem(_READY, "Create PR", detail="ready for review", checked=not draft),
                MenuItem(_DRAFT, "Create draft", detail="nobody is asked yet", checked=draft),
            ]
        )
        popup.chosen.connect(self._chosen)
        popup.closed.connect(popup.deleteLater)
        popup.popup(self.submit, align_right=True)

    def _chosen(self, choice: str) -> None:
        self.set_draft(choice == _DRAFT)


def _is_submit(event: QKeyEvent) -> bool:
    enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
    return enter and bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
