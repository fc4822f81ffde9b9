"""The inbox by keyboard: letters of the page, and what the palette offers while it is in view."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget

from posthog_code.ui.commands import Command
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit.inputs import SearchField
from posthog_code.ui.pages.inbox import triage
from posthog_code.ui.pages.inbox.detail import ReportDetail
from posthog_code.ui.pages.inbox.list_column import ListColumn
from posthog_code.ui.pages.inbox.start import StartDeeds

KEYS = (
    ("J K", "Next, previous report"),
    ("Enter", "Open the report"),
    ("S", "Start a task"),
    ("Shift+S", "Start a task in the cloud"),
    ("H", "Snooze"),
    ("E", "Dismiss"),
    ("R", "Restore what was put away"),
    ("B", "Open in PostHog"),
    ("/", "Filter"),
    ("Ctrl+A", "Select all"),
    ("Esc", "Back"),
)


class Page(Protocol):
    """The part of the page that keys act on."""

    column: ListColumn
    detail: ReportDetail
    search: SearchField
    deeds: triage.Triage
    starting: StartDeeds

    def isVisible(self) -> bool: ...

    def step_back(self) -> bool: ...


class InboxKeys(QObject):
    def __init__(self, ctx: UiContext, page: Page, owner: QWidget) -> None:
        super().__init__(owner)
        self._ctx, self._page = ctx, page
        detail = page.detail
        for name, title, run, keys, mark in (
            ("start", "Start a task from this report", detail.start_task, "S", "ph.play"),
            ("cloud", "Start this report's task in the cloud", detail.start_in_cloud, "Shift+S", "ph.cloud"),
            ("edit", "Edit this report's prompt first", self._edit_first, "", "ph.pencil-simple"),
            ("snooze", "Snooze this report", self.snooze, "H", "ph.bell-z"),
            ("dismiss", "Dismiss this report", self.dismiss, "E", "ph.x"),
            ("restore", "Restore this report", self.restore, "R", "ph.arrow-counter-clockwise"),
            ("page", "Open this report in PostHog", detail.open_in_posthog, "B", "ph.arrow-square-out"),
        ):
            command = Command(f"inbox.{name}", title, run, (keys,) if keys else (), self._seen, icon=mark)
            ctx.commands.register(command, self)

    def _seen(self) -> bool:
        return self._page.isVisible() and bool(self._page.detail.report_id)

    def _edit_first(self) -> None:
        self._page.starting.edit_first(self._page.detail.report_id)

    def snooze(self) -> None:
        chosen = self._page.column.list.selected()
        if chosen and triage.can_put_away(self._ctx.state, chosen):
            self._page.deeds.snooze(chosen)

    def dismiss(self) -> None:
        """Asks for the reason."""
        column = self._page.column
        chosen = column.list.selected()
        if chosen and triage.can_put_away(self._ctx.state, chosen):
            anchor: QWidget = column.buttons["dismiss"] if len(chosen) > 1 else self._page.detail.dismiss
            self._page.deeds.dismiss_menu(anchor if anchor.isVisible() else column.list, chosen)

    def restore(self) -> None:
        chosen = self._page.column.list.selected()
        if chosen and triage.can_restore(self._ctx.state, chosen):
            self._page.deeds.restore(chosen)

    def press(self, event: QKeyEvent) -> bool:
        """True when the key meant something here."""
        key, held = Qt.Key(event.key()), event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        page = self._page
        shift = held == Qt.KeyboardModifier.ShiftModifier
        if key == Qt.Key.Key_S and shift and page.detail.report_id:
            page.detail.start_in_cloud()
        elif key == Qt.Key.Key_Slash:
            page.search.edit.setFocus(Qt.FocusReason.ShortcutFocusReason)
        elif held:
            return False
        elif key in (Qt.Key.Key_J, Qt.Key.Key_K):
            page.column.list.step(1 if key == Qt.Key.Key_J else -1)
        elif key == Qt.Key.Key_S and page.detail.report_id:
            page.detail.start_task()
        elif key == Qt.Key.Key_H:
            self.snooze()
        elif key == Qt.Key.Key_E:
            self.dismiss()
        elif key == Qt.Key.Key_R:
            self.restore()
        elif key == Qt.Key.Key_B and page.detail.report_id:
            page.detail.open_in_posthog()
        elif key == Qt.Key.Key_Escape:
            return page.step_back()
        else:
            return False
        return True
