"""Boxes that hold parts together, and the coloured heads of those that want something."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QAccessible, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from posthog_code.ui.kit import painting
from posthog_code.ui.kit.a11y import set_role
from posthog_code.ui.kit.labels import ElidedLabel, Label, StateLabel
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.glyphs import Glyph, paint_context_ring
from posthog_code.ui.theme.icons import paint_icon


class Card(QFrame):
    """A bordered box with a column `body`. A `tone` (waiting, question, failed, …) colours the border and the head."""

    def __init__(self, parent: QWidget | None = None, *, tone: str = "", fill: str = "surface.raised") -> None:
        super().__init__(parent)
        self._tone, self._fill = tone, fill
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(1, 1, 1, 1)
        self.body.setSpacing(0)

    @property
    def tone(self) -> str:
        return self._tone

    def set_tone(self, tone: str) -> None:
        self._tone = tone
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        line = look.color(f"glyph.{self._tone}" if self._tone else "border.subtle")
        with QPainter(self) as painter:
            painting.rounded(painter, QRectF(self.rect()), look.size("radius.lg"), look.color(self._fill), line)


class CardHead(QWidget):
    """The first row of a card: a glyph or icon, a title, and what is added to `row` at its right."""

    def __init__(
        self,
        title: str = "",
        parent: QWidget | None = None,
        *,
        glyph: Glyph | None = None,
        icon: str = "",
        tone: str = "",
        note: str = "",
    ) -> None:
        super().__init__(parent)
        self._tone = tone
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(12, 0, 8, 0)
        self.row.setSpacing(8)
        self.glyph = StateLabel(glyph or Glyph.IDLE, "", self)
        self.glyph.setVisible(glyph is not None)
        self.icon = Icon(icon, "text.muted" if not tone else f"glyph.{tone}", self)
        self.icon.setVisible(bool(icon))
        self.title = ElidedLabel(title, self, font="bodyStrong")
        self.note = ElidedLabel(note, self, font="small", token="text.muted", tabular=True)
        self.note.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.note.setVisible(bool(note))
        self.row.addWidget(self.glyph)
        self.row.addWidget(self.icon)
        self.row.addWidget(self.title, 1)
        self.row.addWidget(self.note)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_title(self, title: str, note: str | None = None) -> None:
        self.title.setText(title)
        if note is not None:
            self.note.setText(note)
            self.note.setVisible(bool(note))

    def set_tone(self, tone: str) -> None:
        self._tone = tone
        self.icon.set_icon(self.icon.name, f"glyph.{tone}" if tone else "text.muted")
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(super().sizeHint().width(), theme().px(36))

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._tone:
            return
        look = theme()
        radius = look.size("radius.lg") - 1
        # Only the upper corners are round: the lower half of a taller box is cut off.
        path = QPainterPath()
        path.addRoundedRect(QRectF(0, 0, self.width(), self.height() + radius), radius, radius)
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.fillPath(path, look.color(f"status.{self._tone}Soft"))


class Banner(QWidget):
    """One coloured line with an icon, words and perhaps a button: `tone` is running (news), waiting or failed.
    With `wrap` it takes the lines that the words need."""

    def __init__(
        self, text: str, parent: QWidget | None = None, *, tone: str = "running", icon: str = "", wrap: bool = False
    ) -> None:
        super().__init__(parent)
        self._tone = tone
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(10, 4, 6, 4)
        self.row.setSpacing(8)
        self.icon = Icon(icon, f"glyph.{tone}", self)
        self.icon.setVisible(bool(icon))
        self.label = Label(text, self, font="small", wrap=True) if wrap else ElidedLabel(text, self, font="small")
        self.row.addWidget(self.icon)
        self.row.addWidget(self.label, 1)
        self.setMinimumHeight(theme().px(34))
        high = QSizePolicy.Policy.Minimum if wrap else QSizePolicy.Policy.Fixed
        self.setSizePolicy(QSizePolicy.Policy.Expanding, high)

    def set_text(self, text: str, tone: str = "") -> None:
        self._tone = tone or self._tone
        self.label.setText(text)
        self.icon.set_icon(self.icon.name, f"glyph.{self._tone}")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        edge = look.color(f"glyph.{self._tone}") if look.high_contrast else None
        with QPainter(self) as painter:
            fill = look.color(f"status.{self._tone}Soft")
            painting.rounded(painter, QRectF(self.rect()), look.size("radius.md"), fill, edge, 2)


class Icon(QWidget):
    """A Phosphor icon that is only looked at."""

    def __init__(
        self, name: str = "", token: str = "text.muted", parent: QWidget | None = None, *, size: int = 16
    ) -> None:
        super().__init__(parent)
        self.name, self._token, self._size = name, token, size
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def set_icon(self, name: str, token: str = "") -> None:
        self.name, self._token = name, token or self._token
        self.update()

    def sizeHint(self) -> QSize:
        side = theme().px(self._size)
        return QSize(side, side)

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.name:
            with QPainter(self) as painter:
                token = self._token if self.isEnabled() else "text.disabled"
                paint_icon(painter, QRectF(self.rect()), self.name, token)


class Hairline(QWidget):
    """A line of one pixel between two parts."""

    def __init__(self, parent: QWidget | None = None, *, vertical: bool = False, token: str = "border.subtle") -> None:
        super().__init__(parent)
        self._token = token
        if vertical:
            self.setFixedWidth(1)
        else:
            self.setFixedHeight(1)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), theme().color(self._token))


class Surface(QWidget):
    """A plain area in a colour token, with an optional line at one edge: "top", "bottom", "left" or "right"."""

    def __init__(self, token: str = "surface.window", parent: QWidget | None = None, *, edge: str = "") -> None:
        super().__init__(parent)
        self._token, self._edge = token, edge

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        line = look.color("border.subtle")
        width, height = self.width(), self.height()
        with QPainter(self) as painter:
            painter.fillRect(event.rect(), look.color(self._token))
            if self._edge in ("top", "bottom"):
                y = 0 if self._edge == "top" else height - 1
                painting.hairline(painter, 0, y, width, y, line)
            elif self._edge:
                x = 0 if self._edge == "left" else width - 1
                painting.hairline(painter, x, 0, x, height, line)


class ContextRing(QWidget):
    """How full the agent's memory is: neutral, amber from 80 %, red from 95 %."""

    def __init__(self, parent: QWidget | None = None, *, size: int = 16) -> None:
        super().__init__(parent)
        self._share, self._size = 0.0, size
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.set_share(0.0)

    def set_share(self, share: float) -> None:
        """0.0 empty to 1.0 full."""
        self._share = share
        self.setAccessibleName(f"Context {round(share * 100)} % full")
        self.setToolTip(self.accessibleName())
        self.update()

    def sizeHint(self) -> QSize:
        side = theme().px(self._size)
        return QSize(side, side)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            paint_context_ring(painter, QRectF(self.rect()), self._share, theme())


