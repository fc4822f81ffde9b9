"""The Changes panel: toolbar, files, diff and review bar of one task."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt
from PySide6.QtGui import QHideEvent, QKeyEvent, QKeySequence, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from posthog_code.domain.changes import ChangeSet, Scope
from posthog_code.domain.diff_index import DiffIndex, Hunk
from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import CommentId, TaskId
from posthog_code.domain.review import CommentState
from posthog_code.domain.state import Topic
from posthog_code.domain.task import TaskPhase
from posthog_code.domain.text import elide_middle
from posthog_code.ui.context import UiContext
from posthog_code.ui.diff.keys import DIFF_KEYS
from posthog_code.ui.diff.view import DiffView
from posthog_code.ui.kit.chips import Chip
from posthog_code.ui.kit.empty import EmptyState
from posthog_code.ui.kit.labels import Label
from posthog_code.ui.kit.splitter import Splitter
from posthog_code.ui.panels.changes import drafts
from posthog_code.ui.panels.changes.actions import ReviewActions, fingerprint_of
from posthog_code.ui.panels.changes.drafts import DraftKeeper
from posthog_code.ui.panels.changes.loader import ChangesLoader
from posthog_code.ui.panels.changes.marks import MarksKeeper
from posthog_code.ui.panels.changes.menus import PanelMenus
from posthog_code.ui.panels.changes.parts import Loading, Watch
from posthog_code.ui.panels.changes.review_bar import PreviewSheet, ReviewBar
from posthog_code.ui.panels.changes.toolbar import SCOPE_NAMES, Toolbar
from posthog_code.ui.panels.changes.tree import FileTree
from posthog_code.ui.theme import theme

_NO_TREE = 640
"""Below this width the files are a chip with a list."""
_SPLIT_HINT = "Split needs a wider panel (F11)"


class ChangesPanel(QWidget):
    """Draws from the store and the diff; whatever is typed or marked lives in the services."""

    KEYS = DIFF_KEYS

    def __init__(self, ctx: UiContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("changesPanel")
        self._ctx = ctx
        self._task_id: TaskId | None = None
        self._scope = Scope.ALL
        watch = self._watch = Watch(ctx)
        self.destroyed.connect(lambda: watch.follow(None))
        self._fold_viewed = False
        self._opened: tuple[TaskId | None, Scope] | None = None
        self._known: ChangeSet | None = None
        self._stale = True
        self._wanted: tuple[str, int, str] | None = None
        self._actions = ReviewActions(ctx, self)
        self._loader = ChangesLoader(ctx.services.changes, ctx.actions, self)
        self._build()
        self._menus = PanelMenus(self.view, self.toolbar, self.files, self._actions, self)
        self._marks = MarksKeeper(ctx, self.view, self)
        self._drafts = DraftKeeper(ctx, self._actions, self.view.cards.draft_texts, self)
        self._connect()

    def _build(self) -> None:
        self.toolbar = Toolbar(self)
        self.tree = FileTree(self)
        self.view = DiffView(self, now=self._ctx.now)
        self.setFocusProxy(self.view)
        self.files = Chip("", self, icon="ph.list-bullets", caret=True, name="File")
        self.files.hide()
        self.toolbar.file_slot.addWidget(self.files)
        self.review_bar = ReviewBar(self)
        self.review_bar.hide()
        self.splitter = Splitter(Qt.Orientation.Horizontal, self)
        self.splitter.addWidget(self.tree)
        self.splitter.addWidget(self.view)
        self.splitter.setStretchFactor(0, 0)
        self.splitter.setStretchFactor(1, 1)
        self.tree.setMinimumWidth(theme().size("layout.fileTree.min"))
        self.tree.setMaximumWidth(theme().size("layout.fileTree.max"))
        self.splitter.set_default_sizes([theme().size("layout.fileTree.default"), 510])
        self.loading = Loading(self)
        self.empty = EmptyState("ph.plus-minus", "No changes yet.", "", (), self)
        self.pages = QStackedWidget(self)
        for page in (self.loading, self.empty, self.splitter):
            self.pages.addWidget(page)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.source = Label("", self, font="small", token="text.muted", wrap=True)
        self.source.setContentsMargins(14, 8, 14, 8)
        self.source.hide()
        column.addWidget(self.toolbar)
        column.addWidget(self.source)
        column.addWidget(self.pages, 1)
        column.addWidget(self.review_bar)

    def _connect(self) -> None:
        loader, view, bar = self._loader, self.view, self.review_bar
        loader.listed.connect(self._listed)
        loader.opened.connect(self._index_opened)
        loader.grew.connect(self._grew)
        loader.finished.connect(self._finished)
        loader.failed.connect(self._failed)
        view.commentWritten.connect(self._actions.write)
        view.commentEdited.connect(self._actions.edit)
        view.commentResolved.connect(self._actions.resolve)
        view.commentDiscarded.connect(self._discard_one)
        view.draftsChanged.connect(self._drafts.later)
        view.revertAsked.connect(self._revert)
        view.viewedAsked.connect(self._set_viewed)
        view.openAsked.connect(self._open_file)
        view.menuAsked.connect(self._menus.open_file_menu)
        view.currentFileChanged.connect(self._file_changed)
        view.splitAsked.connect(self._toggle_split)
        view.resized.connect(self._show_split)
        view.scopeAsked.connect(self.toolbar.open_scopes)
        view.filterAsked.connect(self._focus_filter)
        view.foldsChanged.connect(self._menus.refresh)
        self.toolbar.scopeChosen.connect(self.set_scope)
        self.toolbar.splitChosen.connect(self._choose_split)
        self.toolbar.optionChosen.connect(self._menus.option_chosen)
        self._menus.fileChosen.connect(self.show_file)
        self._menus.readAgain.connect(self._loader.read)
        self.tree.fileChosen.connect(self.show_file)
        self.tree.left.connect(self.view.setFocus)
        self.files.clicked.connect(self._menus.open_files)
        bar.discardAsked.connect(self._discard_all)
        bar.previewAsked.connect(self._preview)
        bar.sendAsked.connect(self.send_review)
        self._ctx.bridge.changed.connect(self._changed)

    # ---- what is shown

    def set_task(self, task_id: TaskId | None) -> None:
        if task_id == self._task_id:
            return
        self._drafts.flush()
        self._watch.follow(None)
        self._task_id = self._actions.task_id = task_id
        self._scope = Scope.ALL
        self._opened = None
        self._known = None
        self._wanted = None
        self._stale = True
        self._loader.stop()
        if self.isVisible():
            self._render()

    def set_scope(self, scope: Scope) -> None:
        if scope is not self._scope:
            self._scope = scope
            self._render()

    def show_file(self, path: str) -> None:
        """Bring a file to the top; remembered until it has been read."""
        self.show_line(path, 0, "new")

    def show_line(self, path: str, line: int, side: str) -> None:
        """Bring a line (0: the file's top) of the old or new side into view, and the cursor there."""
        self._wanted = (path, line, side)
        self._show_wanted()

    def _show_wanted(self) -> None:
        if self._wanted is None or self._opened != (self._task_id, self._scope):
            return
        path, line, side = self._wanted
        done = self._loader.index is not None and self._loader.index.finished
        if line and self.view.show_line(path, side, line):
            self._wanted = None
        elif (not line or done) and self.view.show_file(path):
            # A line that is not part of the diff: its file is the nearest there is.
            self._wanted = None
        if self._wanted is None:
            self.view.setFocus()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._render()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._drafts.flush()
        self._watch.follow(None)
        self._marks.follow(None)
        if self._loader.busy:
            self._loader.stop()
            self._opened = None
        self._stale = True

    def _render(self) -> None:
        """Bring everything up to date; called when shown, and when task or scope change."""
        task_id = self._task_id
        self._watch.follow(task_id)
        self._marks.follow(task_id, self._scope)
        settings = self._ctx.state.settings
        self.view.set_wrap(settings.wrap_diff)
        self.view.set_split(settings.split_diff)
        self._show_split()
        self._menus.refresh()
        task = self._ctx.state.tasks.get(task_id) if task_id else None
        self.toolbar.set_scope(self._scope, task.base if task else "")
        self._may_revert()
        self._show_comments()
        if self._opened != (task_id, self._scope):
            self._opened = (task_id, self._scope)
            self._fold_viewed = True
            self.view.set_index(DiffIndex())
            self.view.cards.drafts.clear()
            if task_id is not None:
                self.view.set_drafts(drafts.from_text(self._ctx.state.drafts.get(drafts.draft_key(task_id), "")))
            self.pages.setCurrentWidget(self.loading)
            self._loader.open(task_id, self._scope)
            known = self._ctx.state.changes.get(task_id) if task_id and self._scope is Scope.ALL else None
            self._show_list(known)
            if task_id is None:
                self._show_empty()
        elif self._stale:
            self._loader.read()
        self._stale = False

    def _changed(self, topics: frozenset[Topic]) -> None:
        task_id = self._task_id
        if task_id is None:
            return
        mine = {topic.kind for topic in topics if topic.id == task_id or topic.kind == "settings"}
        if not mine:
            return
        if not self.isVisible():
            self._stale = True
            return
        if "changes" in mine and (self._scope is not Scope.ALL or self._ctx.state.changes.get(task_id) != self._known):
            self._loader.read()
        if mine & {"comments", "viewed"}:
            self._show_comments()
        if "task" in mine:
            self._may_revert()
        if "settings" in mine:
            self.view.set_wrap(self._ctx.state.settings.wrap_diff)
            self.view.set_split(self._ctx.state.settings.split_diff)
            self._show_split()
            self._menus.refresh()

    # ---- the reading

    def _listed(self, found: ChangeSet) -> None:
        self._show_list(found)
        note = self._ctx.services.changes.note(self._task_id) if self._task_id else ""
        self.source.setText(note)
        self.source.setVisible(bool(note and found.files))
        if not found.files:
            self._show_empty()

    def _show_list(self, found: ChangeSet | None) -> None:
        self._known = found
        files = self._menus.files = found.files if found else ()
        self.tree.model.set_files(files)
        self.toolbar.totals.set_size(len(files), found.added if found else 0, found.removed if found else 0)
        self._show_comments()
        self._file_changed(self.view.current_file)

    def _index_opened(self, index: DiffIndex) -> None:
        if self._fold_viewed:
            self._fold_viewed = False
            self.view.set_folded_paths(path for path, same in self._viewed().items() if same)
        self.view.set_index(index)
        if index.finished:
            self._show_diff()

    def _grew(self) -> None:
        self.view.extend()
        if self._loader.index is not None and len(self._loader.index):
            self._show_diff()
        self._show_wanted()

    def _finished(self) -> None:
        self.view.extend()
        self.view.viewport().update()
        self._show_diff()
        self._show_wanted()

    def _show_diff(self) -> None:
        if self._known is not None and not self._known.files:
            self._show_empty()
        else:
            self.pages.setCurrentWidget(self.splitter)
            self._tree_fits()

    def _show_empty(self) -> None:
        if self._scope is Scope.ALL:
            text = "Edits appear here as the agent makes them. You can comment on any line."
            self.empty.set_text("ph.plus-minus", "No changes yet.", text)
            self.empty.set_actions(())
        else:
            name = SCOPE_NAMES[self._scope].lower()
            self.empty.set_text("ph.plus-minus", f"Nothing in “{name}”.", "Other changes of this task may be there.")
            self.empty.set_actions([("Show all changes", self._all_changes)])
        self.pages.setCurrentWidget(self.empty)

    def _all_changes(self) -> None:
        self.set_scope(Scope.ALL)

    def _failed(self, error: UserError) -> None:
        if self._loader.index is not None and self._loader.index.finished and len(self._loader.index):
            # The last known diff stays; the toast says that it may be old.
            self._ctx.toasts.show(error.title, error.hint, "error", actions=[("Try again", self._loader.read)])
            return
        self.empty.set_text("ph.warning-octagon", error.title, error.hint)
        self.empty.set_actions([("Try again", self._retry)])
        self.pages.setCurrentWidget(self.empty)

    def _retry(self) -> None:
        self._opened = None
        self._render()

    # ---- comments and marks

    def _viewed(self) -> dict[str, bool]:
        marks: Mapping[str, str] = self._ctx.state.viewed.get(self._task_id, {}) if self._task_id else {}
        files = self._known.files if self._known else ()
        return {file.path: marks[file.path] == fingerprint_of(files, file.path) for file in files if file.path in marks}

    def _show_comments(self) -> None:
        comments = self._ctx.state.comments.get(self._task_id, ()) if self._task_id else ()
        shown = tuple(c for c in comments if c.state is not CommentState.RESOLVED)
        if shown != self.view.comments:
            self.view.set_comments(shown)
        pending = tuple(c for c in shown if c.state is CommentState.PENDING)
        self.review_bar.set_comments(pending)
        viewed = self._viewed()
        if self._scope is not Scope.ALL:
            viewed = {path: True for path, same in viewed.items() if same}
        self.view.set_viewed(viewed)
        counts: dict[str, int] = {}
        for comment in shown:
            counts[comment.path] = counts.get(comment.path, 0) + 1
        self.tree.model.set_marks(viewed, counts)
        self.toolbar.viewed.set_viewed(sum(viewed.values()), len(self._known.files) if self._known else 0)

    def _discard_one(self, comment_id: CommentId) -> None:
        self._actions.discard((comment_id,))

    def _discard_all(self) -> None:
        self._actions.discard(None)

    def send_review(self) -> None:
        """Send all pending comments as one message."""
        if not self.review_bar.isHidden():
            self._actions.send("", self.review_bar)

    def _preview(self) -> None:
        pending = tuple(c for c in self.view.comments if c.state is CommentState.PENDING)
        sheet = PreviewSheet(self.window(), tuple(sorted(pending, key=lambda c: (c.path, c.start))))
        sheet.finished.connect(self._previewed)
        sheet.open()

    def _previewed(self, note: object) -> None:
        if isinstance(note, str):
            self._actions.send(note, self.review_bar)

    def _set_viewed(self, path: str, on: bool) -> None:
        files = self._known.files if self._known else ()
        self._actions.set_viewed(path, fingerprint_of(files, path) if on else None)
        number = self.view.index.find_file(path)
        if number >= 0:
            self.view.set_folded(number, on)

    def _may_revert(self) -> None:
        """Only where the files are; a worktree that is still being made gets them later."""
        task = self._ctx.state.tasks.get(self._task_id) if self._task_id else None
        away = task is None or task.phase in (TaskPhase.ARCHIVED, TaskPhase.DELETED)
        self.view.revertible = task is not None and bool(task.path) and not away

    def _revert(self, hunk: Hunk) -> None:
        if self.view.revertible:
            self._actions.revert_hunk(self.view.index, hunk)
        else:
            self._ctx.toasts.show("Nothing can be reverted here.", "The files of this task are not on this machine.")

    # ---- layout and lists

    def _choose_split(self, on: bool) -> None:
        self.view.set_split(on)
        self._show_split()
        if on and not self.view.split_fits():
            self._ctx.toasts.show(_SPLIT_HINT, timeout=4.0)
        self._actions.set_layout(split=on)

    def _toggle_split(self) -> None:
        self._choose_split(not self.view.split)

    def _show_split(self) -> None:
        fits = self.view.split_fits()
        self.toolbar.set_split(self.view.split_wanted and fits, "" if fits else _SPLIT_HINT)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._tree_fits()

    def _tree_fits(self) -> None:
        chip = self.width() <= _NO_TREE
        self.tree.setVisible(not chip)
        self.files.setVisible(chip and bool(self._known and self._known.files))

    def _file_changed(self, path: str) -> None:
        self.tree.set_current(path)
        files = self._known.files if self._known else ()
        number = next((n for n, file in enumerate(files, 1) if file.path == path), 0)
        name = elide_middle(path.rpartition("/")[2], 24)
        self.files.setText(f"{name}  {number} of {len(files)}" if number else f"{len(files)} files")
        self._tree_fits()

    def _focus_filter(self) -> None:
        if self.tree.isVisible():
            self.tree.filter.edit.setFocus()
            self.tree.filter.edit.selectAll()
        elif self.files.isVisible():
            self._menus.open_files()

    def _open_file(self, path: str, _line: int) -> None:
        self._actions.open_file(path)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        wanted = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and event.modifiers() & wanted == wanted:
            self.send_review()
        elif event.matches(QKeySequence.StandardKey.Find) and self.pages.currentWidget() is self.splitter:
            self.view.finder.open()
        else:
            super().keyPressEvent(event)
