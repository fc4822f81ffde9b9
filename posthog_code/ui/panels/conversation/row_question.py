"""The card of a question that the agent asks: a form with choices and fields."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from posthog_code.domain.session import Ask, Choice, QuestionField
from posthog_code.domain.transcript import AskItem
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.chips import paint_keycaps
from posthog_code.ui.kit.inputs import TextField
from posthog_code.ui.panels.conversation.row_base import GAP, Paragraph, Row, draw_text, paint_card
from posthog_code.ui.panels.conversation.view_state import ViewState
from posthog_code.ui.theme import Theme, theme
from posthog_code.ui.theme.icons import paint_icon

_HEAD = 36
_OPTION = 30
_YES_NO = (Choice("true", "Yes"), Choice("false", "No"))


class ChoiceList(QWidget):
    """The choices of one field, numbered; one or several can be taken."""

    changed = Signal()

    def __init__(self, field: QuestionField, choices: tuple[Choice, ...], numbered: bool, parent: QWidget) -> None:
        super().__init__(parent)
        self.field, self.choices, self.numbered = field, choices, numbered
        self.taken: list[str] = []
        self._current = 0
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAccessibleName(field.title)
        self._notes = [Paragraph(choice.description, "caption", "text.muted") for choice in choices]

    def height_for(self, width: int) -> int:
        return sum(self._heights(width))

    def _heights(self, width: int) -> list[int]:
        return [_OPTION + (note.layout(width - 78) + 2 if note.text else 0) for note in self._notes]

    def take(self, number: int) -> None:
        if not 0 <= number < len(self.choices):
            return
        value, self._current = self.choices[number].id, number
        if not self.field.multiple:
            self.taken = [value]
        elif value in self.taken:
            self.taken.remove(value)
        else:
            self.taken.append(value)
        names = [choice.name for choice in self.choices if choice.id in self.taken]
        self.setAccessibleDescription(", ".join(names))
        self.update()
        self.changed.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            y = 0.0
            for number, (choice, height) in enumerate(zip(self.choices, self._heights(self.width()), strict=True)):
                self._paint_choice(painter, look, number, choice, QRectF(0, y, self.width(), height))
                y += height

    def _paint_choice(self, painter: QPainter, look: Theme, number: int, choice: Choice, row: QRectF) -> None:
        if number == self._current and (self.hasFocus() or self.underMouse()):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.color("surface.selected"))
            painter.drawRoundedRect(row, 5, 5)
        middle = row.top() + _OPTION / 2
        x = row.left() + 10
        if self.numbered and number < 9:
            paint_keycaps(painter, x, middle, str(number + 1))
            x += 28
        mark = QRectF(x, middle - 7, 14, 14)
        on = choice.id in self.taken
        painter.setPen(QPen(look.color("accent.default" if on else "border.control"), 1.4))
        painter.setBrush(look.color("accent.default") if on else Qt.BrushStyle.NoBrush)
        if self.field.multiple:
            painter.drawRoundedRect(mark, 4, 4)
            if on:
                paint_icon(painter, mark.adjusted(2, 2, -2, -2), "ph.check-bold", "accent.on")
        else:
            painter.drawEllipse(mark)
            if on:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(look.color("accent.on"))
                painter.drawEllipse(mark.adjusted(4.5, 4.5, -4.5, -4.5))
        where = QRectF(x + 22, row.top(), row.width() - x - 30, _OPTION)
        draw_text(painter, where, choice.name, look.font("body"), look.color("text.primary"))
        if self._notes[number].text:
            self._notes[number].draw(painter, x + 22, row.top() + _OPTION - 5, look)

    def _row_at(self, y: float) -> int:
        top = 0.0
        for number, height in enumerate(self._heights(self.width())):
            top += height
            if y < top:
                return number
        return -1

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._current = max(0, self._row_at(event.position().y()))
        self.update()

    def leaveEvent(self, event: object) -> None:
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self.take(self._row_at(event.position().y()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self._current = (self._current + (1 if key == Qt.Key.Key_Down else -1)) % len(self.choices)
            self.update()
        elif key == Qt.Key.Key_Space:
            self.take(self._current)
        else:
            event.ignore()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()


class QuestionRow(Row):
    """The agent's question, its fields, Answer and Decline."""

    def __init__(self, view: ViewState) -> None:
        super().__init__(view)
        self._ask: Ask | None = None
        self._fields: list[tuple[QuestionField, ChoiceList | TextField]] = []
        self._sent = False
        self._title = Paragraph("")
        self._detail = Paragraph("")
        self._labels: list[tuple[float, str]] = []
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._answer = Button("Answer", self, kind="primary", size="sm")
        self._decline = Button("Decline", self, size="sm")
        self._answer.clicked.connect(self.submit)
        self._decline.clicked.connect(self.decline)

    def measure(self, width: int) -> int:
        item = self.view.transcript.items[self.block.first]
        assert isinstance(item, AskItem) and item.ask is not None
        if self._ask is None or (self._ask.id, self._ask.asked_at) != (item.ask.id, item.ask.asked_at):
            self._build(item.ask)
        y = _HEAD + 10 + self._title.layout(width - 26)
        if self._detail.text:
            y += 4 + self._detail.layout(width - 26)
        self._labels = []
        for field, editor in self._fields:
            y += 8
            if field.title.strip() != self._title.text and (len(self._fields) > 1 or isinstance(editor, TextField)):
                self._labels.append((y, field.title))
                y += 20
            if isinstance(editor, ChoiceList):
                height = editor.height_for(width - 12)
                editor.setGeometry(6, y, width - 12, height)
            else:
                height = editor.sizeHint().height()
                editor.setGeometry(13, y, width - 26, height)
            y += height
        y += 10
        x = 13
        for button in (self._answer, self._decline):
            hint = button.sizeHint()
            button.setGeometry(x, y, hint.width(), hint.height())
            x += hint.width() + 6
        return y + self._answer.height() + 12 + GAP

    def _build(self, ask: Ask) -> None:
        for _, old in self._fields:
            old.deleteLater()
        self._ask, self._fields, self._sent = ask, [], False
        self._title = Paragraph(ask.title.strip(), "body")
        self._detail = Paragraph(ask.detail, "small", "text.secondary")
        numbered = True
        for field in ask.fields:
            choices = field.choices or (_YES_NO if field.kind == "boolean" else ())
            editor: ChoiceList | TextField
            if choices:
                editor = ChoiceList(field, choices, numbered, self)
                numbered = False
                editor.changed.connect(self._check)
            else:
                editor = TextField("", self, name=field.title, placeholder="" if field.required else "Optional")
                editor.returnPressed.connect(self.submit)
                editor.textChanged.connect(self._check)
            editor.show()
            self._fields.append((field, editor))
        self._answer.set_loading(False)
        self._check()

    def content(self) -> dict[str, object]:
        """What has been filled in, by field name and in the field's type. Raises ValueError for a bad number."""
        content: dict[str, object] = {}
        for field, editor in self._fields:
            if isinstance(editor, ChoiceList):
                if field.multiple and editor.taken:
                    content[field.name] = list(editor.taken)
                elif editor.taken:
                    content[field.name] = editor.taken[0] == "true" if field.kind == "boolean" else editor.taken[0]
            elif editor.text().strip():
                content[field.name] = _typed(editor.text().strip(), field.kind)
        return content

    def _check(self) -> None:
        try:
            content = self.content()
            missing = [field for field, _ in self._fields if field.required and field.name not in content]
            self._answer.setEnabled(not missing and (bool(content) or not self._fields))
        except ValueError:
            self._answer.setEnabled(False)

    def submit(self) -> None:
        if self._ask is None or self._sent or not self._answer.isEnabled():
            return
        self._sent = True
        self._answer.set_loading(True, "Sending…")
        self.view.answer_question(self._ask.id, self.content())

    def decline(self) -> None:
        if self._ask is not None and not self._sent:
            self._sent = True
            self.view.answer_question(self._ask.id, None)

    def answer_failed(self) -> None:
        """The answer did not reach the agent: it can be given again."""
        self._sent = False
        self._answer.set_loading(False)

    def take_key(self, key: int, *, enter: bool) -> bool:
        """Digits take a choice of the first field; of a question with nothing else to fill in they answer it."""
        if self._ask is None or self._sent:
            return False
        if Qt.Key.Key_1 <= key <= Qt.Key.Key_9:
            first = next((editor for _, editor in self._fields if isinstance(editor, ChoiceList)), None)
            number = key - Qt.Key.Key_1
            if first is None or number >= len(first.choices):
                return False
            first.take(number)
            lists = [editor for _, editor in self._fields if isinstance(editor, ChoiceList)]
            if len(lists) == 1 and not first.field.multiple:
                self.submit()
            return True
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and enter:
            self.submit()
            return True
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
        if not plain or not self.take_key(event.key(), enter=True):
            event.ignore()

    def draw(self, painter: QPainter, look: Theme, exposed: QRectF) -> None:
        card = QRectF(0, 0, self.width(), self.height() - GAP)
        paint_card(painter, card, look, border="glyph.question")
        painter.save()
        painter.setClipRect(QRectF(0, 0, self.width(), _HEAD))
        painter.setPen(QPen(look.color("glyph.question"), 1))
        painter.setBrush(look.color("status.questionSoft"))
        painter.drawRoundedRect(card.adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)
        painter.restore()
        paint_icon(painter, QRectF(12, 10, 16, 16), "ph.question-fill", "glyph.question")
        where = QRectF(36, 0, self.width() - 48, _HEAD)
        draw_text(painter, where, f"{self.view.agent} asks", look.font("bodyStrong"), look.color("text.primary"))
        self._title.draw(painter, 13, _HEAD + 10, look)
        if self._detail.text:
            self._detail.draw(painter, 13, _HEAD + 14 + self._title.height, look)
        for y, label in self._labels:
            where = QRectF(13, y, self.width() - 26, 18)
            draw_text(painter, where, label, look.font("smallStrong"), look.color("text.secondary"))

    def spoken(self) -> str:
        if self._ask is None:
            return ""
        choices = [choice.name for field in self._ask.fields for choice in field.choices]
        return f"{self.view.agent} asks: {self._ask.title} " + ", ".join(f"{n + 1} {c}" for n, c in enumerate(choices))

    def plain_text(self) -> str:
        return self._ask.title if self._ask else ""


def _typed(text: str, kind: str) -> object:
    if kind == "integer":
        return int(text)
    if kind == "number":
        return float(text)
    return text
