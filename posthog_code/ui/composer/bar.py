"""The bar under the text: mode, model, effort, context ring, attach, send or stop."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QSizePolicy, QWidget

from posthog_code.domain.session import ConfigOption, Session, Usage
from posthog_code.domain.task import Workspace
from posthog_code.ui.kit import painting
from posthog_code.ui.kit.buttons import IconButton
from posthog_code.ui.kit.focus_ring import set_focus_ring
from posthog_code.ui.kit.popup import MenuItem
from posthog_code.ui.kit.select import Select
from posthog_code.ui.models.modes import mode_icon, mode_tone
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.glyphs import paint_context_ring
from posthog_code.ui.theme.icons import paint_icon

_CATEGORIES = ("mode", "model", "thought_level")
_NAMES = {"mode": "Mode", "model": "Model", "thought_level": "Effort"}
_ICONS = {"mode": "ph.shield-check", "model": "ph.robot", "thought_level": "ph.brain"}
_KEYS = {"mode": "Shift+Tab", "model": "Alt+M", "thought_level": "Alt+E"}


class ContextRing(QAbstractButton):
    """How full the agent's memory is; pressed, it offers what can be done about it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._usage = Usage()
        self._words = True
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        set_focus_ring(self, 6)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.hide()

    def set_usage(self, usage: Usage) -> None:
        self._usage = usage
        self.setVisible(usage.size > 0)
        told = f"{self.percent()} % of {round(usage.size / 1000)}k tokens"
        if usage.cost >= 0.005:
            told += f" · {'$' if usage.currency in ('USD', '') else usage.currency + ' '}{usage.cost:.2f}"
        self.setToolTip(told)
        self.setAccessibleName(f"Context: {told}")
        self.updateGeometry()
        self.update()

    def set_words(self, on: bool) -> None:
        self._words = on
        self.updateGeometry()

    def percent(self) -> int:
        return round(100 * self._usage.used / self._usage.size) if self._usage.size else 0

    def sizeHint(self) -> QSize:
        words = painting.text_width(f"{self.percent()} %", theme().font("caption", tabular=True)) + 6
        return QSize(18 + (words if self._words else 0), 26)

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        with QPainter(self) as painter:
            share = self.percent() / 100
            paint_context_ring(painter, QRectF(1, self.height() / 2 - 8, 16, 16), share, look)
            if self._words:
                box = QRectF(23, 0, self.width() - 23, self.height())
                font = look.font("caption", tabular=True)
                painting.text(painter, box, f"{self.percent()} %", font, look.color("text.muted"))


