"""Messages that wait for the running turn to end, above the composer."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from posthog_code.domain.ids import MessageId
from posthog_code.domain.task import QueuedMessage
from posthog_code.ui.kit import painting
from posthog_code.ui.kit.buttons import Button, IconButton
from posthog_code.ui.kit.focus_ring import set_focus_ring
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.icons import paint_icon


class QueueRow(QWidget):
    """One dashed row: the message in one line, Send now, edit, remove."""

    sendNow = Signal(str)
    edit = Signal(str)
    remove = Signal(str)
    moveBy = Signal(str, int)
    dragged = Signal(str, QPoint)
    """While the row is being dragged: the pointer, in global coordinates."""

    def __init__(self, message: QueuedMessage, place: int, parent: QWidget) -> None:
        super().__init__(parent)
        self.message_id: MessageId = message.id
        self._text = " ".join(message.text.split()) or ", ".join(message.attachments)
        self._label = "Next" if place == 0 else str(place + 1)
        self._pressed: QPoint | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(message.text[:600])
        self.setAccessibleName(f"Queued message {place + 1}: {self._text}")
        set_focus_ring(self, 6)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 4, 0)
        row.setSpacing(0)
        row.addStretch(1)
        now = Button("Send now", self, kind="ghost", size="sm")
        change = IconButton("ph.pencil-simple", "Edit the message", self, size="sm")
        drop = IconButton("ph.x", "Remove the message", self, size="sm")
        now.clicked.connect(self._send_now)
        change.clicked.connect(self._edit)
        drop.clicked.connect(self._remove)
        self._buttons = (now, change, drop)
        for button in self._buttons:
            row.addWidget(button)

    def _send_now(self) -> None:
        self.sendNow.emit(self.message_id)

    def _edit(self) -> None:
        self.edit.emit(self.message_id)

    def _remove(self) -> None:
        self.remove.emit(self.message_id)

    def sizeHint(self) -> QSize:
        return QSize(200, theme().px(28))

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            pen = QPen(look.color("border.strong"), 1, Qt.PenStyle.CustomDashLine)
            pen.setDashPattern([3, 3])
            painter.setPen(pen)
            painter.setBrush(look.color("surface.hover") if self.underMouse() else Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
            paint_icon(painter, QRectF(11, self.height() / 2 - 7, 14, 14), "ph.queue", "text.muted")
            width = painting.text_width(self._label, look.font("small"))
            box = QRectF(32, 0, width, self.height())
            painting.text(painter, box, self._label, look.font("small"), look.color("text.muted"))
            left = 32 + width + 8
            room = QRectF(left, 0, max(0, self._buttons[0].x() - left - 6), self.height())
            painting.text(painter, room, self._text, look.font("small"), look.color("text.primary"))

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.HoverEnter, QEvent.Type.HoverLeave, QEvent.Type.Enter, QEvent.Type.Leave):
            self.update()
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        shift = event.modifiers() == Qt.KeyboardModifier.ShiftModifier
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._edit()
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self._remove()
        elif shift and event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.moveBy.emit(self.message_id, -1 if event.key() == Qt.Key.Key_Up else 1)
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self._pressed = event.globalPosition().toPoint()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._pressed is not None and abs(event.globalPosition().y() - self._pressed.y()) > 6:
            self.setCursor(Qt.CursorShape.ClosedHandCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        pressed, self._pressed = self._pressed, None
        self.unsetCursor()
        if pressed is not None and abs(event.globalPosition().y() - pressed.y()) > 6:
            self.dragged.emit(self.message_id, event.globalPosition().toPoint())

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._edit()


class QueueList(QWidget):
    """The queue in order; the first one is sent next."""

    sendNow = Signal(str)
    edit = Signal(str)
    remove = Signal(str)
    moved = Signal(str, int)
    """Message id and its new place."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: tuple[QueuedMessage, ...] = ()
        self.rows: list[QueueRow] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 6)
        self._column.setSpacing(4)
        self.setAccessibleName("Queued messages")
        self.hide()

    def set_messages(self, messages: tuple[QueuedMessage, ...]) -> None:
        if messages == self._shown:
            return
        self._shown = messages
        for row in self.rows:
            row.hide()
            row.deleteLater()
        self.rows = []
        for place, message in enumerate(messages):
            row = QueueRow(message, place, self)
            row.sendNow.connect(self.sendNow)
            row.edit.connect(self.edit)
            row.remove.connect(self.remove)
            row.moveBy.connect(self._move_by)
            row.dragged.connect(self._dropped)
            self._column.addWidget(row)
            self.rows.append(row)
        self.setVisible(bool(messages))
        self.updateGeometry()

    def messages(self) -> tuple[QueuedMessage, ...]:
        return self._shown

    def _move_by(self, message_id: str, step: int) -> None:
        place = self._place(message_id) + step
        if 0 <= place < len(self._shown):
            self.moved.emit(message_id, place)

    def _dropped(self, message_id: str, at: QPoint) -> None:
        y = self.mapFromGlobal(at).y()
        place = sum(row.geometry().center().y() < y for row in self.rows if row.message_id != message_id)
        if place != self._place(message_id):
            self.moved.emit(message_id, place)

    def _place(self, message_id: str) -> int:
        return next((n for n, message in enumerate(self._shown) if message.id == message_id), -1)
