"""Marks left of the line numbers: turns, and what lines mean in production."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from posthog_code.domain.code_signals import CodeSignals, SignalRow
from posthog_code.domain.diff_index import Row
from posthog_code.domain.provenance import EARLIER, YOU, Stretch
from posthog_code.domain.session import Session, Turn
from posthog_code.domain.state import Topic
from posthog_code.ui.diff import gutter
from posthog_code.ui.diff.accessible import describe
from posthog_code.ui.diff.marks import Gutter, Run, Sign, signs_of
from posthog_code.ui.diff.view import DiffView
from posthog_code.ui.panels.changes import ChangesPanel
from posthog_code.ui.panels.changes.marks import MarksKeeper
from tests.ui.diff_world import SUBMIT, TASK, World, index_of

SIGN = Sign("ph.flag", "status.waiting", "Flag checkout-retry-v2: Stale, 94 days")


@pytest.fixture
def view(qtbot: QtBot) -> DiffView:
    made = DiffView()
    qtbot.addWidget(made)
    made.resize(700, 500)
    made.set_index(index_of())
    made.show()
    qtbot.waitExposed(made)
    return made


def first_added(view: DiffView) -> tuple[int, str, int]:
    """Place, path and line of the first added line."""
    for place in range(len(view.places)):
        row = view.row_at(place)
        if view.index.kinds[row] == Row.ADDED:
            return place, *gutter.line_of(view, place)[::2]
    raise AssertionError("nothing was added")


def middle_of(view: DiffView, place: int) -> QPoint:
    y = view.geometry_index.top(place) - view.scroll_top() + 10
    return QPoint((view.columns.new.provenance + view.columns.new.numbers) // 2, y)


def test_a_sign_is_pressed(view: DiffView, qtbot: QtBot) -> None:
    place, path, line = first_added(view)
    view.set_gutter(Gutter({(path, "new", line): SIGN}))
    with qtbot.waitSignal(view.signPressed) as pressed:
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=middle_of(view, place))
    assert pressed.args == [path, "new", line]
    assert gutter.words_at(view, place) == SIGN.words
    # The comment button stands beside it.
    assert gutter.button(view, place, "", 0, 20).left() > view.columns.new.numbers


def test_the_label_of_a_turn_is_pressed(view: DiffView, qtbot: QtBot) -> None:
    place, path, line = first_added(view)
    view.set_gutter(Gutter(runs={(path, "new"): (Run(line, line + 3, "T2", "glyph.running", "Fix it", 2),)}))
    assert gutter.label_at(view, place) is not None and gutter.label_at(view, place + 1) is None
    with qtbot.waitSignal(view.turnPressed) as pressed:
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=middle_of(view, place))
    assert pressed.args == [2]
    assert gutter.words_at(view, place) == "Turn 2: Fix it"


def test_marks_are_reached_by_keys(view: DiffView, qtbot: QtBot) -> None:
    place, path, line = first_added(view)
    runs = {(path, "new"): (Run(line, line + 3, "T2", "glyph.running", "Fix it", 2),)}
    view.set_gutter(Gutter({(path, "new", line): SIGN}, runs))
    view.setFocus()
    view.set_cursor(place, keyboard=True)
    with qtbot.waitSignal(view.signPressed) as pressed:
        qtbot.keyClick(view, Qt.Key.Key_Return)
    assert pressed.args == [path, "new", line]
    with qtbot.waitSignal(view.turnPressed) as turn:
        qtbot.keyClick(view, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert turn.args == [2]
    # The line below has no sign: the turn is what there is to show.
    view.set_cursor(place + 1, keyboard=True)
    with qtbot.waitSignal(view.turnPressed):
        qtbot.keyClick(view, Qt.Key.Key_Return)
    assert describe(view, place).endswith(f"{SIGN.words}, turn 2")
    view.set_gutter(Gutter(runs={(path, "new"): (Run(line, line, "You", "accent.default", ""),)}))
    assert describe(view, place).endswith("written by you")
    assert not gutter.show_turn(view, place) and not gutter.show_sign(view, place)


def test_marks_are_painted(view: DiffView) -> None:
    place, path, line = first_added(view)
    before = view.grab().toImage()
    view.set_gutter(
        Gutter({(path, "new", line): SIGN}, {(path, "new"): (Run(line, line, "You", "accent.default", ""),)})
    )
    after = view.grab().toImage()
    spot = middle_of(view, place)
    columns = range(view.columns.new.provenance, view.columns.new.numbers)
    assert any(before.pixel(x, spot.y()) != after.pixel(x, spot.y()) for x in columns)


def test_several_signs_of_a_line_are_told_together() -> None:
    other = Sign("ph.lightning", "status.success", "Event paid: Active")
    signs = signs_of([("a", "new", 3, SIGN), ("a", "new", 3, other)])
    assert signs["a", "new", 3] == replace(SIGN, words=f"{SIGN.words}\n{other.words}")


def test_the_panel_shows_what_is_known(qtbot: QtBot) -> None:
    world = World()
    task = world.state.tasks[TASK]
    turn = Turn(3, "Derive the\nkey", 1.0, 2.0)
    session = Session(task.session_id, TASK, "demo", turns=(turn,))
    row = SignalRow("flag", "checkout-retry-v2", SUBMIT, 2, "100 % on for all", "Stale, 94 days", "warn")
    gone = SignalRow("event", "charged", SUBMIT, 5, removed=True)
    world.state = replace(
        world.state,
        sessions={task.session_id: session},
        code_signals={TASK: CodeSignals((row, gone))},
    )
    world.provenance = {
        (SUBMIT, "new"): (Stretch(2, 3, 3), Stretch(4, 4, YOU), Stretch(9, 9, EARLIER)),
        (SUBMIT, "old"): (Stretch(2, 2, 3),),
    }
    panel = ChangesPanel(world)  # type: ignore[arg-type]
    qtbot.addWidget(panel)
    panel.set_task(TASK)
    panel.resize(900, 600)
    panel.show()
    qtbot.waitUntil(lambda: bool(panel.view.gutter.runs))
    assert world.watched == [TASK]
    marks = panel.view.gutter
    assert marks.signs[SUBMIT, "new", 2].words == "Flag checkout-retry-v2: 100 % on for all, Stale, 94 days"
    assert (SUBMIT, "old", 5) in marks.signs
    assert [(run.label, run.turn, run.words) for run in marks.runs[SUBMIT, "new"]] == [
        ("T3", 3, "Derive the key"),
        ("You", 0, ""),
    ]
    world.provenance = {}
    world.tell(Topic("session", TASK))
    qtbot.waitUntil(lambda: not panel.view.gutter.runs)
    panel.hide()
    assert not world.watched and not panel.view.gutter.signs


def test_a_hidden_panel_reads_nothing(qtbot: QtBot) -> None:
    world = World()
    view = DiffView()
    qtbot.addWidget(view)
    keeper = MarksKeeper(world, view, view)  # type: ignore[arg-type]
    keeper.follow(None)
    world.tell(Topic("session", TASK), Topic("changes", TASK))
    assert not keeper._later.isActive()