class SendButton(QAbstractButton):
    """Send, or stop while the agent works: 26 × 26."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._stop = False
        self._stopping = False
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        set_focus_ring(self, 6)
        self.set_stop(False)

    def is_stop(self) -> bool:
        return self._stop

    def set_stop(self, on: bool, stopping: bool = False) -> None:
        self._stop, self._stopping = on, stopping
        name = ("Stopping" if stopping else "Stop the agent") if on else "Send"
        self.setAccessibleName(name)
        self.setToolTip(name if on else "Send (Enter)")
        self.update()

    def sizeHint(self) -> QSize:
        side = theme().px(26)
        return QSize(side, side)

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        rect = QRectF(self.rect())
        with QPainter(self) as painter:
            side = look.px(14)
            box = QRectF(rect.center().x() - side / 2, rect.center().y() - side / 2, side, side)
            if self._stop:
                strong = self.underMouse() and not self._stopping
                fill = look.color("text.disabled" if self._stopping else "text.secondary" if strong else "text.primary")
                painting.rounded(painter, rect, 6, fill)
                paint_icon(painter, box, "ph.stop-fill", look.color("surface.window"))
            elif self.isEnabled():
                state = "active" if self.isDown() else "hover" if self.underMouse() else "default"
                painting.rounded(painter, rect, 6, look.color(f"accent.{state}"))
                paint_icon(painter, box, "ph.arrow-up-bold", look.color("accent.on"))
            else:
                painting.rounded(painter, rect, 6, look.color("surface.selected"))
                paint_icon(painter, box, "ph.arrow-up-bold", look.color("text.disabled"))


class ComposerBar(QWidget):
    optionChosen = Signal(str, str)
    """Option id and value."""
    attachRequested = Signal()
    sendRequested = Signal()
    stopRequested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._options: dict[str, ConfigOption] = {}
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(6, 0, 5, 5)
        self._row.setSpacing(2)
        self.selects: dict[str, Select] = {}
        for category in _CATEGORIES:
            select = Select(
                (),
                self,
                name=_NAMES[category],
                placeholder="",
                quiet=True,
                icon=_ICONS[category],
                keys=_KEYS[category],
            )
            select.changed.connect(lambda value, name=category: self._chosen(name, value))
            select.hide()
            self.selects[category] = select
            self._row.addWidget(select)
        self._row.addStretch(1)
        self.ring = ContextRing(self)
        self.attach = IconButton("ph.paperclip", "Attach files", self, keys="Ctrl+U", size="md")
        self.send = SendButton(self)
        self.attach.clicked.connect(self.attachRequested)
        self.send.clicked.connect(self._pressed)
        self._row.addWidget(self.ring)
        self._row.addSpacing(4)
        self._row.addWidget(self.attach)
        self._row.addSpacing(4)
        self._row.addWidget(self.send)

    def insert_left(self, widget: QWidget, place: int = 0) -> None:
        """Put a control of the page's own into the left part."""
        self._row.insertWidget(place, widget)

    def show_session(self, session: Session | None, workspace: Workspace = Workspace.WORKTREE) -> None:
        for category, select in self.selects.items():
            option = session.option(category) if session is not None else None
            if option is None or len(option.choices) < 2:
                select.hide()
                self._options.pop(category, None)
                continue
            if self._options.get(category) != option:
                self._options[category] = option
                items = [
                    MenuItem(
                        choice.id,
                        choice.name,
                        icon=mode_icon(choice.id) if category == "mode" else "",
                        detail=choice.description[:60] if choice.description != choice.name else "",
                    )
                    for choice in option.choices
                ]
                select.set_items(items, option.current)
                select.set_current(option.current)
            select.show()
        mode = self._options.get("mode")
        self.selects["mode"].set_tone(mode_tone(mode.current, workspace) if mode is not None else "")
        self.ring.set_usage(session.usage if session is not None else Usage())
        self._fit()

    def forget_options(self) -> None:
        """Show the values of the session again, whatever was chosen here."""
        self._options = {}

    def next_mode(self) -> None:
        option = self._options.get("mode")
        if option is not None and option.choices:
            ids = [choice.id for choice in option.choices]
            at = ids.index(option.current) if option.current in ids else -1
            self.optionChosen.emit(option.id, ids[(at + 1) % len(ids)])

    def open_select(self, category: str) -> bool:
        select = self.selects[category]
        if not select.isVisible():
            return False
        select.open()
        return True

    def set_options_enabled(self, on: bool) -> None:
        for control in (*self.selects.values(), self.attach):
            control.setEnabled(on)

    def set_busy(self, busy: bool, stopping: bool, can_send: bool) -> None:
        self.send.set_stop(busy, stopping)
        self.send.setEnabled(busy or can_send)

    def _pressed(self) -> None:
        if self.send.is_stop():
            self.stopRequested.emit()
        else:
            self.sendRequested.emit()

    def _chosen(self, category: str, value: str) -> None:
        option = self._options.get(category)
        if option is not None:
            self.optionChosen.emit(option.id, value)

    def resizeEvent(self, event: object) -> None:
        self._fit()

    def _fit(self) -> None:
        """A narrow composer drops the words of effort, model and mode, then the percent, then effort, then the mode."""
        wide = self.width()
        self.ring.set_words(wide >= 360)
        self.selects["thought_level"].setVisible("thought_level" in self._options and wide >= 330)
        self.selects["mode"].setVisible("mode" in self._options and wide >= 240)
        shown = [self.selects[name] for name in reversed(_CATEGORIES) if not self.selects[name].isHidden()]
        margins = self._row.contentsMargins()
        fixed = sum(w.sizeHint().width() for w in (self.attach, self.send, self.ring) if not w.isHidden())
        room = wide - margins.left() - margins.right() - fixed - 8 - self._row.spacing() * (len(shown) + 5)
        need = sum(select.full_width() for select in shown)
        for select in shown:
            brief = need > room
            if brief:
                need += select.brief_width() - select.full_width()
            select.set_brief(brief)
