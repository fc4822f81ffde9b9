"""The settings: a page of the window, saved as they are made."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from posthog_code.domain.state import Topic
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit import painting
from posthog_code.ui.kit.buttons import IconButton
from posthog_code.ui.kit.cards import Icon, Surface
from posthog_code.ui.kit.focus_ring import set_focus_ring
from posthog_code.ui.kit.inputs import SearchField
from posthog_code.ui.kit.labels import Label
from posthog_code.ui.kit.sizes import fix_size
from posthog_code.ui.nav import Place
from posthog_code.ui.pages.catalog import ACCOUNT, AGENTS, GENERAL, PAGES, REPOSITORIES, SIGNALS, found
from posthog_code.ui.pages.settings.account import AccountSettings
from posthog_code.ui.pages.settings.agents import AgentSettings
from posthog_code.ui.pages.settings.general import GeneralSettings
from posthog_code.ui.pages.settings.repositories import RepositorySettings
from posthog_code.ui.pages.settings.rows import SettingsColumn
from posthog_code.ui.pages.settings.signals import SignalSettings
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.icons import paint_icon

_HEAD = 52
_TOPICS = {"settings", "agents", "repositories", "account", "mcp"}
_MAKERS = {
    GENERAL: GeneralSettings,
    AGENTS: AgentSettings,
    REPOSITORIES: RepositorySettings,
    ACCOUNT: AccountSettings,
    SIGNALS: SignalSettings,
}


class SettingsPage(QWidget):
    """A head, pages at the left, and the page in view. Pages are made when they are first opened."""

    def __init__(self, ctx: UiContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("settings")
        self.setAccessibleName("Settings")
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._ctx = ctx
        self._current = GENERAL
        self._pages: dict[str, SettingsColumn] = {}
        self._stack = QStackedWidget(self)
        self.search = SearchField("Find a setting", self)
        self.search.textChanged.connect(self._on_search)
        self.search.returnPressed.connect(self._on_return)
        self._nav_rows: list[NavRow] = []
        self._build()
        ctx.bridge.changed.connect(self._on_changed)

    def _build(self) -> None:
        head = Surface("surface.window", self, edge="bottom")
        fix_size(head, height=_HEAD)
        row = QHBoxLayout(head)
        row.setContentsMargins(20, 0, 16, 0)
        row.setSpacing(10)
        back = IconButton("ph.arrow-left", "Back", head, keys="Alt+Left")
        back.clicked.connect(self._on_back)
        row.addWidget(back)
        row.addWidget(Label("Settings", head, font="title"))
        row.addStretch(1)
        row.addWidget(Icon("ph.check", "text.muted", head, size=14))
        row.addWidget(Label("Changes are saved as you make them", head, font="small", token="text.muted"))
        nav = Surface("surface.window", self, edge="right")
        nav.setFixedWidth(theme().size("layout.settingsNav"))
        self._nav = QVBoxLayout(nav)
        self._nav.setContentsMargins(10, 12, 10, 12)
        self._nav.setSpacing(1)
        self._nav.addWidget(self.search)
        self._nav.addSpacing(8)
        self._nav.addStretch(1)
        body = QHBoxLayout()
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(0)
        body.addWidget(nav)
        body.addWidget(self._stack, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(head)
        column.addLayout(body, 1)

    # page

    def arrive(self, place: Place) -> None:
        """Opens a page, perhaps at one setting: "general" or "general/theme"."""
        page, _, setting_id = place.tab.partition("/")
        self._show(page if page in PAGES else self._current, setting_id)
        self.setFocus()

    @property
    def current(self) -> str:
        return self._current

    def page(self, name: str) -> SettingsColumn:
        page = self._pages.get(name)
        if page is None:
            page = _MAKERS[name](self._ctx, self._stack)
            self._pages[name] = page
            self._stack.addWidget(page)
        return page

    def _show(self, name: str, setting_id: str = "") -> None:
        self._current = name
        page = self.page(name)
        self._refresh(page)
        self._stack.setCurrentWidget(page)
        page.reveal(setting_id)
        self._fill_nav()

    def _refresh(self, page: SettingsColumn) -> None:
        page.refresh()  # type: ignore[attr-defined]

    def _on_changed(self, topics: frozenset[Topic]) -> None:
        if self.isVisible() and {topic.kind for topic in topics} & _TOPICS:
            self._refresh(self.page(self._current))

    def _on_back(self) -> None:
        if self._ctx.nav.can_go_back():
            self._ctx.nav.back()
        else:
            self._ctx.nav.open_new_task()

    # nav and search

    def _fill_nav(self) -> None:
        for old in self._nav_rows:
            old.hide()
            old.deleteLater()
        text = self.search.text().strip()
        if text:
            rows = [NavRow(s.id, s.title, PAGES[s.page][1], self, detail=PAGES[s.page][0]) for s in found(text)]
        else:
            rows = [NavRow(name, title, icon, self) for name, (title, icon) in PAGES.items()]
        self._nav_rows = rows
        for number, row in enumerate(rows):
            row.set_on(not text and row.id == self._current)
            row.chosen.connect(self._on_found if text else self._on_nav)
            self._nav.insertWidget(2 + number, row)

    def _on_search(self, _text: str) -> None:
        self._fill_nav()

    def _on_return(self) -> None:
        if self.search.text().strip() and self._nav_rows:
            self._on_found(self._nav_rows[0].id)

    def _on_nav(self, name: str) -> None:
        self._ctx.nav.open_settings(name)

    def _on_found(self, setting_id: str) -> None:
        page = next(s.page for s in found("") if s.id == setting_id)
        self._show(page, setting_id)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        find = event.key() == Qt.Key.Key_Slash or event.matches(QKeySequence.StandardKey.Find)
        if find:
            self.search.edit.setFocus(Qt.FocusReason.ShortcutFocusReason)
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.fillRect(event.rect(), theme().color("surface.window"))


class NavRow(QAbstractButton):
    """A page, or a setting that was found."""

    chosen = Signal(str)

    def __init__(self, row_id: str, text: str, icon: str, parent: QWidget, *, detail: str = "") -> None:
        super().__init__(parent)
        self.id, self._icon, self._detail = row_id, icon, detail
        self._on = False
        self.setText(text)
        self.setAccessibleName(f"{text}, {detail}" if detail else text)
        self.setToolTip(detail)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        set_focus_ring(self, theme().size("radius.md"), inside=True)
        self.clicked.connect(self._on_clicked)

    def set_on(self, on: bool) -> None:
        self._on = on
        self.update()

    def _on_clicked(self) -> None:
        self.chosen.emit(self.id)

    def sizeHint(self) -> QSize:
        return QSize(160, theme().size("row.nav"))

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        fill = "surface.selected" if self._on else "surface.hover" if self.underMouse() else ""
        token = "text.primary" if self._on else "text.secondary"
        side = look.px(16)
        with QPainter(self) as painter:
            if fill:
                painting.rounded(painter, QRectF(self.rect()), look.size("radius.md"), look.color(fill))
            paint_icon(painter, QRectF(8, round((self.height() - side) / 2), side, side), self._icon, look.color(token))
            box = QRectF(8 + side + 9, 0, self.width() - side - 25, self.height())
            painting.text(painter, box, self.text(), look.font("body"), look.color(token))
