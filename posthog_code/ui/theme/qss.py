"""The palette and the one style sheet, both made from the tokens."""

from __future__ import annotations

from PySide6.QtGui import QPalette

from posthog_code.ui.theme.theme import Theme

_ROLES = {
    QPalette.ColorRole.Window: "surface.window",
    QPalette.ColorRole.WindowText: "text.primary",
    QPalette.ColorRole.Base: "surface.window",
    QPalette.ColorRole.AlternateBase: "surface.raised",
    QPalette.ColorRole.ToolTipBase: "surface.overlay",
    QPalette.ColorRole.ToolTipText: "text.primary",
    QPalette.ColorRole.PlaceholderText: "text.muted",
    QPalette.ColorRole.Text: "text.primary",
    QPalette.ColorRole.Button: "surface.raised",
    QPalette.ColorRole.ButtonText: "text.primary",
    QPalette.ColorRole.BrightText: "status.failed",
    QPalette.ColorRole.Highlight: "selection.bg",
    QPalette.ColorRole.HighlightedText: "selection.text",
    QPalette.ColorRole.Link: "text.link",
    QPalette.ColorRole.LinkVisited: "text.link",
    QPalette.ColorRole.Accent: "accent.default",
    QPalette.ColorRole.Light: "border.strong",
    QPalette.ColorRole.Midlight: "border.strong",
    QPalette.ColorRole.Mid: "border.subtle",
    QPalette.ColorRole.Dark: "border.subtle",
    QPalette.ColorRole.Shadow: "surface.inset",
}
_DISABLED = (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText)

_SHEET = """
QToolTip {{ background: {surface.overlay}; color: {text.primary}; border: 1px solid {border.strong};
    padding: 4px 7px; }}
QMainWindow, QDialog {{ background: {surface.window}; }}
QMenu {{ background: {surface.overlay}; color: {text.primary}; border: 1px solid {border.strong}; padding: 4px; }}
QMenu::item {{ padding: 5px 28px 5px 8px; border-radius: 5px; }}
QMenu::item:selected {{ background: {surface.selected}; }}
QMenu::item:disabled {{ color: {text.disabled}; }}
QMenu::separator {{ height: 1px; background: {border.subtle}; margin: 4px -4px; }}
QMenu::icon {{ padding-left: 8px; }}
QMenuBar {{ background: {surface.sidebar}; color: {text.secondary}; }}
QMenuBar::item:selected {{ background: {surface.selected}; color: {text.primary}; }}
QScrollBar {{ background: transparent; border: none; }}
QScrollBar:vertical {{ width: 10px; margin: 0; }}
QScrollBar:horizontal {{ height: 10px; margin: 0; }}
QScrollBar::handle {{ background: {border.strong}; border-radius: 3px; }}
QScrollBar::handle:vertical {{ min-height: {thumb}px; margin: 2px; }}
QScrollBar::handle:horizontal {{ min-width: {thumb}px; margin: 2px; }}
QScrollBar::handle:vertical:hover {{ background: {border.control}; border-radius: 4px; margin: 2px 1px; }}
QScrollBar::handle:horizontal:hover {{ background: {border.control}; border-radius: 4px; margin: 1px 2px; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; background: transparent; border: none; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
QAbstractScrollArea {{ background: transparent; border: none; }}
QAbstractScrollArea::corner {{ background: transparent; }}
QPlainTextEdit, QTextEdit {{ selection-background-color: {selection.bg}; selection-color: {selection.text}; }}
QLineEdit {{ background: {surface.raised}; border: 1px solid {border.strong}; border-radius: 6px; padding: 0 8px;
    selection-background-color: {selection.bg}; selection-color: {selection.text}; }}
QLineEdit:hover {{ border-color: {border.control}; }}
QLineEdit:focus {{ border: 2px solid {focus.ring}; padding: 0 7px; }}
QLineEdit:disabled {{ background: transparent; border-color: {border.subtle}; color: {text.disabled}; }}
QLineEdit[kit="bare"] {{ background: transparent; border: none; padding: 0; }}
QHeaderView {{ background: transparent; border: none; }}
QHeaderView::section {{ background: transparent; color: {text.muted}; border: none;
    border-bottom: 1px solid {border.subtle}; padding: 0 10px; }}
QTreeView, QListView, QTableView {{ background: transparent; border: none; outline: none;
    selection-background-color: {surface.selected}; selection-color: {text.primary}; }}
QTreeView::item:hover, QListView::item:hover {{ background: {surface.hover}; }}
QTreeView::item:selected, QListView::item:selected {{ background: {surface.selected}; color: {text.primary}; }}
QProgressBar {{ background: {border.subtle}; border: none; border-radius: 2px; max-height: 4px; }}
QProgressBar::chunk {{ background: {glyph.running}; border-radius: 2px; }}
QLabel:disabled {{ color: {text.disabled}; }}
"""


def palette(look: Theme) -> QPalette:
    made = QPalette()
    for role, path in _ROLES.items():
        made.setColor(role, look.color(path))
    for role in _DISABLED:
        made.setColor(QPalette.ColorGroup.Disabled, role, look.color("text.disabled"))
    return made


class _Group:
    """`{surface.window}` in a format string is attribute access: this resolves it to a token."""

    def __init__(self, look: Theme, path: str) -> None:
        self._look, self._path = look, path

    def __getattr__(self, name: str) -> str:
        return self._look.css(f"{self._path}.{name}")


def style_sheet(look: Theme) -> str:
    """The sheet of the whole program; kept small, since its cost is rules times widgets.

    It is the same for all text sizes: to set another one polishes every widget again, which is most of the time that
    a step of the text size would take.
    """
    fields: dict[str, object] = {
        "thumb": look.size("control.scrollbar.minThumb"),
    }
    for group in ("surface", "text", "border", "selection", "focus", "glyph", "accent"):
        fields[group] = _Group(look, group)
    return _SHEET.format_map(fields)
