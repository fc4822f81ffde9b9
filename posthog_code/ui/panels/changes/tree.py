"""The changed files by folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QVBoxLayout, QWidget

from posthog_code.domain.changes import ChangedFile
from posthog_code.domain.text import MINUS, count, plural
from posthog_code.ui.diff.header import STATE_COLORS
from posthog_code.ui.kit.inputs import SearchField
from posthog_code.ui.theme import notifier, theme
from posthog_code.ui.theme.icons import paint_icon

_Index = QModelIndex | QPersistentModelIndex
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_CENTER = Qt.AlignmentFlag.AlignCenter


@dataclass(frozen=True, slots=True)
class Entry:
    """A row: a folder, or a file in one."""

    name: str
    path: str
    file: ChangedFile | None = None
    folded: bool = False
    indented: bool = False


class FileModel(QAbstractListModel):
    """Rows of the tree. Folders come in the order of their first file, files of the top folder last."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.entries: list[Entry] = []
        self.viewed: Mapping[str, bool] = {}
        self.comments: Mapping[str, int] = {}
        self._files: tuple[ChangedFile, ...] = ()
        self._folded: set[str] = set()
        self._words = ""

    def set_files(self, files: Sequence[ChangedFile]) -> None:
        if tuple(files) != self._files:
            self._files = tuple(files)
            self._rebuild()

    def set_marks(self, viewed: Mapping[str, bool], comments: Mapping[str, int]) -> None:
        if (viewed, comments) != (self.viewed, self.comments):
            self.viewed, self.comments = viewed, comments
            if self.entries:
                self.dataChanged.emit(self.index(0), self.index(len(self.entries) - 1))

    def set_filter(self, words: str) -> None:
        self._words = words.strip().lower()
        self._rebuild()

    def toggle(self, folder: str) -> None:
        self._folded ^= {folder}
        self._rebuild()

    def _rebuild(self) -> None:
        folders: dict[str, list[ChangedFile]] = {}
        for file in self._files:
            if all(word in file.path.lower() for word in self._words.split()):
                folders.setdefault(file.path.rpartition("/")[0], []).append(file)
        top = folders.pop("", [])
        entries: list[Entry] = []
        for folder, files in folders.items():
            folded = folder in self._folded and not self._words
            entries.append(Entry(folder, folder, folded=folded))
            if not folded:
                entries += [Entry(file.path.rpartition("/")[2], file.path, file, indented=True) for file in files]
        entries += [Entry(file.path, file.path, file) for file in top]
        self.beginResetModel()
        self.entries = entries
        self.endResetModel()

    def row_of(self, path: str) -> int:
        return next((row for row, entry in enumerate(self.entries) if entry.file and entry.path == path), -1)

    def rowCount(self, parent: _Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self.entries)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid() or index.row() >= len(self.entries):
            return None
        entry = self.entries[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return entry.name
        if role == Qt.ItemDataRole.ToolTipRole:
            old = entry.file.old_path if entry.file else ""
            return f"{old} → {entry.path}" if old else entry.path
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return self._spoken(entry)
        return None

    def _spoken(self, entry: Entry) -> str:
        if entry.file is None:
            return f"{entry.path}, folder{', folded' if entry.folded else ''}"
        words = [entry.path, entry.file.state.name.lower().replace("_", " ")]
        words += [f"{entry.file.added} added", f"{entry.file.removed} removed"]
        if self.comments.get(entry.path):
            words.append(plural(self.comments[entry.path], "comment"))
        if self.viewed.get(entry.path):
            words.append("viewed")
        return ", ".join(words)


class _Delegate(QStyledItemDelegate):
    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(120, theme().size("row.tree"))

    def paint(self, p: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        model = index.model()
        if not isinstance(model, FileModel):
            return
        entry, look = model.entries[index.row()], theme()
        rect: QRect = option.rect.adjusted(6, 0, -6, 0)
        state = option.state
        p.save()
        p.setRenderHint(QPainter.RenderHint.Antialiasing)
        chosen = bool(state & QStyle.StateFlag.State_Selected)
        if chosen or state & QStyle.StateFlag.State_MouseOver:
            p.setPen(Qt.PenStyle.NoPen)
            p.setBrush(look.color("surface.selected" if chosen else "surface.hover"))
            p.drawRoundedRect(rect, 5, 5)
        if entry.file is None:
            caret = "ph.caret-right" if entry.folded else "ph.caret-down"
            paint_icon(p, QRectF(rect.left() + 5, rect.center().y() - 5, 11, 11), caret, "text.muted")
            self._name(p, entry.name, rect.adjusted(22, 0, -6, 0), "text.secondary")
        else:
            self._file(p, entry, entry.file, model, rect)
        p.restore()

    def _file(self, p: QPainter, entry: Entry, file: ChangedFile, model: FileModel, rect: QRect) -> None:
        look = theme()
        left = 16 if entry.indented else 4
        font = look.sized_font("mono", 11, 600)
        p.setFont(font)
        p.setPen(look.color(STATE_COLORS[file.state]))
        p.drawText(QRect(rect.left() + left, rect.top(), 16, rect.height()), _CENTER, str(file.state))
        right = rect.right() - 5
        viewed = model.viewed.get(entry.path, False)
        p.setFont(look.font("small", tabular=True))
        metrics = QFontMetricsF(p.font())
        if viewed:
            paint_icon(p, QRectF(right - 13, rect.center().y() - 6, 12, 12), "ph.check", "text.muted")
            right -= 16
        else:
            for number, sign, token in ((file.removed, MINUS, "diff.del.text"), (file.added, "+", "diff.add.text")):
                if number:
                    text = f"{sign}{count(number)}"
                    width = round(metrics.horizontalAdvance(text))
                    p.setPen(look.color(token))
                    p.drawText(QRect(right - width - 2, rect.top(), width + 2, rect.height()), _RIGHT, text)
                    right -= width + 5
        comments = model.comments.get(entry.path, 0)
        if comments:
            text = count(comments)
            width = max(14, round(metrics.horizontalAdvance(text)) + 6)
            box = QRectF(right - width - 1, rect.center().y() - 6.5, width, 14)
            p.setPen(look.color("accent.line"))
            p.setBrush(look.color("accent.soft"))
            p.drawRoundedRect(box, 7, 7)
            p.setPen(look.color("accent.text"))
            p.setFont(look.sized_font("ui", 10, 600))
            p.drawText(box, _CENTER, text)
            right -= width + 6
        name = QRect(rect.left() + left + 20, rect.top(), right - rect.left() - left - 24, rect.height())
        self._name(p, entry.name, name, "text.muted" if viewed else "text.primary")

    def _name(self, p: QPainter, name: str, rect: QRect, token: str) -> None:
        look = theme()
        p.setFont(look.font("body"))
        p.setPen(look.color(token))
        shown = look.metrics("body").elidedText(name, Qt.TextElideMode.ElideMiddle, rect.width())
        p.drawText(rect, _LEFT, shown)


class _List(QListView):
    toggled = Signal(str)
    opened = Signal(str)
    left = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("fileTree")
        self.setAccessibleName("Changed files")
        self.setFrameShape(QListView.Shape.NoFrame)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setItemDelegate(_Delegate(self))

    def _act(self, index: QModelIndex) -> None:
        model = self.model()
        if index.isValid() and isinstance(model, FileModel):
            entry = model.entries[index.row()]
            (self.opened if entry.file else self.toggled).emit(entry.path)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        if event.button() == Qt.MouseButton.LeftButton:
            self._act(self.indexAt(event.position().toPoint()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self._act(self.currentIndex())
        elif event.key() in (Qt.Key.Key_Escape, Qt.Key.Key_Right):
            self.left.emit()
        else:
            super().keyPressEvent(event)


class FileTree(QWidget):
    """Filter and list. `fileChosen` tells a path."""

    fileChosen = Signal(str)
    left = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.model = FileModel(self)
        self.filter = SearchField("Filter files", self, keys="T")
        self.list = _List(self)
        self.list.setModel(self.model)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 6, 0, 0)
        column.setSpacing(6)
        box = QVBoxLayout()
        box.setContentsMargins(7, 0, 7, 0)
        box.addWidget(self.filter)
        column.addLayout(box)
        column.addWidget(self.list, 1)
        self.filter.textChanged.connect(self.model.set_filter)
        self.filter.returnPressed.connect(self._first)
        self.list.toggled.connect(self.model.toggle)
        self.list.opened.connect(self.fileChosen)
        self.list.left.connect(self.left)
        notifier().changed.connect(self.list.viewport().update)
        self.setFocusProxy(self.list)

    def set_current(self, path: str) -> None:
        row = self.model.row_of(path)
        if row >= 0 and row != self.list.currentIndex().row():
            index = self.model.index(row)
            self.list.setCurrentIndex(index)
            self.list.scrollTo(index)

    def _first(self) -> None:
        found = next((entry for entry in self.model.entries if entry.file), None)
        if found is not None:
            self.fileChosen.emit(found.path)
