"""Chips of a message: its attachments, and the review comments that go with it."""

from __future__ import annotations

import os.path

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from posthog_code.domain.text import elide_middle
from posthog_code.ui.kit import painting
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.icons import paint_icon

_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp")


class AttachmentStrip(QWidget):
    """Attachments as chips that wrap; each can be taken out by its cross or by Delete."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._paths: list[str] = []
        self._current = -1
        self._hovered = -1
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.hide()

    def paths(self) -> tuple[str, ...]:
        return tuple(self._paths)

    def set_paths(self, paths: tuple[str, ...]) -> None:
        self._paths = list(dict.fromkeys(paths))
        self._current = min(self._current, len(self._paths) - 1)
        names = ", ".join(os.path.basename(path) for path in self._paths)
        self.setAccessibleName(f"Attachments: {names}" if names else "Attachments")
        self.setVisible(bool(self._paths))
        self.updateGeometry()
        self.update()
        self.changed.emit()

    def add(self, *paths: str) -> None:
        self.set_paths((*self._paths, *paths))

    def remove(self, number: int) -> None:
        if 0 <= number < len(self._paths):
            self.set_paths(tuple(path for n, path in enumerate(self._paths) if n != number))

    def _names(self) -> list[str]:
        return [elide_middle(os.path.basename(path.rstrip("/")) or path, 36) for path in self._paths]

    def _rects(self, width: int) -> list[QRectF]:
        look = theme()
        height = look.size("control.chip")
        rects: list[QRectF] = []
        x = y = 0.0
        for name in self._names():
            wide = painting.text_width(name, look.font("small")) + 48
            if x and x + wide > width:
                x, y = 0.0, y + height + 6
            rects.append(QRectF(x, y, min(wide, width), height))
            x += wide + 6
        return rects

    def heightForWidth(self, width: int) -> int:
        rects = self._rects(width)
        return round(rects[-1].bottom()) + 6 if rects else 0

    def sizeHint(self) -> QSize:
        return QSize(100, self.heightForWidth(max(100, self.width())))

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        with QPainter(self) as painter:
            for number, (rect, name) in enumerate(zip(self._rects(self.width()), self._names(), strict=True)):
                focused = self.hasFocus() and number == max(0, self._current)
                fill = look.color("surface.hover") if number == self._hovered else None
                border = look.color("focus.ring" if focused else "border.strong")
                painting.rounded(painter, rect, 5, fill, border)
                icon = "ph.image" if name.lower().endswith(_PICTURES) else "ph.file-text"
                paint_icon(painter, QRectF(rect.left() + 7, rect.center().y() - 6.5, 13, 13), icon, "text.muted")
                box = rect.adjusted(25, 0, -22, 0)
                painting.text(painter, box, name, look.font("small"), look.color("text.secondary"))
                paint_icon(painter, QRectF(rect.right() - 18, rect.center().y() - 5, 10, 10), "ph.x", "text.muted")

    def _at(self, event: QMouseEvent) -> int:
        return next((n for n, rect in enumerate(self._rects(self.width())) if rect.contains(event.position())), -1)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hovered = self._at(event)
        self.setToolTip(self._paths[self._hovered] if self._hovered >= 0 else "")
        self.update()

    def leaveEvent(self, event: object) -> None:
        self._hovered = -1
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        number = self._at(event)
        if number >= 0 and event.position().x() > self._rects(self.width())[number].right() - 24:
            self.remove(number)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            step = 1 if event.key() == Qt.Key.Key_Right else -1
            self._current = max(0, min(max(0, self._current) + step, len(self._paths) - 1))
            self.update()
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.remove(max(0, self._current))
        else:
            super().keyPressEvent(event)
