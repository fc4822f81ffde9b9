"""When the inbox is asked for: often while its page or the suggestions are in view; and how many reports wait."""

from __future__ import annotations

from collections.abc import Callable

import shiboken6
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QWidget

from posthog_code.domain.state import Topic
from posthog_code.ui.context import UiContext
from posthog_code.ui.nav import INBOX, NEW_TASK

_KINDS = frozenset({"inbox", "account", "tasks", "repositories", "settings"})
_PLACES = (INBOX, NEW_TASK)


def begin_inbox(ctx: UiContext, window: QWidget, show_count: Callable[[int, int], object]) -> None:
    """Once the window is there. `show_count` gets how many reports are for this person, and how many are new."""
    ctx.services.inbox.start()
    InboxWatch(ctx, window, show_count)


class InboxWatch(QObject):
    """Lives as long as the window."""

    def __init__(self, ctx: UiContext, window: QWidget, show_count: Callable[[int, int], object]) -> None:
        super().__init__(window)
        self._ctx, self._window, self._show_count = ctx, window, show_count
        self._seen: bool | None = None
        window.installEventFilter(self)
        ctx.bridge.changed.connect(self._on_changed)
        ctx.nav.changed.connect(self._on_place)
        self._look()
        self._count()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.WindowStateChange, QEvent.Type.Show, QEvent.Type.Hide):
            self._look()
        return False

    def _on_place(self, _place: object) -> None:
        self._look()

    def _look(self) -> None:
        if not shiboken6.isValid(self._window):
            return
        shown = self._window.isVisible() and not self._window.isMinimized()
        seen = shown and self._ctx.nav.place.page in _PLACES
        if seen != self._seen:
            self._seen = seen
            self._ctx.services.inbox.set_visible(seen)

    def _on_changed(self, topics: frozenset[Topic]) -> None:
        if not _KINDS.isdisjoint(topic.kind for topic in topics):
            self._count()

    def _count(self) -> None:
        if not self._ctx.state.account.signed_in or not shiboken6.isValid(self._window):
            return
        inbox = self._ctx.services.inbox
        mine = inbox.ranked("for_you")
        self._show_count(len(mine), sum(map(inbox.is_unread, (report.id for report, _ in mine))))
