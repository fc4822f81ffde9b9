"""Which look is on, and telling the widgets when it changes."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QToolTip, QWidget

from posthog_code.ui.theme.theme import DESIGN_TEXT_SIZE, Theme

_current: Theme | None = None
_notifier: ThemeNotifier | None = None


class ThemeNotifier(QObject):
    """Says when `theme()` has become another one, and follows the system while the person wants that."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._app: QApplication | None = None
        self._wanted = ""
        self._applying = False
        self._options: dict[str, bool | int | None] = {}
        self._sheet_key: tuple[object, ...] | None = None

    def set(self, app: QApplication, name: str, **options: bool | int | None) -> None:
        if self._app is None:
            hints = app.styleHints()
            hints.colorSchemeChanged.connect(self._system_changed)
            accessibility = getattr(hints, "accessibility", None)
            if accessibility is not None:
                for signal in ("contrastPreferenceChanged", "motionPreferenceChanged"):
                    if hasattr(accessibility(), signal):
                        getattr(accessibility(), signal).connect(self._system_changed)
        self._app, self._wanted, self._options = app, name, {**self._options, **options}
        self._apply()

    def _system_changed(self) -> None:
        self._apply()

    def _apply(self) -> None:
        global _current
        app = self._app
        # Setting the palette makes Qt report scheme changes of its own.
        if app is None or self._applying:
            return
        self._applying = True
        try:
            contrast, still = _system_preferences()
            made = Theme(
                system_scheme() if self._wanted == "system" else self._wanted,
                text_size=int(self._options.get("text_size") or DESIGN_TEXT_SIZE),
                color_blind=bool(self._options.get("color_blind")),
                high_contrast=contrast,
                reduced_motion=bool(self._options.get("reduced_motion")) or still,
            )
            _current = made
            if made.key != self._sheet_key:
                self._sheet_key = made.key
                _dress(app, made)
        finally:
            self._applying = False
        for widget in app.topLevelWidgets():
            _repaint(widget)
        self.changed.emit()


def theme() -> Theme:
    """The look that is on now. Read it when painting, do not keep it."""
    global _current
    if _current is None:
        _current = Theme("dark")
    return _current


def notifier() -> ThemeNotifier:
    """The one notifier of the process."""
    global _notifier
    if _notifier is None:
        _notifier = ThemeNotifier()
    return _notifier


def apply_theme(
    app: QApplication,
    name: str,
    color_blind: bool = False,
    text_size: int = DESIGN_TEXT_SIZE,
    reduced_motion: bool = False,
) -> None:
    """Dress the program: `name` is "dark", "light" or "system" (and then follows it)."""
    notifier().set(app, name, color_blind=color_blind, text_size=text_size, reduced_motion=reduced_motion)


def set_text_size(pixels: int) -> None:
    """Change only the text size (12 to 18) of the look that is on."""
    app = QApplication.instance()
    if isinstance(app, QApplication):
        current = notifier()
        current.set(app, current._wanted or theme().name, text_size=pixels)


def system_scheme() -> str:
    """ "dark" or "light", as the system prefers; dark where the system says nothing."""
    scheme = QGuiApplication.styleHints().colorScheme()
    return "light" if scheme == Qt.ColorScheme.Light else "dark"


def _system_preferences() -> tuple[bool, bool]:
    """Whether the system asks for high contrast and for less motion."""
    accessibility = getattr(QGuiApplication.styleHints(), "accessibility", None)
    hints = accessibility() if accessibility is not None else None
    contrast = getattr(hints, "contrastPreference", None)
    motion = getattr(hints, "motionPreference", None)
    high = contrast is not None and contrast().name == "HighContrast"
    still = motion is not None and motion().name == "ReducedMotion"
    return high, still


def _dress(app: QApplication, look: Theme) -> None:
    from posthog_code.ui.theme.qss import palette, style_sheet

    before, sheet = app.styleSheet(), style_sheet(look)
    if not before:  # with a sheet the style hides its name, and is set already
        app.setStyle("Fusion")
    app.setFont(look.font("body"))
    QToolTip.setFont(look.font("small"))
    app.setPalette(palette(look))
    if sheet != before:
        app.setStyleSheet(sheet)


def _repaint(top: QWidget) -> None:
    """Draw everything again, and let what is measured by its font ask for another size."""
    top.update()
    for child in top.findChildren(QWidget):
        child.updateGeometry()
        child.update()
