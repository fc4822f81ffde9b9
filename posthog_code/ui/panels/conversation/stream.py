"""The list of rows with its keys: moving, opening, copying, answering."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFocusEvent, QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QWidget

from posthog_code.domain.transcript import ToolCall, UserMessage
from posthog_code.ui.kit.virtual_list import VirtualList
from posthog_code.ui.panels.conversation.row_base import Row
from posthog_code.ui.panels.conversation.row_permission import PermissionRow
from posthog_code.ui.panels.conversation.row_question import QuestionRow
from posthog_code.ui.panels.conversation.row_tools import ToolsRow
from posthog_code.ui.panels.conversation.source import ConversationSource
from posthog_code.ui.panels.conversation.view_state import ViewState

_OPENS = ("thought", "tools", "line", "user")


class StreamView(VirtualList):
    """One stop for Tab; J and K move between messages and calls inside it."""

    findRequested = Signal()
    fileRequested = Signal(str)
    escapePressed = Signal()

    def __init__(self, view: ViewState, source: ConversationSource, parent: QWidget | None = None) -> None:
        super().__init__(parent, max_width=720, padding=16)
        self.view = view
        self.source = source
        self.setAccessibleName("Conversation")
        self.setObjectName("conversationStream")

    # -- the pending card

    def card(self) -> PermissionRow | QuestionRow | None:
        """The card that waits for an answer, mounted; the last one when there are several."""
        for row in reversed(self.mounted_rows()):
            widget = self.widget_at(row)
            if isinstance(widget, PermissionRow | QuestionRow):
                return widget
        return None

    def card_row(self) -> int:
        for row in range(self.source.count() - 1, max(-1, self.source.count() - 60), -1):
            if self.source.kind(row) in ("permission", "question"):
                return row
        return -1

    def show_card(self) -> PermissionRow | QuestionRow | None:
        """Bring the pending card into view."""
        row = self.card_row()
        if row < 0:
            return None
        if self.widget_at(row) is None:
            self.scroll_to_row(row, 40)
            self.flush()
        widget = self.widget_at(row)
        if isinstance(widget, PermissionRow | QuestionRow):
            return widget
        return None

    def answer_by_key(self, key: int, *, enter: bool = False) -> bool:
        card = self.show_card()
        return card is not None and card.take_key(key, enter=enter)

    # -- moving

    def stops(self) -> list[tuple[str, int]]:
        """Every key J and K stop at, with its row."""
        return [(key, row) for row in range(self.source.count()) for key in self.source.stops_of(row)]

    def step(self, by: int) -> None:
        """To the next or previous stop, looked for from the current one outward."""
        row = self.source.row_of(self.view.current) if self.view.current else -1
        if row < 0:
            row = max(0, self.first_visible()) if by > 0 else self.source.count() - 1
            found = self._stop_from(row, "", by)
        else:
            found = self._stop_from(row, self.view.current, by)
        if found is not None:
            self.go_to(*found)

    def _stop_from(self, row: int, current: str, by: int) -> tuple[str, int] | None:
        keys = self.source.stops_of(row)
        at = keys.index(current) + by if current in keys else (0 if by > 0 else len(keys) - 1)
        while not 0 <= at < len(keys):
            row += by
            if not 0 <= row < self.source.count():
                return None
            keys = self.source.stops_of(row)
            at = 0 if by > 0 else len(keys) - 1
        return keys[at], row

    def step_turn(self, by: int) -> None:
        """To the next or previous message of the person."""
        row = self.source.row_of(self.view.current) if self.view.current else self.first_visible()
        row += by
        while 0 <= row < self.source.count():
            if self.source.kind(row) in ("user", "prompt"):
                self.go_to(self.source.key(row), row)
                return
            row += by

    def go_to_turn(self, number: int) -> None:
        """To the message that a turn began with."""
        items = self.view.transcript.items
        for row in range(self.source.count()):
            block = self.source.block(row)
            message = items[block.first] if block.kind == "user" and 0 <= block.first < len(items) else None
            first = block.kind == "prompt" and number == 1
            if first or (isinstance(message, UserMessage) and message.turn == number):
                self.go_to(block.key, row)
                return

    def go_to(self, key: str, row: int) -> None:
        self.view.current = key
        widget = self.widget_at(row)
        if widget is None:
            self.scroll_to_row(row, 40)
            widget = self.widget_at(row)
        else:
            self._reveal(widget, key)
        if isinstance(widget, PermissionRow | QuestionRow):
            widget.setFocus(Qt.FocusReason.OtherFocusReason)
        elif not self.hasFocus():
            self.setFocus(Qt.FocusReason.OtherFocusReason)
        if isinstance(widget, Row):
            self.setAccessibleDescription(widget.spoken()[:300])
        self.viewport().update()
        self.update_rows()

    def _reveal(self, widget: QWidget, key: str) -> None:
        top, height = widget.y(), widget.height()
        if isinstance(widget, ToolsRow) and widget.block.key != key:
            top, height = top + widget.line_top(key), 40
        bar, view = self.verticalScrollBar(), self.viewport().height()
        if top < 8:
            bar.setValue(bar.value() + top - 24)
        elif top + height > view - 8:
            bar.setValue(bar.value() + min(top + height - view + 24, top - 24))

    def update_rows(self) -> None:
        for row in self.mounted_rows():
            widget = self.widget_at(row)
            if widget is not None:
                widget.update()

    # -- keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, mods = event.key(), event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if mods == Qt.KeyboardModifier.NoModifier and self._plain_key(key):
            return
        if mods == Qt.KeyboardModifier.ControlModifier and key == Qt.Key.Key_F:
            self.findRequested.emit()
            return
        if mods == Qt.KeyboardModifier.ControlModifier and key == Qt.Key.Key_C and self.copy():
            return
        if mods == Qt.KeyboardModifier.AltModifier:
            if Qt.Key.Key_1 <= key <= Qt.Key.Key_9 and self.answer_by_key(key):
                return
            if key in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown):
                self.step_turn(1 if key == Qt.Key.Key_PageDown else -1)
                return
        super().keyPressEvent(event)

    def _plain_key(self, key: int) -> bool:
        if key in (Qt.Key.Key_J, Qt.Key.Key_K):
            self.step(1 if key == Qt.Key.Key_J else -1)
        elif key in (Qt.Key.Key_BracketLeft, Qt.Key.Key_BracketRight):
            self.step_turn(1 if key == Qt.Key.Key_BracketRight else -1)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.view.current:
            self.open_current()
        elif key == Qt.Key.Key_O and self.view.current:
            self._open_file()
        elif key == Qt.Key.Key_Y and self.view.current:
            self.copy()
        elif key == Qt.Key.Key_Escape:
            if self.view.current:
                self.view.current = ""
                self.update_rows()
            else:
                self.escapePressed.emit()
        elif Qt.Key.Key_1 <= key <= Qt.Key.Key_9 or key in (Qt.Key.Key_A, Qt.Key.Key_R):
            return self.answer_by_key(key)
        else:
            return False
        return True

    def open_current(self) -> None:
        row = self.source.row_of(self.view.current)
        if row >= 0 and self.source.kind(row) in _OPENS:
            self.view.toggle(self.view.current)

    def _open_file(self) -> None:
        row = self.source.row_of(self.view.current)
        if row < 0:
            return
        block = self.source.block(row)
        for item in self.view.transcript.items[block.first : block.last + 1]:
            if isinstance(item, ToolCall) and item.key == self.view.current and item.paths:
                self.fileRequested.emit(item.paths[0])
                return

    def copy(self) -> bool:
        """Copy the current row: Markdown of a message, the command or output of a call."""
        row = self.source.row_of(self.view.current) if self.view.current else -1
        widget = self.widget_at(row) if row >= 0 else None
        if not isinstance(widget, Row):
            return False
        QGuiApplication.clipboard().setText(widget.plain_text())
        return True

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.view.focused = True
        self.update_rows()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.view.focused = False
        self.update_rows()
