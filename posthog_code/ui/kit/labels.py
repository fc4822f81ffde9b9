"""Words, avatars and tiles that follow the theme."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QAccessible, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from posthog_code.ui.kit import painting
from posthog_code.ui.kit.a11y import set_role
from posthog_code.ui.kit.spinner import arc_clock
from posthog_code.ui.theme import notifier, theme
from posthog_code.ui.theme.glyphs import MOVING, TEXT_TOKENS, WORDS, Glyph, paint_glyph

AVATAR_TONES = ("question", "running", "success", "merged", "cloud")


class Label(QLabel):
    """Plain text in a type style and a colour token, both kept when the theme changes."""

    def __init__(
        self,
        text: str = "",
        parent: QWidget | None = None,
        *,
        font: str = "body",
        token: str = "text.primary",
        wrap: bool = False,
        selectable: bool = False,
    ) -> None:
        super().__init__(text, parent)
        self._font_name, self._token = font, token
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(wrap)
        if selectable:
            self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._dress()
        notifier().changed.connect(self._dress)

    def set_token(self, token: str) -> None:
        if token != self._token:
            self._token = token
            self._dress()

    def set_font(self, name: str) -> None:
        self._font_name = name
        self._dress()

    def _dress(self) -> None:
        look = theme()
        self.setFont(look.font(self._font_name))
        palette = self.palette()
        palette.setColor(QPalette.ColorRole.WindowText, look.color(self._token))
        self.setPalette(palette)


class ElidedLabel(QWidget):
    """One line that is shortened to its width: at the end, or in the middle for paths and branches."""

    def __init__(
        self,
        text: str = "",
        parent: QWidget | None = None,
        *,
        font: str = "body",
        token: str = "text.primary",
        mode: str = "end",
        tabular: bool = False,
    ) -> None:
        super().__init__(parent)
        self._text, self._font, self._token, self._tabular = "", font, token, tabular
        self._mode = Qt.TextElideMode.ElideMiddle if mode == "middle" else Qt.TextElideMode.ElideRight
        set_role(self, QAccessible.Role.StaticText)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setText(text)

    def text(self) -> str:
        return self._text

    def setText(self, text: str) -> None:
        if text != self._text or not self.accessibleName():
            self._text = text
            self.setAccessibleName(text)
            self.setToolTip("")
            self.updateGeometry()
            self.update()

    def set_token(self, token: str) -> None:
        self._token = token
        self.update()

    def set_font(self, name: str) -> None:
        self._font = name
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        look = theme()
        width = painting.text_width(self._text, look.font(self._font, tabular=self._tabular))
        return QSize(width, look.line(self._font))

    def minimumSizeHint(self) -> QSize:
        return QSize(min(24, self.sizeHint().width()), self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        font = look.font(self._font, tabular=self._tabular)
        token = self._token if self.isEnabled() else "text.disabled"
        # The full words are in the tooltip only where some are missing.
        shortened = painting.text_width(self._text, font) > self.width()
        if shortened != bool(self.toolTip()):
            self.setToolTip(self._text if shortened else "")
        with QPainter(self) as painter:
            painting.text(painter, QRectF(self.rect()), self._text, font, look.color(token), elide=self._mode)


class StateLabel(QWidget):
    """A status glyph and its word in the status's colour."""

    def __init__(
        self, glyph: Glyph = Glyph.IDLE, text: str = "", parent: QWidget | None = None, *, font: str = "small"
    ) -> None:
        super().__init__(parent)
        self._glyph, self._text, self._font = glyph, text, font
        self._side = 16
        set_role(self, QAccessible.Role.StaticText)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.set_state(glyph, text)

    def set_state(self, glyph: Glyph, text: str = "") -> None:
        """`text` "" shows the glyph alone; the screen reader gets its word in any case."""
        self._glyph, self._text = glyph, text
        self.setAccessibleName(text or WORDS[glyph])
        self.setToolTip("" if text else WORDS[glyph].capitalize())
        self.updateGeometry()
        self.update()

    def set_glyph_size(self, pixels: int) -> None:
        self._side = pixels
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        look = theme()
        side = look.px(self._side)
        width = painting.text_width(self._text, look.font(self._font)) + 6 if self._text else 0
        return QSize(side + width, max(side, look.line(self._font)))

    def minimumSizeHint(self) -> QSize:
        return QSize(theme().px(self._side), self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        side = look.px(self._side)
        with QPainter(self) as painter:
            box = QRectF(0, round((self.height() - side) / 2), side, side)
            paint_glyph(painter, box, self._glyph, look, arc_clock().phase())
            if self._text:
                token = TEXT_TOKENS.get(self._glyph, "text.muted")
                area = QRectF(side + 6, 0, self.width() - side - 6, self.height())
                painting.text(painter, area, self._text, look.font(self._font), look.color(token))
        if self._glyph in MOVING:
            arc_clock().painted(self, box.toAlignedRect())


class Avatar(QWidget):
    """A person's initials in a disc; `size` is 16, 20 or 26."""

    def __init__(
        self, name: str = "You", parent: QWidget | None = None, *, tone: str = "question", size: int = 20
    ) -> None:
        super().__init__(parent)
        self._tone, self._size = tone, size
        self._initials = ""
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.set_name(name)

    def set_name(self, name: str, tone: str = "") -> None:
        words = [word for word in name.replace("-", " ").split() if word]
        self._initials = "".join(word[0] for word in words[:2]).upper() if len(words) > 1 else name[:2].upper()
        self._tone = tone or self._tone
        self.setAccessibleName(name)
        self.setToolTip(name)
        self.update()

    def sizeHint(self) -> QSize:
        side = theme().px(self._size)
        return QSize(side, side)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            paint_avatar(painter, QRectF(self.rect()), self._initials, self._tone)


def paint_avatar(painter: QPainter, rect: QRectF, initials: str, tone: str) -> None:
    look = theme()
    known = tone in AVATAR_TONES
    fill = look.color(f"status.{tone}Soft" if known else "surface.selected")
    words = look.color(f"status.{tone}" if known else "text.secondary")
    painting.rounded(painter, rect, rect.height() / 2, fill)
    size = 10 if rect.height() > look.px(22) else 9 if rect.height() > look.px(17) else 8
    painting.text(painter, rect, initials, look.sized_font("ui", size, 600), words, painting.CENTER)


class AgentTile(QWidget):
    """The letter of an agent in a small square; agents never have a vendor's logo."""

    def __init__(self, agent: str = "", parent: QWidget | None = None, *, size: int = 16) -> None:
        super().__init__(parent)
        self._letter, self._size = "", size
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.set_agent(agent)

    def set_agent(self, name: str) -> None:
        self._letter = name[:1].upper()
        self.setAccessibleName(name)
        self.setToolTip(name)
        self.update()

    def sizeHint(self) -> QSize:
        side = theme().px(self._size)
        return QSize(side, side)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            paint_tile(painter, QRectF(self.rect()), self._letter)


def paint_tile(painter: QPainter, rect: QRectF, letter: str) -> None:
    look = theme()
    big = rect.height() > look.px(24)
    painting.rounded(painter, rect, look.size("radius.lg" if big else "radius.sm"), look.color("surface.selected"))
    font = look.sized_font("ui", 14 if big else 10, 600)
    painting.text(painter, rect, letter, font, look.color("text.secondary"), painting.CENTER)
