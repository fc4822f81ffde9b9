"""Rows of a report's evidence: an error with its week, a recording with its marks, a ticket. Painted, and pressed to
open their page."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from posthog_code.domain.inbox import ErrorSample, Recording
from posthog_code.domain.text import age, count, one_line, plural
from posthog_code.ui.kit import painting
from posthog_code.ui.kit.charts import paint_sparkline, paint_timeline
from posthog_code.ui.kit.focus_ring import set_focus_ring
from posthog_code.ui.models.inbox_list import ERRORS, person_words, source_words
from posthog_code.ui.models.inbox_log import Ticket
from posthog_code.ui.theme import Theme, theme
from posthog_code.ui.theme.icons import paint_icon

_SIDE, _ICON, _TEXT = 12, 15, 36
_SPARK, _TRACK, _FIGURES = 112, 120, 72
_ROOM_FOR_CHART = 380
"""Width under which a row goes without its picture."""


class EvidenceRow(QAbstractButton):
    """One row of a card; a line stands above all but the first."""

    HEIGHT = 34

    def __init__(self, parent: QWidget, *, first: bool, spoken: str, url: str) -> None:
        super().__init__(parent)
        self._first = first
        self.url = url
        self.setAccessibleName(spoken)
        self.setToolTip(f"{spoken}\nOpens its page in the browser" if url else spoken)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus if url else Qt.FocusPolicy.NoFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        if url:
            self.setCursor(Qt.CursorShape.PointingHandCursor)
        set_focus_ring(self, theme().size("radius.md"), inside=True)

    def sizeHint(self) -> QSize:
        return QSize(200, theme().px(self.HEIGHT))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        with QPainter(self) as painter:
            rect = QRectF(self.rect())
            if self.url and self.underMouse():
                inner = rect.adjusted(0, 0 if self._first else 1, 0, 0)
                painting.rounded(painter, inner, look.size("radius.md"), look.color("surface.hover"))
            if not self._first:
                painting.hairline(painter, 0, 0, rect.width(), 0, look.color("border.subtle"))
            self.paint_row(painter, look, rect.adjusted(_SIDE, 0, -_SIDE, 0))

    def paint_row(self, painter: QPainter, look: Theme, rect: QRectF) -> None:
        """Draw what it says into `rect`."""
        raise NotImplementedError

    def paint_mark(self, painter: QPainter, look: Theme, rect: QRectF, icon: str, token: str) -> None:
        side = look.px(_ICON)
        box = QRectF(rect.left(), round(rect.center().y() - side / 2), side, side)
        paint_icon(painter, box, icon, look.color(token))

    def shows_chart(self) -> bool:
        return self.width() >= theme().px(_ROOM_FOR_CHART)


class ErrorRow(EvidenceRow):
    HEIGHT = 44

    def __init__(self, error: ErrorSample, parent: QWidget, *, first: bool) -> None:
        self._error = error
        self._name = one_line(error.name, 200) or "Error without a name"
        self._people = plural(error.people, "person", "people") if error.people else ""
        events = plural(error.count, "event")
        spoken = ", ".join(part for part in (self._name, error.place, events, self._people) if part)
        super().__init__(parent, first=first, spoken=spoken, url=error.url)

    def paint_row(self, painter: QPainter, look: Theme, rect: QRectF) -> None:
        self.paint_mark(painter, look, rect, ERRORS, "status.failed")
        line = look.line("body")
        below_it = look.line("codeSmall") - 2 if self._error.place or self._people else 0
        top = rect.center().y() - (line + below_it) / 2
        figures = QRectF(rect.right() - look.px(_FIGURES), top, look.px(_FIGURES), line)
        strong = look.font("bodyStrong", tabular=True)
        painting.text(painter, figures, count(self._error.count), strong, look.color("text.primary"), painting.RIGHT)
        below = QRectF(figures.left(), figures.bottom() - 1, figures.width(), look.line("small"))
        muted = look.color("text.muted")
        painting.text(painter, below, self._people, look.font("small", tabular=True), muted, painting.RIGHT)
        end = figures.left() - 12
        if self.shows_chart() and any(self._error.series):
            spark = QRectF(end - look.px(_SPARK), rect.center().y() - look.px(11), look.px(_SPARK), look.px(22))
            paint_sparkline(painter, spark, self._error.series)
            end = spark.left() - 12
        left = rect.left() + look.px(_TEXT) - _SIDE
        words = QRectF(left, top, end - left, line)
        painting.text(painter, words, self._name, look.font("bodyStrong"), look.color("text.primary"))
        place = QRectF(left, words.bottom() - 1, words.width(), look.line("codeSmall"))
        mode = Qt.TextElideMode.ElideMiddle
        painting.text(painter, place, self._error.place, look.font("codeSmall"), muted, elide=mode)


class RecordingRow(EvidenceRow):
    def __init__(self, recording: Recording, parent: QWidget, *, first: bool) -> None:
        self._recording = recording
        self._who = person_words(recording)
        self._what = one_line(recording.what, 200)
        marks = plural(len(recording.marks), "mark") if recording.marks else ""
        spoken = ", ".join(part for part in (self._who, self._what, clock_words(recording.duration), marks) if part)
        super().__init__(parent, first=first, spoken=f"Recording: {spoken}", url=recording.url)

    def paint_row(self, painter: QPainter, look: Theme, rect: QRectF) -> None:
        self.paint_mark(painter, look, rect, "ph.play-circle", "status.running")
        muted = look.color("text.muted")
        length = QRectF(rect.right() - look.px(40), rect.top(), look.px(40), rect.height())
        told = clock_words(self._recording.duration)
        painting.text(painter, length, told, look.font("small", tabular=True), muted, painting.RIGHT)
        end = length.left() - 8
        if self.shows_chart() and self._recording.duration > 0:
            track = QRectF(end - look.px(_TRACK), rect.center().y() - 8, look.px(_TRACK), 16)
            paint_timeline(painter, track, self._recording.duration, self._recording.marks)
            end = track.left() - 16
        left = rect.left() + look.px(_TEXT) - _SIDE
        width = min(painting.text_width(self._who, look.font("bodyStrong")), end - left)
        who = QRectF(left, rect.top(), width, rect.height())
        painting.text(painter, who, self._who, look.font("bodyStrong"), look.color("text.primary"))
        what = QRectF(who.right() + 9, rect.top(), end - who.right() - 9, rect.height())
        if what.width() > look.px(24):
            painting.text(painter, what, self._what, look.font("small"), muted)


class TicketRow(EvidenceRow):
    def __init__(self, ticket: Ticket, now: float, parent: QWidget, *, first: bool) -> None:
        self._source = source_words(ticket.source)
        self._text = f"“{ticket.text}”" if ticket.quote else ticket.text
        self._age = age(max(0.0, now - ticket.at)) if ticket.at else ""
        spoken = ", ".join(part for part in (self._source[0], ticket.text, self._age) if part)
        super().__init__(parent, first=first, spoken=spoken, url=ticket.url)

    def paint_row(self, painter: QPainter, look: Theme, rect: QRectF) -> None:
        self.paint_mark(painter, look, rect, self._source[1], "text.muted")
        font = look.font("small", tabular=True)
        ago = painting.text_width(self._age, font)
        painting.text(painter, rect, self._age, font, look.color("text.muted"), painting.RIGHT)
        left = rect.left() + look.px(_TEXT) - _SIDE
        words = QRectF(left, rect.top(), rect.right() - ago - 12 - left, rect.height())
        painting.text(painter, words, self._text, look.font("body"), look.color("text.primary"))


def clock_words(seconds: float) -> str:
    """ "2:18", "1:02:05"; "" when unknown."""
    if seconds <= 0:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
