"""The main window on invented tasks: places, sidebar, header, layout, keys."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPointF, QRect, QSize, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QMenu, QWidget

from posthog_code.domain.ids import TaskId
from posthog_code.domain.session import SessionPhase
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import TaskPhase
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.models.palette import find
from posthog_code.ui.models.task_list import TaskRow
from posthog_code.ui.nav import NEW_TASK
from posthog_code.ui.shell.confirm import ConfirmSheet
from posthog_code.ui.shell.main_window import MainWindow, fitted
from posthog_code.ui.shell.panels import Panels
from tests.ui.shell_world import NOW, FakeRisk, ToastNotes, context_of, permission, session_of, world

PAY, VITE, ORDERS, OLD = TaskId("pay"), TaskId("vite"), TaskId("orders"), TaskId("old")


class FakePanel(QLabel):
    """Notes which tasks it was given."""

    def __init__(self, ctx: object, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.tasks: list[TaskId | None] = []

    def set_task(self, task_id: TaskId | None) -> None:
        self.tasks.append(task_id)


@pytest.fixture
def open_window(qtbot):
    windows = []

    def make(state: AppState | None = None, size=(1440, 900), path: Path | None = None, panels=None) -> MainWindow:
        ctx = context_of(state or world(), path)
        names = panels or ("conversation", "changes", "logs", "pull_request")
        window = MainWindow(ctx, Panels(dict.fromkeys(names, FakePanel)))
        window.ctx = ctx
        window.resize(*size)
        qtbot.addWidget(window)
        windows.append(window)
        with qtbot.waitExposed(window):
            window.show()
        return window

    yield make
    for window in windows:
        window.ctx.bridge.close()


def notes_of(window: MainWindow) -> list[tuple[str, str, str, object]]:
    notes = ToastNotes()
    window.ctx.toasts.attach(notes)
    return notes.shown


def rect_of(window: MainWindow, task_id: str):
    view = window.sidebar.list
    return view.visualRect(view.model().index(view.model().row_of_task(task_id)))


def labels(menu: QMenu) -> list[str]:
    return [action.text().split("\t")[0] for action in menu.actions() if action.text()]


def test_a_task_is_opened_by_a_click_and_read_after_a_second(open_window, qtbot):
    window = open_window()
    view = window.sidebar.list
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=rect_of(window, "pay").center())
    assert window.ctx.nav.place.task_id == PAY
    assert window.windowTitle().startswith("Stop double charges")
    assert window.ctx.services.called("mark_read") == []
    window.sidebar._read_timer.setInterval(10)
    window.ctx.nav.open_task(TaskId("currency"))
    qtbot.waitUntil(lambda: window.ctx.services.called("mark_read") == [("currency",)])


def test_panels_are_made_when_they_are_shown_and_let_go_of_hidden_tasks(open_window, qtbot):
    window = open_window()
    page = window.task_page
    window.ctx.nav.open_task(PAY)
    assert set(page._made) == {"conversation", "changes"}
    page.show_tab("logs")
    assert page.panel("logs").tasks == [PAY]
    window.ctx.nav.open_task(VITE)
    assert page.panel("logs").tasks == [PAY, VITE]
    assert page.panel("changes").tasks == [PAY, None], "the hidden one holds no task"
    assert page.panel("conversation").tasks == [PAY, VITE]
    window.ctx.nav.open_task(VITE, "pull_request")
    assert page.tab == "pull_request" and page.strip.current() == "pull_request"


def test_a_panel_that_is_not_built_is_not_shown(open_window):
    window = open_window(panels=("conversation", "logs"))
    window.ctx.nav.open_task(PAY)
    assert [tab.text for tab in window.task_page.strip.tabs()] == ["Logs"]
    assert window.ctx.commands.find("panel.changes") is None


@pytest.mark.parametrize(
    ("width", "sidebar", "first"), [(1440, 264, "Changes"), (1200, 52, "Changes"), (1000, 52, "Conversation")]
)
def test_the_layout_follows_the_width(open_window, width, sidebar, first):
    window = open_window(size=(width, 700))
    window.ctx.nav.open_task(PAY)
    assert window.sidebar.width() == sidebar
    assert window.task_page.strip.tabs()[0].text == first


def test_layout_keys(open_window, qtbot):
    window = open_window()
    window.ctx.nav.open_task(PAY)
    page, run = window.task_page, window.ctx.commands.run
    conversation = page.panel("conversation")
    assert conversation.width() == 432
    run("layout.panel")
    assert page.rail.isVisible() and not page.tabs.isVisible()
    assert conversation.width() == page.width() - 44
    run("layout.panel")
    run("layout.conversation")
    assert not conversation.isVisible() and page.tabs.width() == page.width()
    run("layout.conversation")
    run("layout.focus")
    assert window.sidebar.width() == 52 and not conversation.isVisible()
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert window.sidebar.width() == 264 and conversation.isVisible()
    run("layout.sidebar")
    assert window.sidebar.width() == 52


def test_in_a_narrow_window_the_sidebar_opens_over_the_page(open_window):
    window = open_window(size=(1100, 700))
    window.ctx.commands.run("layout.sidebar")
    assert window.frame.over and window.sidebar.width() == 264 and window.frame.pages.x() == 52
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert not window.frame.over and window.sidebar.width() == 52


def test_the_splitter_is_kept_and_reset(open_window, tmp_path):
    path = tmp_path / "layout.json"
    window = open_window(path=path)
    window.ctx.nav.open_task(PAY)
    handle = window.task_page._handle
    handle.dragged.emit(100)
    handle.finished.emit()
    assert window.task_page.panel("conversation").width() == 532
    assert json.loads(path.read_text())["conversation_width"] == 532
    handle.dragged.emit(5000)
    assert window.task_page.width() - window.task_page.panel("conversation").width() == 420, "the panel keeps its least"
    handle.reset.emit()
    assert window.task_page.panel("conversation").width() == 432
    again = open_window(path=path)
    assert again.ctx.nav.place.task_id == PAY, "the task that was in view is shown again"


def test_closing_is_an_intent(open_window, qtbot, tmp_path):
    window = open_window(path=tmp_path / "layout.json")
    with qtbot.waitSignal(window.closing):
        window.close()
    assert window.isVisible()
    assert json.loads((tmp_path / "layout.json").read_text())["geometry"]


def test_keys_of_the_list(open_window, qtbot):
    window = open_window()
    view = window.sidebar.list
    view.setFocus()
    view.setCurrentIndex(view.model().index(1))
    for _ in range(2):
        QTest.keyClick(view, Qt.Key.Key_Down)
    QTest.keyClick(view, Qt.Key.Key_Return)
    assert window.ctx.nav.place.task_id == VITE
    QTest.keyClick(view, Qt.Key.Key_Left)
    assert "harbor-web" in window._layout.collapsed
    assert view.model().row_of_task("orders") == -1
    view.setCurrentIndex(view.model().index(2))
    QTest.keyClick(view, Qt.Key.Key_Right)
    assert "harbor-web" not in window._layout.collapsed


def test_rename_in_place(open_window):
    window = open_window()
    view = window.sidebar.list
    window.ctx.nav.open_task(ORDERS)
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_F2)
    editor = view._editor
    assert editor is not None and editor.text() == "Virtualise the order history table"
    editor.setText("Faster orders")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    assert window.ctx.services.called("rename") == [(ORDERS, "Faster orders")]
    window.task_page.setFocus()
    window.task_page.header.rename()
    title = window.task_page.header._title.editor
    title.setText("Never mind")
    QTest.keyClick(title, Qt.Key.Key_Escape)
    assert len(window.ctx.services.called("rename")) == 1


def test_hover_actions_are_pressed_on_the_row(open_window):
    window = open_window()
    view, shown = window.sidebar.list, notes_of(window)
    index = view.model().index(view.model().row_of_task("focus"))
    row = index.data(Qt.ItemDataRole.UserRole)
    spots = view._delegate.action_rects(view.visualRect(index), row)
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=spots["pin"].center())
    assert window.ctx.services.called("pin") == [("focus", True)]
    window.ctx.bridge.flush()
    index = view.model().index(view.model().row_of_task("focus"))
    assert index.data(Qt.ItemDataRole.UserRole).section == "pinned"
    spots = view._delegate.action_rects(view.visualRect(index), index.data(Qt.ItemDataRole.UserRole))
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=spots["archive"].center())
    assert window.ctx.services.called("archive") == [("focus",)]
    assert window.ctx.nav.place.page == NEW_TASK, "an action opens nothing"
    title, _, _, [(label, undo)] = shown[-1]
    assert title.startswith("Archived") and label == "Undo"
    undo()
    assert window.ctx.services.called("restore") == [("focus",)]


def test_the_order_stands_still_under_the_pointer(open_window):
    window = open_window()
    view, store = window.sidebar.list, window.ctx.services.store
    before = [row.task_id for row in view.rows if isinstance(row, TaskRow)]
    point = QPointF(rect_of(window, "focus").center())
    enter = QMouseEvent(
        QEvent.Type.MouseMove,
        point,
        view.viewport().mapToGlobal(point),
        Qt.MouseButton.NoButton,
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(view.viewport(), enter)
    view.setAttribute(Qt.WidgetAttribute.WA_UnderMouse, True)
    asking = session_of("focus", NOW, SessionPhase.WAITING, asks=(permission(),))
    store.change(lambda s: replace(s, sessions={**s.sessions, asking.id: asking}), Topic("session", "focus"))
    window.ctx.bridge.flush()
    assert [row.task_id for row in view.rows if isinstance(row, TaskRow)] == before
    view.setAttribute(Qt.WidgetAttribute.WA_UnderMouse, False)
    view.pointer_left.emit()
    assert [row.task_id for row in view.rows if isinstance(row, TaskRow)][1:3] == ["vite", "focus"]


def test_menus_say_what_can_be_done(open_window):
    window = open_window()
    assert labels(window.tasks.menu(PAY, window)) == [
        "Rename",
        "Unpin",
        "Open in the editor",
        "Open the folder",
        "Copy the path",
        "Copy the branch name",
        "Archive",
        "Delete the task…",
    ]
    assert labels(window.tasks.menu(OLD, window)) == ["Restore", "Delete the task…"]


def test_deleting_asks_only_when_something_would_be_lost(open_window):
    window = open_window()
    shown, services = notes_of(window), window.ctx.services
    window.ctx.nav.open_task(PAY)
    window.tasks.delete(PAY)
    assert services.called("delete") == [(PAY,)]
    assert window.ctx.nav.place.task_id != PAY
    shown[-1][3][0][1]()
    assert services.called("undo_delete") == [(PAY,)] and window.ctx.nav.place.task_id == PAY
    services.tasks.at_risk = FakeRisk(("a.py", "b.py"), 1)
    window.tasks.delete(VITE)
    sheet = window.findChild(ConfirmSheet)
    assert sheet.safe.hasFocus() or QApplication.focusWidget() is sheet.safe
    words = " ".join(label.text() for label in sheet.findChildren(QLabel))
    assert "2 files have changes that are nowhere else. 1 commit is not pushed." in words
    assert "A snapshot of the worktree is kept, and Undo brings all of it back." in words
    QTest.keyClick(sheet, Qt.Key.Key_Escape)
    assert services.called("delete") == [(PAY,)]
    window.tasks.delete(VITE)
    window.findChildren(ConfirmSheet)[-1].danger.click()
    assert services.called("delete")[-1] == (VITE,)


def test_keys_go_from_task_to_task(open_window):
    window = open_window()
    nav, run = window.ctx.nav, window.ctx.commands.run
    run("task.open_2")
    assert nav.task_id == VITE
    run("task.next")
    assert nav.task_id == ORDERS
    run("task.recent")
    assert nav.task_id == VITE
    run("task.next_waiting")
    assert nav.task_id == "quotes"
    run("task.next_waiting")
    assert nav.task_id == "audit"
    run("window.back")
    assert nav.task_id == "quotes"


def test_a_task_that_goes_away_elsewhere_leaves_the_window(open_window):
    window = open_window()
    window.ctx.nav.open_task(VITE)
    window.ctx.nav.open_task(PAY)
    window.ctx.services.tasks.edit_task(PAY, phase=TaskPhase.DELETED)
    window.ctx.bridge.flush()
    assert window.ctx.nav.place.task_id == VITE


def test_the_header_tells_the_state_and_folds(open_window):
    window = open_window()
    header = window.task_page.header
    window.ctx.nav.open_task(TaskId("address"))
    assert header._word.text() == "Checks failing"
    assert header._pull_request.text() == "#479 ✕ 6/7" and header._create.isHidden()
    window.ctx.nav.open_task(PAY)
    assert [chip.text() for chip in header._chips] == [
        "harbor-web",
        "fix/double-charge  from main",
        "Worktree",
        "Claude Code · Opus 4.5",
    ]
    assert header._time.text() == "· turn 3 took 2 m 41 s"
    header.resize(520, 76)
    hidden = [chip for chip in header._chips if chip.isHidden()]
    assert hidden and header._more_chips.text() == f"+{len(hidden)}"
    assert header._word.isVisible() and header._word.width() >= header._word.sizeHint().width()
    assert header._menu.geometry().right() <= 520


def test_running_time_ticks_only_while_it_can_be_seen(open_window):
    window = open_window()
    header = window.task_page.header
    window.ctx.nav.open_task(ORDERS)
    assert header._tick.isActive()
    window.ctx.nav.open_settings()
    assert not header._tick.isActive()
    window.ctx.nav.open_task(PAY)
    assert not header._tick.isActive()


def test_esc_twice_stops_the_agent(open_window):
    window = open_window()
    window.ctx.nav.open_task(ORDERS)
    shown = notes_of(window)
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert shown[-1][0] == "Press Esc again to stop" and not window.ctx.services.called("stop")
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert window.ctx.services.called("stop") == [(ORDERS,)]


def test_regions_and_names(open_window):
    window = open_window()
    window.ctx.nav.open_task(PAY)
    window.sidebar.list.setFocus()
    seen = []
    for _ in range(4):
        window.ctx.commands.run("window.next_region")
        seen.append(QApplication.focusWidget())
    page = window.task_page
    assert seen == [page.panel("conversation"), page.strip, page.panel("changes"), window.sidebar.list]
    for widget in window.findChildren(QWidget):
        if widget.isVisible() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus and not isinstance(widget, FakePanel):
            assert widget.accessibleName(), widget


def test_a_thousand_tasks_are_listed_quickly(open_window, benchmark_ms=400):
    import time

    from tests.ui.shell_world import task_of

    state = world()
    many = {TaskId(f"t{n}"): task_of(f"t{n}", f"Task {n}", "harbor-web", f"b{n}", NOW - n) for n in range(1000)}
    window = open_window(replace(state, tasks=many))
    started = time.perf_counter()
    window.sidebar.refresh()
    assert (time.perf_counter() - started) * 1000 < benchmark_ms


def test_all_icons_exist(open_window):
    import re

    from posthog_code.ui.theme.icons import character

    root = Path(__file__).parents[2] / "posthog_code" / "ui"
    files = [
        *root.glob("shell/*.py"),
        *root.glob("pages/**/*.py"),
        *root.glob("models/*.py"),
        *root.glob("panels/logs/*.py"),
    ]
    names = {name for path in files for name in re.findall(r'"(ph\.[a-z0-9-]+)"', path.read_text())}
    assert len(names) > 30
    for name in names:
        character(name)


def test_panels_are_made_ahead_of_the_first_task(open_window, qtbot):
    window = open_window()
    assert window.task_page.panel("conversation") is None
    window._warm_up()
    qtbot.waitUntil(lambda: window.task_page.panel("conversation") is not None)
    assert window.task_page.panel("conversation").tasks == [None]
    window.ctx.nav.open_task(PAY)
    assert window.task_page.panel("conversation").tasks == [None, PAY]


def test_the_header_follows_the_height(open_window, qtbot):
    window = open_window(size=(1440, 640))
    window.ctx.nav.open_task(PAY)
    assert window.task_page.header.height() == 68
    window.resize(1440, 900)
    qtbot.waitUntil(lambda: window.task_page.header.height() == 76)


def test_an_archived_task_is_read_in_its_page_and_restored_from_there(open_window):
    window = open_window()
    window.sidebar.list.task_opened.emit(OLD)
    assert window.ctx.nav.task_id == OLD and window.task_page.isVisible()
    window.ctx.services.store.touch(Topic("task", OLD))
    assert window.ctx.nav.task_id == OLD
    header = window.task_page.header
    restore = next(b for b in header.findChildren(Button) if b.text() == "Restore")
    assert restore.isVisible() and not any(
        b.isVisible() for b in header.findChildren(Button) if b.text() in ("Create PR", "Editor")
    )
    restore.click()
    assert window.ctx.state.tasks[OLD].phase is TaskPhase.READY and not restore.isVisible()


def test_quick_steps_of_the_text_size_are_one(open_window, qtbot):
    window = open_window()
    size = window.ctx.state.settings.text_size
    for _ in range(3):
        window.ctx.commands.run("zoom.in")
    assert window.ctx.state.settings.text_size == size
    qtbot.waitUntil(lambda: window.ctx.state.settings.text_size == size + 3)
    assert len(window.ctx.services.called("set")) == 1


def test_the_window_stays_inside_of_the_screen():
    screen, least = QRect(0, 0, 1440, 900), QSize(800, 560)
    inside = fitted(QRect(0, 0, 1440, 900), screen, least)
    assert screen.adjusted(8, 40, -8, -8) == inside
    assert fitted(QRect(300, 200, 900, 600), screen, least) == QRect(300, 200, 900, 600)
    far = fitted(QRect(2600, -900, 900, 600), screen, least)  # where another screen was
    assert screen.contains(far) and far.size() == QSize(900, 600)


def test_the_palette_begins_with_this_task_and_recent_ones(open_window):
    window = open_window()
    window.ctx.nav.open_task(VITE)
    window.ctx.nav.open_task(ORDERS)
    found = find(window._palette_entries(), "")
    assert found[0].title == "Rename the task" and "Cloud account" not in [entry.title for entry in found]
    tasks = [entry.title for entry in found if entry.section == "Tasks"]
    assert tasks[:2] == ["Virtualise the order history table", "Upgrade Vite and drop legacy polyfills"]
