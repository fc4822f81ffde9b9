"""The Pull request panel: every state it can be in, its keys, and what it sends."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

sys.path.insert(0, str(Path(__file__).parent))

from posthog_code.domain.errors import NotSignedIn, Offline
from posthog_code.domain.ids import TaskId
from posthog_code.domain.publishing import NewPullRequest
from posthog_code.domain.pull_request import CheckState, PullRequestState
from posthog_code.domain.state import Topic
from posthog_code.services.pull_requests import Unpushed
from posthog_code.ui import platform
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.cards import Banner
from posthog_code.ui.kit.empty import EmptyState, Skeleton
from posthog_code.ui.kit.rows import Row
from posthog_code.ui.panels.pull_request import PullRequestPanel
from posthog_code.ui.panels.pull_request.content import Content
from posthog_code.ui.panels.pull_request.log_block import LogBlock
from posthog_code.ui.panels.pull_request.production import ProductionList
from posthog_code.ui.theme import notifier
from tests.ui.pull_request_world import FAILED_STEPS, LOG, NOW, PULL, T, World, check
from tests.ui.signals_world import SIGNALS


@pytest.fixture
def visited(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    urls: list[str] = []
    monkeypatch.setattr(platform, "open_url", urls.append)
    return urls


@pytest.fixture
def worlds() -> Iterator[list[World]]:
    made: list[World] = []
    yield made
    for world in made:
        world.close()
        assert not world.errors


def show(qtbot: QtBot, worlds: list[World], world: World) -> PullRequestPanel:
    worlds.append(world)
    panel = PullRequestPanel(world.ctx)
    world.kept.append(panel)
    panel.resize(743, 760)
    panel.set_task(T)
    panel.show()
    return panel


def content(panel: PullRequestPanel) -> Content:
    assert panel.content is not None
    return panel.content


def press(panel: PullRequestPanel, words: str) -> None:
    found = [b for b in panel.findChildren(Button) if b.text() == words and b.isVisibleTo(panel)]
    assert found, words
    found[0].click()


def texts(panel: PullRequestPanel) -> str:
    """Every word in view."""
    words = []
    for widget in panel.findChildren(QWidget):
        if widget.isVisibleTo(panel):
            words.append(widget.text() if isinstance(widget, QLabel) else widget.accessibleName())
    return " | ".join(words)


def test_everything_of_an_open_one(qtbot: QtBot, worlds: list[World]) -> None:
    panel = show(qtbot, worlds, World(PULL))
    words = texts(panel)
    for expected in (
        "Make payment submission idempotent",
        "#482",
        "6 commits",
        "you opened it 1 h ago",
        "1 check fails",
        "Changes requested",
        "No conflicts",
        "3 more passed: lint, build, bundle size",
        "1 open, 1 resolved",
        "src/payments/submitPayment.ts:28",
        "Blocked by 1 check and 1 review",
    ):
        assert expected in words, expected
    block = panel.findChild(LogBlock)
    assert block is not None and block.text() == LOG, "the first failure is opened with its log"


def test_it_reads_only_while_in_view(qtbot: QtBot, worlds: list[World]) -> None:
    world = World(PULL)
    panel = show(qtbot, worlds, world)
    assert world.pulls.watched == [T]
    panel.hide()
    assert world.pulls.watched == []
    panel.show()
    panel.set_task(None)
    assert world.pulls.watched == []
    panel.set_task(TaskId("gone"))
    assert world.pulls.watched == []
    panel.set_task(None)


def test_a_panel_that_is_destroyed_stops_reading(qtbot: QtBot, worlds: list[World]) -> None:
    world = World(PULL)
    show(qtbot, worlds, world)
    assert world.pulls.watched == [T]
    shiboken6.delete(world.kept.pop())
    assert world.pulls.watched == []


def test_failures_go_to_the_agent(qtbot: QtBot, worlds: list[World]) -> None:
    world = World(replace(PULL, checks=(*PULL.checks, check("docs", CheckState.FAILED, 3))))
    panel = show(qtbot, worlds, world)
    press(panel, "Send to agent")
    press(panel, "Send all failures to agent")
    content(panel).threads[0].send.emit(content(panel).threads[0].thread_shown)
    assert world.prompts == [
        "fix e2e / checkout (webkit)",
        "fix e2e / checkout (webkit), docs",
        "answer TH1",
    ]
    assert world.toasts == ["Sent to the agent"] * 3


def test_keys(qtbot: QtBot, worlds: list[World], visited: list[str]) -> None:
    world = World(PULL)
    panel = show(qtbot, worlds, world)
    panel.setFocus()
    assert panel.findChild(LogBlock) is not None
    qtbot.keyClick(panel, Qt.Key.Key_J)
    qtbot.keyClick(panel, Qt.Key.Key_F)
    assert world.prompts == ["fix e2e / checkout (webkit)"]
    qtbot.keyClick(panel, Qt.Key.Key_Return)
    assert not [b for b in panel.findChildren(LogBlock) if b.isVisibleTo(panel)], "Enter folds the log"
    qtbot.keyClick(panel, Qt.Key.Key_Return)
    assert [b for b in panel.findChildren(LogBlock) if b.isVisibleTo(panel)]
    qtbot.keyClick(panel, Qt.Key.Key_B)
    assert visited == [PULL.checks[0].url]
    for _ in range(8):
        qtbot.keyClick(panel, Qt.Key.Key_J)
    qtbot.keyClick(panel, Qt.Key.Key_F)
    assert world.prompts[-1] == "answer TH1", "the last stop is the open thread"
    qtbot.keyClick(panel, Qt.Key.Key_K)
    qtbot.keyClick(panel, Qt.Key.Key_F)
    assert len(world.prompts) == 2, "a passed check is not sent"


def test_only_web_pages_are_opened(qtbot: QtBot, worlds: list[World], visited: list[str]) -> None:
    panel = show(qtbot, worlds, World(replace(PULL, url="file:///etc/passwd")))
    panel.foot.out.click()
    assert visited == []


def test_nothing_yet(qtbot: QtBot, worlds: list[World]) -> None:
    panel = show(qtbot, worlds, World())
    assert "7 files are ready on fix/double-charge." in texts(panel)
    assert panel.findChild(EmptyState) is not None
    assert not panel.foot.isVisible()


@pytest.mark.parametrize(("files", "kind"), [(7, "primary"), (0, "default")])
def test_to_create_one_is_the_next_step_only_when_something_has_changed(
    qtbot: QtBot, worlds: list[World], files: int, kind: str
) -> None:
    world = World()
    task = world.store.state.tasks[T]
    world.store.change(tasks={T: replace(task, stat=replace(task.stat, files=files))})
    panel = show(qtbot, worlds, world)
    create = next(button for button in panel.findChildren(Button) if button.text() == "Create PR")
    assert create._kind == kind


def test_loading(qtbot: QtBot, worlds: list[World]) -> None:
    world = World()
    world.pulls.is_loaded = False
    panel = show(qtbot, worlds, world)
    assert panel.findChild(Skeleton) is not None
    world.pulls.is_loaded = True
    world.store.change(Topic("pull_request", T), pull_requests={T: PULL})
    qtbot.waitUntil(lambda: "#482" in texts(panel))


def test_offline_with_nothing_known(qtbot: QtBot, worlds: list[World]) -> None:
    world = World()
    world.pulls.trouble = Offline("github.com could not be reached.", "It is tried again in a while.")
    panel = show(qtbot, worlds, world)
    assert "github.com could not be reached." in texts(panel)
    press(panel, "Try again")
    assert world.pulls.calls == [("refresh", T)]


def test_last_known_state_with_its_time(qtbot: QtBot, worlds: list[World]) -> None:
    world = World(replace(PULL, stale="GitHub sign-in expired."))
    world.pulls.trouble = NotSignedIn("GitHub sign-in expired.", "Sign in again.")
    panel = show(qtbot, worlds, world)
    banner = panel.findChild(Banner)
    assert banner is not None and banner.label.text().startswith("GitHub sign-in expired. Checks are as of ")
    assert "1 check fails" in texts(panel)
    card = content(panel).sign_in
    assert card is not None and not card.isVisible()
    press(panel, "Sign in")
    assert card.isVisible()


def test_signing_in(qtbot: QtBot, worlds: list[World]) -> None:
    world = World()
    world.pulls.trouble = NotSignedIn("Not signed in to GitHub.", "Run `gh auth login`.")
    panel = show(qtbot, worlds, world)
    card = content(panel).sign_in
    assert card is not None and "kept in the keyring" in card.note.text()
    card.button.click()
    assert "Paste a token first." in card.field.message.text()
    card.field.setText("ghp_x")
    world.pulls.fail = NotSignedIn("GitHub sign-in expired.", "Sign in again.")
    card.button.click()
    assert "expired" in card.field.message.text() and card.field.text() == "ghp_x"
    world.pulls.fail = None
    card.button.click()
    assert world.pulls.calls[-2:] == [("sign_in", "ghp_x"), ("refresh", T)]
    assert card.field.text() == "" and world.toasts == ["Signed in to GitHub"]


def test_without_a_keyring_it_says_so(qtbot: QtBot, worlds: list[World]) -> None:
    world = World()
    world.pulls.keyring = False
    world.pulls.trouble = NotSignedIn("Not signed in to GitHub.", "Run `gh auth login`.")
    panel = show(qtbot, worlds, world)
    card = content(panel).sign_in
    assert card is not None and "no keyring" in card.note.text() and not card.button.isEnabled()


def test_a_failed_step_can_be_tried_again_or_left(qtbot: QtBot, worlds: list[World]) -> None:
    world = World(publishing={T: FAILED_STEPS})
    world.pulls.typed = NewPullRequest("T", "B", "main")
    panel = show(qtbot, worlds, world)
    words = texts(panel)
    assert "Push rejected. The branch moved on GitHub: pull, then push again." in words
    assert "! [rejected]" in words and "The pull request was not created" in words
    press(panel, "Try again")
    assert world.pulls.calls == [("create", world.pulls.typed)]
    qtbot.waitUntil(lambda: "#482" in texts(panel))


def test_hidden_it_draws_nothing(qtbot: QtBot, worlds: list[World]) -> None:
    world = World(PULL)
    panel = show(qtbot, worlds, world)
    before = panel.content
    panel.hide()
    world.store.change(Topic("pull_request", T), pull_requests={T: replace(PULL, title="Other")})
    world.bridge.flush()
    assert panel.content is before
    panel.show()
    assert "Other" in texts(panel)


def test_many_checks_stay_few_rows(qtbot: QtBot, worlds: list[World]) -> None:
    checks = tuple(check(f"job {n}", CheckState.FAILED if n % 3 == 0 else CheckState.PASSED, n) for n in range(300))
    panel = show(qtbot, worlds, World(replace(PULL, checks=checks, fetched_at=NOW)))
    rows = content(panel).checks
    assert rows is not None and len(rows.rows) == 60 and rows.fold is not None


def test_pushing_what_came_after(qtbot: QtBot, worlds: list[World]) -> None:
    world = World(PULL)
    panel = show(qtbot, worlds, world)
    assert not panel.foot.send.isVisible()
    world.pulls.behind = Unpushed(files=3)
    world.store.change(Topic("pull_request", T))
    qtbot.waitUntil(panel.foot.send.isVisible)
    assert panel.foot.send.text() == "Commit and push 3 files"
    panel.foot.send.click()
    assert world.pulls.calls == [("push", T)]
    qtbot.waitUntil(lambda: not panel.foot.send.isVisible())


def test_another_look_builds_it_again(qtbot: QtBot, worlds: list[World]) -> None:
    panel = show(qtbot, worlds, World(PULL))
    before = panel.content
    notifier().changed.emit()
    assert panel.content is not before and "#482" in texts(panel)


def test_before_the_merge_production_is_told(qtbot: QtBot, worlds: list[World]) -> None:
    world = World(PULL, code_signals={T: SIGNALS})
    panel = show(qtbot, worlds, world)
    assert world.read == [T]
    rows = panel.findChild(ProductionList)
    assert rows is not None
    told = [row.accessibleName() for row in rows.findChildren(Row)]
    assert told[0].startswith("GatewayTimeout, 214 times in 7 days · 87 people")
    assert any(name.startswith("checkout-retry-v2, Stale, 94 days") for name in told)
    assert "4 of 5 changed paths" in told[-1] and "webhook handler" in told[-1]
    qtbot.mouseClick(rows.findChildren(Row)[0], Qt.MouseButton.LeftButton)
    assert world.nav.place.tab == "signals"
    world.store.change(Topic("pull_request", T), pull_requests={T: replace(PULL, state=PullRequestState.MERGED)})
    qtbot.waitUntil(lambda: panel.findChild(ProductionList) is None)
