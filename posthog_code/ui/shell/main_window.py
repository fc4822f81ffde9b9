"""The window."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, cast

import shiboken6
from PySide6.QtCore import QByteArray, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QGuiApplication, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QMainWindow, QWidget

from posthog_code.domain.state import Topic
from posthog_code.domain.task import TaskPhase
from posthog_code.ui.commands import Command
from posthog_code.ui.context import UiContext
from posthog_code.ui.nav import INBOX, NEW_TASK, SETTINGS, TASK, Place
from posthog_code.ui.preload import preload
from posthog_code.ui.shell.cloud_commands import entries
from posthog_code.ui.shell.frame import Frame
from posthog_code.ui.shell.layout_state import LayoutState
from posthog_code.ui.shell.sidebar import Sidebar
from posthog_code.ui.shell.task_commands import TaskCommands
from posthog_code.ui.theme import theme

if TYPE_CHECKING:
    from posthog_code.ui.models.palette import Entry
    from posthog_code.ui.shell.palette import Palette
    from posthog_code.ui.shell.panels import Panels
    from posthog_code.ui.shell.task_page import TaskPage

_TITLE = "PostHog Code"
_STOP_WITHIN_MS = 2000
_WARM_AFTER_MS = 600
_FRAME, _TITLE_BAR = 8, 40
"""Room that a window manager's frame may take, in pixels; it is not known before the window is shown."""
_PAGES = {
    NEW_TASK: ("posthog_code.ui.pages.new_task", "NewTaskPage"),
    SETTINGS: ("posthog_code.ui.pages.settings", "SettingsPage"),
    INBOX: ("posthog_code.ui.pages.inbox.page", "InboxPage"),
}
_TITLES = {NEW_TASK: "New task", SETTINGS: "Settings", INBOX: "Inbox"}


_LATER = (
    "posthog_code.ui.shell.confirm",
    "posthog_code.ui.shell.palette",
    "posthog_code.ui.pages.catalog",
    "posthog_code.ui.dialogs.create_pr",
    "posthog_code.ui.shell.key_list",
    "markdown_it",
    "pygments.lexers",
    "pygments.styles",
)
"""Needed at a key press."""


class _Page(Protocol):
    """A page that takes the place of a task."""

    def arrive(self, place: Place) -> None: ...


