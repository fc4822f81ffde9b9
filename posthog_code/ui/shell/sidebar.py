"""The sidebar: a new task, the palette, all tasks, and the way to the settings."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QEnterEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QVBoxLayout, QWidget

from posthog_code.domain.agent import AgentStatus
from posthog_code.domain.cloud_lists import is_unread
from posthog_code.domain.ids import TaskId
from posthog_code.domain.state import Topic
from posthog_code.domain.task import Task, Workspace
from posthog_code.domain.text import plural
from posthog_code.ui.cloud.links import open_cloud_task
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit import painting
from posthog_code.ui.kit.buttons import IconButton
from posthog_code.ui.kit.empty import EmptyState
from posthog_code.ui.models.cloud_list import unopened
from posthog_code.ui.models.task_list import Row, build_rows, task_ids, waiting_count
from posthog_code.ui.nav import INBOX, Place
from posthog_code.ui.shell.account_button import AccountButton, link_words
from posthog_code.ui.shell.layout_state import LayoutState
from posthog_code.ui.shell.side_button import SideButton
from posthog_code.ui.shell.task_commands import TaskCommands
from posthog_code.ui.shell.task_view import TaskListView
from posthog_code.ui.theme import notifier, theme

_KINDS = {"tasks", "task", "session", "repositories", "pull_request", "settings", "cloud", "account"}
_READ_AFTER_MS = 1000
_AGES_EVERY_MS = 60_000
_PAD = 10


class Sidebar(QWidget):
    """Wide or, with `set_rail`, 52 px of icons. Follows the state by itself while it can be seen."""

    search_asked = Signal()
    hovered = Signal(bool)

    def __init__(
        self, ctx: UiContext, commands: TaskCommands, layout: LayoutState, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._ctx, self._commands, self._layout = ctx, commands, layout
        self._rail = False
        self._stale = True
        self.list = TaskListView(self)
        self._new = SideButton(
            "New task", "ph.plus-bold", self, style="raised", keys="Ctrl+N", icon_token="accent.text"
        )
        self._new.clicked.connect(self._on_new)
        self._search = SideButton("Search or command", "ph.magnifying-glass", self, style="field", keys="Ctrl+K")
        self._search.clicked.connect(self.search_asked)
        self.needs = SideButton("Needs you", "ph.hand", self, style="nav", keys="Ctrl+Shift+Y")
        self.needs.setCheckable(True)
        self.needs.toggled.connect(self._on_needs)
        self.inbox = SideButton("Inbox", "ph.tray", self, style="nav", keys="Ctrl+Shift+I")
        self.inbox.setCheckable(True)
        self.inbox.clicked.connect(self._on_inbox)
        self.inbox.hide()
        self._nobody = EmptyState(
            "ph.hand", "Nobody waits for you.", "Questions, permissions and finished tasks gather here.", (), self
        )
        self._nobody.hide()
        self._agents = SideButton("", "ph.robot", self)
        self._agents.clicked.connect(self._on_agents)
        self.account = AccountButton(ctx, self)
        self.account.hide()
        self.cloud = IconButton("ph.cloud-check", "The cloud answers", self)
        self.cloud.clicked.connect(self._commands.cloud.refresh)
        self.cloud.hide()
        self._settings = IconButton("ph.gear-six", "Settings", self, keys="Ctrl+,")
        self._settings.clicked.connect(self._on_settings)
        self._build()
        self.list.task_opened.connect(self._on_opened)
        self.list.section_toggled.connect(self._on_toggled)
        self.list.action_asked.connect(self._on_action)
        self.list.menu_asked.connect(self._on_menu)
        self.list.renamed.connect(self._on_renamed)
        self.list.pointer_left.connect(self.refresh)
        self._read_timer = QTimer(self)
        self._read_timer.setSingleShot(True)
        self._read_timer.setInterval(_READ_AFTER_MS)
        self._read_timer.timeout.connect(self._on_seen)
        self._age_timer = QTimer(self)
        self._age_timer.setTimerType(Qt.TimerType.VeryCoarseTimer)
        self._age_timer.setInterval(_AGES_EVERY_MS)
        self._age_timer.timeout.connect(self.refresh)
        ctx.bridge.changed.connect(self._on_changed)
        ctx.nav.changed.connect(self._on_place)
        notifier().changed.connect(self.list.relayout)

    def _build(self) -> None:
        self._top = QVBoxLayout()
        self._top.setContentsMargins(_PAD, 10, _PAD + 1, 6)
        self._top.setSpacing(6)
        self._top.addWidget(self._new)
        self._top.addWidget(self._search)
        places = QVBoxLayout()
        places.setSpacing(1)
        places.addWidget(self.needs)
        places.addWidget(self.inbox)
        self._top.addLayout(places)
        self._middle = QVBoxLayout()
        self._middle.setContentsMargins(_PAD, 4, 1, 0)
        self._middle.addWidget(self.list, 1)
        self._middle.addWidget(self._nobody, 1)
        self._foot = QHBoxLayout()
        self._foot.setContentsMargins(_PAD, 7, _PAD + 1, 7)
        self._foot.setSpacing(4)
        self._foot.addWidget(self._agents, 1)
        self._foot.addWidget(self.account, 1)
        self._foot.addWidget(self.cloud)
        self._foot.addWidget(self._settings)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        box.addLayout(self._top)
        box.addLayout(self._middle, 1)
        box.addLayout(self._foot)
        self.setTabOrder(self._new, self._search)
        self.setTabOrder(self._search, self.needs)
        self.setTabOrder(self.needs, self.inbox)
        self.setTabOrder(self.inbox, self.list)
        self.setTabOrder(self.list, self._agents)
        self.setTabOrder(self._agents, self._settings)

    # what others ask

    @property
    def rows(self) -> list[Row]:
        return self.list.rows

    def task_order(self) -> list[TaskId]:
        """Tasks by their position; folded groups count too."""
        return task_ids(build_rows(self._ctx.state, self._ctx.now()))

    def set_rail(self, on: bool) -> None:
        if on == self._rail:
            return
        self._rail = on
        side = 8 if on else _PAD
        for button in (self._new, self._search, self.needs, self.inbox, self._agents, self.account):
            button.set_rail(on)
        self._top.setContentsMargins(side, 10, side, 6)
        self._top.setSpacing(2 if on else 6)
        self._middle.setContentsMargins(0 if on else _PAD, 4, 1, 0)
        self._foot.setDirection(QBoxLayout.Direction.TopToBottom if on else QBoxLayout.Direction.LeftToRight)
        self._foot.setContentsMargins(side, 7, side, 7)
        for small in (self.cloud, self._settings):
            self._foot.setAlignment(small, Qt.AlignmentFlag.AlignHCenter)
        self.list.set_rail(on)

    def rename(self, task_id: TaskId) -> bool:
        """Opens a row for renaming; False in the rail, or when it is not listed."""
        if self._rail or not self.isVisible():
            return False
        self.list.rename(task_id)
        return True

    def refresh(self) -> None:
        """Shows the state. While the pointer is over the list nothing changes its place."""
        self._stale = False
        previous = self.rows if self.list.pointer_inside else ()
        folded = frozenset(self._layout.collapsed)
        here, waiting = self._ctx.nav.task_id, self.needs.isChecked()
        state, now = self._ctx.state, self._ctx.now()
        rows = build_rows(state, now, folded, previous=previous, waiting=waiting, keep=here)
        self.list.set_rows(rows)
        self.list.set_current(here)
        self.needs.set_count(waiting_count(state))
        self._nobody.setVisible(waiting and not rows and not self._rail)
        self.list.setVisible(not self._nobody.isVisibleTo(self))
        self._show_account()
        self._show_agents()
        self._watch_reading()

    def _show_account(self) -> None:
        """Who is signed in takes the agents' place; these speak up again when none is ready."""
        state = self._ctx.state
        signed_in, agents = state.account.signed_in, state.agents
        ready = any(info.status is AgentStatus.READY for info in agents)
        self.account.setVisible(signed_in)
        self.cloud.setVisible(signed_in)
        self.inbox.setVisible(signed_in)
        self._agents.setVisible(not signed_in or (bool(agents) and not ready))
        if signed_in:
            self.account.refresh()
            online, words = link_words(state)
            self.cloud.set_icon("ph.cloud-check" if online else "ph.cloud-slash")
            self.cloud.set_name(f"{'Online' if online else 'Offline'}. {words}")

    def _show_agents(self) -> None:
        infos = self._ctx.state.agents
        ready = sum(info.status is AgentStatus.READY for info in infos)
        if not infos:
            self._agents.set_words("Looking for agents", "ph.robot", "text.muted")
        elif ready:
            names = ", ".join(info.spec.name for info in infos if info.status is AgentStatus.READY)
            self._agents.set_words(f"{plural(ready, 'agent')} ready", "ph.robot", "text.muted", names)
        else:
            self._agents.set_words("No agent is ready", "ph.warning", "status.waiting", "Choose or install an agent")

    def show_waiting(self) -> None:
        """Only the tasks that need a person, or all of them again."""
        self.needs.toggle()

    def show_inbox_count(self, mine: int, unread: int) -> None:
        """How many reports are for this person."""
        self.inbox.set_count(mine, plain=True)
        news = f", {unread} new" if unread else ""
        if mine:
            self.inbox.setAccessibleName(f"Inbox, {mine}{news}")

    def _on_inbox(self) -> None:
        self.inbox.setChecked(True)
        self._ctx.nav.open_inbox()

    def _on_needs(self, _on: bool) -> None:
        self.refresh()

    # reading

    def _watch_reading(self) -> None:
        task = self._ctx.state.tasks.get(self._ctx.nav.task_id) if self._ctx.nav.task_id else None
        if task is not None and (task.unread or self._has_news(task)) and self.window().isVisible():
            if not self._read_timer.isActive():
                self._read_timer.start()
        else:
            self._read_timer.stop()

    def _on_seen(self) -> None:
        task_id = self._ctx.nav.task_id
        task = self._ctx.state.tasks.get(task_id) if task_id else None
        if task_id and task is not None and not self.window().isMinimized():
            services = self._ctx.services
            if task.unread:
                self._ctx.actions.start(f"task.read {task_id}", lambda: services.tasks.mark_read(task_id))
            if self._has_news(task):
                cloud_id = task.cloud_task_id
                self._ctx.actions.start(f"cloud.read {task_id}", lambda: services.cloud.mark_read(cloud_id))

    def _has_news(self, task: Task) -> bool:
        known = self._ctx.state.cloud.tasks.get(task.cloud_task_id) if task.workspace is Workspace.CLOUD else None
        return known is not None and is_unread(known)

    # what happens

    def _on_changed(self, topics: frozenset[Topic]) -> None:
        kinds = {topic.kind for topic in topics}
        if kinds & _KINDS:
            if self.isVisible():
                self.refresh()
            else:
                self._stale = True
        elif "agents" in kinds:
            self._show_account()
            self._show_agents()

    def _on_place(self, place: Place) -> None:
        self._read_timer.stop()
        if self.needs.isChecked():
            self.refresh()
        self.inbox.setChecked(place.page == INBOX)
        self.list.set_current(place.task_id)
        self._watch_reading()

    def _on_new(self) -> None:
        self._ctx.nav.open_new_task()

    def _on_settings(self) -> None:
        self._ctx.nav.open_settings()

    def _on_agents(self) -> None:
        self._ctx.nav.open_settings("agents")

    def _on_opened(self, task_id: str) -> None:
        task = self._ctx.state.tasks.get(TaskId(task_id))
        in_cloud = unopened(self._ctx.state, task_id)
        if in_cloud is not None:
            open_cloud_task(self._ctx, in_cloud.id)
        elif task is not None:
            self._ctx.nav.open_task(task.id)

    def _on_toggled(self, key: str) -> None:
        folded = self._layout.collapsed
        if key in folded:
            folded.remove(key)
        else:
            folded.append(key)
        self._layout.save(self._ctx.layout_path)
        self.refresh()

    def _on_action(self, name: str, task_id: str) -> None:
        run = {
            "pin": self._commands.pin,
            "archive": self._commands.archive,
            "restore": self._commands.restore,
            "delete": self._commands.delete,
        }[name]
        run(TaskId(task_id))

    def _on_menu(self, task_id: str, at: QPoint) -> None:
        in_cloud = unopened(self._ctx.state, task_id)
        if in_cloud is not None:
            menu = self._commands.cloud.unopened_menu(in_cloud, self)
        else:
            menu = self._commands.menu(TaskId(task_id), self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(at)

    def _on_renamed(self, task_id: str, title: str) -> None:
        self._commands.rename(TaskId(task_id), title)

    def showEvent(self, event: object) -> None:
        self._age_timer.start()
        self.refresh()

    def hideEvent(self, event: object) -> None:
        self._age_timer.stop()

    def enterEvent(self, event: QEnterEvent) -> None:
        self.hovered.emit(True)

    def leaveEvent(self, event: QEvent) -> None:
        self.hovered.emit(False)

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), look.color("surface.sidebar"))
            right = self.width() - 1
            painting.hairline(painter, right, 0, right, self.height(), look.color("border.subtle"))
            foot = (self.account if self.account.isVisible() else self._agents).geometry().top() - 7
            painting.hairline(painter, 0, foot, right, foot, look.color("border.subtle"))
            side = 12 if self._rail else 0
            last = self.inbox if self.inbox.isVisible() else self.needs
            y = last.geometry().bottom() + 6
            painting.hairline(painter, side, y, right - side, y, look.color("border.subtle"))
