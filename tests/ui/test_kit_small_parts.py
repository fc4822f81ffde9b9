"""Caret, empty states, lexers that come later, sizes that follow the text size, and callbacks of what is gone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest
import shiboken6
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from posthog_code.ui.actions import Actions
from posthog_code.ui.composer.editor import Editor
from posthog_code.ui.kit.empty import EmptyState
from posthog_code.ui.kit.markdown import MarkdownView
from posthog_code.ui.kit.sizes import fix_size
from posthog_code.ui.kit.warm_lexers import warm_lexers
from posthog_code.ui.preload import preload
from posthog_code.ui.theme import apply_theme, theme


@pytest.fixture(autouse=True)
def look(qapp: QApplication) -> Iterator[None]:
    apply_theme(qapp, "dark")
    yield
    apply_theme(qapp, "dark")


def test_the_caret_has_the_accent(qtbot: QtBot) -> None:
    editor = Editor()
    qtbot.addWidget(editor)
    editor.resize(300, 80)
    editor.show()
    editor.activateWindow()
    editor.setFocus()
    qtbot.waitUntil(editor.hasFocus)
    QTest.keyClicks(editor, "Hi")
    spot = editor._caret.rect().center()
    accent = theme().color("accent.default")
    assert editor.viewport().grab().toImage().pixelColor(spot) == accent
    editor.clearFocus()
    assert editor.viewport().grab().toImage().pixelColor(spot) != accent


def test_an_empty_state_wraps_in_the_room_there_is(qtbot: QtBot) -> None:
    box = QWidget()
    qtbot.addWidget(box)
    column = QVBoxLayout(box)
    column.setContentsMargins(0, 0, 0, 0)
    empty = EmptyState("ph.hand", "Nobody waits for you, and nothing else happens here", "Short.", (), box)
    column.addWidget(empty)
    box.resize(160, 400)
    box.show()
    line = theme().metrics("heading").height()
    qtbot.waitUntil(lambda: empty.title.width() < 160 and empty.title.height() > 1.5 * line)
    assert empty.title.height() >= empty.title.heightForWidth(empty.title.width())
    box.resize(600, 400)
    qtbot.waitUntil(lambda: empty.title.width() == theme().px(260))
    assert empty.title.height() < 3 * line


def test_code_is_coloured_once_its_lexer_is_ready(qtbot: QtBot) -> None:
    view = MarkdownView()
    qtbot.addWidget(view)
    view.resize(400, 200)
    view.set_markdown("```fortran\nprogram hello\n```")
    height = view.height_for(400)
    [code] = [item for item in view._laid if item.block.kind == "code"]
    assert code.pale and not warm_lexers().ask("fortran")
    qtbot.waitUntil(lambda: warm_lexers().ask("fortran"))
    [code] = [item for item in view._laid if item.block.kind == "code"]
    assert not code.pale and len(code.units[0].layout.formats()) > 1
    assert view.height_for(400) == height


def test_a_fixed_size_follows_the_text_size(qapp: QApplication, qtbot: QtBot) -> None:
    widget = QWidget()
    qtbot.addWidget(widget)
    fix_size(widget, height=44)
    assert widget.height() == 44
    apply_theme(qapp, "dark", text_size=18)
    assert widget.height() == theme().px(44) > 44


def test_modules_are_imported_beside_the_window(qtbot: QtBot) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    called: list[int] = []
    preload(("colorsys", "there.is.no.such.module"), parent, lambda: called.append(1))
    assert called == []
    qtbot.waitUntil(lambda: called == [1])
    gone = QWidget()
    preload(("colorsys",), gone, lambda: called.append(2))
    shiboken6.delete(gone)
    QTest.qWait(30)
    assert called == [1]


class _Later:
    def __init__(self) -> None:
        self.waiting: list[Coroutine[Any, Any, Any]] = []

    def spawn(self, coro: Coroutine[Any, Any, Any], name: str) -> None:
        self.waiting.append(coro)


def test_a_function_inside_a_method_of_a_widget_that_is_gone_is_not_called() -> None:
    scope, called = _Later(), []
    crashes: list[BaseException] = []
    actions = Actions(scope, on_user_error=lambda error: None, on_crash=crashes.append)  # type: ignore[arg-type]
    widget = QWidget()

    def begin() -> None:
        def done(_: object) -> None:
            called.append(widget.width())

        actions.start("one", lambda: asyncio.sleep(0), on_done=done)

    begin()
    shiboken6.delete(widget)
    coro = scope.waiting.pop()
    with contextlib.suppress(StopIteration):
        while True:
            coro.send(None)
    assert called == [] and crashes == []
