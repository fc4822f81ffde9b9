"""What the agent says, as Markdown."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter

from posthog_code.domain.transcript import AgentText
from posthog_code.ui.panels.conversation.row_base import GAP, Paragraph, Row
from posthog_code.ui.theme import Theme


class TextRow(Row):
    _paragraph = Paragraph("")

    def measure(self, width: int) -> int:
        item = self.view.transcript.items[self.block.first]
        assert isinstance(item, AgentText)
        self._paragraph = Paragraph(item.text, "reading", rich=True)
        return self._paragraph.layout(width) + GAP

    def draw(self, painter: QPainter, look: Theme, exposed: QRectF) -> None:
        self._paragraph.draw(painter, 0, 0, look)

    def spoken(self) -> str:
        return self._paragraph.text
