"""The coverage meter: which changed entry points tell the product that they are used, and that they fail."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from posthog_code.domain.coverage import Coverage, Place
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.cards import Icon
from posthog_code.ui.kit.charts import Meter
from posthog_code.ui.kit.labels import ElidedLabel, Label
from posthog_code.ui.kit.rows import Row, RowList, SectionHead
from posthog_code.ui.panels.signals import words

MOST_ROWS = 20
_KINDS = {
    "route": "Route",
    "handler": "Handler",
    "job": "Job",
    "action": "Action",
    "error_path": "Error path",
}


class PlaceRow(Row):
    """An entry point that misses something."""

    def __init__(self, place: Place, parent: QWidget | None = None) -> None:
        entry = place.entry
        missing = " and ".join(f"no {what}" for what in place.missing)
        super().__init__(parent, name=f"{entry.name}, {missing}, {entry.path} line {entry.line}")
        self.place = place
        self.row.addWidget(Icon("ph.warning-circle", "glyph.waiting", self, size=15))
        name = ElidedLabel(entry.name, self, font="code")
        name.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.row.addWidget(name)
        kind = _KINDS.get(entry.kind, entry.kind)
        self.row.addWidget(ElidedLabel(f"{kind} · {missing}", self, font="small", token="text.muted"), 1)
        at = ElidedLabel(words.where(entry.path, entry.line), self, font="codeSmall", token="text.muted", mode="middle")
        at.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.row.addWidget(at)


class CoverageSection(QWidget):
    add = Signal()
    show_place = Signal(str, int)

    def __init__(self, coverage: Coverage, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: list[PlaceRow] = []
        self.button: Button | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(SectionHead("Instrumentation", "", self))
        if not coverage.places:
            said = "No routes, handlers, jobs or actions changed."
            column.addWidget(Label(said, self, font="small", token="text.muted"))
        else:
            column.addLayout(self._meter(coverage))
            missing = [place for place in coverage.places if not place.covered]
            if missing:
                column.addWidget(self._list(missing))
        if coverage.unread:
            said = f"Not read: {', '.join(coverage.unread[:3])}" + ("…" if len(coverage.unread) > 3 else "")
            note = ElidedLabel(said, self, font="small", token="text.muted")
            note.setToolTip("\n".join(coverage.unread[:30]))
            column.addWidget(note)

    def _meter(self, coverage: Coverage) -> QHBoxLayout:
        figure, verb, missing = words.coverage_words(coverage)
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(Meter(coverage.covered, len(coverage.places), self, name=f"{figure} {verb} {missing}".strip()))
        row.addSpacing(6)
        strong = Label(figure, self, font="bodyStrong")
        strong.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        row.addWidget(strong)
        said = ElidedLabel(verb, self, token="text.secondary")
        said.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        row.addWidget(said)
        row.addWidget(ElidedLabel(missing, self, token="text.muted"), 1)
        if missing:
            self.button = Button("Add with agent", self, icon="ph.sparkle", size="sm")
            self.button.clicked.connect(self.add)
            row.addWidget(self.button)
        return row

    def _list(self, missing: list[Place]) -> RowList:
        rows = RowList(self, fill="surface.raised")
        for place in missing[:MOST_ROWS]:
            row = PlaceRow(place, rows)
            row.pressed.connect(self._pressed)
            self.rows.append(row)
            rows.add(row)
        return rows

    def _pressed(self) -> None:
        row = self.sender()
        if isinstance(row, PlaceRow):
            self.show_place.emit(row.place.entry.path, row.place.entry.line)
