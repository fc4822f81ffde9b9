"""What a screen reader is told without being asked."""

from __future__ import annotations

from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QWidget

from posthog_code.ui.panels.conversation.row_base import Row
from posthog_code.ui.panels.conversation.source import ConversationSource
from posthog_code.ui.panels.conversation.stream import StreamView
from posthog_code.ui.panels.conversation.view_state import ViewState


class Announcer:
    """A permission or question assertively, a finished turn politely; streaming text never."""

    def __init__(self, view: ViewState, source: ConversationSource, stream: StreamView, owner: QWidget) -> None:
        self._view, self._source, self._stream, self._owner = view, source, stream, owner
        self._announced = ""
        self._was_busy = False

    def restart(self) -> None:
        """Another task is in view."""
        self._announced = ""

    def look(self) -> None:
        """Tell what is new since the last look."""
        view, stream = self._view, self._stream
        row = stream.card_row()
        key = self._source.key(row) if row >= 0 else ""
        if key and key != self._announced:
            card = stream.show_card() if stream.at_end() else None
            words = card.spoken() if isinstance(card, Row) else f"{view.agent} waits for you"
            self._say(words, QAccessible.AnnouncementPoliteness.Assertive)
        self._announced = key
        session = view.ctx.state.session_of(view.task_id) if view.task_id else None
        busy = session is not None and session.phase.busy
        if self._was_busy and not busy and not key:
            self._say(f"{view.agent} has finished the turn", QAccessible.AnnouncementPoliteness.Polite)
        self._was_busy = busy

    def _say(self, words: str, politeness: QAccessible.AnnouncementPoliteness) -> None:
        event = QAccessibleAnnouncementEvent(self._owner, words)
        event.setPoliteness(politeness)
        QAccessible.updateAccessibility(event)
