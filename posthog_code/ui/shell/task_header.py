"""The head of a task: what it is, where it happens, how it goes, and what can be done with it."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRectF, Qt, QTimer
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QMenu, QWidget

from posthog_code.domain.ids import TaskId
from posthog_code.domain.pull_request import PullRequestState
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import Task, TaskPhase, Workspace
from posthog_code.ui import platform
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit import painting
from posthog_code.ui.kit.buttons import Button, IconButton, SplitButton
from posthog_code.ui.kit.chips import Chip
from posthog_code.ui.kit.labels import ElidedLabel
from posthog_code.ui.kit.spinner import arc_clock
from posthog_code.ui.models import cloud_list
from posthog_code.ui.models.header_words import WORKSPACES, agent_words, pull_request_url, repository_words
from posthog_code.ui.models.task_list import elapsed_words
from posthog_code.ui.models.task_view import TaskView, pull_request_words, task_state
from posthog_code.ui.shell.task_commands import TaskCommands
from posthog_code.ui.shell.title import EditableTitle
from posthog_code.ui.theme import notifier, theme
from posthog_code.ui.theme.glyphs import MOVING, paint_glyph
from posthog_code.ui.theme.icons import icon

_LEFT, _RIGHT, _GAP = 18, 14, 8
_BRANCH_WIDTH = 340
_KINDS = {"task", "tasks", "session", "repositories", "agents", "pull_request", "settings", "comments", "cloud"}


class TaskHeader(QWidget):
    """Two rows. When it gets tight, chips fold first, then labels of buttons, then the time."""

    def __init__(self, ctx: UiContext, commands: TaskCommands, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("taskHeader")
        self.setAccessibleName("Task")
        self._ctx, self._commands = ctx, commands
        self._task_id: TaskId | None = None
        self._view: TaskView | None = None
        self._title = EditableTitle(self)
        self._title.edited.connect(self._on_renamed)
        self._edit = IconButton("ph.pencil-simple", "Rename the task", self, size="sm", keys="F2")
        self._edit.clicked.connect(self.rename)
        self._chips = [
            Chip("", self, icon="ph.folder-simple", name="Repository"),
            Chip("", self, icon="ph.git-branch", name="Branch", mono=True),
            Chip("", self, icon="ph.tree-structure", name="Workspace", interactive=False),
            Chip("", self, icon="ph.robot", name="Agent", interactive=False),
        ]
        self._chips[1].set_max_width(_BRANCH_WIDTH)
        self._repository, self._branch, self._workspace, self._agent = self._chips
        self._repository.clicked.connect(self._on_repository)
        self._branch.clicked.connect(self._on_branch)
        self._more_chips = Chip("", self, name="More about the task")
        self._more_chips.clicked.connect(self._on_more_chips)
        self._word = ElidedLabel("", self, font="small")
        self._time = ElidedLabel("", self, font="small", token="text.muted")
        self._editor = SplitButton("Editor", self, icon="ph.arrow-square-out", menu_name="Other ways to open it")
        self._editor.clicked.connect(self._on_editor)
        self._editor.menuRequested.connect(self._on_editor_menu)
        self._create = SplitButton("Create PR", self, icon="ph.git-pull-request", keys="Ctrl+Shift+G")
        self._create.clicked.connect(self._on_create)
        self._create.menuRequested.connect(self._on_create_menu)
        self._pull_request = Button("", self, icon="ph.git-pull-request", keys="Ctrl+Shift+G")
        self._pull_request.clicked.connect(self._on_pull_request)
        self._page = Button("Open in PostHog", self, icon="ph.globe-simple")
        self._page.clicked.connect(lambda: self._ctx.commands.run("cloud.open_in_posthog"))
        self._take_over = Button("Take over here", self, icon="ph.arrow-square-in", kind="primary", keys="Ctrl+Shift+H")
        self._take_over.clicked.connect(lambda: self._ctx.commands.run("cloud.take_over"))
        self._restore = Button("Restore", self, icon="ph.arrow-counter-clockwise", kind="primary")
        self._restore.clicked.connect(self._on_restore)
        self._menu = IconButton("ph.dots-three", "More actions", self)
        self._menu.clicked.connect(self._on_menu)
        left = (self._page, self._editor, self._create, self._pull_request)
        self._buttons = (*left, self._take_over, self._restore, self._menu)
        self._tick = QTimer(self)
        self._tick.setInterval(1000)
        self._tick.timeout.connect(self._show_time)
        self._stale = True
        ctx.bridge.changed.connect(self._on_changed)
        notifier().changed.connect(self._on_theme)
        self._on_theme()

    def set_task(self, task_id: TaskId | None) -> None:
        self._task_id = task_id
        self._title.stop_editing()
        self._refresh()

    def rename(self) -> None:
        """Opens the title for editing."""
        task = self._task()
        if task is not None:
            self._title.edit()

    # state

    def _task(self) -> Task | None:
        return self._ctx.state.tasks.get(self._task_id) if self._task_id else None

    def _on_changed(self, topics: frozenset[Topic]) -> None:
        if any(topic.kind in _KINDS and topic.id in ("", self._task_id) for topic in topics):
            if self.isVisible():
                self._refresh()
            else:
                self._stale = True

    def fit(self) -> int:
        """Takes the height that the window's height and the text size ask for, and tells it."""
        height = theme().size("layout.taskHeader") - (8 if self._is_low() else 0)
        if height != self.maximumHeight():
            self.setFixedHeight(height)
            self._lay_out()
        return height

    def _on_theme(self) -> None:
        self.fit()
        self._lay_out()

    def _is_low(self) -> bool:
        return 0 < self.window().height() < 700

    def _refresh(self) -> None:
        self._stale = False
        task, state = self._task(), self._ctx.state
        if task is None:
            return
        self._view = task_state(state, task.id)
        self._title.set_text(task.title)
        self._word.setText(self._view.word)
        self._word.set_token(self._view.token)
        self._fill_chips(task, state)
        self._fill_buttons(task, state)
        self._show_time()
        session = state.session_of(task.id)
        ticking = self._view.glyph in MOVING or (session is not None and session.phase.busy)
        if ticking and self.isVisible():
            self._tick.start()
        elif not ticking:
            self._tick.stop()
        self._lay_out()
        self.update()

    def _fill_chips(self, task: Task, state: AppState) -> None:
        self._repository.setText(repository_words(state, task))
        base = f"  from {task.base}" if task.base and task.base != task.branch else ""
        self._branch.setText(f"{task.branch}{base}" if task.branch else "")
        words, mark, about = WORKSPACES[task.workspace]
        self._workspace.setText(words)
        self._workspace.set_icon(mark)
        self._workspace.setToolTip(about)
        self._agent.setText(agent_words(state, task))

    def _fill_buttons(self, task: Task, state: AppState) -> None:
        self._editor.setText(platform.editor_name(state.settings.editor_command))
        self._editor.setEnabled(bool(task.path))
        in_cloud, archived = task.workspace is Workspace.CLOUD, task.phase is TaskPhase.ARCHIVED
        self._restore.setVisible(archived)
        self._editor.setVisible(not in_cloud and not archived)
        self._page.setVisible(in_cloud)
        self._take_over.setVisible(in_cloud and not archived)
        pull_request = state.pull_requests.get(task.id)
        self._create.setVisible(pull_request is None and not in_cloud and not archived)
        self._create.setEnabled(bool(task.path))
        session = state.session_of(task.id)
        pending = any(comment.state.value == "pending" for comment in state.comments.get(task.id, ()))
        ready = bool(task.stat.files) and not pending and not (session is not None and session.phase.busy)
        self._create.set_kind("primary" if ready else "default")
        self._pull_request.setVisible(pull_request is not None)
        if pull_request is not None:
            self._pull_request.setText(pull_request_words(pull_request))
            merged = pull_request.state is PullRequestState.MERGED
            waits = pull_request.running and not pull_request.failed and not merged
            self._pull_request.set_icon("ph.git-merge" if merged else "ph.clock" if waits else "ph.git-pull-request")
            told = "Checks are running" if waits else "Show the pull request"
            self._pull_request.setToolTip(f"{told} (Ctrl+Shift+G)")
        elif url := pull_request_url(state, task):
            self._pull_request.setVisible(True)
            self._pull_request.setText(cloud_list.pull_request_number(url) or "Pull request")
            self._pull_request.set_icon("ph.git-pull-request")

    def _show_time(self) -> None:
        task = self._task()
        words = elapsed_words(self._ctx.state, task.id, self._ctx.now()) if task else ""
        text = f"· {words}" if words else ""
        if text != self._time.text():
            self._time.setText(text)
            if self._time.sizeHint().width() != self._time.width():
                self._lay_out()

    # layout

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def _lay_out(self) -> None:
        if not self.isVisible():
            return
        look = theme()
        top = 11 if not self._is_low() else 8
        row = look.size("control.button")
        space = self.width() - _LEFT - _RIGHT
        self._fold_buttons(space)
        right = self.width() - _RIGHT
        for button in reversed(self._buttons):
            if button.isHidden():
                continue
            width = button.sizeHint().width()
            right -= width
            button.setGeometry(right, top, width, row)
            right -= _GAP
        glyph = look.px(18)
        x = _LEFT + glyph + _GAP
        edit = self._edit.sizeHint().width()
        room = max(40, right - x - edit - 4)
        width = min(self._title.sizeHint().width(), room)
        self._title.setGeometry(x, top + (row - look.line("title")) // 2, width, look.line("title"))
        self._edit.setGeometry(x + width + 4, top + (row - edit) // 2, edit, edit)
        self._lay_out_chips(top + row + 4)

    def _fold_buttons(self, space: int) -> None:
        """Buttons give up their labels where the title would get too little room."""
        for button, text in (
            (self._editor, self._editor_text()),
            (self._create, "Create PR"),
            (self._page, "Open in PostHog"),
        ):
            if button.text() != text:
                button.setText(text)
        task = self._task()
        title = min(320, self._title.sizeHint().width()) + theme().px(18) + 50
        shown = [b for b in self._buttons if not b.isHidden()]
        need = title + sum(b.sizeHint().width() + _GAP for b in shown)
        if task is not None and need > space:
            self._editor.setText("")
            self._editor.setAccessibleName(f"Open in {self._editor_text()}")
            self._editor.setToolTip(f"Open in {self._editor_text()}")
            self._page.setText("")
            self._page.setAccessibleName("Open in PostHog")
            self._page.setToolTip("Open in PostHog")
            need = title + sum(b.sizeHint().width() + _GAP for b in shown)
        if need > space and not self._create.isHidden() and space < 420:
            self._create.setText("")
            self._create.setAccessibleName("Create PR")

    def _editor_text(self) -> str:
        return platform.editor_name(self._ctx.state.settings.editor_command)

    def _lay_out_chips(self, y: int) -> None:
        look = theme()
        height = look.size("control.chip")
        chips = [chip for chip in self._chips if chip.text()]
        word, time = self._word.sizeHint().width(), self._time.sizeHint().width()
        space = self.width() - _LEFT - _RIGHT
        shown = list(chips)
        while shown and self._chips_width(shown, len(chips)) + word + time + 12 > space:
            if len(shown) > 2:
                shown.pop()
            elif time:
                time = 0
            elif len(shown) > 1:
                shown.pop()
            else:
                break
        x = _LEFT
        for chip in self._chips:
            chip.setVisible(chip in shown)
        for chip in shown:
            width = chip.sizeHint().width()
            width = min(width, max(60, space - word - 12)) if len(shown) == 1 else width
            chip.setGeometry(x, y, width, height)
            x += width + 6
        hidden = len(chips) - len(shown)
        self._more_chips.setVisible(hidden > 0)
        if hidden:
            self._more_chips.setText(f"+{hidden}")
            width = self._more_chips.sizeHint().width()
            self._more_chips.setGeometry(x, y, width, height)
            x += width + 6
        x += 4
        line = look.line("small")
        self._word.setGeometry(x, y + (height - line) // 2, min(word, max(0, self.width() - _RIGHT - x)), line)
        self._time.setVisible(time > 0)
        self._time.setGeometry(x + word + 4, y + (height - line) // 2, time, line)

    def _chips_width(self, shown: list[Chip], number: int) -> int:
        width = sum(chip.sizeHint().width() + 6 for chip in shown)
        return width + (40 if len(shown) < number else 0)

    # painting

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), look.color("surface.window"))
            painting.hairline(
                painter, 0, self.height() - 1, self.width(), self.height() - 1, look.color("border.subtle")
            )
            if self._view is None:
                return
            side = look.px(18)
            middle = self._menu.geometry().center().y()
            box = QRectF(_LEFT, round(middle - side / 2) + 1, side, side)
            paint_glyph(painter, box, self._view.glyph, look, arc_clock().phase())
            if self._view.glyph in MOVING:
                arc_clock().painted(self, box.toAlignedRect())

    def showEvent(self, event: object) -> None:
        self._on_theme()
        self._refresh()

    def hideEvent(self, event: object) -> None:
        self._tick.stop()

    # what is pressed

    def _on_renamed(self, title: str) -> None:
        if self._task_id is not None:
            self._commands.rename(self._task_id, title)

    def _on_repository(self) -> None:
        task = self._task()
        if task is not None:
            menu = QMenu(self)
            if task.repository_id not in self._ctx.state.repositories:
                add = menu.addAction(icon("ph.plus"), "Add a repository…")
                add.triggered.connect(lambda: self._ctx.nav.open_settings("repositories"))
                _popup(menu, self._repository)
                return
            new = menu.addAction(icon("ph.plus"), "New task in this repository")
            new.triggered.connect(lambda: self._ctx.nav.open_new_task(task.repository_id))
            show = menu.addAction(icon("ph.gear-six"), "Settings of the repository")
            show.triggered.connect(lambda: self._ctx.nav.open_settings("repositories"))
            _popup(menu, self._repository)

    def _on_branch(self) -> None:
        if self._task_id is not None:
            self._commands.copy_branch(self._task_id)

    def _on_more_chips(self) -> None:
        menu = QMenu(self)
        for chip in self._chips:
            if chip.text() and chip.isHidden():
                menu.addAction(chip.text()).setEnabled(False)
        _popup(menu, self._more_chips)

    def _on_editor(self) -> None:
        if self._task_id is not None:
            self._commands.open_editor(self._task_id)

    def _on_editor_menu(self) -> None:
        task_id = self._task_id
        if task_id is None:
            return
        menu = QMenu(self)
        for mark, text, run in (
            ("ph.folder-simple", "Open the folder", self._commands.open_folder),
            ("ph.copy", "Copy the path", self._commands.copy_path),
        ):
            menu.addAction(icon(mark), text).triggered.connect(lambda _on=False, run=run: run(task_id))
        menu.addSeparator()
        choose = menu.addAction(icon("ph.gear-six"), "Choose the editor…")
        choose.triggered.connect(lambda: self._ctx.nav.open_settings("general"))
        _popup(menu, self._editor)

    def _on_create(self) -> None:
        if self._task_id is not None:
            self._commands.create_pull_request(self._task_id)

    def _on_create_menu(self) -> None:
        task_id = self._task_id
        if task_id is None:
            return
        menu = QMenu(self)
        plain = menu.addAction(icon("ph.git-pull-request"), "Create a pull request…")
        plain.triggered.connect(lambda: self._commands.create_pull_request(task_id, draft=False))
        draft = menu.addAction(icon("ph.git-pull-request"), "Create a draft…")
        draft.triggered.connect(lambda: self._commands.create_pull_request(task_id, draft=True))
        _popup(menu, self._create)

    def _on_pull_request(self) -> None:
        task = self._task()
        if task is None:
            return
        if task.id not in self._ctx.state.pull_requests and task.repository_id not in self._ctx.state.repositories:
            self._ctx.open_url(pull_request_url(self._ctx.state, task))
        else:
            self._commands.show_pull_request(task.id)

    def _on_restore(self) -> None:
        if self._task_id is not None:
            self._commands.restore(self._task_id)

    def _on_menu(self) -> None:
        if self._task_id is not None:
            _popup(self._commands.menu(self._task_id, self), self._menu)


def _popup(menu: QMenu, below: QWidget) -> None:
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    menu.popup(below.mapToGlobal(QPoint(0, below.height() + 4)))
