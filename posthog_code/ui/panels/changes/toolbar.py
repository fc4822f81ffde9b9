"""The bar above the diff: scope, size, what was viewed, and how it is shown."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from posthog_code.domain.changes import Scope
from posthog_code.domain.text import MINUS, count, plural
from posthog_code.ui.kit import painting
from posthog_code.ui.kit.buttons import IconButton
from posthog_code.ui.kit.chips import Chip
from posthog_code.ui.kit.menu_rows import MenuItem
from posthog_code.ui.kit.popup import PopupList
from posthog_code.ui.kit.toggles import Segmented
from posthog_code.ui.theme import notifier, theme

SCOPE_NAMES = {Scope.ALL: "All changes", Scope.UNCOMMITTED: "Uncommitted", Scope.LAST_TURN: "Last turn"}
_TIGHT = 640
"""Below, words go; then the totals; then the ring."""
_TIGHT_TOTALS = 560
_VERY_TIGHT = 440


def _layouts(reason: str = "") -> list[MenuItem]:
    return [
        MenuItem("unified", icon="ph.rows", detail="Unified (S)"),
        MenuItem("split", icon="ph.columns", detail=reason or "Split (S)"),
    ]


class Toolbar(QWidget):
    """Shows what it is told, and tells what a person chose."""

    scopeChosen = Signal(object)
    splitChosen = Signal(bool)
    optionChosen = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("changesToolbar")
        self.setFixedHeight(theme().size("layout.panelToolbar"))
        self._base = ""
        self._scope = Scope.ALL
        self._options: list[MenuItem] = []
        self._popup: PopupList | None = None
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 0, 8, 0)
        row.setSpacing(8)
        self.scope = Chip("All changes", self, icon="ph.plus-minus", caret=True, name="Compare", keys=".")
        self.totals = _Size(self)
        self.viewed = _Viewed(self)
        self.layout_choice = Segmented(_layouts(), self, name="Layout")
        self.layout_choice.setFixedWidth(self.layout_choice.sizeHint().width())
        self.display = IconButton("ph.sliders-horizontal", "Display options", self)
        self.file_slot = QHBoxLayout()
        row.addWidget(self.scope)
        row.addLayout(self.file_slot)
        row.addWidget(self.totals)
        row.addStretch(1)
        row.addWidget(self.viewed)
        row.addWidget(self.layout_choice)
        row.addWidget(self.display)
        self.scope.clicked.connect(self.open_scopes)
        self.layout_choice.changed.connect(self._layout_chosen)
        self.display.clicked.connect(self._open_options)
        notifier().changed.connect(self.update)

    def set_scope(self, scope: Scope, base: str) -> None:
        self._scope, self._base = scope, base
        self._fold()

    def set_split(self, on: bool, reason: str = "") -> None:
        """What is shown; `reason` says why split cannot be."""
        self.layout_choice.set_items(_layouts(reason), "split" if on else "unified")

    def set_options(self, options: list[MenuItem]) -> None:
        self._options = options

    def _layout_chosen(self, item: str) -> None:
        self.splitChosen.emit(item == "split")

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fold()

    def _fold(self) -> None:
        wide = self.width() >= _TIGHT
        name = SCOPE_NAMES[self._scope]
        against = f"{name} vs {self._base}" if self._scope is Scope.ALL and self._base else name
        self.scope.setText(against if wide else name)
        self.scope.setToolTip(f"Compare: {against} (.)")
        self.totals.set_short(not wide)
        self.viewed.set_short(not wide)
        self.totals.setVisible(self.width() >= _TIGHT_TOTALS and self.totals.files > 0)
        self.viewed.setVisible(self.width() >= _VERY_TIGHT and self.viewed.total > 0)

    def open_scopes(self) -> None:
        about = {
            Scope.ALL: f"since {self._base or 'the base'}",
            Scope.UNCOMMITTED: "since the last commit",
            Scope.LAST_TURN: "what the last turn did",
        }
        items = [MenuItem(str(s), SCOPE_NAMES[s], detail=about[s], checked=s is self._scope) for s in Scope]
        self._open(items, self.scope, self._scope_chosen, "Compare")

    def _scope_chosen(self, item: str) -> None:
        self.scopeChosen.emit(Scope(item))

    def _open_options(self) -> None:
        self._open(self._options, self.display, self.optionChosen.emit, "Display options", right=True)

    def _open(self, items: list[MenuItem], anchor: QWidget, chosen: object, name: str, right: bool = False) -> None:
        if self._popup is not None:
            self._popup.deleteLater()
        self._popup = PopupList(items, self.window(), name=name)
        self._popup.chosen.connect(chosen)
        self._popup.popup(anchor, align_right=right)

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        with QPainter(self) as p:
            p.fillRect(self.rect(), look.color("surface.panel"))
            p.fillRect(0, self.height() - 1, self.width(), 1, look.color("border.subtle"))


class _Size(QWidget):
    """ "7 files +197 −94"."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.files = self._added = self._removed = 0
        self._short = False
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)

    def set_size(self, files: int, added: int, removed: int) -> None:
        self.files, self._added, self._removed = files, added, removed
        self.setAccessibleName(f"{plural(files, 'file')}, {added} added, {removed} removed")
        bar = self.parentWidget()
        self.setVisible(files > 0 and (bar is None or bar.width() >= _TIGHT_TOTALS))
        self.updateGeometry()
        self.update()

    def set_short(self, short: bool) -> None:
        self._short = short
        self.updateGeometry()
        self.update()

    def _parts(self) -> list[tuple[str, str]]:
        parts = [] if self._short else [(plural(self.files, "file"), "text.secondary")]
        parts.append((f"+{count(self._added)}", "diff.add.text"))
        parts.append((f"{MINUS}{count(self._removed)}", "diff.del.text"))
        return parts

    def sizeHint(self) -> QSize:
        metrics = QFontMetricsF(theme().font("body", tabular=True))
        width = sum(metrics.horizontalAdvance(text) for text, _ in self._parts()) + 6 * len(self._parts())
        return QSize(int(width) + 2, theme().line("body"))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        font = look.font("body", tabular=True)
        metrics = QFontMetricsF(font)
        x = 0.0
        with QPainter(self) as p:
            for text, token in self._parts():
                width = metrics.horizontalAdvance(text)
                painting.text(p, QRectF(x, 0, width + 2, self.height()), text, font, look.color(token))
                x += width + 6


