"""Who is signed in, at the foot of the sidebar: person, organization, region, and whether the cloud answers."""

from __future__ import annotations

import time

from PySide6.QtCore import QPoint, QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QMenu, QWidget

from posthog_code.domain.cloud import Account
from posthog_code.domain.state import AppState
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit import painting
from posthog_code.ui.kit.labels import paint_avatar
from posthog_code.ui.models.cloud_list import FILTERS, chosen_filter
from posthog_code.ui.shell.side_button import SideButton
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.icons import icon, paint_icon

_AVATAR = 20


def organization_words(account: Account) -> tuple[str, str]:
    """Name of the organization, and the region or host."""
    name = next((one.name for one in account.organizations if one.id == account.organization_id), "")
    project = account.project
    host = account.host.partition("://")[2]
    return name or (project.name if project else "") or host, account.region.upper() or host


def link_words(state: AppState) -> tuple[bool, str]:
    """Whether the cloud answered last time, and since when it is known what is shown."""
    at, problem = state.cloud.fetched_at, state.account.problem or state.cloud.error
    seen = (
        f"Cloud tasks are as of {time.strftime('%H:%M', time.localtime(at))}." if at else "No cloud task is known yet."
    )
    return not problem, f"{problem} {seen}" if problem else seen


class AccountButton(SideButton):
    """An avatar and words; a press opens the account's menu."""

    def __init__(self, ctx: UiContext, parent: QWidget | None = None) -> None:
        super().__init__("", "ph.user-circle", parent)
        self._ctx = ctx
        self._initials = self._region = ""
        self._in_rail = False
        self.setObjectName("account")
        self.clicked.connect(self.open_menu)

    def refresh(self) -> None:
        account = self._ctx.state.account
        name, region = organization_words(account)
        words = (account.user.label or name).replace("@", " ").split()
        self._initials = "".join(word[0] for word in words[:2]).upper()
        self._region = region if region != name else ""
        project = account.project
        about = [account.user.label, account.user.email, project.name if project else "", account.host]
        self.set_words(name, "ph.user-circle", "text.muted", "\n".join(dict.fromkeys(part for part in about if part)))
        self.setAccessibleName(f"Account: {name} {region}")

    def set_rail(self, on: bool) -> None:
        self._in_rail = on
        super().set_rail(on)

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        rect = QRectF(self.rect())
        side = look.px(_AVATAR)
        fill = "surface.active" if self.isDown() else "surface.hover" if self.underMouse() else ""
        with QPainter(self) as painter:
            if fill:
                painting.rounded(painter, rect, look.size("radius.md"), look.color(fill))
            x = (rect.width() - side) / 2 if self._in_rail else 5
            paint_avatar(painter, QRectF(x, (rect.height() - side) / 2, side, side), self._initials, "question")
            if self._in_rail:
                return
            font, caret = look.font("bodyStrong"), look.px(10)
            left = 5.0 + side + 8
            metrics = QFontMetricsF(look.font("body"))
            region = metrics.horizontalAdvance(self._region) if self._region else 0
            room = rect.width() - left - caret - 16
            name = QFontMetricsF(font).elidedText(self.text(), Qt.TextElideMode.ElideRight, room)
            width = QFontMetricsF(font).horizontalAdvance(name) + 1
            # The name goes first; a long host shows what fits.
            region = min(region, max(0.0, room - width - 6))
            painting.text(painter, QRectF(left, 0, width, rect.height()), name, font, look.color("text.primary"))
            left += width + 4
            box = QRectF(left, 0, region + 2, rect.height())
            painting.text(painter, box, self._region, look.font("body"), look.color("text.muted"))
            left += region + 6
            mark = QRectF(left, (rect.height() - caret) / 2, caret, caret)
            paint_icon(painter, mark, "ph.caret-up", look.color("text.muted"))

    # menu

    def open_menu(self) -> None:
        menu = self.menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        at = self.mapToGlobal(QPoint(0, 0))
        menu.popup(QPoint(at.x(), at.y() - menu.sizeHint().height() - 4))

    def menu(self) -> QMenu:
        """Project, which tasks are listed, and the account's page."""
        state = self._ctx.state
        account, chosen = state.account, chosen_filter(state)
        menu = QMenu(self)
        menu.setAccessibleName("Account")
        if len(account.projects) > 1:
            projects = menu.addMenu(icon("ph.folder-simple", "text.secondary"), "Project")
            for project in account.projects:
                action = projects.addAction(project.name or str(project.id))
                action.setCheckable(True)
                action.setChecked(project.id == account.project_id)
                action.triggered.connect(lambda _on=False, one=project.id: self._choose_project(one))
        shown = menu.addMenu(icon("ph.funnel-simple", "text.secondary"), "Cloud tasks")
        for which, words in FILTERS.items():
            action = shown.addAction(words)
            action.setCheckable(True)
            action.setChecked(which is chosen)
            action.triggered.connect(lambda _on=False, one=which: self._ctx.commands.run(f"cloud.filter.{one.value}"))
        menu.addAction(icon("ph.arrows-clockwise", "text.secondary"), "Check now").triggered.connect(self._refresh)
        menu.addSeparator()
        page = menu.addAction(icon("ph.gear-six", "text.secondary"), "Cloud account…")
        page.triggered.connect(lambda: self._ctx.nav.open_settings("account"))
        return menu

    def _choose_project(self, project_id: int) -> None:
        self._ctx.actions.start("account.project", lambda: self._ctx.services.account.choose_project(project_id))

    def _refresh(self) -> None:
        self._ctx.commands.run("cloud.refresh")
