"""Small parts of the panel: summary tiles and counts."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from posthog_code.domain.check_rollup import Tile
from posthog_code.ui.kit import painting
from posthog_code.ui.kit.cards import Icon
from posthog_code.ui.kit.labels import ElidedLabel, StateLabel
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.glyphs import Glyph

_TILE_ICONS = {
    "failed": ("ph.x-circle-fill", "glyph.failed"),
    "waiting": ("ph.warning-circle", "glyph.waiting"),
    "success": ("ph.check-circle-fill", "glyph.success"),
    "neutral": ("ph.minus-circle", "text.muted"),
}


class TileView(QWidget):
    """One of the summaries: a glyph, what is so, and one muted line."""

    def __init__(self, tile: Tile, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        first = QHBoxLayout()
        first.setSpacing(6)
        if tile.tone == "running":
            mark: QWidget = StateLabel(Glyph.RUNNING, "", self)
        else:
            icon, token = _TILE_ICONS[tile.tone]
            mark = Icon(icon, token, self, size=15)
        first.addWidget(mark)
        first.addWidget(ElidedLabel(tile.title, self, font="bodyStrong"), 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 9, 12, 9)
        column.setSpacing(1)
        column.addLayout(first)
        column.addWidget(ElidedLabel(tile.text, self, font="small", token="text.muted", tabular=True))
        self.setAccessibleName(f"{tile.title}. {tile.text}".strip())


class TileRow(QWidget):
    """Summaries side by side in one card."""

    def __init__(self, tiles: tuple[Tile, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(0)
        for tile in tiles:
            self._row.addWidget(TileView(tile, self), 1)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        line = look.color("border.subtle")
        with QPainter(self) as painter:
            painting.rounded(painter, QRectF(self.rect()), look.size("radius.lg"), None, line)
            for index in range(1, self._row.count()):
                item = self._row.itemAt(index)
                x = item.geometry().left() if item is not None else 0
                painting.hairline(painter, x, 1, x, self.height() - 1, line)


class Counts(QWidget):
    """ "+197 −94" in the colours of the diff."""

    def __init__(self, added: int, removed: int, parent: QWidget | None = None, *, font: str = "small") -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(5)
        for text, token in ((f"+{added:,}", "diff.add.text"), (f"−{removed:,}", "diff.del.text")):
            label = ElidedLabel(text, self, font=font, token=token, tabular=True)
            label.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
            row.addWidget(label)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(f"{added} lines added, {removed} removed")
