"""The lists that open over the Changes panel: display options, files, and what can be done with a file."""

from __future__ import annotations

from PySide6.QtCore import QObject, QPoint, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from posthog_code.domain.changes import ChangedFile
from posthog_code.domain.text import MINUS, count
from posthog_code.ui.diff.view import DiffView
from posthog_code.ui.kit.menu_rows import MenuItem
from posthog_code.ui.kit.popup import PopupList
from posthog_code.ui.panels.changes.actions import ReviewActions
from posthog_code.ui.panels.changes.toolbar import Toolbar


class PanelMenus(QObject):
    """Opens one list at a time."""

    fileChosen = Signal(str)
    readAgain = Signal()

    def __init__(
        self, view: DiffView, toolbar: Toolbar, files_chip: QWidget, actions: ReviewActions, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._view, self._toolbar, self._chip, self._actions = view, toolbar, files_chip, actions
        self._panel = parent
        self._popup: PopupList | None = None
        self._path = ""
        self.files: tuple[ChangedFile, ...] = ()

    def refresh(self) -> None:
        """The display options as they are now."""
        view = self._view
        self._toolbar.set_options(
            [
                MenuItem("wrap", "Wrap long lines", checked=view.wrap),
                MenuItem("words", "Mark changed words", checked=view.layouts.word_changes),
                MenuItem(),
                MenuItem("fold", "Fold all files"),
                MenuItem("unfold", "Unfold all files"),
                MenuItem(),
                MenuItem("find", "Find in the diff", icon="ph.magnifying-glass", keys="Ctrl+F"),
                MenuItem("refresh", "Read again", icon="ph.arrow-clockwise"),
            ]
        )

    def option_chosen(self, name: str) -> None:
        view = self._view
        if name == "wrap":
            view.set_wrap(not view.wrap)
            self._actions.set_layout(wrap=view.wrap)
        elif name == "words":
            view.set_word_changes(not view.layouts.word_changes)
        elif name in ("fold", "unfold"):
            view.fold_all(name == "fold")
        elif name == "find":
            view.finder.open()
        elif name == "refresh":
            self.readAgain.emit()
        self.refresh()

    def open_files(self) -> None:
        """The changed files, where there is no room for the tree."""
        items = []
        for file in self.files:
            folder, _, name = file.path.rpartition("/")
            note = f"+{count(file.added)} {MINUS}{count(file.removed)}"
            checked = file.path == self._view.current_file
            items.append(MenuItem(file.path, name, detail=folder, note=note, checked=checked))
        popup = self._make(items, "Changed files", filterable=True)
        popup.chosen.connect(self.fileChosen)
        popup.popup(self._chip, width=440)

    def open_file_menu(self, path: str, at: QPoint) -> None:
        """What can be done with a file; `at` is on the screen."""
        view = self._view
        number = view.index.find_file(path)
        if number < 0:
            return
        self._path = path
        folded = number in view.geometry_index.folded
        reason = "" if any(view.index.hunks(number)) else "It has no lines"
        items = [
            MenuItem("copy", "Copy path", icon="ph.copy"),
            MenuItem("open", "Open in editor", icon="ph.arrow-square-out", keys="E"),
            MenuItem("fold", "Unfold the file" if folded else "Fold the file", keys="Z"),
            MenuItem("others", "Fold all other files"),
            MenuItem(),
            MenuItem("revert", "Revert the file", icon="ph.arrow-counter-clockwise", danger=True, reason=reason),
        ]
        popup = self._make(items, path)
        popup.chosen.connect(self._file_action)
        popup.popup(view, at=view.mapFromGlobal(at))

    def _make(self, items: list[MenuItem], name: str, filterable: bool = False) -> PopupList:
        if self._popup is not None:
            self._popup.deleteLater()
        self._popup = PopupList(items, self._panel.window(), filterable=filterable, name=name)
        return self._popup

    def _file_action(self, item: str) -> None:
        view, path = self._view, self._path
        number = view.index.find_file(path)
        if number < 0:
            return
        if item == "copy":
            QGuiApplication.clipboard().setText(path)
        elif item == "open":
            self._actions.open_file(path)
        elif item == "fold":
            view.set_folded(number, number not in view.geometry_index.folded)
        elif item == "others":
            view.fold_all(True)
            view.set_folded(number, False)
            view.show_file(path)
        elif item == "revert":
            self._actions.revert_file(view.index, number)
