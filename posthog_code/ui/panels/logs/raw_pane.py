"""The raw event behind a line of the log, as indented JSON."""

from __future__ import annotations

import json
import re

from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QSyntaxHighlighter, QTextCharFormat, QTextDocument
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from posthog_code.domain.logs import LogLine
from posthog_code.ui import platform
from posthog_code.ui.kit import painting
from posthog_code.ui.kit.buttons import Button, IconButton
from posthog_code.ui.kit.labels import ElidedLabel, Label
from posthog_code.ui.panels.logs.view import clock
from posthog_code.ui.theme import notifier, theme

_HEAD = 34
_SHOWN_CHARS = 200_000
_TOKENS = re.compile(
    r'(?P<property>"(?:[^"\\]|\\.)*"(?=\s*:))|(?P<string>"(?:[^"\\]|\\.)*")'
    r"|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<constant>\b(?:true|false|null)\b)"
)


class RawPane(QWidget):
    """Shows one line; closed by its button or Esc."""

    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Raw event")
        self._title = Label("Raw event", self, font="heading")
        self._meta = ElidedLabel("", self, font="small", token="text.muted")
        self._copy = Button("Copy", self, kind="ghost", icon="ph.copy", size="sm")
        self._copy.clicked.connect(self._on_copy)
        self._close = IconButton("ph.x", "Close the raw event", self, size="sm", keys="Esc")
        self._close.clicked.connect(self.closed)
        self._text = QPlainTextEdit(self)
        self._text.setReadOnly(True)
        self._text.setAccessibleName("Raw event")
        self._text.setLineWrapMode(QPlainTextEdit.LineWrapMode.WidgetWidth)
        self._text.setFrameShape(QPlainTextEdit.Shape.NoFrame)
        self._highlighter = _JsonHighlighter(self._text.document())
        head = QHBoxLayout()
        head.setContentsMargins(12, 0, 8, 0)
        head.setSpacing(8)
        head.addWidget(self._title)
        head.addWidget(self._meta, 1)
        head.addWidget(self._copy)
        head.addWidget(self._close)
        self._head = QWidget(self)
        self._head.setLayout(head)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 1, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._head)
        column.addWidget(self._text, 1)
        notifier().changed.connect(self._dress)
        self._dress()

    def sizeHint(self) -> QSize:
        return QSize(300, theme().size("layout.logDetail"))

    def text(self) -> str:
        return self._text.toPlainText()

    def show_line(self, line: LogLine) -> None:
        self._meta.setText(f"{clock(line.at)} · {line.source.value}")
        self._text.setPlainText(pretty(line))

    def _on_copy(self) -> None:
        platform.copy_text(self.text())

    def _dress(self) -> None:
        look = theme()
        self._head.setFixedHeight(look.px(_HEAD))
        self._text.setFont(look.font("code"))
        self._text.document().setDocumentMargin(10)
        palette = self._text.palette()
        palette.setColor(palette.ColorRole.Base, look.color("surface.inset"))
        palette.setColor(palette.ColorRole.Text, look.color("syntax.text"))
        self._text.setPalette(palette)
        self._highlighter.rehighlight()

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), look.color("surface.panel"))
            body = self._text.geometry()
            painter.fillRect(body, look.color("surface.inset"))
            painting.hairline(painter, 0, 0, self.width(), 0, look.color("border.subtle"))
            painting.hairline(painter, 0, body.top() - 1, self.width(), body.top() - 1, look.color("border.subtle"))


def pretty(line: LogLine) -> str:
    """The data indented when it is JSON, as it stands when not, and the text alone when there is none."""
    if not line.data:
        return line.text
    try:
        text = json.dumps(json.loads(line.data), indent=2, ensure_ascii=False)
    except ValueError:
        text = line.data
    if len(text) > _SHOWN_CHARS:
        return f"{text[:_SHOWN_CHARS]}\n… {len(text) - _SHOWN_CHARS:,} more characters"
    return text


class _JsonHighlighter(QSyntaxHighlighter):
    def __init__(self, document: QTextDocument) -> None:
        super().__init__(document)

    def highlightBlock(self, text: str) -> None:
        look = theme()
        for found in _TOKENS.finditer(text):
            style = QTextCharFormat()
            style.setForeground(look.color(f"syntax.{found.lastgroup}"))
            self.setFormat(found.start(), found.end() - found.start(), style)
