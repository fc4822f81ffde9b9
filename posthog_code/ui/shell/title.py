"""A title that can be changed where it stands."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from posthog_code.ui.kit import painting
from posthog_code.ui.theme import theme

_MIN_EDIT = 320


class EditableTitle(QWidget):
    """One elided line in the title style. Double-click, or `edit`, puts a text field in its place."""

    edited = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._text = ""
        self._editor: QLineEdit | None = None

    @property
    def editor(self) -> QLineEdit | None:
        """The open text field."""
        return self._editor

    def text(self) -> str:
        return self._text

    def set_text(self, text: str) -> None:
        if text != self._text:
            self._text = text
            self.setAccessibleName(text)
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        look = theme()
        return QSize(painting.text_width(self._text, look.font("title")) + 2, look.line("title"))

    def edit(self) -> None:
        if self._editor is not None:
            return
        editor = QLineEdit(self._text, self.parentWidget())
        editor.setAccessibleName("Title of the task")
        editor.setFont(theme().font("title"))
        editor.installEventFilter(self)
        editor.editingFinished.connect(self._on_finished)
        self._editor = editor
        self._place()
        editor.show()
        editor.selectAll()
        editor.setFocus(Qt.FocusReason.OtherFocusReason)

    def stop_editing(self) -> None:
        """Closes the field; what was typed is dropped."""
        editor, self._editor = self._editor, None
        if editor is not None:
            editor.hide()
            editor.deleteLater()

    def _place(self) -> None:
        if self._editor is not None:
            parent = self.parentWidget()
            room = parent.width() - self.x() - 8 if parent is not None else _MIN_EDIT
            width = min(max(_MIN_EDIT, self.width() + 30), room)
            self._editor.setGeometry(self.x() - 8, self.y() - 3, width, self.height() + 6)
            self._editor.raise_()

    def _on_finished(self) -> None:
        text = self._editor.text().strip() if self._editor is not None else ""
        self.stop_editing()
        if text and text != self._text:
            self.set_text(text)
            self.edited.emit(text)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        key = event.key() if event.type() is QEvent.Type.KeyPress and isinstance(event, QKeyEvent) else None
        if watched is self._editor and key == Qt.Key.Key_Escape:
            self.stop_editing()
            return True
        return super().eventFilter(watched, event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.edit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._place()
        short = self.sizeHint().width() > self.width()
        self.setToolTip(self._text if short else "")

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        with QPainter(self) as painter:
            painting.text(painter, QRectF(self.rect()), self._text, look.font("title"), look.color("text.primary"))
