"""Who reviewed, and what they wrote on lines."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from posthog_code.domain.check_prompt import comment_text
from posthog_code.domain.pull_request import Review, ReviewThread
from posthog_code.ui.kit import painting
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.cards import Icon
from posthog_code.ui.kit.labels import AVATAR_TONES, Avatar, ElidedLabel, Label
from posthog_code.ui.kit.rows import Row, RowList
from posthog_code.ui.panels.pull_request.words import REVIEW_WORDS, ago
from posthog_code.ui.theme import theme

RESOLVED_SHOWN = 5


def avatar_tone(name: str) -> str:
    """The same colour for the same person; not the one of "You"."""
    tones = [tone for tone in AVATAR_TONES if tone != "question"]
    return tones[sum(name.encode()) % len(tones)]


class ReviewsList(RowList):
    def __init__(self, reviews: tuple[Review, ...], now: float, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        for review in reviews:
            words, token, icon = REVIEW_WORDS[review.state]
            row = Row(self, height=36, name=f"{review.author} {words}")
            row.row.addWidget(Avatar(review.author, row, tone=avatar_tone(review.author)))
            name = ElidedLabel(review.author, row, font="bodyStrong")
            name.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
            row.row.addWidget(name)
            row.row.addWidget(Icon(icon, token, row, size=14))
            row.row.addWidget(ElidedLabel(words, row, font="small", token=token), 1)
            if review.at:
                row.row.addWidget(ElidedLabel(ago(now - review.at), row, font="small", token="text.muted"))
            self.add(row)


class CodeLines(QWidget):
    """The commented lines in the colours of the diff, with the number of the last one."""

    def __init__(self, code: str, line: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._lines = code.split("\n")
        self._last = line
        self.setAccessibleName(code)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(theme().size("row.diffLine") * len(self._lines))

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        height, number = look.size("row.diffLine"), look.size("layout.diffGutter.number")
        sign_width = look.size("layout.diffGutter.sign")
        kept = [text[:1] != "-" for text in self._lines]
        with QPainter(self) as painter:
            for index, text in enumerate(self._lines):
                sign = text[:1] if text[:1] in "+-" else " "
                kind = {"+": "add", "-": "del"}.get(sign, "context")
                box = QRectF(0, index * height, self.width(), height)
                painter.fillRect(box, look.color(f"diff.{kind}.bg"))
                painter.fillRect(QRectF(0, box.top(), number + 10, height), look.color(f"diff.{kind}.gutter"))
                after = sum(kept[index + 1 :])
                if self._last and kept[index]:
                    at = QRectF(0, box.top(), number + 4, height)
                    words = str(self._last - after)
                    painting.text(
                        painter, at, words, look.font("codeSmall"), look.color("diff.lineNumber"), painting.RIGHT
                    )
                x = number + 10.0
                if sign != " ":
                    at = QRectF(x, box.top(), sign_width, height)
                    painting.text(
                        painter, at, sign, look.font("code"), look.color(f"diff.{kind}.text"), painting.CENTER
                    )
                x += sign_width + 4
                shown = text[1:].expandtabs(4)
                at = QRectF(x, box.top(), self.width() - x - 8, height)
                painting.text(painter, at, shown, look.font("code"), look.color("syntax.text"))


class ThreadCard(QWidget):
    """An open thread: where, the code, the comments, and what can be done."""

    send = Signal(object)
    browse = Signal(str)
    show_diff = Signal(object)

    def __init__(self, thread: ReviewThread, now: float, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.thread_shown = thread
        self._current = False
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(1, 1, 1, 1)
        self.column.setSpacing(0)
        self.column.addWidget(self._head(thread))
        if thread.code:
            self.column.addWidget(CodeLines(thread.code, thread.line, self))
        for author, body, at in thread.comments:
            self.column.addWidget(self._comment(author, body, at, now))
        if not thread.trusted:
            note = "Not from somebody who may push here: read it before you send it."
            warning = Label(note, self, font="small", token="status.waiting", wrap=True)
            warning.setContentsMargins(38, 0, 10, 4)
            self.column.addWidget(warning)
        self.column.addWidget(self._foot(thread))
        self.setAccessibleName(f"Thread at {place(thread)}")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    def set_current(self, on: bool) -> None:
        if on != self._current:
            self._current = on
            self.update()

    def _head(self, thread: ReviewThread) -> QWidget:
        head = QWidget(self)
        row = QHBoxLayout(head)
        row.setContentsMargins(10, 0, 6, 0)
        row.setSpacing(8)
        row.addWidget(Icon("ph.file-text", "text.muted", head, size=14))
        row.addWidget(ElidedLabel(place(thread), head, font="code", mode="middle"), 1)
        if thread.outdated:
            row.addWidget(ElidedLabel("outdated", head, font="small", token="text.muted"))
        show = Button("Show in diff", head, kind="ghost", size="sm")
        show.clicked.connect(self._show)
        row.addWidget(show)
        head.setFixedHeight(theme().px(30))
        return head

    def _comment(self, author: str, body: str, at: float, now: float) -> QWidget:
        box = QWidget(self)
        grid = QHBoxLayout(box)
        grid.setContentsMargins(10, 8, 10, 8)
        grid.setSpacing(8)
        grid.addWidget(Avatar(author, box, tone=avatar_tone(author)), 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout()
        column.setSpacing(2)
        who = QHBoxLayout()
        who.setSpacing(6)
        name = ElidedLabel(author, box, font="bodyStrong")
        name.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        who.addWidget(name)
        who.addWidget(
            ElidedLabel(f"{ago(now - at)} on GitHub" if at else "on GitHub", box, font="caption", token="text.muted"), 1
        )
        column.addLayout(who)
        column.addWidget(Label(comment_text(body) or "(empty)", box, font="reading", wrap=True, selectable=True))
        grid.addLayout(column, 1)
        return box

    def _foot(self, thread: ReviewThread) -> QWidget:
        foot = QWidget(self)
        row = QHBoxLayout(foot)
        row.setContentsMargins(10, 4, 8, 8)
        row.setSpacing(6)
        row.addStretch(1)
        if thread.url:
            out = Button("Open on GitHub", foot, kind="ghost", icon="ph.arrow-square-out", size="sm")
            out.clicked.connect(self._browse)
            row.addWidget(out)
        send = Button("Send to agent", foot, icon="ph.paper-plane-tilt", size="sm")
        send.setAccessibleName(f"Send the thread at {place(thread)} to the agent")
        send.clicked.connect(self._send)
        row.addWidget(send)
        return foot

    def _send(self) -> None:
        self.send.emit(self.thread_shown)

    def _browse(self) -> None:
        self.browse.emit(self.thread_shown.url)

    def _show(self) -> None:
        self.show_diff.emit(self.thread_shown)

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        line = look.color("focus.ring" if self._current else "border.strong")
        with QPainter(self) as painter:
            painting.rounded(painter, QRectF(self.rect()), look.size("radius.lg"), look.color("surface.raised"), line)


class ResolvedList(RowList):
    """Resolved threads, one muted line each."""

    def __init__(self, threads: list[ReviewThread], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        for thread in threads[:RESOLVED_SHOWN]:
            row = Row(self, name=f"Resolved: {place(thread)}")
            row.row.addWidget(Icon("ph.check", "text.muted", row, size=14))
            where = ElidedLabel(place(thread), row, font="codeSmall", token="text.muted", mode="middle")
            where.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
            row.row.addWidget(where)
            first = comment_text(thread.comments[0][1]).split("\n")[0] if thread.comments else ""
            row.row.addWidget(ElidedLabel(first, row, font="small", token="text.muted"), 1)
            self.add(row)
        more = len(threads) - RESOLVED_SHOWN
        if more > 0:
            row = Row(self)
            row.row.addWidget(ElidedLabel(f"{more} more resolved", row, font="small", token="text.muted"))
            self.add(row)


def place(thread: ReviewThread) -> str:
    """ "src/a.ts:28"; only the path for a comment on a whole file."""
    if not thread.line:
        return thread.path
    return f"{thread.path}:{thread.start}-{thread.line}" if thread.start else f"{thread.path}:{thread.line}"
