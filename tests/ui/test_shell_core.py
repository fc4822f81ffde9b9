"""Bridge, actions, commands and nav: the few objects that all widgets share."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from posthog_code.domain.errors import Refused
from posthog_code.domain.ids import TaskId
from posthog_code.domain.state import AppState, Topic
from posthog_code.services.scope import Scope
from posthog_code.ui.actions import Actions
from posthog_code.ui.bridge import Bridge
from posthog_code.ui.commands import Command, CommandRegistry
from posthog_code.ui.context import Toasts
from posthog_code.ui.nav import NEW_TASK, SETTINGS, Nav
from posthog_code.ui.platform import editor_name, open_in_editor
from posthog_code.ui.shell.layout_state import LayoutState
from tests.ui.shell_world import Now, Store

A, B, C = TaskId("a"), TaskId("b"), TaskId("c")


def test_bridge_gathers_a_flood_into_one_frame(qtbot):
    store = Store(AppState())
    bridge = Bridge(store, frame_ms=30)
    seen: list[frozenset[Topic]] = []
    bridge.changed.connect(seen.append)
    for number in range(200):
        store.touch(Topic("log", str(number % 3)))
    qtbot.waitUntil(lambda: bool(seen))
    assert seen == [frozenset({Topic("log", "0"), Topic("log", "1"), Topic("log", "2")})]
    store.touch(Topic("tasks"))
    store.touch(Topic("tasks"))
    assert len(seen) == 1, "the second frame is not due yet"
    qtbot.waitUntil(lambda: len(seen) == 2)
    assert not bridge._timer.isActive(), "idle, no timer runs"


def test_a_closed_bridge_is_silent(qtbot):
    store = Store(AppState())
    bridge = Bridge(store, frame_ms=0)
    seen: list[object] = []
    bridge.changed.connect(seen.append)
    store.touch(Topic("tasks"))
    bridge.close()
    store.touch(Topic("tasks"))
    bridge.flush()
    assert seen == []


class Told:
    def __init__(self) -> None:
        self.errors: list[object] = []
        self.crashes: list[BaseException] = []
        self.busy: list[bool] = []

    def actions(self, scope: object) -> Actions:
        return Actions(scope, on_user_error=self.errors.append, on_crash=self.crashes.append)

    def set_busy(self, on: bool) -> None:
        self.busy.append(on)


def test_actions_run_once_at_a_time_and_tell_the_result():
    async def main() -> None:
        told = Told()
        scope = Scope("test", lambda name, error: told.crashes.append(error))
        actions = told.actions(scope)
        gate, done = asyncio.Event(), []

        async def work() -> int:
            await gate.wait()
            return 7

        assert actions.start("work", work, on_done=done.append, busy=told)
        assert not actions.start("work", work), "a second click does nothing"
        assert actions.is_running("work")
        gate.set()
        while actions.is_running("work"):
            await asyncio.sleep(0)
        assert (done, told.busy, told.crashes) == ([7], [True, False], [])
        await scope.close()

    asyncio.run(main())


def test_actions_route_errors_to_their_audience():
    told = Told()
    actions = told.actions(Now())
    refusal, bug = Refused("No.", "Ask later."), ValueError("bug")
    caught: list[object] = []

    async def fail(error: Exception) -> None:
        raise error

    actions.start("refused", lambda: fail(refusal))
    actions.start("mine", lambda: fail(refusal), on_error=caught.append)
    actions.start("bug", lambda: fail(bug))
    assert (told.errors, caught, told.crashes) == ([refusal], [refusal], [bug])
    assert not actions.is_running("bug")


def test_a_cancelled_action_frees_its_name():
    async def main() -> None:
        told = Told()
        scope = Scope("test", lambda name, error: told.crashes.append(error))
        actions = told.actions(scope)
        actions.start("wait", lambda: asyncio.sleep(60), busy=told.busy.append)
        await asyncio.sleep(0)
        assert await scope.close() == []
        assert not actions.is_running("wait")
        assert (told.busy, told.crashes, told.errors) == ([True, False], [], [])

    asyncio.run(main())


def test_callbacks_of_widgets_that_are_gone_are_left_out(qtbot):
    import shiboken6

    class Page(QWidget):
        def done(self, _result: object) -> None:
            raise AssertionError("called on a deleted widget")

    told, page = Told(), Page()

    async def work() -> None:
        shiboken6.delete(page)

    told.actions(Now()).start("work", work, on_done=page.done, busy=page)
    assert told.crashes == []


def test_commands_bind_keys_once_and_run_the_newest_enabled(qtbot):
    registry, window = CommandRegistry(), QWidget()
    qtbot.addWidget(window)
    ran: list[str] = []
    on = {"panel": False}
    registry.register(Command("window.find", "Find", lambda: ran.append("window"), ("Ctrl+F",)))
    registry.attach(window)
    registry.register(
        Command("panel.find", "Find here", lambda: ran.append("panel"), ("Ctrl+F",), enabled=lambda: on["panel"])
    )
    registry.register(Command("panel.next", "Next", lambda: ran.append("next"), ("J",)))
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    QTest.keyClick(window, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    on["panel"] = True
    QTest.keyClick(window, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(window, Qt.Key.Key_J)
    assert ran == ["window", "panel"], "a bare letter stays typeable"
    assert len(window.actions()) == 1
    assert registry.tooltip("window.find") == "Find (Ctrl+F)"
    assert not registry.run("nothing")


def test_commands_leave_with_their_owner(qtbot):
    registry, owner = CommandRegistry(), QWidget()
    registry.register(Command("a", "A", lambda: None), owner)
    import shiboken6

    shiboken6.delete(owner)
    assert registry.find("a") is None


def test_nav_goes_back_and_forward(qtbot):
    nav = Nav()
    places: list[object] = []
    nav.changed.connect(places.append)
    nav.open_task(A)
    nav.open_task(A, "logs")
    nav.open_task(B)
    nav.open_settings("agents")
    nav.back()
    assert nav.place.task_id == B
    nav.back()
    assert (nav.place.task_id, nav.place.tab) == (A, "logs"), "another tab took the entry of the first"
    nav.back()
    assert nav.place.page == NEW_TASK and not nav.can_go_back()
    nav.forward()
    assert nav.place.task_id == A
    nav.open_task(C)
    assert not nav.can_go_forward()
    assert nav.recent_tasks == (C, A, B)
    assert len(places) == 9


def test_nav_forgets_a_task_that_is_gone(qtbot):
    nav = Nav()
    nav.open_task(A)
    nav.open_task(B)
    nav.open_settings()
    nav.leave_task(A)
    assert nav.place.page == SETTINGS
    nav.back()
    nav.leave_task(B)
    assert nav.place.page == NEW_TASK
    assert nav.recent_tasks == ()


def test_toasts_wait_for_the_window():
    toasts, shown = Toasts(), []

    class Sink:
        def show_toast(self, *toast: object) -> None:
            shown.append(toast[0])

    toasts.show("early")
    toasts.attach(Sink())
    toasts.show("late")
    assert shown == ["early", "late"]


def test_layout_survives_a_broken_file(tmp_path: Path):
    path = tmp_path / "ui" / "layout.json"
    state = LayoutState.load(path)
    state.conversation_width, state.collapsed = 500, ["archived", "r1"]
    state.save(path)
    assert LayoutState.load(path) == state
    path.write_text('{"conversation_width": "wide", "tab": "logs", "later": 1}')
    assert LayoutState.load(path).conversation_width == 0
    assert LayoutState.load(path).tab == "logs"
    path.write_text("{")
    assert LayoutState.load(path) == LayoutState()


def test_editors_have_names():
    assert editor_name("/opt/zed/bin/zed --new") == "Zed"
    with pytest.raises(Exception, match="editor"):
        open_in_editor("no-such-editor-anywhere", "/")
