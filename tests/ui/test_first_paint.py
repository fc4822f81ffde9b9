"""The list of tasks is on the screen before the rest of the window exists; where Qt gives up there are words."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from posthog_code.app.first_paint import show_painted
from posthog_code.domain.ids import TaskId
from posthog_code.ui.nav import TASK
from posthog_code.ui.shell.main_window import MainWindow
from posthog_code.ui.shell.panels import Panels
from tests.ui.shell_world import context_of, world
from tests.ui.test_shell_window import FakePanel


def test_the_list_is_painted_and_then_the_rest_comes(qtbot, tmp_path: Path) -> None:
    layout = tmp_path / "layout.json"
    layout.write_text('{"last_task": "vite"}')
    ctx = context_of(world(), layout)
    window = MainWindow(ctx, only_list=True)
    qtbot.addWidget(window)
    show_painted(window, window.sidebar.list.viewport())
    assert window.sidebar.rows and ctx.nav.place.task_id == TaskId("vite")
    assert not hasattr(window, "task_page")
    window.complete(Panels(dict.fromkeys(("conversation", "changes"), FakePanel)))
    assert ctx.nav.place.page == TASK and window.frame.pages.currentWidget() is window.task_page
    assert window.windowTitle().startswith(world().tasks[TaskId("vite")].title)
    qtbot.waitUntil(lambda: window.task_page.panel("conversation") is not None)
    ctx.bridge.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="X11")
def test_a_screen_that_does_not_answer_is_told(tmp_path: Path) -> None:
    env = {**os.environ, "POSTHOG_CODE_HOME": str(tmp_path), "QT_QPA_PLATFORM": "xcb", "DISPLAY": ":7999"}
    done = subprocess.run([sys.executable, "-m", "posthog_code"], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3, done.stderr
    assert "No window can be opened here" in done.stderr and "posthog-code doctor" in done.stderr
