"""Flags, events, experiments and errors in the changed code: one line for each."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from posthog_code.domain.code_signals import SignalRow
from posthog_code.ui.kit import painting
from posthog_code.ui.kit.buttons import IconButton
from posthog_code.ui.kit.rows import Row, RowList
from posthog_code.ui.panels.signals import words
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.icons import paint_icon

MOST_ROWS = 80
_NARROW = 560
_SIDE = 12
_BUTTON = 24
_WIDE = (("name", 0.0), ("kind", 0.32), ("figure", 0.41), ("state", 0.59), ("where", 0.76))
_TIGHT = (("name", 0.0), ("figure", 0.42), ("state", 0.68))
"""Columns, with where each begins as a share of the width."""


def _columns(width: int) -> dict[str, tuple[int, int]]:
    """Left edge and width of each column that there is room for."""
    end = width - _SIDE - theme().px(_BUTTON) - 6
    parts = _WIDE if width >= theme().px(_NARROW) else _TIGHT
    room = end - _SIDE
    lefts = [_SIDE + round(share * room) for _, share in parts]
    rights = [*lefts[1:], end]
    return {name: (left, right - left - 10) for (name, _), left, right in zip(parts, lefts, rights, strict=True)}


class TableHead(QWidget):
    """The names of the columns."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(theme().px(30))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        titles = {"name": "Name", "kind": "Kind", "figure": "Last 7 days", "state": "State", "where": "Where"}
        with QPainter(self) as painter:
            for column, (left, width) in _columns(self.width()).items():
                align = painting.RIGHT if column == "where" else painting.LEFT
                box = QRectF(left, 0, width + (10 if column == "where" else 0), self.height())
                painting.text(painter, box, titles[column], look.font("small"), look.color("text.muted"), align)


class SignalLine(Row):
    """One use in the code. The agent can be asked about it."""

    ask = Signal()

    def __init__(self, signal: SignalRow, loading: bool, parent: QWidget | None = None) -> None:
        told = ", ".join(filter(None, (signal.name, words.KIND_WORDS.get(signal.kind, signal.kind), signal.figure)))
        super().__init__(parent, height=34, name=f"{told}, {signal.state}, {signal.path} line {signal.line}")
        self.signal, self._loading = signal, loading
        self.button: IconButton | None = None
        if signal.ask:
            self.button = IconButton("ph.sparkle", "Ask the agent about it", self, keys="A", size="sm")
            self.button.clicked.connect(self.ask)
        about = [signal.detail] if signal.detail else []
        about.append(f"{signal.path}:{signal.line}" + (" (removed)" if signal.removed else ""))
        self.setToolTip("\n".join(about))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self.button is not None:
            side = self.button.sizeHint()
            self.button.setGeometry(
                self.width() - _SIDE - side.width() + 4,
                (self.height() - side.height()) // 2,
                side.width(),
                side.height(),
            )

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        look, signal = theme(), self.signal
        columns = _columns(self.width())
        with QPainter(self) as painter:
            left, width = columns["name"]
            icon = look.px(15)
            box = QRectF(left, round((self.height() - icon) / 2), icon, icon)
            paint_icon(painter, box, words.KIND_ICONS.get(signal.kind, "ph.activity"), "text.muted")
            name = QRectF(left + icon + 8, 0, width - icon - 8, self.height())
            font = look.font("body" if signal.kind == "error" else "code")
            token = "text.muted" if signal.removed else "text.primary"
            painting.text(painter, name, signal.name or "computed name", font, look.color(token))
            if "kind" in columns:
                self._cell(painter, columns["kind"], words.KIND_WORDS.get(signal.kind, signal.kind), "text.muted")
            figure = "…" if self._loading and not signal.figure else signal.figure
            self._cell(painter, columns["figure"], figure, "text.secondary")
            self._cell(painter, columns["state"], signal.state, words.TONES.get(signal.tone, "text.secondary"))
            if "where" in columns:
                left, width = columns["where"]
                box = QRectF(left, 0, width + 10, self.height())
                place = words.where(signal.path, signal.line)
                painting.text(painter, box, place, look.font("codeSmall"), look.color("text.muted"), painting.RIGHT)

    def _cell(self, painter: QPainter, column: tuple[int, int], text: str, token: str) -> None:
        look = theme()
        box = QRectF(column[0], 0, column[1], self.height())
        painting.text(painter, box, text, look.font("small", tabular=True), look.color(token))


class SignalTable(RowList):
    """The head and the lines; of very many, the first."""

    show_row = Signal(object)
    ask_row = Signal(object)

    def __init__(self, rows: Sequence[SignalRow], loading: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent, fill="surface.raised")
        self.lines: list[SignalLine] = []
        self.add(TableHead(self))
        for signal in rows[:MOST_ROWS]:
            line = SignalLine(signal, loading, self)
            line.pressed.connect(self._pressed)
            line.ask.connect(self._asked)
            self.lines.append(line)
            self.add(line)

    def _pressed(self) -> None:
        line = self.sender()
        if isinstance(line, SignalLine):
            self.show_row.emit(line.signal)

    def _asked(self) -> None:
        line = self.sender()
        if isinstance(line, SignalLine):
            self.ask_row.emit(line.signal)
