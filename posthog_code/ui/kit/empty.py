"""What is shown where there is nothing yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from posthog_code.ui.kit import painting
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.cards import Icon
from posthog_code.ui.kit.labels import Label
from posthog_code.ui.theme import notifier, theme

Action = tuple[str, Callable[[], object]] | tuple[str, Callable[[], object], str] | QWidget
"""A label and what it does, perhaps with the kind of button; or a finished widget."""

_TEXT_WIDTH = 260
_SIDE = 12


class EmptyState(QWidget):
    """An icon, a title, one or two lines and the ways on, in the middle of the room there is."""

    def __init__(
        self,
        icon: str,
        title: str,
        text: str = "",
        actions: Sequence[Action] = (),
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.icon = Icon(icon, "text.disabled", self, size=28)
        self.title = Label(title, self, font="heading")
        self.text = Label(text, self, font="small", token="text.muted")
        for label in (self.title, self.text):
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            label.setWordWrap(True)
        self._fit()
        notifier().changed.connect(self._fit)
        self.text.setVisible(bool(text))
        self.buttons = QHBoxLayout()
        self.buttons.setSpacing(6)
        column = QVBoxLayout(self)
        column.setSpacing(4)
        column.addStretch(1)
        column.addWidget(self.icon, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(4)
        column.addWidget(self.title, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self.text, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(6)
        column.addLayout(self.buttons)
        column.addStretch(1)
        self.set_actions(actions)

    def _fit(self) -> None:
        """A wrapped label among others is given the height of one line unless its size is settled."""
        width = max(80, min(theme().px(_TEXT_WIDTH), self.width() - 2 * _SIDE))
        for label in (self.title, self.text):
            # Qt counts the height that was fixed before into what it asks for.
            label.setMinimumSize(0, 0)
            label.setFixedSize(width, max(0, label.heightForWidth(width)))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._fit()

    def sizeHint(self) -> QSize:
        hint = super().sizeHint()
        return QSize(max(hint.width(), theme().px(_TEXT_WIDTH) + 2 * _SIDE), hint.height())

    def minimumSizeHint(self) -> QSize:
        return QSize(100, super().minimumSizeHint().height())

    def set_text(self, icon: str, title: str, text: str = "") -> None:
        self.icon.set_icon(icon)
        self.title.setText(title)
        self.text.setText(text)
        self.text.setVisible(bool(text))
        self._fit()

    def set_actions(self, actions: Sequence[Action]) -> None:
        while (item := self.buttons.takeAt(0)) is not None:
            old = item.widget()
            if old is not None:
                old.deleteLater()
        self.buttons.addStretch(1)
        for action in actions:
            if isinstance(action, QWidget):
                self.buttons.addWidget(action)
                continue
            label, run = action[0], action[1]
            kind = action[2] if len(action) > 2 else "default"
            button = Button(label, self, kind=str(kind))
            button.clicked.connect(_call(run))
            self.buttons.addWidget(button)
        self.buttons.addStretch(1)


def _call(run: Callable[[], object]) -> Callable[[], None]:
    """A slot without Qt's `checked` argument."""

    def slot() -> None:
        run()

    return slot


class Skeleton(QWidget):
    """Grey bars where text will be; they stand still."""

    def __init__(
        self, parent: QWidget | None = None, *, rows: int = 6, row_height: int = 34, disc: bool = False
    ) -> None:
        super().__init__(parent)
        self._rows, self._row_height, self._disc = rows, row_height, disc
        self.setAccessibleName("Loading")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(theme().px(row_height) * rows)

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        height = look.px(self._row_height)
        fill = look.color("surface.selected")
        with QPainter(self) as painter:
            for row in range(self._rows):
                middle = row * height + height / 2
                left = 0.0
                if self._disc:
                    painting.rounded(painter, QRectF(0, middle - 7, 14, 14), 7, fill)
                    left = 24.0
                # Lengths that differ a little, the same ones each time.
                share = (0.82, 0.64, 0.74, 0.52)[row % 4]
                bar = QRectF(left, middle - 5, (self.width() - left) * share, 10)
                painting.rounded(painter, bar, 4, fill)