class MainWindow(QMainWindow):
    """Shows the place that `ctx.nav` is at. Closing it is an intent: somebody else ends the program."""

    closing = Signal()
    task_page: TaskPage

    def __init__(self, ctx: UiContext, panels: Panels | None = None, *, only_list: bool = False) -> None:
        """With `only_list`, somebody else calls `complete` once the list was painted."""
        super().__init__()
        self._ctx = ctx
        self._layout = LayoutState.load(ctx.layout_path)
        self.setWindowTitle(_TITLE)
        self.setMinimumSize(*theme().value("layout.window.min"))
        self.resize(*theme().value("layout.window.reference"))
        if self._layout.geometry:
            self.restoreGeometry(QByteArray.fromBase64(self._layout.geometry.encode()))
        self._fit_screen()
        self.frame = Frame(self._layout, self)
        self.setCentralWidget(self.frame)
        self.tasks = TaskCommands(ctx, self)
        self.sidebar = Sidebar(ctx, self.tasks, self._layout, self.frame)
        self.frame.set_sidebar(self.sidebar)
        self._pages: dict[str, QWidget] = {}
        self.palette_sheet: Palette | None = None
        self._stop_timer = QTimer(self)
        self._stop_timer.setSingleShot(True)
        self._stop_timer.setInterval(_STOP_WITHIN_MS)
        self._go_to_last_place()
        if not only_list:
            self.complete(panels)

    def _fit_screen(self) -> None:
        """The window with its frame stays inside of what the screen leaves free, whatever screen its size is from."""
        screen = self.screen()
        # Pictures and measurements are taken on a screen that is only a number, and smaller than the design's window.
        unseen = QGuiApplication.platformName() == "offscreen"
        if screen is None or unseen or self.isMaximized() or self.isFullScreen():
            return
        inside = fitted(self.geometry(), screen.availableGeometry(), self.minimumSize())
        if self._layout.geometry:
            self.setGeometry(inside)
        else:
            self.resize(inside.size())  # where it opens is up to the window manager

    def complete(self, panels: Panels | None = None) -> None:
        """Everything beside the list. Until then the window takes no input."""
        # Imported here: the list is on the screen before this is even read.
        from posthog_code.ui.kit.focus_ring import FocusRing
        from posthog_code.ui.kit.toast import ToastArea
        from posthog_code.ui.shell.panels import Panels
        from posthog_code.ui.shell.task_page import TaskPage

        ctx = self._ctx
        self.task_page = TaskPage(ctx, self.tasks, self._layout, panels or Panels(), self.frame.pages)
        self.frame.pages.addWidget(self.task_page)
        self._pages[TASK] = self.task_page
        self._toasts = ToastArea(self)
        self._ring = FocusRing(self)
        self._register()
        self.sidebar.search_asked.connect(self.open_palette)
        self.tasks.rename_asked.connect(self._on_rename)
        self.task_page.focus_changed.connect(self.frame.set_focus_mode)
        self.frame.changed.connect(self._save_layout)
        ctx.nav.changed.connect(self._on_place)
        ctx.bridge.changed.connect(self._on_changed)
        ctx.toasts.attach(self._toasts)
        self._on_place(ctx.nav.place, at_once=False)

    def _register(self) -> None:
        from posthog_code.ui.shell.window_commands import WindowCommands

        WindowCommands(self._ctx, self.sidebar, self.task_page, self)
        commands = self._ctx.commands
        commands.register(
            Command("window.palette", "Search or command", self.open_palette, ("Ctrl+K",), hidden=True), self
        )
        commands.register(
            Command("window.actions", "Find an action", lambda: self.open_palette(">"), ("Ctrl+Shift+P",), hidden=True),
            self,
        )
        commands.register(
            Command(
                "layout.sidebar",
                "Show or hide the sidebar",
                self.frame.toggle_sidebar,
                ("Ctrl+B",),
                icon="ph.list-bullets",
            ),
            self,
        )
        on_task = self._on_task_with_files
        commands.register(
            Command("window.file", "Go to a file", self.go_to_file, ("Ctrl+P",), on_task, icon="ph.file-text"), self
        )
        commands.register(Command("window.keys", "Show the keys", self.show_keys, ("F1",), icon="ph.keyboard"), self)
        commands.attach(self, self._takes_keys)

    def _on_task_with_files(self) -> bool:
        task_id = self._ctx.nav.task_id
        task = self._ctx.state.tasks.get(task_id) if task_id else None
        return task is not None and bool(task.path)

    def _takes_keys(self) -> bool:
        """False while a dialog is open over the window."""
        from posthog_code.ui.kit.overlay import Scrim

        direct = Qt.FindChildOption.FindDirectChildrenOnly
        return not any(scrim.isVisible() for scrim in self.findChildren(Scrim, options=direct))

    # places

    def _go_to_last_place(self) -> None:
        """The place of the last time, as long as nothing else was asked for."""
        nav = self._ctx.nav
        last = next((t for t in self._ctx.state.tasks.values() if t.id == self._layout.last_task), None)
        if nav.place == Place(NEW_TASK) and last is not None and _is_listed(last.phase):
            nav.open_task(last.id)

    def _on_place(self, place: Place, *, at_once: bool = True) -> None:
        """`at_once` makes the panels of a task before it comes into view."""
        self._stop_timer.stop()
        if place.page == TASK:
            self.task_page.set_task(place.task_id, place.tab)
            if place.path:
                self.task_page.show_file(place.path, place.line, place.side)
            if at_once and self.isVisible():
                self.task_page.build_panels()
            self._layout.last_task = place.task_id or ""
        else:
            if self.task_page.focused:
                self.task_page.toggle_focus()
            page = self._page(place.page)
            cast(_Page, page).arrive(place)
        self.frame.pages.setCurrentWidget(self._pages[place.page])
        self.frame.close_over()
        self._show_title()

    def _page(self, name: str) -> QWidget:
        page = self._pages.get(name)
        if page is None:
            module, kind = _PAGES[name]
            page = getattr(importlib.import_module(module), kind)(self._ctx, self.frame.pages)
            self._pages[name] = page
            self.frame.pages.addWidget(page)
        return page

    def page(self, name: str) -> QWidget | None:
        """A page that has been made."""
        return self._pages.get(name)

    def _show_title(self) -> None:
        place = self._ctx.nav.place
        task = self._ctx.state.tasks.get(place.task_id) if place.task_id else None
        words = task.title if task else _TITLES.get(place.page, "")
        self.setWindowTitle(f"{words} — {_TITLE}" if words else _TITLE)

    def _on_changed(self, topics: frozenset[Topic]) -> None:
        kinds = {topic.kind for topic in topics}
        if kinds & {"tasks", "task"}:
            task_id = self._ctx.nav.task_id
            task = self._ctx.state.tasks.get(task_id) if task_id else None
            if task_id and (task is None or task.phase is TaskPhase.DELETED):
                self._ctx.nav.leave_task(task_id)
            self._show_title()

    def _on_rename(self, task_id: str) -> None:
        """In the sidebar when the wish came from there, else in the head of the task."""
        if self._ctx.nav.task_id == task_id and not self.sidebar.list.hasFocus():
            self.task_page.header.rename()
        elif not self.sidebar.rename(task_id):  # type: ignore[arg-type]
            self._ctx.nav.open_task(task_id)  # type: ignore[arg-type]
            self.task_page.header.rename()

    # palette

    def open_palette(self, text: str = "") -> None:
        if self.palette_sheet is not None:
            return
        from posthog_code.ui.shell.palette import Palette

        self._open_palette(Palette(self, self._palette_entries(), text if isinstance(text, str) else ""))

    def _palette_entries(self) -> list[Entry]:
        from posthog_code.ui.models.palette import TASKS, Entry, command_entries, setting_entries, task_entries
        from posthog_code.ui.pages.catalog import setting_index

        ctx = self._ctx
        order = self.sidebar.task_order()
        tasks = dict(zip(order, task_entries(ctx.state, order, ctx.now(), ctx.nav.open_task), strict=True))
        recent = [tasks.pop(task_id) for task_id in ctx.nav.recent_tasks if task_id in tasks]
        return [
            *command_entries(sorted(ctx.commands.all(), key=_nearness)),
            *recent,
            *tasks.values(),
            *(Entry(TASKS, title, run, detail, "ph.cloud") for title, detail, run in entries(ctx)),
            *setting_entries(setting_index(ctx.nav)),
        ]

    def go_to_file(self) -> None:
        """A list of the task's files: a changed one is shown in its diff, another one in the editor."""
        ctx, task_id = self._ctx, self._ctx.nav.task_id
        task = ctx.state.tasks.get(task_id) if task_id else None
        if task is None or self.palette_sheet is not None:
            return
        from posthog_code.ui.models.palette import file_entries
        from posthog_code.ui.shell.palette import Palette

        changes = ctx.state.changes.get(task.id)
        changed = {file.path: file.state.value for file in changes.files} if changes else {}

        def choose(path: str) -> None:
            if path in changed:
                ctx.nav.open_file(task.id, path)
            else:
                self.tasks.open_editor(task.id, path)

        def listed(paths: Sequence[str]) -> None:
            if shiboken6.isValid(self) and self.palette_sheet is None and ctx.nav.task_id == task.id:
                entries = file_entries(dict.fromkeys((*changed, *paths)), changed, choose)
                self._open_palette(Palette(self, entries, placeholder="Go to a file of this task", prefixes=False))

        files = ctx.services.repositories.files
        ctx.actions.start(f"files:{task.id}", lambda: files(task.repository_id, task.id), on_done=listed)

    def show_keys(self) -> None:
        """What can be pressed here."""
        from posthog_code.ui.shell.key_list import KeyList, command_sections

        shown = self.task_page.panels_in_view() if self._ctx.nav.place.page == TASK else []
        page = self._pages.get(self._ctx.nav.place.page)
        if page is not None and page is not self.task_page:
            shown = [(page.accessibleName(), page)]
        own = [(title, list(panel.KEYS)) for title, panel in shown if hasattr(panel, "KEYS")]
        KeyList(self, [*own, *command_sections(self._ctx.commands.all())]).open()

    def _open_palette(self, palette: Palette) -> None:
        palette.finished.connect(self._on_palette_closed)
        self.palette_sheet = palette
        palette.open()

    def _on_palette_closed(self, _result: object) -> None:
        self.palette_sheet = None

    # the window

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc that nobody took: the sidebar over the page, review focus, then the running turn."""
        if event.key() == Qt.Key.Key_Escape and not event.isAutoRepeat():
            if self.frame.close_over():
                return
            if self.task_page.isVisible() and self.task_page.focused:
                self.task_page.toggle_focus()
                return
            self._offer_stop()
            return
        super().keyPressEvent(event)

    def _offer_stop(self) -> None:
        place = self._ctx.nav.place
        session = self._ctx.state.session_of(place.task_id) if place.page == TASK and place.task_id else None
        if session is None or not session.phase.busy or place.task_id is None:
            return
        if self._stop_timer.isActive():
            self._stop_timer.stop()
            self.tasks.stop(place.task_id)
        else:
            self._stop_timer.start()
            self._ctx.toasts.show("Press Esc again to stop", timeout=_STOP_WITHIN_MS / 1000, key="stop")

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        QTimer.singleShot(_WARM_AFTER_MS, self._warm_up)

    def _warm_up(self) -> None:
        """Makes the panels ahead of their first task, so that Start shows one at once."""
        if shiboken6.isValid(self):
            later = [*self.task_page.panel_modules(), *(module for module, _ in _PAGES.values()), *_LATER]
            preload(later, self, self.task_page.build_panels)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._layout.geometry = bytes(self.saveGeometry().toBase64().data()).decode()
        self._save_layout()
        event.ignore()
        self.closing.emit()

    def _save_layout(self) -> None:
        self._layout.save(self._ctx.layout_path)


def _nearness(command: Command) -> int:
    """What is about the task in view comes first in the palette, the account in the cloud last."""
    if command.id.startswith(("cloud.account", "cloud.refresh", "cloud.filter")):
        return 2
    return 0 if command.group == "Task" or command.id.startswith("cloud.") else 1


def fitted(wanted: QRect, free: QRect, least: QSize) -> QRect:
    """`wanted` for the inside of a window, made smaller and moved so that its frame is within `free`."""
    inner = free.adjusted(_FRAME, _TITLE_BAR, -_FRAME, -_FRAME)
    width = max(least.width(), min(wanted.width(), inner.width()))
    height = max(least.height(), min(wanted.height(), inner.height()))
    left = max(inner.left(), min(wanted.left(), inner.right() + 1 - width))
    top = max(inner.top(), min(wanted.top(), inner.bottom() + 1 - height))
    return QRect(left, top, width, height)


def _is_listed(phase: TaskPhase) -> bool:
    return phase not in (TaskPhase.ARCHIVED, TaskPhase.DELETED)
