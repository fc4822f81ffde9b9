"""What the agent says, as Markdown."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtGui import QMouseEvent, QPainter

from posthog_code.domain.transcript import AgentText
from posthog_code.ui.kit.markdown import MarkdownView
from posthog_code.ui.panels.conversation.row_base import GAP, Row
from posthog_code.ui.panels.conversation.view_state import ViewState
from posthog_code.ui.theme import Theme


class TextRow(Row):
    """Plain on the window, no bubble; grows while the agent writes."""

    def __init__(self, view: ViewState) -> None:
        super().__init__(view)
        self.text = MarkdownView(self)
        self._item = AgentText(key="", at=0.0)

    def measure(self, width: int) -> int:
        item = self.view.transcript.items[self.block.first]
        assert isinstance(item, AgentText)
        self._item = item
        self.text.set_markdown(item.text.strip("\n"))
        height = self.text.height_for(width)
        self.text.setGeometry(0, 0, width, height)
        return height + GAP

    def draw(self, painter: QPainter, look: Theme, exposed: QRectF) -> None:
        """The text paints itself."""

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.view.select(self.block.key)

    def spoken(self) -> str:
        return self._item.text[:2000]

    def plain_text(self) -> str:
        return self._item.text.strip()
