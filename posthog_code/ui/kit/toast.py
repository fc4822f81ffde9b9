"""Short messages at the bottom right that go away by themselves and never take the focus."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import shiboken6
from PySide6.QtCore import (
    QEasingCurve,
    QEvent,
    QObject,
    QPoint,
    QPropertyAnimation,
    QRectF,
    QSize,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QEnterEvent,
    QKeyEvent,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import QApplication, QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from posthog_code.ui.kit import painting
from posthog_code.ui.kit.a11y import set_role
from posthog_code.ui.kit.buttons import Button, IconButton
from posthog_code.ui.kit.cards import Icon, ProgressLine
from posthog_code.ui.kit.labels import Label
from posthog_code.ui.theme import theme

MAX_SHOWN = 3
_ICONS = {
    "info": ("ph.info", "glyph.running"),
    "success": ("ph.check-circle-fill", "glyph.success"),
    "warning": ("ph.shield-warning-fill", "glyph.waiting"),
    "error": ("ph.x-circle-fill", "glyph.failed"),
}
ToastAction = tuple[str, Callable[[], object]]


class Toast(QFrame):
    """One message. Its time stands still while the pointer is over it or a button in it has the focus."""

    closed = Signal()
    resized = Signal()
    """Its words or its bar want another height."""

    def __init__(
        self,
        title: str,
        text: str = "",
        parent: QWidget | None = None,
        *,
        kind: str = "info",
        actions: Sequence[ToastAction] = (),
        timeout: float = 6.0,
    ) -> None:
        super().__init__(parent)
        self.key = ""
        self._left = timeout
        self._since = 0.0
        self._closing = False
        set_role(self, QAccessible.Role.Notification)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.close_toast)
        self.setAccessibleName(f"{title.rstrip('.')}. {text}" if text else title)
        self.setFixedWidth(theme().size("layout.toast.w") + 2 * painting.shadow_margin())
        margin = painting.shadow_margin()
        row = QHBoxLayout(self)
        row.setContentsMargins(margin + 12, margin + 10, margin + 8, margin + 11)
        row.setSpacing(10)
        name, token = _ICONS.get(kind, _ICONS["info"])
        self.icon = Icon(name, token, self)
        icon_box = QVBoxLayout()
        icon_box.setContentsMargins(0, 2, 0, 0)
        icon_box.addWidget(self.icon, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(icon_box)
        column = QVBoxLayout()
        column.setSpacing(2)
        self.title = Label(title, self, font="bodyStrong", wrap=True)
        self.text = Label(text, self, font="small", token="text.muted", wrap=True)
        self.text.setVisible(bool(text))
        self.progress = ProgressLine(self)
        self.progress.hide()
        column.addWidget(self.title)
        column.addWidget(self.text)
        column.addWidget(self.progress)
        self._buttons: list[Button] = []
        if actions:
            column.addSpacing(6)
            column.addLayout(self._action_row(actions))
        row.addLayout(column, 1)
        cross = IconButton("ph.x", "Dismiss", self, size="sm")
        cross.clicked.connect(self.close_toast)
        row.addWidget(cross, 0, Qt.AlignmentFlag.AlignTop)

    def _action_row(self, actions: Sequence[ToastAction]) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(6)
        for label, run in actions:
            button = Button(label, self, size="sm")
            button.clicked.connect(self._runner(run))
            self._buttons.append(button)
            row.addWidget(button)
        row.addStretch(1)
        return row

    def _runner(self, run: Callable[[], object]) -> Callable[[], None]:
        def slot() -> None:
            self.close_toast()
            run()

        return slot

    def set_text(self, title: str, text: str = "", kind: str = "") -> None:
        self.title.setText(title)
        self.text.setText(text)
        self.text.setVisible(bool(text))
        self.setAccessibleName(f"{title.rstrip('.')}. {text}" if text else title)
        self.resized.emit()
        if kind:
            self.icon.set_icon(*_ICONS.get(kind, _ICONS["info"]))

    def set_progress(self, share: float | None) -> None:
        """0.0 to 1.0, or None to take the bar away; a toast with a bar stays until it is closed."""
        self.progress.setVisible(share is not None)
        self.resized.emit()
        if share is not None:
            self.progress.set_share(share)
            self._timer.stop()

    def start(self) -> None:
        """Let its time run; a time of 0 stays until it is closed."""
        if self._left > 0 and not self.progress.isVisibleTo(self):
            self._since = time.monotonic()
            self._timer.start(round(self._left * 1000))

    def paused(self) -> bool:
        return not self._timer.isActive()

    def close_toast(self) -> None:
        if not self._closing:
            self._closing = True
            self._timer.stop()
            self.closed.emit()

    def enterEvent(self, event: QEnterEvent) -> None:
        if self._timer.isActive():
            self._left = max(1.0, self._left - (time.monotonic() - self._since))
            self._timer.stop()

    def leaveEvent(self, event: QEvent) -> None:
        self.start()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.close_toast()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        margin, radius = painting.shadow_margin(), look.size("radius.lg")
        box = QRectF(self.rect().adjusted(margin, margin, -margin, -margin))
        with QPainter(self) as painter:
            painting.paint_shadow(painter, box, radius)
            painting.rounded(painter, box, radius, look.color("surface.overlay"), look.color("border.strong"))


class ToastArea(QWidget):
    """Stacks the toasts of one window, three at most; older ones make room."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self.setObjectName("toastArea")
        self.setAccessibleName("Notifications")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._toasts: list[Toast] = []
        self._before: QWidget | None = None
        """What had the focus before a toast got it by F6."""
        window.installEventFilter(self)
        self.hide()

    def toasts(self) -> tuple[Toast, ...]:
        """What is shown, oldest first."""
        return tuple(self._toasts)

    def show_toast(
        self,
        title: str,
        text: str = "",
        kind: str = "info",
        actions: Sequence[ToastAction] = (),
        timeout: float = 6.0,
        key: str = "",
    ) -> Toast:
        """Show a message for `timeout` seconds (0: until closed). One with the same `key` is replaced."""
        for old in [toast for toast in self._toasts if key and toast.key == key]:
            self._remove(old)
        while len(self._toasts) >= MAX_SHOWN:
            self._remove(self._toasts[0])
        toast = Toast(title, text, self, kind=kind, actions=actions, timeout=timeout)
        toast.key = key
        toast.closed.connect(self._closed)
        toast.resized.connect(self._refit)
        self._toasts.append(toast)
        toast.show()
        self._place(toast)
        toast.start()
        announcement = QAccessibleAnnouncementEvent(self, toast.accessibleName())
        if kind == "error":
            announcement.setPoliteness(QAccessible.AnnouncementPoliteness.Assertive)
        QAccessible.updateAccessibility(announcement)
        return toast

    def clear(self) -> None:
        for toast in list(self._toasts):
            self._remove(toast)

    def focus_first(self) -> bool:
        """Give the focus to the newest toast's first button (the F6 region); False when there is none."""
        for toast in reversed(self._toasts):
            for button in toast.findChildren(Button):
                self._before = QApplication.focusWidget()
                button.setFocus(Qt.FocusReason.TabFocusReason)
                return True
        return False

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # Python's attributes may be gone while Qt takes the window apart.
        if event.type() == QEvent.Type.Resize and watched is self.parent():
            self._place()
        return False

    def _refit(self) -> None:
        self._place()

    def _closed(self) -> None:
        toast = self.sender()
        if isinstance(toast, Toast):
            self._remove(toast)

    def _remove(self, toast: Toast) -> None:
        if toast in self._toasts:
            self._toasts.remove(toast)
            focused = QApplication.focusWidget()
            if focused is not None and toast.isAncestorOf(focused):
                self._give_back()
            toast.hide()
            toast.deleteLater()
            self._place()

    def _give_back(self) -> None:
        """The focus, to what had it before; Qt would give it to whatever comes next."""
        before, self._before = self._before, None
        if before is not None and shiboken6.isValid(before) and before.isVisible():
            before.setFocus(Qt.FocusReason.OtherFocusReason)

    def _place(self, new: Toast | None = None) -> None:
        if not self._toasts:
            self.hide()
            return
        look, shadow = theme(), painting.shadow_margin()
        gap = 8 - 2 * shadow
        sizes = [
            QSize(toast.width(), max(toast.heightForWidth(toast.width()), 0) or toast.sizeHint().height())
            for toast in self._toasts
        ]
        width = max(size.width() for size in sizes)
        height = sum(size.height() for size in sizes) + gap * (len(sizes) - 1)
        margin = look.size("layout.toast.margin") - shadow
        window = self._window
        self.setGeometry(window.width() - width - margin, window.height() - height - margin, width, height)
        y = 0
        for toast, size in zip(self._toasts, sizes, strict=True):
            toast.resize(size)
            if toast is new and not look.reduced_motion:
                slide = QPropertyAnimation(toast, b"pos", toast)
                slide.setDuration(look.value("motion.base"))
                slide.setEasingCurve(QEasingCurve.Type.OutCubic)
                slide.setStartValue(QPoint(0, y + 12))
                slide.setEndValue(QPoint(0, y))
                slide.start(QPropertyAnimation.DeletionPolicy.DeleteWhenStopped)
            else:
                toast.move(0, y)
            y += size.height() + gap
        self.show()
        self.raise_()


class Toasts:
    """What the rest of the program calls to tell the person something."""

    def __init__(self, area: ToastArea) -> None:
        self._area = area

    def show(
        self,
        title: str,
        text: str = "",
        kind: str = "info",
        actions: Sequence[ToastAction] = (),
        timeout: float = 6.0,
        key: str = "",
    ) -> Toast | None:
        """Show a message: `kind` is "info", "success", "warning" or "error". None once the window is gone."""
        if not shiboken6.isValid(self._area):
            return None
        return self._area.show_toast(title, text, kind, actions, timeout, key)
