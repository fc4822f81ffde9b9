"""The text of a message: grows from 2 to 12 lines, marks mentions, and leaves its special keys to the composer."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QMimeData, QSize, Qt, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QImage,
    QKeyEvent,
    QPaintEvent,
    QResizeEvent,
    QSyntaxHighlighter,
    QTextCharFormat,
    QTextDocument,
)
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QSizePolicy, QWidget

from posthog_code.ui.composer.mentions import MENTION
from posthog_code.ui.kit.caret import Caret
from posthog_code.ui.theme import notifier, theme


class _Mentions(QSyntaxHighlighter):
    def __init__(self, document: QTextDocument) -> None:
        super().__init__(document)

    def highlightBlock(self, text: str) -> None:
        if "@" not in text:
            return
        look = theme()
        mark = QTextCharFormat()
        mark.setForeground(look.color("accent.text"))
        mark.setBackground(look.color("accent.soft"))
        for found in MENTION.finditer(text):
            # Qt counts UTF-16 units.
            start = len(text[: found.start()].encode("utf-16-le")) // 2
            self.setFormat(start, len(found.group().encode("utf-16-le")) // 2, mark)


class Editor(QPlainTextEdit):
    imagePasted = Signal(QImage)
    filesDropped = Signal(list)
    """Absolute paths."""
    focusChanged = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.on_key: Callable[[QKeyEvent], bool] = lambda event: False
        """Sees each key before the editor; True takes it."""
        self._min_lines, self._max_lines = theme().size("layout.composer.minLines"), 12
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Message")
        self.setTabChangesFocus(True)
        self._caret = Caret(self)
        self.document().setDocumentMargin(0)
        self.viewport().setAutoFillBackground(False)
        self._mentions = _Mentions(self.document())
        self.textChanged.connect(self.updateGeometry)
        self._dress()
        notifier().changed.connect(self._dress)

    def _dress(self) -> None:
        self.setFont(theme().font("body"))
        self._mentions.rehighlight()
        self.updateGeometry()

    def set_lines(self, least: int, most: int) -> None:
        self._min_lines, self._max_lines = least, most
        self.updateGeometry()

    def _line_count(self) -> int:
        count, block = 0, self.document().begin()
        while block.isValid() and count <= self._max_lines:
            layout = block.layout()
            self.document().documentLayout().blockBoundingRect(block)
            count += max(1, layout.lineCount() if layout is not None else 1)
            block = block.next()
        return count

    def sizeHint(self) -> QSize:
        lines = max(self._min_lines, min(self._line_count(), self._max_lines))
        many = self._line_count() > self._max_lines
        policy = Qt.ScrollBarPolicy.ScrollBarAsNeeded if many else Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        if self.verticalScrollBarPolicy() != policy:
            self.setVerticalScrollBarPolicy(policy)
        return QSize(200, lines * self.fontMetrics().lineSpacing() + 6)

    def minimumSizeHint(self) -> QSize:
        return QSize(80, self.sizeHint().height())

    def event(self, event: QEvent) -> bool:
        # Tab is a matter of focus before it becomes a key press.
        press = event if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress else None
        if press is not None and press.key() == Qt.Key.Key_Tab and self.on_key(press):
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self.on_key(event):
            super().keyPressEvent(event)

    def focusNextPrevChild(self, forward: bool) -> bool:
        # Shift+Tab is the next mode here; F6 and Tab leave the composer.
        return forward and super().focusNextPrevChild(forward)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        self._caret.paint()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self._caret.show()
        self.focusChanged.emit(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._caret.show()
        self.focusChanged.emit(False)

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        return source.hasImage() or source.hasUrls() or super().canInsertFromMimeData(source)

    def insertFromMimeData(self, source: QMimeData) -> None:
        local = [url.toLocalFile() for url in source.urls() if url.isLocalFile()] if source.hasUrls() else []
        if local:
            self.filesDropped.emit(local)
        elif source.hasImage() and not source.hasText():
            image = source.imageData()
            if isinstance(image, QImage) and not image.isNull():
                self.imagePasted.emit(image)
        else:
            self.insertPlainText(source.text())
