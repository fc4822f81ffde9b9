"""The inbox: reports of the project, the most urgent first, and what can be done about them."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, QTimer
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QKeyEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from posthog_code.domain.inbox import Report, Score
from posthog_code.domain.state import Topic
from posthog_code.domain.text import plural
from posthog_code.ui.cloud.links import sources_url
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit import painting
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.cards import Surface
from posthog_code.ui.kit.empty import EmptyState
from posthog_code.ui.kit.inputs import SearchField
from posthog_code.ui.kit.labels import ElidedLabel, Label
from posthog_code.ui.kit.sizes import fix_size
from posthog_code.ui.models.inbox_list import TABS, Rows, ordered, seen_words, sources_of
from posthog_code.ui.nav import Place
from posthog_code.ui.pages.inbox import triage
from posthog_code.ui.pages.inbox.detail import ReportDetail
from posthog_code.ui.pages.inbox.keys import KEYS, InboxKeys
from posthog_code.ui.pages.inbox.list_column import ListColumn
from posthog_code.ui.pages.inbox.nothing import ALL, CLEAR, RETRY, SOURCES, why_nothing
from posthog_code.ui.pages.inbox.start import StartDeeds
from posthog_code.ui.theme import theme

HEAD = 52
OVER_BELOW = 1100
"""Width of the window under which a report is shown in place of the list."""
_KINDS = frozenset({"inbox", "account", "tasks", "cloud", "repositories", "settings"})
_OFTEN = frozenset({"task", "session"})
"""Told many times a second while an agent works; here they change no more than a glyph."""
_SEARCH_MS, _SOON_MS = 120, 400
_AGES_EVERY_MS = 60_000
_FREE = 16_777_215
"""Qt's widest widget."""


