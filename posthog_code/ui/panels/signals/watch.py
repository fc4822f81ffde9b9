"""The regression watch: the course of errors, the figures that are compared, and the way on."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from posthog_code.domain.release_watch import Direction, Metric, ReleaseWatch, WatchState
from posthog_code.ui.kit.buttons import Button, IconButton
from posthog_code.ui.kit.cards import Banner, Card, Hairline, Icon
from posthog_code.ui.kit.chips import Badge
from posthog_code.ui.kit.labels import ElidedLabel, Label
from posthog_code.ui.kit.rows import Row, RowList, SectionHead
from posthog_code.ui.panels.signals import words
from posthog_code.ui.panels.signals.watch_chart import WatchChart
from posthog_code.ui.theme import theme

LOUD = 2
"""Metrics that stand beside the chart; the others are listed below."""
_ICONS = {
    Direction.BETTER: "ph.check-bold",
    Direction.WORSE: "ph.x-bold",
    Direction.SAME: "ph.minus-circle",
    Direction.UNKNOWN: "ph.question",
}


class MetricRow(Row):
    """A figure before and after, with the line of code it belongs to."""

    def __init__(self, metric: Metric, parent: QWidget | None = None) -> None:
        super().__init__(parent, name=f"{metric.label}: {words.change(metric)}, {metric.direction}")
        self.compared = metric
        token = words.DIRECTION_TOKENS[metric.direction]
        self.row.addWidget(Icon(_ICONS[metric.direction], token, self, size=14))
        label = ElidedLabel(words.row_caption(metric), self)
        label.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.row.addWidget(label)
        self.row.addWidget(ElidedLabel(metric.detail, self, font="small", token="text.muted"), 1)
        if metric.place:
            path, _, line = metric.place.rpartition(":")
            told = words.where(path, int(line)) if line.isdecimal() else metric.place
            place = ElidedLabel(told, self, font="codeSmall", token="text.muted", mode="middle")
            place.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
            self.row.addWidget(place)
        self.row.addWidget(Label(words.change(metric), self, font="bodyStrong", token=token))


class WatchSection(QWidget):
    """Head, card and rows. Everything in it comes from the watch."""

    released = Signal()
    """The person says that the change is released."""
    again = Signal()
    follow_up = Signal()
    show_place = Signal(str)

    def __init__(self, watch: ReleaseWatch, now: float, parent: QWidget | None = None, *, told: str = "") -> None:
        """`told`: trouble that a banner above tells already."""
        super().__init__(parent)
        self.rows: list[MetricRow] = []
        self.refresh: IconButton | None = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8)
        self._add_head(watch, now)
        if watch.state is WatchState.WAITING:
            self._add_waiting(watch)
            return
        if watch.verdict:
            self._add_verdict(watch)
        if watch.problem:
            why = "" if watch.problem in told else watch.problem
            since = f"Figures are as of {words.clock(watch.checked_at)}." if watch.checked_at else ""
            said = f"{why} {since}".strip()
            if said:
                self._column.addWidget(Banner(said, self, tone="waiting", icon="ph.cloud-slash"))
        if watch.series or watch.metrics:
            self._add_card(watch)
        self._add_rows(watch.metrics[LOUD:])

    def _add_head(self, watch: ReleaseWatch, now: float) -> None:
        head = SectionHead("Regression watch", words.watch_note(watch), self)
        text, tone, icon = words.watch_badge(watch, now)
        head.row.addWidget(Badge(text, tone, head, icon=icon))
        if watch.state is not WatchState.WAITING:
            self.refresh = IconButton("ph.arrows-clockwise", "Read the figures again", head, keys="R", size="sm")
            self.refresh.clicked.connect(self.again)
            head.row.addWidget(self.refresh)
        self._column.addWidget(head)

    def _add_waiting(self, watch: ReleaseWatch) -> None:
        card = Card(self)
        row = QHBoxLayout()
        row.setContentsMargins(12, 8, 10, 8)
        said = watch.problem or "Nothing tells yet that the change is released. Its figures are compared from then on."
        row.addWidget(Label(said, card, token="text.secondary", wrap=True), 1)
        now = Button("It is released", card, size="sm")
        now.clicked.connect(self.released)
        row.addWidget(now)
        card.body.addLayout(row)
        self._column.addWidget(card)

    def _add_verdict(self, watch: ReleaseWatch) -> None:
        worse = watch.state is WatchState.WORSE
        tone = "failed" if worse else "running"
        icon = "ph.warning-octagon" if worse else "ph.check-circle" if watch.state is WatchState.BETTER else "ph.eye"
        banner = Banner(watch.verdict, self, tone=tone, icon=icon, wrap=True)
        if worse:
            fix = Button("Open the follow-up" if watch.follow_up else "Start a follow-up", banner, size="sm")
            fix.clicked.connect(self.follow_up)
            banner.row.addWidget(fix)
        self._column.addWidget(banner)

    def _add_card(self, watch: ReleaseWatch) -> None:
        card = Card(self)
        row = QHBoxLayout()
        row.setContentsMargins(6, 4, 14, 4)
        row.setSpacing(0)
        row.addWidget(WatchChart(watch, card), 2)
        row.addSpacing(14)
        row.addWidget(Hairline(card, vertical=True))
        row.addSpacing(16)
        figures = QVBoxLayout()
        figures.setSpacing(10)
        figures.addStretch(1)
        for metric in watch.metrics[:LOUD]:
            figures.addLayout(_big(metric, card))
        figures.addStretch(1)
        side = QWidget(card)
        side.setLayout(figures)
        side.setMinimumWidth(theme().px(110))
        side.setMaximumWidth(theme().px(196))
        figures.setContentsMargins(0, 0, 0, 0)
        row.addWidget(side, 1)
        card.body.addLayout(row)
        card.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        self._column.addWidget(card)

    def _add_rows(self, metrics: tuple[Metric, ...]) -> None:
        if not metrics:
            return
        rows = RowList(self, fill="surface.raised")
        for metric in metrics:
            row = MetricRow(metric, rows)
            row.pressed.connect(self._pressed)
            self.rows.append(row)
            rows.add(row)
        self._column.addWidget(rows)

    def _pressed(self) -> None:
        row = self.sender()
        if isinstance(row, MetricRow) and row.compared.place:
            self.show_place.emit(row.compared.place)


def _big(metric: Metric, parent: QWidget) -> QVBoxLayout:
    column = QVBoxLayout()
    column.setSpacing(1)
    token = words.DIRECTION_TOKENS[metric.direction]
    column.addWidget(Label(words.change(metric), parent, font="title", token=token))
    column.addWidget(ElidedLabel(words.caption(metric), parent, font="small", token="text.muted"))
    return column
