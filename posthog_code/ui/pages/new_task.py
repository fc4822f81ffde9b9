"""New task: what should change, where, and by which agent."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QKeySequence, QPainter, QPaintEvent, QResizeEvent, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from posthog_code.domain.cloud_lists import remote_name
from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import RepositoryId, TaskId
from posthog_code.domain.report_prompt import ReportTask
from posthog_code.domain.state import Topic
from posthog_code.domain.task import Repository, TaskDraft, Workspace
from posthog_code.ui.cloud.new_task import WORDS, CloudSide
from posthog_code.ui.cloud.problem_bar import ProblemBar
from posthog_code.ui.cloud.waiting_list import CloudWaiting
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit.cards import Icon
from posthog_code.ui.kit.labels import Label
from posthog_code.ui.kit.scroll import ScrollArea
from posthog_code.ui.kit.select import Select
from posthog_code.ui.models.modes import mode_tone
from posthog_code.ui.models.new_task import (
    ADD,
    EDIT_SCRIPT,
    RUN,
    SKIP,
    agent_items,
    branch_items,
    default_agent,
    known_commands,
    mode_items,
    model_items,
    repository_items,
    script_items,
    usual_repository,
    workspace_words,
)
from posthog_code.ui.nav import Place
from posthog_code.ui.pages.add_repository import AddRepository
from posthog_code.ui.pages.first_run import FirstRun
from posthog_code.ui.pages.known_branches import KnownBranches
from posthog_code.ui.pages.option_grid import OptionGrid
from posthog_code.ui.pages.prompt_box import PromptBox
from posthog_code.ui.pages.suggestions import FromSignals, ReportLink
from posthog_code.ui.theme import theme

_DRAFT_MS = 400
_TOP = 84


class NewTaskPage(QWidget):
    """Its choices are made from state each time; only what a person chose here is remembered while it lives."""

    def __init__(self, ctx: UiContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("newTask")
        self.setAccessibleName("New task")
        self._ctx = ctx
        self._repository_id: RepositoryId | None = None
        self._branches = KnownBranches(ctx, self)
        self._branches.arrived.connect(self._on_branches)
        self._branches.failed.connect(self._on_no_branches)
        self._stale = False
        self._adding = False
        self._was_in_cloud = False
        self._title = Label("What should change?", self, font="display")
        self.prompt = PromptBox(ctx, self)
        self.mode = Select((), self, name="Mode", placeholder="Mode", quiet=True, keys="Shift+Tab")
        self.agent = Select((), self, name="Agent", placeholder="Choose an agent", quiet=True, keys="Alt+A")
        self.agent.changed.connect(self._on_agent)
        self.prompt.add_choice(self.mode)
        self.model = Select((), self, name="Model", placeholder="Model", quiet=True, keys="Alt+M")
        self.mode.changed.connect(self._on_mode)
        self.prompt.add_choice(self.agent)
        self.prompt.add_choice(self.model)
        self.grid = OptionGrid(self)
        self.grid.repository.changed.connect(self._on_repository)
        self.grid.workspace.changed.connect(self._on_workspace)
        self.grid.script.changed.connect(self._on_script)
        self.adder = AddRepository(ctx, self)
        self.adder.hide()
        self.adder.added.connect(self._on_added)
        self.adder.cancelled.connect(self._on_not_added)
        self._hint_icon = Icon("ph.info", "text.muted", self, size=14)
        self._hint = Label("", self, font="small", token="text.muted", wrap=True)
        self.problem = ProblemBar(ctx, self)
        self._first = Label(
            "No tasks yet. A task gets its own branch and worktree, so you can run several at once. "
            "Add the repository to work on.",
            self,
            token="text.secondary",
            wrap=True,
        )
        self.first_run: FirstRun | None = None
        self.cloud = CloudSide(ctx, self)
        self.cloud.changed.connect(self._on_cloud)
        self.problem.opened.connect(self.cloud.choices.ask_again)
        self.waiting = CloudWaiting(ctx, self)
        self.signals = FromSignals(ctx, self)
        self.signals.used.connect(self.use_report)
        self.link = ReportLink(ctx, self)
        self._build()
        self._draft = QTimer(self)
        self._draft.setSingleShot(True)
        self._draft.setInterval(_DRAFT_MS)
        self._draft.timeout.connect(self._save_draft)
        self.prompt.changed.connect(self._on_text)
        self.prompt.submitted.connect(self.start)
        # Selects take Enter for themselves, whatever is held with it.
        for keys in ("Ctrl+Return", "Ctrl+Enter"):
            QShortcut(QKeySequence(keys), self, self.start, context=Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self.prompt.next_mode_asked.connect(self._on_next_mode)
        self.prompt.agent_asked.connect(self.agent.open)
        self.prompt.model_asked.connect(self.model.open)
        self.prompt.set_text(ctx.state.drafts.get("", ""))
        ctx.bridge.changed.connect(self._on_changed)
        self.refresh()

    def _build(self) -> None:
        hint = QHBoxLayout()
        hint.setContentsMargins(2, 0, 0, 0)
        hint.setSpacing(6)
        hint.addWidget(self._hint_icon)
        hint.addWidget(self._hint, 1)
        self._column = QWidget(self)
        self._column.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        column = self._columns = QVBoxLayout(self._column)
        column.setContentsMargins(0, _TOP, 0, 32)
        column.setSpacing(0)
        column.addWidget(self._title)
        column.addSpacing(6)
        column.addWidget(self._first)
        column.addSpacing(6)
        column.addWidget(self.link)
        column.addSpacing(6)
        column.addWidget(self.prompt)
        column.addSpacing(12)
        column.addWidget(self.grid)
        self.adder.setContentsMargins(0, 8, 0, 0)
        column.addWidget(self.adder)
        column.addSpacing(8)
        column.addLayout(hint)
        column.addSpacing(8)
        column.addWidget(self.problem)
        column.addWidget(self.signals)
        column.addWidget(self.waiting)
        column.addStretch(1)
        self._body = QWidget(self)
        centre = QHBoxLayout(self._body)
        centre.setContentsMargins(24, 0, 24, 0)
        centre.addStretch(1)
        centre.addWidget(self._column, 100)
        centre.addStretch(1)
        self._column.setMaximumWidth(theme().size("layout.content.newTask"))
        scroll = ScrollArea(self._body, self)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)

    # page

    def arrive(self, place: Place) -> None:
        """Shown again: the prompt has the focus, and the repository that was asked for is chosen."""
        if place.repository_id is not None:
            self._repository_id = place.repository_id
        self.refresh()
        if place.report_id:
            self.use_report(place.report_id)
        if self._ctx.state.repositories:
            self.prompt.editor.setFocus()
        else:
            self.adder.field.edit.setFocus()

    def refresh(self) -> None:
        """Shows what the state offers now."""
        self._stale = False
        state = self._ctx.state
        repositories = state.repositories
        if self._repository_id not in repositories:
            self._repository_id = usual_repository(state)
        none = not repositories
        self._first.setVisible(none)
        self._show_first_run(none)
        self.prompt.setVisible(not none)
        self.grid.setVisible(not none)
        self.link.setVisible(self.link.restore(self.prompt.text()) and not none)
        self._title.setText("Add a repository" if none else "What should change?")
        self.adder.set_cancellable(not none)
        self.adder.setVisible(none or self._adding)
        self._hint.setVisible(not none)
        self._hint_icon.setVisible(not none)
        self.grid.offer_cloud(state.account.signed_in)
        self.waiting.refresh()
        self.signals.refresh()
        if not self.in_cloud:
            self.grid.repository.set_items(repository_items(state), self._repository_id or "")
            agents, current = agent_items(state), self.agent.current()
            known = any(item.id == current for item in agents)
            self.agent.set_items(agents, current if known else default_agent(state))
        self._show_modes()
        self._show_repository()
        self._on_text()

    def _show_first_run(self, on: bool) -> None:
        if on and self.first_run is None:
            self.first_run = FirstRun(self._ctx, self._column)
            place = self._columns.indexOf(self.adder) + 1
            self._columns.insertWidget(place, self.first_run)
        if self.first_run is not None:
            self.first_run.setVisible(on)
            if on:
                self.first_run.refresh()

    def _repository(self) -> Repository | None:
        return self._ctx.state.repositories.get(self._repository_id) if self._repository_id else None

    def _show_repository(self) -> None:
        repository = self._repository()
        self.prompt.set_repository(self._repository_id)
        if self.in_cloud:
            self.cloud.show_on(self.grid, remote_name(repository.remote_url)[1] if repository else "")
            self._hint.setText(WORDS)
            self._hint.set_token("text.muted")
            self.problem.say(*self.cloud.problem())
            return
        if repository is None:
            return
        local = self.workspace is Workspace.LOCAL
        known = self._branches.of(repository.id)
        self.grid.show_branches(branch_items(known, repository, self._ctx.now()), repository.default_branch, local)
        run = RUN if self._ctx.state.settings.run_setup else SKIP
        self.grid.show_script(script_items(repository, local), run, local)
        self._hint.setText(workspace_words(repository, local))
        self._hint.set_token("status.waiting" if local else "text.muted")

    def _on_cloud(self) -> None:
        if self.in_cloud:
            self._show_repository()
            self._show_modes()

    def _on_branches(self, repository_id: str) -> None:
        if repository_id == self._repository_id:
            self._show_repository()

    def _on_no_branches(self, repository_id: str, error: UserError) -> None:
        if repository_id == self._repository_id:
            self._on_error(error)

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.grid.workspace.current() or Workspace.WORKTREE)

    @property
    def in_cloud(self) -> bool:
        return self.workspace is Workspace.CLOUD

    def _show_modes(self) -> None:
        self.prompt.set_commands(known_commands(self._ctx.state, self.agent.current()))
        if self.in_cloud:
            self.cloud.show_agents(self.agent, self.model)
            self.mode.hide()
            return
        items, current = mode_items(self._ctx.state, self.agent.current(), self.mode.current())
        self.mode.set_items(items, current)
        self.mode.setVisible(bool(items))
        self.mode.set_tone(mode_tone(self.mode.current(), self.workspace))
        models, model = model_items(self._ctx.state, self.agent.current(), self.model.current())
        self.model.set_items(models, model)
        self.model.setVisible(bool(models))

    # what a person does

    def use_report(self, report_id: str) -> None:
        """The prompt that a report makes, in place of what is there; the task will be linked to it."""
        self.link.use(report_id, self.prompt, self._take_place)

    def _take_place(self, draft: ReportTask) -> None:
        """Work where the report says."""
        if self.in_cloud:
            self.cloud.repository = draft.repository or self.cloud.repository
            self._show_repository()
        elif draft.repository_id is not None:
            self._repository_id = draft.repository_id
            self.refresh()

    def start(self) -> None:
        """Makes the task and shows it at once; its worktree comes up behind it."""
        repository = self._repository()
        text = self.prompt.text().strip()
        if not text or (repository is None and not self.in_cloud):
            return
        self._draft.stop()
        self.problem.hide()
        self._ctx.actions.start(
            "task.create",
            self._create_in_cloud(text) if self.in_cloud or repository is None else self._create(text, repository),
            on_done=self._on_created,
            on_error=self._on_error,
            busy=self.prompt.start,
        )

    def _create(self, text: str, repository: Repository) -> Callable[[], Coroutine[object, object, TaskId]]:
        local = self.workspace is Workspace.LOCAL
        draft = TaskDraft(
            prompt=text,
            repository_id=repository.id,
            agent_id=self.agent.current(),
            workspace=self.workspace,
            base="" if local else self.grid.base.current(),
            mode=self.mode.current() if self.mode.isVisibleTo(self) else "",
            model=self.model.current() if self.model.isVisibleTo(self) else "",
            run_setup=self.grid.script.current() != SKIP,
            attachments=self.prompt.attachments(),
            title=self.link.task_title,
            report_id=self.link.report_id,
        )
        return lambda: self._ctx.services.tasks.create(draft)

    def _create_in_cloud(self, text: str) -> Callable[[], Coroutine[object, object, TaskId]]:
        draft = self.cloud.draft(
            text,
            branch=self.grid.base.current(),
            environment=self.grid.script.current(),
            model=self.model.current() if self.model.isVisibleTo(self) else "",
            attachments=self.prompt.attachments(),
        )
        if self.link.report_id:
            draft = replace(draft, report_id=self.link.report_id, title=self.link.task_title)
        return lambda: self._ctx.services.cloud.create(draft)

    def _on_created(self, task_id: TaskId) -> None:
        self.prompt.editor.blockSignals(True)
        self.prompt.clear()
        self.prompt.editor.blockSignals(False)
        self.link.clear()
        self._on_text(keep=False)
        self._ctx.nav.open_task(task_id, "conversation")
        self._ctx.commands.run("composer.focus")

    def _on_error(self, error: UserError) -> None:
        self.problem.refused(error)

    def _on_text(self, keep: bool = True) -> None:
        where = self.in_cloud or self._repository() is not None
        ready = bool(self.prompt.text().strip()) and where and bool(self.agent.current())
        self.prompt.start.setEnabled(ready)
        if keep and self.prompt.text() != self._ctx.state.drafts.get("", ""):
            self._draft.start()

    def _save_draft(self) -> None:
        text = self.prompt.text()
        if text != self._ctx.state.drafts.get("", ""):
            self._ctx.actions.start("draft", lambda: self._ctx.services.tasks.save_draft("", text))

    def _on_repository(self, chosen: str) -> None:
        if chosen == ADD:
            self.grid.repository.set_current(self._repository_id or "")
            self._adding = True
            self.adder.show()
            self.adder.start()
            return
        if self.in_cloud:
            self.cloud.repository = chosen
        else:
            self._repository_id = RepositoryId(chosen)
        self.grid.base.set_current("")
        self.problem.hide()
        self._show_repository()
        self._on_text()

    def _on_added(self, repository_id: str) -> None:
        self._repository_id = RepositoryId(repository_id)
        self._adding = False
        self.refresh()
        self.prompt.editor.setFocus()

    def _on_not_added(self) -> None:
        self._adding = False
        if self._ctx.state.repositories:
            self.adder.hide()
            self.prompt.editor.setFocus()

    def _on_workspace(self, _chosen: str) -> None:
        self.problem.hide()
        if self.in_cloud != self._was_in_cloud:
            self._was_in_cloud = self.in_cloud
            self.refresh()
        self._on_mode(self.mode.current())
        self._show_repository()

    def _on_script(self, chosen: str) -> None:
        if chosen == EDIT_SCRIPT:
            self._show_repository()
            self._ctx.nav.open_settings("repositories")

    def _on_next_mode(self) -> None:
        modes = [item.id for item in mode_items(self._ctx.state, self.agent.current(), "")[0]]
        if modes:
            here = modes.index(self.mode.current()) if self.mode.current() in modes else -1
            self.mode.set_current(modes[(here + 1) % len(modes)])
            self._on_mode(self.mode.current())

    def _on_mode(self, mode: str) -> None:
        self.mode.set_tone(mode_tone(mode, self.workspace))

    def _on_agent(self, chosen: str) -> None:
        if self.in_cloud:
            self.cloud.adapter = chosen
        self._show_modes()
        self._on_text()

    def _on_changed(self, topics: frozenset[Topic]) -> None:
        kinds = {topic.kind for topic in topics}
        if "cloud" in kinds and self.isVisible():
            self.waiting.refresh()
        if kinds & {"inbox", "task", "tasks"} and self.isVisible():
            self.signals.refresh()
        if kinds & {"repositories", "agents", "settings", "account"}:
            if self.isVisible():
                self.refresh()
            else:
                self._stale = True

    def showEvent(self, event: object) -> None:
        if self._stale:
            self.refresh()
        else:
            self.waiting.refresh()
            self.signals.refresh()

    def hideEvent(self, event: object) -> None:
        if self._draft.isActive():
            self._draft.stop()
            self._save_draft()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        layout = self._column.layout()
        assert layout is not None
        # The design's 84 px belong to a window of 900.
        layout.setContentsMargins(0, _TOP if self.height() >= 760 else 32, 0, 32)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.fillRect(event.rect(), theme().color("surface.window"))
