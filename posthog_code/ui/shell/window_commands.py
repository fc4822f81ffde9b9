"""Commands of the window itself: places, layout, tasks by position."""

from __future__ import annotations

import sys
from functools import partial

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtWidgets import QApplication, QStackedWidget, QWidget

from posthog_code.domain.task import TaskPhase
from posthog_code.ui.commands import Command
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit.toast import ToastArea
from posthog_code.ui.models.task_view import needs_you
from posthog_code.ui.nav import TASK
from posthog_code.ui.shell.sidebar import Sidebar
from posthog_code.ui.shell.task_page import TaskPage

# On a Mac, Option with an arrow moves by words in every text field.
_BACK, _FORWARD = ("Ctrl+[", "Ctrl+]") if sys.platform == "darwin" else ("Alt+Left", "Alt+Right")
_TEXT_MIN, _TEXT_MAX, _TEXT_DEFAULT = 12, 18, 13
_ZOOM_AFTER_MS = 120


class WindowCommands(QObject):
    """Registers the commands; the window hands in its parts."""

    def __init__(self, ctx: UiContext, sidebar: Sidebar, page: TaskPage, window: QWidget) -> None:
        super().__init__(window)
        self._ctx, self._sidebar, self._page, self._window = ctx, sidebar, page, window
        self._cycle: tuple[str, ...] = ()
        self._zoomed = 0
        """Text size that was asked for and is not on yet; 0 for none."""
        self._zoom_timer = QTimer(self)
        self._zoom_timer.setSingleShot(True)
        self._zoom_timer.setInterval(_ZOOM_AFTER_MS)
        self._zoom_timer.timeout.connect(self._apply_zoom)
        self._register_places()
        self._register_tasks()
        self._register_panels()
        self._register_zoom()

    def add(self, command_id: str, title: str, run: object, keys: tuple[str, ...] = (), **fields: object) -> None:
        assert callable(run)
        self._ctx.commands.register(Command(command_id, title, run, keys, **fields), self)  # type: ignore[arg-type]

    def _register_places(self) -> None:
        nav = self._ctx.nav
        self.add("window.new_task", "New task", lambda: nav.open_new_task(), ("Ctrl+N",), icon="ph.plus")
        self.add(
            "place.needs_you",
            "Show what needs you",
            self._sidebar.show_waiting,
            ("Ctrl+Shift+Y",),
            icon="ph.hand",
        )
        self.add("place.inbox", "Open the inbox", lambda: nav.open_inbox(), ("Ctrl+Shift+I",), icon="ph.tray")
        self.add("window.settings", "Open the settings", lambda: nav.open_settings(), ("Ctrl+,",), icon="ph.gear-six")
        self.add("window.back", "Go back", nav.back, (_BACK,), icon="ph.arrow-left", enabled=nav.can_go_back)
        self.add(
            "window.forward",
            "Go forward",
            nav.forward,
            (_FORWARD,),
            icon="ph.arrow-right",
            enabled=nav.can_go_forward,
        )
        self.add("window.next_region", "Next region", lambda: self._region(1), ("F6",), hidden=True)
        self.add("window.previous_region", "Previous region", lambda: self._region(-1), ("Shift+F6",), hidden=True)

    def _register_tasks(self) -> None:
        for number in range(1, 10):
            self.add(
                f"task.open_{number}",
                f"Open task {number}",
                partial(self._open_at, number - 1),
                (f"Ctrl+{number}",),
                hidden=True,
            )
        self.add("task.recent", "Recent task", lambda: self._recent(1), ("Ctrl+Tab",), icon="ph.clock")
        self.add("task.recent_back", "Recent task, back", lambda: self._recent(-1), ("Ctrl+Shift+Tab",), hidden=True)
        self.add("task.next", "Next task", lambda: self._step(1), ("Alt+Down",), icon="ph.arrow-down")
        self.add("task.previous", "Previous task", lambda: self._step(-1), ("Alt+Up",), icon="ph.arrow-up")
        self.add(
            "task.next_waiting",
            "Next task that needs you",
            self._next_waiting,
            ("Ctrl+J",),
            icon="ph.hand",
            enabled=lambda: bool(self._waiting()),
        )

    def _register_panels(self) -> None:
        page = self._page
        for spec in page.panel_specs():
            self.add(
                f"panel.{spec.id}",
                f"Show {spec.title.lower()}",
                partial(page.show_tab, spec.id),
                (spec.keys,),
                icon=spec.icon,
                enabled=self._on_task,
            )
        self.add(
            "layout.panel",
            "Show or hide the panel",
            page.toggle_panel,
            ("Ctrl+Shift+B",),
            icon="ph.arrow-line-left",
            enabled=self._on_task,
        )
        self.add(
            "layout.conversation",
            "Show or hide the conversation",
            page.toggle_conversation,
            ("Ctrl+Shift+H",),
            icon="ph.chat-centered-text",
            enabled=self._on_task,
        )
        self.add(
            "layout.focus",
            "Focus the review",
            page.toggle_focus,
            ("F11",),
            detail="hide the conversation",
            icon="ph.corners-out",
            enabled=self._on_task,
        )
        self.add(
            "composer.focus",
            "Write to the agent",
            page.focus_conversation,
            ("Ctrl+L",),
            icon="ph.pencil-simple",
            enabled=self._on_task,
        )

    def _register_zoom(self) -> None:
        self.add("zoom.in", "Larger text", lambda: self._zoom(1), ("Ctrl+=", "Ctrl++"), icon="ph.plus")
        self.add("zoom.out", "Smaller text", lambda: self._zoom(-1), ("Ctrl+-",), icon="ph.minus")
        self.add("zoom.reset", "Normal text size", lambda: self._zoom(0), ("Ctrl+0",), icon="ph.text-aa")

    # what they do

    def _on_task(self) -> bool:
        return self._ctx.nav.place.page == TASK

    def _open_at(self, number: int) -> None:
        order = self._sidebar.task_order()
        if number < len(order):
            self._ctx.nav.open_task(order[number])

    def _step(self, by: int) -> None:
        order = self._sidebar.task_order()
        if not order:
            return
        here = self._ctx.nav.task_id
        at = order.index(here) + by if here in order else 0
        self._ctx.nav.open_task(order[max(0, min(at, len(order) - 1))])

    def _recent(self, by: int) -> None:
        """Goes through the tasks as they were last shown; the order stands still while one keeps on pressing."""
        shown = {t.id for t in self._ctx.state.tasks.values() if t.phase not in (TaskPhase.ARCHIVED, TaskPhase.DELETED)}
        recent = tuple(task_id for task_id in self._ctx.nav.recent_tasks if task_id in shown)
        if set(recent) != set(self._cycle) or self._ctx.nav.task_id not in self._cycle:
            self._cycle = recent
        if len(self._cycle) < 2 and self._ctx.nav.task_id in self._cycle:
            return
        if not self._cycle:
            return
        here = self._ctx.nav.task_id
        at = self._cycle.index(here) + by if here in self._cycle else 0
        self._ctx.nav.open_task(self._cycle[at % len(self._cycle)])  # type: ignore[arg-type]

    def _waiting(self) -> list[str]:
        state = self._ctx.state
        return [task_id for task_id in self._sidebar.task_order() if needs_you(state, task_id)]

    def _next_waiting(self) -> None:
        waiting = self._waiting()
        if waiting:
            here = self._ctx.nav.task_id
            at = waiting.index(here) + 1 if here in waiting else 0
            self._ctx.nav.open_task(waiting[at % len(waiting)])  # type: ignore[arg-type]

    def _region(self, by: int) -> None:
        regions: list[QWidget] = [self._sidebar.list]
        if self._on_task():
            regions += self._page.regions()
        else:
            shown = self._page.parentWidget()
            current = shown.currentWidget() if isinstance(shown, QStackedWidget) else None
            regions += getattr(current, "regions", list)()
        focused = QApplication.focusWidget()
        at = next(
            (n for n, region in enumerate(regions) if focused is region or (focused and region.isAncestorOf(focused))),
            len(regions),
        )
        to = (at + by) % (len(regions) + 1)
        toasts = self._window.findChild(ToastArea)
        if to == len(regions):  # after the last one come the notifications, if there are any
            if toasts is not None and toasts.focus_first():
                return
            to = 0 if by > 0 else len(regions) - 1
        regions[to].setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _zoom(self, by: int) -> None:
        """Presses that follow each other quickly are one step: the whole window is laid out again for it."""
        size = self._zoomed or self._ctx.state.settings.text_size
        self._zoomed = _TEXT_DEFAULT if by == 0 else max(_TEXT_MIN, min(_TEXT_MAX, size + by))
        self._zoom_timer.start()

    def _apply_zoom(self) -> None:
        wanted, self._zoomed = self._zoomed, 0
        if wanted and wanted != self._ctx.state.settings.text_size:
            self._ctx.actions.start("zoom", lambda: self._ctx.services.settings.set(text_size=wanted))