class InboxPage(QWidget):
    """Drawn from state. A hidden page does nothing until it is shown again."""

    KEYS = KEYS

    def __init__(self, ctx: UiContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("inbox")
        self.setAccessibleName("Inbox")
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._ctx = ctx
        self.tab, self.sort = "for_you", "score"
        self.sources: tuple[str, ...] = ()
        self._rows = Rows()
        self._opened = False
        self._stale = True
        self._wanted = ""
        """Report that was asked for and is not listed yet."""
        self._beside = ""
        """Report that is shown though no list has it: a resolved one."""
        self.deeds = triage.Triage(ctx, self)
        self.starting = StartDeeds(ctx, self)
        self.search = SearchField("Filter reports", self, keys="/")
        self.search.textChanged.connect(self._on_search)
        self.search.edit.installEventFilter(self)
        self.column = ListColumn(self)
        self.detail = ReportDetail(ctx, self.deeds, self.starting, self)
        self.many = EmptyState("ph.check-square", "", "", (), self)
        self.nothing = EmptyState("ph.tray", "No report is chosen.", "J and K go through the list.", (), self)
        self._build()
        self._connect()
        self.keys = InboxKeys(ctx, self, self)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_SEARCH_MS)
        self._later.timeout.connect(self.refresh)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_SOON_MS)
        self._soon.timeout.connect(self.refresh)
        self._ages = QTimer(self)
        self._ages.setTimerType(Qt.TimerType.VeryCoarseTimer)
        self._ages.setInterval(_AGES_EVERY_MS)
        self._ages.timeout.connect(self.refresh)
        ctx.bridge.changed.connect(self._on_changed)

    def _build(self) -> None:
        head = Surface("surface.window", self, edge="bottom")
        fix_size(head, height=HEAD)
        row = QHBoxLayout(head)
        row.setContentsMargins(20, 0, 16, 0)
        row.setSpacing(10)
        row.addWidget(Label("Inbox", head, font="title"))
        words = "Reports grouped from errors, recordings, flags and tickets"
        row.addWidget(ElidedLabel(words, head, font="small", token="text.muted"), 1)
        self.search.setFixedWidth(theme().px(220))
        row.addWidget(self.search)
        self.choose = Button("Sources", head, icon="ph.sliders-horizontal")
        self.choose.setToolTip("Choose in PostHog where reports come from")
        row.addWidget(self.choose)
        self._body = QWidget(self)
        self._row = QHBoxLayout(self._body)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(0)
        self._row.addWidget(self.column)
        for part in (self.detail, self.many, self.nothing):
            self._row.addWidget(part, 1)
        self.signed_out = EmptyState(
            "ph.tray",
            "No signals connected.",
            "Sign in to PostHog to see errors, recordings and flags that touch your code.",
            (("Sign in", self._sign_in, "primary"), ("Not now", self._leave)),
            self,
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(head)
        column.addWidget(self._body, 1)
        column.addWidget(self.signed_out, 1)
        for part in (self.many, self.detail, self.signed_out):
            part.hide()

    def _connect(self) -> None:
        self.choose.clicked.connect(self.choose_sources)
        column = self.column
        column.tab_chosen.connect(self.set_tab)
        column.sources_chosen.connect(self.set_sources)
        column.sort_chosen.connect(self.set_sort)
        column.retry_asked.connect(self.fetch)
        column.deed_asked.connect(self._on_deed)
        column.list.chosen.connect(self._on_chosen)
        column.list.opened.connect(self.open_report)
        column.list.menu_asked.connect(self._on_menu)
        self.detail.back_asked.connect(self.close_report)

    def arrive(self, place: Place) -> None:
        """Shown; a report that was asked for is chosen, whatever the filters were."""
        if place.report_id:
            self._wanted, self._beside = place.report_id, ""
            self.sources = ()
            self.search.setText("")
        self.refresh()
        # Where there is no list to go through, the keys are the page's own.
        (self.column.list if self.column.list.isVisibleTo(self) else self).setFocus()

    def refresh(self) -> None:
        """Shows the state."""
        self._stale = False
        self._later.stop()
        self._soon.stop()
        signed_in = self._ctx.state.account.signed_in
        self._body.setVisible(signed_in)
        self.signed_out.setVisible(not signed_in)
        self.search.setEnabled(signed_in)
        self.choose.setVisible(signed_in)
        if not signed_in:
            return
        self._reach_wanted()
        inbox = self._ctx.services.inbox
        counts = {tab: len(inbox.ranked(tab)) for tab in TABS}
        self.column.show_tabs(counts, self.tab)
        known = sources_of(self._ctx.state.inbox.reports.values())
        self.column.set_choices(known, self.sources, self.sort)
        self._show_offline()
        self._show_list(inbox.ranked(self.tab, self.search.text().strip(), self.sources, ""), counts)
        self._show_chosen()

    def _reach_wanted(self) -> None:
        """The tab in which the report is that was asked for."""
        wanted = self._wanted
        if not wanted or wanted not in self._ctx.state.inbox.reports:
            return
        inbox = self._ctx.services.inbox
        for tab in dict.fromkeys((self.tab, *TABS)):
            if any(report.id == wanted for report, _ in inbox.ranked(tab)):
                self.tab = tab
                return
        self._wanted, self._beside = "", wanted
        self._opened = True
        self.column.list.selectionModel().clear()

    def _show_list(self, ranked: list[tuple[Report, Score]], counts: dict[str, int]) -> None:
        state, now = self._ctx.state, self._ctx.now()
        rows = self._rows.make(state, ordered(ranked, self.sort, state.inbox.evidence), now)
        if not rows and self.column.list.hasFocus():
            self.setFocus()  # Qt would give the focus of a list that goes to whatever comes next
        if rows:
            self.column.show_rows(rows)
        elif not state.inbox.reports and state.inbox.loading and not state.inbox.fetched_at:
            self.column.show_waiting()
        else:
            self._show_nothing(counts)
        if rows and self.hasFocus() and self.column.list.isVisible():
            self.column.list.setFocus()
        if self._wanted and self.column.list.select(self._wanted):
            wanted, self._wanted = self._wanted, ""
            self.open_report(wanted)
        elif rows and not self.column.list.selected() and not self.over and not self._beside:
            self.column.list.select(rows[0].id)

    def _show_nothing(self, counts: dict[str, int]) -> None:
        search = self.search.text().strip()
        why = why_nothing(self._ctx.state.inbox, self.tab, counts, bool(search or self.sources), search)
        deeds = {CLEAR: self.clear_filters, RETRY: self.fetch, SOURCES: self.choose_sources}
        deeds[ALL] = partial(self.set_tab, "all")
        actions = [(why.label, deeds[why.deed])] if why.deed else []
        self.column.show_empty(why.icon, why.title, why.text, actions)

    def _show_offline(self) -> None:
        inbox = self._ctx.state.inbox
        words = f"Offline. {seen_words(inbox.fetched_at, self._ctx.now())}" if inbox.error and inbox.reports else ""
        self.column.show_offline(words, f"{inbox.error} {inbox.hint}".strip())

    def _show_chosen(self) -> None:
        """The report that is selected, or how many are."""
        chosen = self.column.list.selected()
        state = self._ctx.state
        whole = len(self.column.list.rows)
        away = triage.can_put_away(state, chosen)
        self.column.show_selection(len(chosen), whole, away, triage.can_restore(state, chosen))
        one = chosen[0] if len(chosen) == 1 else self._beside if not chosen else ""
        self.detail.show_report(one)
        over = self.over
        if over and not one:
            self._opened = False
        self.column.setVisible(not over or not self._opened)
        self.detail.setVisible(bool(one) and (not over or self._opened))
        self.detail.set_over(over)
        self.many.setVisible(len(chosen) > 1 and not over)
        if len(chosen) > 1:
            self.many.set_text(
                "ph.check-square", f"{plural(len(chosen), 'report')} selected", "H snoozes, E dismisses them."
            )
        self.nothing.setVisible(not chosen and not one and not over and bool(self.column.list.rows))
        filler = not chosen and not one and not self.column.list.rows
        width = self.column.wanted_width()
        self.column.setMaximumWidth(_FREE if over or filler else width)
        self.column.setMinimumWidth(0 if over else width)

    @property
    def over(self) -> bool:
        """There is room for the list or a report, not for both."""
        return self.window().width() < OVER_BELOW

    # what a person does

    def set_tab(self, tab: str) -> None:
        if tab != self.tab:
            self.tab = tab
            self.refresh()
            self._say(f"{TABS[tab]}, {plural(len(self.column.list.rows), 'report')}")

    def set_sources(self, sources: list[str]) -> None:
        self.sources = tuple(sources)
        self.refresh()

    def set_sort(self, sort: str) -> None:
        self.sort = sort
        self.refresh()

    def clear_filters(self) -> None:
        self.sources = ()
        self.search.setText("")
        self.refresh()

    def fetch(self) -> None:
        self._ctx.actions.start("inbox.refresh", self._ctx.services.inbox.refresh)

    def open_report(self, report_id: str) -> None:
        """In a narrow window it takes the list's place; else it is there already."""
        self.column.list.select(report_id)
        self._opened = True
        self._show_chosen()
        if self.over:
            self.detail.body.setFocus()  # the list that had it is out of view

    def close_report(self) -> None:
        self._opened, self._beside = False, ""
        self._show_chosen()
        self.column.list.setFocus()

    def choose_sources(self) -> None:
        """The page of PostHog where sources are chosen."""
        self._ctx.open_url(sources_url(self._ctx))

    def _sign_in(self) -> None:
        self._ctx.nav.open_settings("account")

    def _leave(self) -> None:
        if self._ctx.nav.can_go_back():
            self._ctx.nav.back()
        else:
            self._ctx.nav.open_new_task()

    def _on_search(self, _text: str) -> None:
        self._later.start()

    def _on_chosen(self, ids: list[str]) -> None:
        if ids:
            self._beside = ""
        self._show_chosen()

    def _on_menu(self, at: QPoint) -> None:
        list_ = self.column.list
        self.deeds.row_menu(list_, list_.selected(), list_.mapFromGlobal(at))

    def _on_deed(self, deed: str) -> None:
        list_ = self.column.list
        chosen = list_.selected()
        if deed == "all":
            list_.selectAll()
            list_.setFocus()
        elif deed == "snooze":
            self.deeds.snooze_menu(self.column.buttons[deed], chosen)
        elif deed == "dismiss":
            self.deeds.dismiss_menu(self.column.buttons[deed], chosen)
        else:
            self.deeds.restore(chosen)

    # keys

    def regions(self) -> list[QWidget]:
        """What F6 goes through."""
        return [part for part in (self.column.list, self.detail.body) if part.isVisible()]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        typing = isinstance(self.window().focusWidget(), (QLineEdit, QPlainTextEdit))
        if typing or not self._body.isVisible() or not self.keys.press(event):
            event.ignore()

    def step_back(self) -> bool:
        """Esc: of many reports one, then from a report to the list; False when there is nothing to go back from."""
        if len(self.column.list.selected()) > 1:
            self.column.list.only_current()
            return True
        if self.over and self._opened:
            self.close_report()
            return True
        return False

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent) and watched is self.search.edit:
            down = event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter)
            if down or (event.key() == Qt.Key.Key_Escape and not self.search.text()):
                self.refresh()
                self.column.list.setFocus(Qt.FocusReason.ShortcutFocusReason)
                return True
        return False

    # state

    def _on_changed(self, topics: frozenset[Topic]) -> None:
        kinds = {topic.kind for topic in topics}
        if not kinds & (_KINDS | _OFTEN):
            return
        if not self.isVisible():
            self._stale = True
        elif not kinds & _KINDS:
            if not self._soon.isActive():
                self._soon.start()
        else:
            before = len(self.column.list.rows)
            self.refresh()
            more = len(self.column.list.rows) - before
            if more > 0 and "inbox" in kinds:
                self._say(f"{plural(more, 'new report')}")

    def _say(self, words: str) -> None:
        event = QAccessibleAnnouncementEvent(self, words)
        event.setPoliteness(QAccessible.AnnouncementPoliteness.Polite)
        QAccessible.updateAccessibility(event)

    def showEvent(self, event: object) -> None:
        self._ages.start()
        if self._stale:
            self.refresh()

    def hideEvent(self, event: object) -> None:
        self._ages.stop()
        self._later.stop()
        self._soon.stop()
        self._stale = True

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._body.isVisible():
            self._show_chosen()

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        with QPainter(self) as painter:
            painter.fillRect(event.rect(), look.color("surface.window"))
            if self.column.isVisible() and not self.over:
                x = self.column.geometry().right()
                painting.hairline(painter, x, HEAD, x, self.height(), look.color("border.subtle"))
