"""The Signals panel: report, watch, table and meter, by mouse and keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from posthog_code.domain.cloud import Account
from posthog_code.domain.code_signals import CodeSignals
from posthog_code.domain.inbox import Inbox, Recording
from posthog_code.domain.release_watch import Direction, Metric, WatchState
from posthog_code.domain.state import Topic
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.cards import Banner
from posthog_code.ui.kit.empty import EmptyState, Skeleton
from posthog_code.ui.nav import INBOX
from posthog_code.ui.panels.signals import SignalsPanel, words
from posthog_code.ui.panels.signals.watch_chart import WatchChart, _ceiling
from tests.ui.signals_world import NOW, PATH, ROWS, SIGNALS, WATCH, SignalsWorld, T


@pytest.fixture
def worlds() -> Iterator[list[SignalsWorld]]:
    made: list[SignalsWorld] = []
    yield made
    for world in made:
        world.close()


def show(qtbot: QtBot, worlds: list[SignalsWorld], **fields: object) -> tuple[SignalsWorld, SignalsPanel]:
    world = SignalsWorld(**fields)
    worlds.append(world)
    panel = SignalsPanel(world.ctx)
    qtbot.addWidget(panel)
    panel.set_task(T)
    panel.resize(740, 900)
    panel.show()
    qtbot.waitExposed(panel)
    return world, panel


def texts(panel: SignalsPanel) -> str:
    return " | ".join(w.text() for w in panel.findChildren(object) if hasattr(w, "text") and callable(w.text))


def button(panel: SignalsPanel, text: str) -> Button:
    return next(b for b in panel.findChildren(Button) if b.text() == text)


def test_all_of_it(qtbot: QtBot, worlds: list[SignalsWorld]) -> None:
    world, panel = show(qtbot, worlds)
    said = texts(panel)
    for part in ("P1", "Customers are charged twice", "Fix released", "GatewayTimeout in submitPayment", "87 people"):
        assert part in said
    assert "starts a new charge." in said and "More below" not in said
    for part in ("9 more recordings", "Watching · 15 h 52 m left", "−97 %", "errors per hour, 36 to 1", "−62 %"):
        assert part in said
    for part in ("2 flags, 3 events", "214 errors for 87 people and 12 recorded sessions", "4 of 5"):
        assert part in said
    assert "Missing: webhook handler" in said
    assert panel.findChild(WatchChart) is not None
    assert ("load_evidence", ("rep-1",)) in world.calls
    assert world.watched == [T]


def test_a_hidden_panel_watches_nothing(qtbot: QtBot, worlds: list[SignalsWorld]) -> None:
    world, panel = show(qtbot, worlds)
    panel.hide()
    assert world.watched == []
    before = panel.content
    world.store.change(Topic("code_signals", T), code_signals={T: CodeSignals()})
    qtbot.waitUntil(lambda: panel._stale)
    assert panel.content is before
    panel.show()
    assert panel.content is not before and world.watched == [T]


def test_a_line_is_shown_in_the_changes_and_given_to_the_agent(qtbot: QtBot, worlds: list[SignalsWorld]) -> None:
    world, panel = show(qtbot, worlds)
    assert panel.content is not None and panel.content.table is not None
    line = panel.content.table.lines[0]
    qtbot.mouseClick(line, Qt.MouseButton.LeftButton)
    place = world.nav.place
    assert (place.tab, place.path, place.line, place.side) == ("changes", f"{PATH}/submitPayment.ts", 31, "new")
    assert line.button is not None and panel.content.table.lines[1].button is None
    qtbot.mouseClick(line.button, Qt.MouseButton.LeftButton)
    assert ("ask", (T, ROWS[0])) in world.calls
    assert world.toasts == ["Sent to the agent"]


def test_keys_go_through_everything(qtbot: QtBot, worlds: list[SignalsWorld]) -> None:
    world, panel = show(qtbot, worlds)
    panel.setFocus()
    qtbot.keyClick(panel, Qt.Key.Key_J)
    qtbot.keyClick(panel, Qt.Key.Key_Return)
    assert world.pages == ["https://eu.posthog.com/project/1/error_tracking/i1"]
    for _ in range(6):  # three recordings, two metrics, the first line
        qtbot.keyClick(panel, Qt.Key.Key_J)
    assert "checkout-retry-v2" in panel.accessibleDescription()
    qtbot.keyClick(panel, Qt.Key.Key_A)
    qtbot.keyClick(panel, Qt.Key.Key_B)
    assert ("ask", (T, ROWS[0])) in world.calls and world.pages[-1] == "https://eu.posthog.com/f/1"
    for _ in range(9):
        qtbot.keyClick(panel, Qt.Key.Key_J)
    assert "webhook handler" in panel.accessibleDescription()
    qtbot.keyClick(panel, Qt.Key.Key_A)
    assert ("add_with_agent", (T,)) in world.calls
    qtbot.keyClick(panel, Qt.Key.Key_R)
    assert {"refresh", "check"} <= {name for name, _ in world.calls}


def test_the_place_is_kept_when_figures_arrive(qtbot: QtBot, worlds: list[SignalsWorld]) -> None:
    world, panel = show(qtbot, worlds)
    panel.setFocus()
    for _ in range(7):
        qtbot.keyClick(panel, Qt.Key.Key_J)
    told = panel.accessibleDescription()
    rows = (replace(ROWS[0], figure="99 % on for all"), *ROWS[1:])
    world.store.change(Topic("code_signals", T), code_signals={T: replace(SIGNALS, rows=rows)})
    qtbot.waitUntil(lambda: "99 % on for all" in panel.content.table.lines[0].accessibleName())
    qtbot.keyClick(panel, Qt.Key.Key_K)
    qtbot.keyClick(panel, Qt.Key.Key_J)
    assert "99 % on for all" in panel.accessibleDescription() and told != panel.accessibleDescription()


def test_the_report_and_the_meter(qtbot: QtBot, worlds: list[SignalsWorld]) -> None:
    world, panel = show(qtbot, worlds)
    qtbot.mouseClick(button(panel, "Add with agent"), Qt.MouseButton.LeftButton)
    assert ("add_with_agent", (T,)) in world.calls
    qtbot.mouseClick(button(panel, "Open report"), Qt.MouseButton.LeftButton)
    assert (world.nav.place.page, world.nav.place.report_id) != ("", "") and world.nav.place.page == INBOX


def test_waiting_for_the_release(qtbot: QtBot, worlds: list[SignalsWorld]) -> None:
    waiting = replace(WATCH, state=WatchState.WAITING, released_at=0.0, series=(), metrics=())
    world, panel = show(qtbot, worlds, watches={T: waiting})
    assert "Waiting for the release" in texts(panel) and "Fix merged" in texts(panel)
    qtbot.mouseClick(button(panel, "It is released"), Qt.MouseButton.LeftButton)
    assert ("begin", (T, NOW)) in world.calls


def test_worse(qtbot: QtBot, worlds: list[SignalsWorld]) -> None:
    worse = replace(
        WATCH,
        state=WatchState.WORSE,
        verdict="Errors rose from 1 to 12 an hour.",
        metrics=(Metric("errors", "errors per hour", 1.0, 12.0, Direction.WORSE),),
    )
    world, panel = show(qtbot, worlds, watches={T: worse})
    assert "Errors rose from 1 to 12 an hour." in texts(panel) and "×12.0" in texts(panel)
    qtbot.mouseClick(button(panel, "Start a follow-up"), Qt.MouseButton.LeftButton)
    assert ("report_worse", (T,)) in world.calls


def test_without_an_account(qtbot: QtBot, worlds: list[SignalsWorld]) -> None:
    nothing = {"account": Account(), "inbox": Inbox(), "watches": {}}
    world, panel = show(qtbot, worlds, **nothing, code_signals={T: CodeSignals(fingerprint="x")})
    assert panel.findChild(EmptyState) is not None and "No signals connected." in texts(panel)
    qtbot.mouseClick(button(panel, "Sign in"), Qt.MouseButton.LeftButton)
    assert (world.nav.place.page, world.nav.place.tab) == ("settings", "account")
    # What the code itself says needs no account.
    world.store.change(Topic("code_signals", T), code_signals={T: SIGNALS})
    qtbot.waitUntil(lambda: panel.content is not None and panel.content.table is not None)
    qtbot.mouseClick(button(panel, "Not now"), Qt.MouseButton.LeftButton)
    assert "Sign in to PostHog" not in texts(panel)


def test_loading_and_nothing_found(qtbot: QtBot, worlds: list[SignalsWorld]) -> None:
    world, panel = show(qtbot, worlds, code_signals={})
    assert panel.findChild(Skeleton) is not None
    world.store.change(Topic("code_signals", T), code_signals={T: CodeSignals(fingerprint="x")})
    qtbot.waitUntil(lambda: "No flags, events or errors are in the changed lines." in texts(panel))
    assert "No routes, handlers, jobs or actions changed." in texts(panel)


def test_offline_says_how_old(qtbot: QtBot, worlds: list[SignalsWorld]) -> None:
    world = SignalsWorld()
    old = replace(world.store.state.inbox, error="PostHog cannot be reached.", fetched_at=NOW - 7200)
    _, panel = show(qtbot, worlds, inbox=old)
    assert "PostHog cannot be reached. As of 2h ago." in texts(panel)
    world.close()


@pytest.mark.parametrize("width", [400, 560, 1200])
def test_it_fits_any_width(qtbot: QtBot, worlds: list[SignalsWorld], width: int) -> None:
    _, panel = show(qtbot, worlds)
    panel.resize(width, 700)
    qtbot.waitUntil(lambda: panel.content is not None and panel.content.width() <= width)
    assert panel.area.horizontalScrollBar().maximum() == 0


@pytest.mark.parametrize(
    ("metric", "told"),
    [
        (Metric("errors", "errors", 36, 1), "−97 %"),
        (Metric("errors", "errors", 0, 0), "0"),
        (Metric("errors", "errors", 0, 3), "3"),
        (Metric("errors", "errors", 10, 10), "0 %"),
        (Metric("errors", "errors", 10, 12), "+20 %"),
        (Metric("errors", "errors", 2, 9), "×4.5"),
        (Metric("new_errors", "new", 0, 2), "2"),
    ],
)
def test_changes_in_words(metric: Metric, told: str) -> None:
    assert words.change(metric) == told


def test_the_scale_is_round() -> None:
    assert [_ceiling(value) for value in (0, 2, 3, 17, 40, 95, 1200)] == [2, 2, 4, 20, 40, 100, 2000]


@pytest.mark.parametrize(
    ("metric", "told"),
    [
        (Metric("rage_clicks", "rage clicks per hour", 0, 0), "Rage clicks per hour, none"),
        (Metric("errors", "errors per hour", 36, 1), "Errors per hour, 36 to 1"),
        (Metric("event:paid", "paid per hour", 12, 3), "paid per hour, 12 to 3"),
        (Metric("funnel:a→b", "a → b", 0.42, 0.31), "a → b, 42 % to 31 %"),
    ],
)
def test_rows_of_the_watch_in_words(metric: Metric, told: str) -> None:
    assert words.row_caption(metric) == told


def test_people_without_a_name_are_told_as_in_the_inbox(qtbot: QtBot, worlds: list[SignalsWorld]) -> None:
    world = SignalsWorld()
    worlds.append(world)
    found = world.store.state.inbox
    nobody = Recording("0199", "4f1c0000-0000-4000-8000-4f1c00000000", "taps Pay", 20.0)
    named = {key: replace(one, recordings=(nobody,)) for key, one in found.evidence.items()}
    _, panel = show(qtbot, worlds, inbox=replace(found, evidence=named))
    assert "Person 4f1c" in texts(panel) and "4f1c0000" not in texts(panel)


def test_trouble_is_told_once(qtbot: QtBot, worlds: list[SignalsWorld]) -> None:
    world = SignalsWorld()
    worlds.append(world)
    why = "PostHog cannot be reached."
    old = replace(world.store.state.inbox, error=why, fetched_at=NOW - 7200)
    found = replace(SIGNALS, problem=why, facts=replace(SIGNALS.facts, problem=why))
    watch = replace(WATCH, problem=why, checked_at=NOW - 60)
    _, panel = show(qtbot, worlds, inbox=old, code_signals={T: found}, watches={T: watch})
    assert texts(panel).count(why) == 1 and "Figures are as of " in texts(panel)


def test_a_long_verdict_is_read_to_its_end(qtbot: QtBot, worlds: list[SignalsWorld]) -> None:
    verdict = "Errors per hour rose from 1 to 12, and payment_submitted fell by 75 % in 8 hours since the release. " * 2
    _, panel = show(qtbot, worlds, watches={T: replace(WATCH, state=WatchState.WORSE, verdict=verdict.strip())})
    banner = next(one for one in panel.findChildren(Banner) if "rose from" in one.label.text())
    assert banner.label.wordWrap() and banner.height() >= banner.label.heightForWidth(banner.label.width())


def test_the_figures_are_read_again_by_mouse_too(qtbot: QtBot, worlds: list[SignalsWorld]) -> None:
    world, panel = show(qtbot, worlds, watches={}, code_signals={T: replace(SIGNALS, loading=True)})
    assert panel.content is not None and panel.content.refresh is not None and panel.content.refresh.loading()
    world.store.change(Topic("code_signals", T), code_signals={T: SIGNALS})
    qtbot.waitUntil(lambda: panel.content is not None and not panel.content.refresh.loading())
    qtbot.mouseClick(panel.content.refresh, Qt.MouseButton.LeftButton)
    assert "refresh" in {name for name, _ in world.calls}
    # One button is enough where a watch has its own.
    world.store.change(Topic("watch", T), watches={T: WATCH})
    qtbot.waitUntil(lambda: panel.content is not None and panel.content.watch is not None)
    assert panel.content.refresh is None and panel.content.watch.refresh is not None
