"""Why a task cannot be started, with the way to mend it when that is a page of PostHog."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from posthog_code.domain.cloud_errors import GitHubNeeded
from posthog_code.domain.errors import UserError
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.cards import Banner


class ProblemBar(Banner):
    """Hidden while all is well."""

    opened = Signal()
    """The page was opened: what it changes should be asked for again."""

    def __init__(self, ctx: UiContext, parent: QWidget | None = None) -> None:
        super().__init__("", parent, tone="failed", icon="ph.warning-circle")
        self._ctx, self._url = ctx, ""
        self.connect_github = Button("Connect GitHub", self, size="sm", icon="ph.arrow-square-out")
        self.connect_github.clicked.connect(self._on_connect)
        self.row.addWidget(self.connect_github)
        self.hide()

    def say(self, problem: str, connect_url: str = "") -> None:
        """`connect_url` is where a person gives PostHog access to GitHub; "" when that is not what is missing."""
        self._url = connect_url
        self.connect_github.setVisible(bool(connect_url))
        self.set_text(problem)
        self.label.setToolTip(problem)
        self.setVisible(bool(problem))

    def refused(self, error: UserError) -> None:
        self.say(f"{error.title} {error.hint}".strip(), error.url if isinstance(error, GitHubNeeded) else "")

    def _on_connect(self) -> None:
        self._ctx.open_url(self._url)
        self.opened.emit()
