"""The bar below the diff that holds the comments until they are sent, and their preview."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QWidget

from posthog_code.domain.review import Comment, review_prompt
from posthog_code.domain.text import plural
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.labels import Label
from posthog_code.ui.kit.overlay import Sheet
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.icons import paint_icon

SEND_KEYS = "Ctrl+Shift+Return"
_TIGHT = 560


class ReviewBar(QWidget):
    """Shown while comments are pending."""

    discardAsked = Signal()
    previewAsked = Signal()
    sendAsked = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("reviewBar")
        self.setAccessibleName("Review")
        self.setFixedHeight(theme().size("layout.reviewBar"))
        row = QHBoxLayout(self)
        row.setContentsMargins(38, 0, 10, 0)
        row.setSpacing(8)
        self.count = Label("", self, font="heading")
        self.where = Label("", self, token="text.muted")
        self.discard = Button("Discard", self, kind="ghost")
        self.preview = Button("Preview", self)
        self.send = Button(
            "Send to agent", self, kind="primary", icon="ph.paper-plane-tilt", keys=SEND_KEYS, show_keys=True
        )
        row.addWidget(self.count)
        row.addWidget(self.where)
        row.addStretch(1)
        row.addWidget(self.discard)
        row.addWidget(self.preview)
        row.addWidget(self.send)
        self.discard.clicked.connect(self.discardAsked)
        self.preview.clicked.connect(self.previewAsked)
        self.send.clicked.connect(self.sendAsked)

    def set_comments(self, pending: tuple[Comment, ...]) -> None:
        files = len({comment.path for comment in pending})
        self.count.setText(plural(len(pending), "comment"))
        self.where.setText(f"on {plural(files, 'file')}")
        self.setVisible(bool(pending))

    def minimumSizeHint(self) -> QSize:
        return QSize(0, self.height())  # what does not fit goes in resizeEvent

    def set_busy(self, on: bool) -> None:
        """Told by the action that sends."""
        self.send.set_loading(on, "Sending…")

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.where.setVisible(self.width() >= _TIGHT)
        self.send.set_keys(SEND_KEYS if self.width() >= _TIGHT else "")

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        with QPainter(self) as p:
            p.fillRect(self.rect(), look.color("surface.raised"))
            p.fillRect(0, 0, self.width(), 1, look.color("border.subtle"))
            paint_icon(p, QRectF(12, self.height() / 2 - 8, 16, 16), "ph.chat-centered-text", "accent.text")


class PreviewSheet(Sheet):
    """What the agent will be sent, with room for a note; its result is the note, None when it was closed."""

    def __init__(self, window: QWidget, comments: tuple[Comment, ...], note: str = "") -> None:
        super().__init__(window, "Send the review", width="lg")
        self._comments = comments
        self.note = QPlainTextEdit(note, self)
        self.note.setPlaceholderText("Add a note, or just send it")
        self.note.setAccessibleName("Note to the agent")
        self.note.setTabChangesFocus(True)
        self.note.setFixedHeight(theme().px(64))
        self.text = QPlainTextEdit(self)
        self.text.setReadOnly(True)
        self.text.setAccessibleName("Message")
        self.text.setFont(theme().font("codeSmall"))
        self.text.setMinimumHeight(theme().px(260))
        self.body.addWidget(self.note)
        self.body.addWidget(Label("The agent gets this message", self, font="small", token="text.muted"))
        self.body.addWidget(self.text, 1)
        cancel = self.add_button(Button("Cancel"))
        self.send = self.add_button(Button("Send to agent", kind="primary", icon="ph.paper-plane-tilt"))
        cancel.clicked.connect(self._cancel)
        self.send.clicked.connect(self._send)
        self.note.textChanged.connect(self._show)
        self.set_first_focus(self.note)
        self._show()

    def _show(self) -> None:
        self.text.setPlainText(review_prompt(self._comments, self.note.toPlainText()))

    def _cancel(self) -> None:
        self.close_sheet(None)

    def _send(self) -> None:
        self.close_sheet(self.note.toPlainText())