class ProgressSegments(QWidget):
    """A plan's steps as a line of segments: done green, the running one blue, the rest grey."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._states: tuple[str, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(4)

    def set_states(self, states: tuple[str, ...]) -> None:
        """One of "done", "now", "stopped" or "todo" for each step."""
        self._states = states
        self.setAccessibleName(f"{states.count('done')} of {len(states)} steps done")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._states:
            return
        look = theme()
        tokens = {"done": "glyph.success", "now": "glyph.running", "stopped": "border.control"}
        gap = 2
        width = (self.width() - gap * (len(self._states) - 1)) / len(self._states)
        with QPainter(self) as painter:
            for number, state in enumerate(self._states):
                box = QRectF(number * (width + gap), 0, width, self.height())
                painting.rounded(painter, box, 2, look.color(tokens.get(state, "border.strong")))


class ProgressLine(QWidget):
    """A thin bar from 0.0 to 1.0."""

    def __init__(self, parent: QWidget | None = None, *, token: str = "glyph.running") -> None:
        super().__init__(parent)
        self._share, self._token = 0.0, token
        set_role(self, QAccessible.Role.ProgressBar)
        self.setFixedHeight(4)
        self.setAccessibleName("Progress")

    def set_share(self, share: float) -> None:
        self._share = max(0.0, min(1.0, share))
        self.setAccessibleDescription(f"{round(self._share * 100)} %")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        whole = QRectF(self.rect())
        with QPainter(self) as painter:
            painting.rounded(painter, whole, 2, look.color("border.subtle"))
            if self._share:
                done = QRectF(0, 0, max(4.0, whole.width() * self._share), whole.height())
                painting.rounded(painter, done, 2, look.color(self._token))
