"""Comments between the lines: the editor of a new one, and the cards of those that are there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPlainTextEdit, QSizePolicy, QVBoxLayout, QWidget

from posthog_code.domain.ids import CommentId
from posthog_code.domain.review import Comment, CommentState
from posthog_code.domain.text import age
from posthog_code.ui.kit import painting
from posthog_code.ui.kit.buttons import Button, IconButton
from posthog_code.ui.kit.chips import Badge
from posthog_code.ui.kit.labels import Avatar, Label
from posthog_code.ui.theme import notifier, theme

_PAD = 10


@dataclass(frozen=True, slots=True)
class CommentDraft:
    """Lines that a comment is being written about."""

    path: str
    side: str
    start: int
    end: int
    code: str
    text: str = ""

    @property
    def key(self) -> tuple[str, str, int, int]:
        return self.path, self.side, self.start, self.end


class _Editor(QPlainTextEdit):
    """Grows with its text, up to ten lines."""

    submitted = Signal()
    cancelled = Signal()
    grown = Signal()

    def __init__(self, text: str, parent: QWidget) -> None:
        super().__init__(text, parent)
        self.setPlaceholderText("Say what should change, or ask")
        self.setAccessibleName("Comment")
        self.setTabChangesFocus(True)
        self.setFont(theme().font("body"))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.viewport().setAutoFillBackground(False)
        self.document().documentLayout().documentSizeChanged.connect(self._fit)
        self._fit()

    def _fit(self) -> None:
        lines = min(10, max(2, int(self.document().size().height())))
        height = lines * self.fontMetrics().lineSpacing() + 12
        if height != self.height():
            self.setFixedHeight(height)
            self.grown.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and (
            event.modifiers() & Qt.KeyboardModifier.ControlModifier
            and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        ):
            self.submitted.emit()
        elif event.key() == Qt.Key.Key_Escape:
            self.cancelled.emit()
        else:
            super().keyPressEvent(event)


class CardBase(QWidget):
    """A rounded card. `resized` tells that it wants another height."""

    resized = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_NoMousePropagation)
        self.setCursor(Qt.CursorShape.ArrowCursor)
        # A scroll area's viewport has the role Base, in which labels would not take their own colour.
        self.setBackgroundRole(QPalette.ColorRole.Window)
        notifier().changed.connect(self.update)

    def wanted_height(self, width: int) -> int:
        layout = self.layout()
        if layout is None:
            return self.sizeHint().height()
        return layout.heightForWidth(width) if layout.hasHeightForWidth() else layout.sizeHint().height()

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        with QPainter(self) as p:
            rect = QRectF(self.rect())
            painting.rounded(p, rect, look.size("radius.lg"), look.color("surface.raised"), look.color("border.strong"))


class DraftCard(CardBase):
    """The editor of a new comment, or of one that is changed."""

    submitted = Signal(object, bool)
    """The CommentDraft with its text; True to send it at once."""
    cancelled = Signal(object)

    def __init__(self, draft: CommentDraft, parent: QWidget, *, edits: bool = False) -> None:
        super().__init__(parent)
        self.draft = draft
        self.setObjectName("commentDraft")
        column = QVBoxLayout(self)
        column.setContentsMargins(_PAD + 2, 8, _PAD, _PAD)
        column.setSpacing(6)
        lines = f"line {draft.start}" if draft.start == draft.end else f"lines {draft.start} to {draft.end}"
        before = " before the change" if draft.side == "old" else ""
        head = Label(f"Comment on {lines}{before}", self, font="small", token="text.muted")
        self.editor = _Editor(draft.text, self)
        self._frame = _EditorFrame(self.editor, self)
        row = QHBoxLayout()
        row.setSpacing(6)
        self.cancel = Button("Cancel", self, kind="ghost", size="sm", keys="Esc")
        self.send_now = Button("Send now", self, size="sm")
        self.send_now.setToolTip("Send this comment to the agent without waiting for the others")
        self.add = Button("Save" if edits else "Add comment", self, size="sm", keys="Ctrl+Return")
        row.addWidget(self.cancel)
        row.addStretch(1)
        row.addWidget(self.send_now)
        row.addWidget(self.add)
        self.send_now.setVisible(not edits)
        column.addWidget(head)
        column.addWidget(self._frame)
        column.addLayout(row)
        self.editor.submitted.connect(self._add)
        self.editor.cancelled.connect(self._cancel)
        self.editor.grown.connect(self.resized)
        self.editor.textChanged.connect(self._enable)
        self.cancel.clicked.connect(self._cancel)
        self.add.clicked.connect(self._add)
        self.send_now.clicked.connect(self._send)
        self._enable()

    def text(self) -> str:
        return self.editor.toPlainText()

    def current(self) -> CommentDraft:
        draft = self.draft
        return CommentDraft(draft.path, draft.side, draft.start, draft.end, draft.code, self.text())

    def _enable(self) -> None:
        some = bool(self.text().strip())
        self.add.setEnabled(some)
        self.send_now.setEnabled(some)

    def _add(self) -> None:
        if self.text().strip():
            self.submitted.emit(self.current(), False)

    def _send(self) -> None:
        self.submitted.emit(self.current(), True)

    def _cancel(self) -> None:
        self.cancelled.emit(self.current())


class _EditorFrame(QWidget):
    """The border round the editor, stronger while it has the focus."""

    def __init__(self, editor: _Editor, parent: QWidget) -> None:
        super().__init__(parent)
        self._editor = editor
        box = QVBoxLayout(self)
        box.setContentsMargins(5, 2, 5, 2)
        box.addWidget(editor)
        self.setFocusProxy(editor)
        editor.selectionChanged.connect(self.update)
        editor.cursorPositionChanged.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        with QPainter(self) as p:
            line = look.color("focus.ring" if self._editor.hasFocus() else "border.strong")
            painting.rounded(p, QRectF(self.rect()), look.size("radius.md"), look.color("surface.window"), line)


class CommentCard(CardBase):
    """A comment that is pending or was sent."""

    editAsked = Signal(object)
    discardAsked = Signal(object)
    resolveAsked = Signal(object)

    def __init__(self, comment: Comment, now: Callable[[], float], parent: QWidget, *, lost: bool = False) -> None:
        super().__init__(parent)
        self.comment_id: CommentId = comment.id
        self.comment = comment
        self.setObjectName("commentCard")
        pending = comment.state is CommentState.PENDING
        self.setAccessibleName(f"Comment, {comment.state}: {comment.text}")
        column = QVBoxLayout(self)
        column.setContentsMargins(_PAD, 8, _PAD, _PAD)
        column.setSpacing(4)
        head = QHBoxLayout()
        head.setSpacing(6)
        head.addWidget(Avatar("You", self, size=20))
        head.addWidget(Label("You", self, font="bodyStrong"))
        elapsed = age(max(0.0, now() - comment.created_at))
        when = "just now" if elapsed == "now" else f"{elapsed} ago"
        if comment.turn:
            when += f" · turn {comment.turn}"
        if lost:
            when += f" · line {comment.start} is no longer in the diff"
        head.addWidget(Label(when, self, font="small", token="text.muted"))
        head.addStretch(1)
        if pending:
            self.edit = IconButton("ph.pencil-simple", "Edit comment", self, size="sm")
            self.discard = IconButton("ph.trash", "Discard comment", self, size="sm")
            self.edit.clicked.connect(self._edit)
            self.discard.clicked.connect(self._discard)
            head.addWidget(self.edit)
            head.addWidget(self.discard)
            head.addWidget(Badge("Pending", "waiting", self))
        else:
            head.addWidget(Label("Sent", self, font="small", token="text.muted"))
            self.resolve = Button("Resolve", self, kind="ghost", size="sm", icon="ph.check")
            self.resolve.clicked.connect(self._resolve)
            head.addWidget(self.resolve)
        column.addLayout(head)
        body = Label(comment.text.strip(), self, font="reading", wrap=True, selectable=True)
        body.setContentsMargins(26, 0, 0, 0)
        column.addWidget(body)

    def _edit(self) -> None:
        self.editAsked.emit(self.comment_id)

    def _discard(self) -> None:
        self.discardAsked.emit(self.comment_id)

    def _resolve(self) -> None:
        self.resolveAsked.emit(self.comment_id)

    def sizeHint(self) -> QSize:
        return QSize(300, 72)