class _Viewed(QWidget):
    """The ring and "3 of 7 viewed"."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.done = self.total = 0
        self._short = False
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)

    def set_viewed(self, done: int, total: int) -> None:
        self.done, self.total = done, total
        self.setAccessibleName(f"{done} of {total} files viewed")
        bar = self.parentWidget()
        self.setVisible(total > 0 and (bar is None or bar.width() >= _VERY_TIGHT))
        self.updateGeometry()
        self.update()

    def set_short(self, short: bool) -> None:
        self._short = short
        self.updateGeometry()

    def _text(self) -> str:
        return f"{self.done} of {self.total}" + ("" if self._short else " viewed")

    def sizeHint(self) -> QSize:
        return QSize(22 + painting.text_width(self._text(), theme().font("body", tabular=True)), theme().line("body"))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        with QPainter(self) as p:
            p.setRenderHint(QPainter.RenderHint.Antialiasing)
            box = QRectF(2, self.height() / 2 - 5.5, 11, 11)
            p.setPen(QPen(look.color("border.strong"), 2))
            p.drawEllipse(box)
            if self.done and self.total:
                p.setPen(QPen(look.color("status.success"), 2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
                p.drawArc(box, 90 * 16, round(-360 * 16 * self.done / self.total))
            font = look.font("body", tabular=True)
            rect = QRectF(20, 0, self.width() - 18, self.height())
            painting.text(p, rect, self._text(), font, look.color("text.secondary"))
