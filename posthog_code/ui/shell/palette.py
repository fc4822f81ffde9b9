"""The command palette: everything by name."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QWidget

from posthog_code.ui.kit import painting
from posthog_code.ui.kit.cards import Hairline, Icon
from posthog_code.ui.kit.chips import KeyCap, keycaps_width, paint_keycaps
from posthog_code.ui.kit.labels import Label
from posthog_code.ui.kit.overlay import Sheet
from posthog_code.ui.kit.scroll import ScrollArea
from posthog_code.ui.kit.spinner import arc_clock
from posthog_code.ui.models.palette import Entry, find
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.glyphs import MOVING, paint_glyph
from posthog_code.ui.theme.icons import paint_icon

_TOP = 112
_LOW = 700
_FIELD, _FOOT = 44, 32
_HEAD = 26
_PAD = 6


class Palette(Sheet):
    """Type to find, arrows to move, Enter to run. `>` lists actions only, `#` tasks, `,` settings."""

    def __init__(
        self,
        window: QWidget,
        entries: Sequence[Entry],
        text: str = "",
        *,
        placeholder: str = "Search for an action, a task or a setting",
        prefixes: bool = True,
    ) -> None:
        self._space_above = _TOP if window.height() >= _LOW else _TOP // 3
        super().__init__(window, "", width=theme().size("layout.palette.w"), top=self._space_above)
        self.setObjectName("palette")
        self.setAccessibleName("Commands")
        self._entries = entries
        self.body.setContentsMargins(0, 0, 0, 0)
        self.body.setSpacing(0)
        self.field = QLineEdit(self)
        self.field.setProperty("kit", "bare")
        self.field.setAccessibleName("Command, task or setting" if prefixes else placeholder)
        self.field.setPlaceholderText(placeholder)
        self.field.setFont(theme().font("body"))
        self.field.installEventFilter(self)
        self.field.textChanged.connect(self._on_text)
        head = QWidget(self)
        row = QHBoxLayout(head)
        row.setContentsMargins(14, 0, 14, 0)
        row.setSpacing(10)
        row.addWidget(Icon("ph.magnifying-glass", "text.muted", head))
        row.addWidget(self.field, 1)
        head.setFixedHeight(theme().px(_FIELD))
        self.rows = PaletteRows(self)
        self.rows.pressed.connect(self._on_pressed)
        self._scroll = ScrollArea(self.rows, self)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._nothing = Label("Nothing has this name", self, token="text.muted")
        self._nothing.setContentsMargins(20, 14, 20, 14)
        self.body.addWidget(head)
        self.body.addWidget(Hairline(self))
        self.body.addWidget(self._scroll)
        self.body.addWidget(self._nothing)
        self.body.addWidget(Hairline(self))
        self.body.addWidget(self._foot(prefixes))
        self.set_first_focus(self.field)
        self.field.setText(text)
        self._on_text(text)

    def _foot(self, prefixes: bool) -> QWidget:
        foot = QWidget(self)
        row = QHBoxLayout(foot)
        row.setContentsMargins(14, 0, 14, 0)
        row.setSpacing(6)
        for keys, word in (("Up", ""), ("Down", "move"), ("Return", "run"), ("Esc", "close")):
            row.addWidget(KeyCap(keys, foot))
            if word:
                row.addWidget(Label(word, foot, font="caption", token="text.muted"))
                row.addSpacing(8)
        row.addStretch(1)
        for mark, word in ((">", "actions"), ("#", "tasks"), (",", "settings")) if prefixes else ():
            row.addWidget(Label(mark, foot, font="captionStrong", token="text.secondary"))
            row.addWidget(Label(word, foot, font="caption", token="text.muted"))
            row.addSpacing(2)
        foot.setFixedHeight(theme().px(_FOOT))
        return foot

    def _on_text(self, text: str) -> None:
        found = find(self._entries, text)
        self.rows.set_entries(found)
        self._nothing.setVisible(not found)
        self._scroll.setVisible(bool(found))
        look = theme()
        room = self.scrim.height() - self._space_above - look.px(_FIELD) - look.px(_FOOT) - 24
        most = max(look.size("row.palette") * 3, min(look.size("layout.palette.maxH"), room))
        self._scroll.setFixedHeight(min(self.rows.sizeHint().height(), most))
        self._scroll.verticalScrollBar().setValue(0)
        self.relayout()

    def _on_pressed(self, number: int) -> None:
        self.rows.current = number
        self._run()

    def _run(self) -> None:
        entry = self.rows.current_entry()
        if entry is not None:
            # First away: what runs may open a dialog of its own, or move the focus.
            self.close_sheet(entry)
            entry.run()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.field and event.type() is QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            key = event.key()
            steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: 6, Qt.Key.Key_PageUp: -6}
            if Qt.Key(key) in steps:
                self.rows.step(steps[Qt.Key(key)])
                rect = self.rows.rect_of(self.rows.current)
                self._scroll.ensureVisible(0, rect.center().y(), 0, rect.height() // 2 + _HEAD)
                return True
            if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._run()
                return True
            if key == Qt.Key.Key_Tab:
                return True
        return super().eventFilter(watched, event)


class PaletteRows(QWidget):
    """Sections and rows, painted."""

    pressed = Signal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.entries: list[Entry] = []
        self.current = 0
        self._tops: list[int] = []
        self._height = 0
        self.setMouseTracking(True)
        self.setAccessibleName("Results")

    def set_entries(self, entries: Sequence[Entry]) -> None:
        self.entries = list(entries)
        self.current = 0
        row, y, section = theme().size("row.palette"), _PAD, ""
        self._tops = []
        for entry in self.entries:
            if entry.section != section:
                section = entry.section
                y += theme().px(_HEAD)
            self._tops.append(y)
            y += row
        self._height = y + _PAD
        self.setFixedHeight(self._height)
        self._say()
        self.update()

    def current_entry(self) -> Entry | None:
        return self.entries[self.current] if 0 <= self.current < len(self.entries) else None

    def step(self, by: int) -> None:
        if self.entries:
            target = self.current + by
            self.current = target % len(self.entries) if abs(by) == 1 else max(0, min(target, len(self.entries) - 1))
            self._say()
            self.update()

    def rect_of(self, number: int) -> QRect:
        if not 0 <= number < len(self._tops):
            return QRect()
        return QRect(_PAD, self._tops[number], self.width() - 2 * _PAD, theme().size("row.palette"))

    def sizeHint(self) -> QSize:
        return QSize(400, self._height)

    def _say(self) -> None:
        entry = self.current_entry()
        self.setAccessibleDescription(f"{entry.title}, {entry.detail}" if entry else "Nothing found")

    def _at(self, event: QMouseEvent) -> int:
        point = event.position().toPoint()
        return next((n for n in range(len(self.entries)) if self.rect_of(n).contains(point)), -1)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        number = self._at(event)
        if number >= 0 and number != self.current:
            self.current = number
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        number = self._at(event)
        if number >= 0 and event.button() is Qt.MouseButton.LeftButton:
            self.pressed.emit(number)

    def paintEvent(self, event: QPaintEvent) -> None:
        look, section = theme(), ""
        with QPainter(self) as painter:
            for number, entry in enumerate(self.entries):
                rect = QRectF(self.rect_of(number))
                if entry.section != section:
                    section = entry.section
                    head = QRectF(rect.left() + 8, rect.top() - look.px(_HEAD) + 4, 300, look.px(_HEAD) - 4)
                    painting.text(painter, head, section, look.font("caption"), look.color("text.muted"))
                self._paint_row(painter, rect, entry, number == self.current)

    def _paint_row(self, painter: QPainter, rect: QRectF, entry: Entry, current: bool) -> None:
        look = theme()
        if current:
            painting.rounded(painter, rect, look.size("radius.md"), look.color("surface.selected"))
        side = look.px(16)
        box = QRectF(rect.left() + 10, round(rect.center().y() - side / 2), side, side)
        if entry.glyph is not None:
            paint_glyph(painter, box, entry.glyph, look, arc_clock().phase())
            if entry.glyph in MOVING:
                arc_clock().painted(self, box.toAlignedRect())
        elif entry.icon:
            paint_icon(painter, box, entry.icon, look.color("text.muted"))
        right = rect.right() - 10
        if entry.keys:
            right -= keycaps_width(entry.keys)
            paint_keycaps(painter, right, rect.center().y(), entry.keys)
            right -= 12
        x = box.right() + 11
        x = self._paint_title(painter, entry, x, right, rect)
        if entry.detail and right - x > 30:
            area = QRectF(x + 10, rect.top(), right - x - 10, rect.height())
            painting.text(painter, area, entry.detail, look.font("small"), look.color("text.muted"))

    def _paint_title(self, painter: QPainter, entry: Entry, x: float, right: float, rect: QRectF) -> float:
        look = theme()
        plain, strong = look.font("body"), look.font("heading")
        hits = set(entry.positions)
        start = 0
        while start < len(entry.title) and x < right:
            hit = start in hits
            end = start
            while end < len(entry.title) and (end in hits) == hit:
                end += 1
            part, font = entry.title[start:end], strong if hit else plain
            # Trailing spaces count for the place of what follows.
            width = painting.text_width(part, font)
            area = QRectF(x, rect.top(), min(width, right - x), rect.height())
            painting.text(painter, area, part, font, look.color("accent.text" if hit else "text.primary"))
            x += width
            start = end
        return x
