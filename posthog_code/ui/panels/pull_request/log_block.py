"""The end of a check's log, to read and to copy from."""

from __future__ import annotations

import re

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter, QPaintEvent, QTextBlockFormat, QTextCharFormat, QTextCursor, QTextOption
from PySide6.QtWidgets import QSizePolicy, QTextEdit, QVBoxLayout, QWidget

from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.theme import notifier, theme

SHOWN_LINES = 12
MOST_LINES = 40
_BAD = re.compile(
    r"\b(?:error|failed|failure|fatal|panic|exception|traceback|assert\w*|\w+Error)\b|✕|✗|×", re.IGNORECASE
)
_PAD = 8


class LogBlock(QWidget):
    """The last lines of a log on the inset surface; all of them on demand."""

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._lines = text.split("\n")
        self._open = len(self._lines) <= SHOWN_LINES
        self.view = QTextEdit(self)
        self.view.setReadOnly(True)
        self.view.setFrameShape(QTextEdit.Shape.NoFrame)
        self.view.setWordWrapMode(QTextOption.WrapMode.NoWrap)
        self.view.setLineWrapMode(QTextEdit.LineWrapMode.NoWrap)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.view.setAccessibleName("Log of the failing step")
        self.view.viewport().setAutoFillBackground(False)
        self.view.document().setDocumentMargin(0)
        self.more = Button(f"Show all {len(self._lines)} lines", self, kind="ghost", size="sm")
        self.more.clicked.connect(self._show_all)
        column = QVBoxLayout(self)
        column.setContentsMargins(34, _PAD - 1, 12, _PAD)
        column.setSpacing(4)
        column.addWidget(self.view)
        column.addWidget(self.more, 0, Qt.AlignmentFlag.AlignLeft)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._show()
        notifier().changed.connect(self._show)

    def text(self) -> str:
        return "\n".join(self._lines)

    def _show_all(self) -> None:
        self._open = True
        self._show()

    def _show(self) -> None:
        look = theme()
        shown = self._lines if self._open else self._lines[-SHOWN_LINES:]
        height = look.line("codeSmall")
        self.view.setFont(look.font("codeSmall"))
        self.view.clear()
        block, form = QTextBlockFormat(), QTextCharFormat()
        block.setLineHeight(height, QTextBlockFormat.LineHeightTypes.FixedHeight.value)
        form.setFont(look.font("codeSmall"))
        cursor = QTextCursor(self.view.document())
        cursor.beginEditBlock()
        cursor.setBlockFormat(block)
        for number, line in enumerate(shown):
            if number:
                cursor.insertBlock(block)
            form.setForeground(look.color("status.failed" if _BAD.search(line) else "terminal.text"))
            cursor.insertText(line, form)
        cursor.endEditBlock()
        self.view.setFixedHeight(height * min(len(shown), MOST_LINES) + 2)
        bar = self.view.verticalScrollBar()
        bar.setValue(bar.maximum())
        self.more.setVisible(not self._open)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), theme().color("surface.inset"))
