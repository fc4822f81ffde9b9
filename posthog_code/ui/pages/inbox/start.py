"""Starting a task from a report: here or in the cloud, at once or with the prompt edited first."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from posthog_code.domain.agent import AgentStatus
from posthog_code.domain.errors import NotSignedIn, UserError
from posthog_code.domain.ids import RepositoryId, TaskId
from posthog_code.domain.report_prompt import ReportTask
from posthog_code.ui.cloud.links import open_cloud_task
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit.popup import MenuItem, PopupList
from posthog_code.ui.models.inbox_list import short
from posthog_code.ui.models.new_task import default_agent
from posthog_code.ui.nav import NEW_TASK, Place
from posthog_code.ui.pages.inbox.missing import MissingRepository

_EDIT, _CLOUD, _REPOSITORY, _AGENT = "edit", "cloud", "repository:", "agent:"


async def known(ctx: UiContext, report_id: str) -> None:
    """Read the evidence of a report that was never read: its prompt and its repository hang on it."""
    if report_id in ctx.state.inbox.evidence:
        return
    try:
        await ctx.services.inbox.load_evidence(report_id)
    except UserError:
        return  # the task says what is known


class StartDeeds(QObject):
    """One for the page."""

    def __init__(self, ctx: UiContext, owner: QWidget) -> None:
        super().__init__(owner)
        self._ctx, self._owner = ctx, owner

    def start(
        self,
        report_id: str,
        *,
        in_cloud: bool = False,
        repository_id: RepositoryId | None = None,
        agent_id: str = "",
        busy: object = None,
    ) -> None:
        """Make the task and show it. A repository that is not on this machine is asked for first."""
        inbox = self._ctx.services.inbox

        async def begin() -> TaskId | str | ReportTask:
            await known(self._ctx, report_id)
            if not in_cloud and repository_id is None:
                draft = inbox.task_draft(report_id)
                if draft.repository_id is None:
                    return draft
            return await inbox.start_task(report_id, in_cloud=in_cloud, repository_id=repository_id, agent_id=agent_id)

        def begun(made: TaskId | str | ReportTask) -> None:
            if isinstance(made, ReportTask):
                self._ask_repository(report_id, made.repository, agent_id)
            elif in_cloud:
                self._in_cloud(made)
            else:
                self._here(TaskId(made))

        self._ctx.actions.start(f"inbox.start {report_id}", begin, on_done=begun, on_error=self._failed, busy=busy)

    def _here(self, task_id: TaskId) -> None:
        self._ctx.nav.open_task(task_id, "conversation")

    def _in_cloud(self, cloud_task_id: str) -> None:
        self._ctx.toasts.show("Started in the cloud", kind="success", timeout=4.0)
        open_cloud_task(self._ctx, cloud_task_id, tab="conversation")

    def _failed(self, error: UserError) -> None:
        actions = []
        if type(error) is NotSignedIn:
            actions = [("Sign in", lambda: self._ctx.nav.open_settings("account"))]
        self._ctx.toasts.show(error.title, error.hint, "error", actions, 12.0)

    def _ask_repository(self, report_id: str, repository: str, agent_id: str) -> None:
        sheet = MissingRepository(self._ctx, repository, self._owner.window())
        sheet.found.connect(lambda found: self.start(report_id, repository_id=RepositoryId(found), agent_id=agent_id))
        sheet.cloud_asked.connect(lambda: self.start(report_id, in_cloud=True))
        sheet.open()

    def edit_first(self, report_id: str) -> None:
        """The prompt in *New task*, which tells the report it will be linked to."""
        self._ctx.nav.go(Place(NEW_TASK, report_id=report_id))

    def menu(self, report_id: str, anchor: QWidget) -> None:
        """Where, by whom, and with which words."""
        state = self._ctx.state
        draft = self._ctx.services.inbox.task_draft(report_id)
        items = [
            MenuItem(_EDIT, "Edit the prompt first", "ph.pencil-simple"),
            MenuItem(_CLOUD, "Run in the cloud", "ph.cloud", keys="Shift+S"),
        ]
        ready = [info.spec for info in state.agents if info.status is AgentStatus.READY]
        if len(ready) > 1:
            usual = default_agent(state)
            items += [MenuItem(heading="Start with")]
            items += [MenuItem(_AGENT + spec.id, spec.name, "ph.robot", checked=spec.id == usual) for spec in ready]
        repositories = sorted(state.repositories.values(), key=lambda one: (one.id != draft.repository_id, one.name))
        if repositories:
            items += [MenuItem(heading="Start in")]
            items += [
                MenuItem(_REPOSITORY + one.id, one.name, "ph.folder-simple", checked=one.id == draft.repository_id)
                for one in repositories
            ]
        if draft.repository and draft.repository_id is None:
            items.append(MenuItem(_REPOSITORY, f"{short(draft.repository)}, from a folder…", "ph.arrow-square-in"))
        menu = PopupList(items, self._owner.window(), name="Start task")
        menu.chosen.connect(partial(self._on_chosen, report_id))
        menu.closed.connect(menu.deleteLater)
        menu.popup(anchor)

    def _on_chosen(self, report_id: str, chosen: str) -> None:
        if chosen == _EDIT:
            self.edit_first(report_id)
        elif chosen == _CLOUD:
            self.start(report_id, in_cloud=True)
        elif chosen.startswith(_AGENT):
            self.start(report_id, agent_id=chosen.removeprefix(_AGENT))
        else:
            wanted = chosen.removeprefix(_REPOSITORY)
            self.start(report_id, repository_id=RepositoryId(wanted) if wanted else None)
