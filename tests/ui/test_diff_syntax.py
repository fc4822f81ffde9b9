"""Syntax colours of the diff come from a thread that must never own a QObject."""

from __future__ import annotations

import weakref
from typing import Any

import shiboken6
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from posthog_code.domain.diff_index import Row, concat
from posthog_code.ui.diff.syntax import Syntax
from tests.ui.diff_world import long_diff


def asked(parent: QObject) -> Syntax:
    """Syntax of a diff whose first lines somebody has just painted."""
    syntax = Syntax(parent)
    index = concat([long_diff()])
    syntax.set_index(index)
    syntax.begin_frame()
    assert syntax.runs(index.kinds.index(Row.CONTEXT)) is None
    syntax.end_frame()
    return syntax


def test_colours_arrive(qapp: Any, qtbot: QtBot) -> None:
    parent = QObject()
    syntax = asked(parent)
    with qtbot.waitSignal(syntax.ready, timeout=5000):
        pass
    assert syntax.runs(concat([long_diff()]).kinds.index(Row.CONTEXT)) is not None


def test_a_closed_view_is_gone_at_once(qapp: Any, qtbot: QtBot) -> None:
    """Were the thread the last to know it, the view's timers would be destroyed on the wrong thread: a crash."""
    for _ in range(5):
        parent = QObject()
        syntax = asked(parent)
        syntax._ask_wanted()
        gone = weakref.ref(syntax)
        shiboken6.delete(parent)
        del syntax
        assert gone() is None
