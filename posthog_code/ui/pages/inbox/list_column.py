"""The left column of the inbox: tabs with counts, filter, order, the list, and what is said where nothing is listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from PySide6.QtCore import QPoint, Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QHBoxLayout, QMenu, QVBoxLayout, QWidget

from posthog_code.domain.text import count, plural
from posthog_code.ui.kit.buttons import Button, IconButton
from posthog_code.ui.kit.cards import Banner, Surface
from posthog_code.ui.kit.empty import EmptyState, Skeleton
from posthog_code.ui.kit.labels import Label
from posthog_code.ui.kit.popup import MenuItem
from posthog_code.ui.kit.sizes import fix_size
from posthog_code.ui.kit.toggles import Segmented
from posthog_code.ui.models.inbox_list import SORTS, TABS, ReportRow, source_words
from posthog_code.ui.pages.inbox.list_view import ReportList
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.icons import icon

_BAR = 38


class ListColumn(QWidget):
    tab_chosen = Signal(str)
    sources_chosen = Signal(list)
    sort_chosen = Signal(str)
    retry_asked = Signal()
    deed_asked = Signal(str)
    """snooze, dismiss, restore or all: of what is selected."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sources: list[str] = []
        self._known: Sequence[str] = ()
        self._sort = "score"
        self.tabs = Segmented([MenuItem(key, words) for key, words in TABS.items()], self, name="Reports")
        self.tabs.changed.connect(self.tab_chosen)
        self.filter = IconButton("ph.funnel-simple", "Filter by source", self, size="sm")
        self.filter.clicked.connect(self._open_filter)
        self.sort = IconButton("ph.sort-ascending", "Order", self, size="sm")
        self.sort.clicked.connect(self._open_sort)
        self.offline = Banner("", self, tone="waiting", icon="ph.cloud-slash")
        again = IconButton("ph.arrow-clockwise", "Try again", self.offline, size="sm")
        again.clicked.connect(self.retry_asked)
        self.offline.row.addWidget(again)
        self._offline_box = QWidget(self)
        offline = QVBoxLayout(self._offline_box)
        offline.setContentsMargins(8, 8, 8, 8)
        offline.addWidget(self.offline)
        self._offline_box.hide()
        self.list = ReportList(self)
        self.empty = EmptyState("ph.tray", "", "", (), self)
        self.empty.hide()
        self.skeleton = Skeleton(self, rows=8, row_height=theme().value("row.inbox"))
        self._waiting = QWidget(self)
        waiting = QVBoxLayout(self._waiting)
        waiting.setContentsMargins(16, 4, 16, 0)
        waiting.addWidget(self.skeleton)
        waiting.addStretch(1)
        self._waiting.hide()
        self._build()

    def _build(self) -> None:
        self._bar = bar = Surface("surface.window", self, edge="bottom")
        fix_size(bar, height=_BAR)
        row = QHBoxLayout(bar)
        row.setContentsMargins(10, 0, 8, 1)
        row.setSpacing(2)
        row.addWidget(self.tabs)
        row.addStretch(1)
        row.addWidget(self.filter)
        row.addWidget(self.sort)
        self.selection = self._make_selection()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 1, 0)
        column.setSpacing(0)
        column.addWidget(bar)
        column.addWidget(self._offline_box)
        for part in (self.list, self.empty, self._waiting):
            column.addWidget(part, 1)
        column.addWidget(self.selection)

    def _make_selection(self) -> QWidget:
        bar = Surface("surface.raised", self, edge="top")
        row = QHBoxLayout(bar)
        row.setContentsMargins(12, 6, 8, 6)
        row.setSpacing(4)
        self.told = Label("", bar, font="small", token="text.secondary")
        row.addWidget(self.told)
        row.addStretch(1)
        self.buttons: dict[str, Button] = {}
        for deed, words, mark in (
            ("all", "All", ""),
            ("restore", "Restore", "ph.arrow-counter-clockwise"),
            ("snooze", "Snooze", "ph.bell-z"),
            ("dismiss", "Dismiss", "ph.x"),
        ):
            button = Button(words, bar, kind="ghost" if deed == "all" else "default", icon=mark, size="sm")
            button.clicked.connect(partial(self._on_deed, deed))
            self.buttons[deed] = button
            row.addWidget(button)
        self.buttons["all"].setAccessibleName("Select all")
        bar.hide()
        return bar

    def _on_deed(self, deed: str) -> None:
        self.deed_asked.emit(deed)

    # what it shows

    def show_tabs(self, counts: Mapping[str, int], current: str) -> None:
        items = [MenuItem(key, words, note=count(counts.get(key, 0))) for key, words in TABS.items()]
        self.tabs.set_items(items, current)

    def wanted_width(self) -> int:
        """The design's, or more where the words of the tabs are larger."""
        return max(theme().size("layout.inboxList"), self._bar.sizeHint().width() + 1)

    def show_rows(self, rows: Sequence[ReportRow]) -> None:
        self.list.set_rows(rows)
        self._only(self.list)

    def show_empty(self, mark: str, title: str, text: str, actions: Sequence[tuple[str, object]]) -> None:
        self.list.set_rows(())
        self.empty.set_text(mark, title, text)
        self.empty.set_actions(actions)  # type: ignore[arg-type]
        self._only(self.empty)

    def show_waiting(self) -> None:
        self.list.set_rows(())
        self._only(self._waiting)

    def _only(self, part: QWidget) -> None:
        for one in (self.list, self.empty, self._waiting):
            one.setVisible(one is part)

    def show_offline(self, words: str, tip: str = "") -> None:
        """Above the list; "" takes it away."""
        self.offline.set_text(words)
        self.offline.label.setToolTip(tip or words)
        self._offline_box.setVisible(bool(words))

    def show_selection(self, number: int, whole: int, away: bool, back: bool) -> None:
        self.selection.setVisible(number > 1)
        self.told.setText(f"{count(number)} selected")
        self.told.setAccessibleName(f"{plural(number, 'report')} selected")
        self.buttons["all"].setVisible(number < whole)
        self.buttons["snooze"].setVisible(away)
        self.buttons["dismiss"].setVisible(away)
        self.buttons["restore"].setVisible(back)

    # filter and order

    def set_choices(self, known: Sequence[str], chosen: Sequence[str], sort: str) -> None:
        """Sources there are, those that are chosen (none means all), and the order."""
        self._known, self._sources, self._sort = known, list(chosen), sort
        names = ", ".join(source_words(source)[0] for source in chosen)
        self.filter.set_name(f"Filter by source: {names}" if names else "Filter by source")
        self.filter.setCheckable(True)
        self.filter.setChecked(bool(chosen))
        self.sort.set_name(f"Order: {SORTS[sort].lower()}")

    def _open_filter(self) -> None:
        self.filter.setChecked(bool(self._sources))
        menu = QMenu(self)
        menu.setAccessibleName("Sources")
        every = menu.addAction("All sources")
        every.setCheckable(True)
        every.setChecked(not self._sources)
        every.triggered.connect(lambda: self.sources_chosen.emit([]))
        menu.addSeparator()
        for source in self._known:
            words, mark = source_words(source)
            action = menu.addAction(icon(mark, "text.secondary"), words)
            action.setCheckable(True)
            action.setChecked(source in self._sources)
            action.triggered.connect(partial(self._toggle, source))
        self._show(menu, self.filter)

    def _toggle(self, source: str, _on: bool = False) -> None:
        chosen = [one for one in self._sources if one != source]
        if len(chosen) == len(self._sources):
            chosen.append(source)
        self.sources_chosen.emit(chosen)

    def _open_sort(self) -> None:
        menu = QMenu(self)
        menu.setAccessibleName("Order")
        group = QActionGroup(menu)
        for key, words in SORTS.items():
            action: QAction = menu.addAction(words)
            action.setCheckable(True)
            action.setChecked(key == self._sort)
            group.addAction(action)
            action.triggered.connect(partial(self._on_sort, key))
        self._show(menu, self.sort)

    def _on_sort(self, key: str, _on: bool = False) -> None:
        self.sort_chosen.emit(key)

    def _show(self, menu: QMenu, anchor: QWidget) -> None:
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(anchor.mapToGlobal(QPoint(0, anchor.height() + 4)))
