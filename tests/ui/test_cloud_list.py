"""Cloud tasks in the sidebar: grouped, filtered, opened, followed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from posthog_code.domain.cloud import Account
from posthog_code.domain.errors import NotFound
from posthog_code.domain.ids import SessionId, TaskId
from posthog_code.domain.session import Session, SessionPhase
from posthog_code.domain.state import AppState, Topic
from posthog_code.ui.cloud.link_bar import LinkBar
from posthog_code.ui.cloud.links import open_link
from posthog_code.ui.cloud.watching import CloudWatch
from posthog_code.ui.models import cloud_list
from posthog_code.ui.models.task_list import SectionRow, TaskRow, build_rows, elapsed_words, waiting_count
from posthog_code.ui.models.task_view import task_state
from posthog_code.ui.shell.main_window import MainWindow
from posthog_code.ui.shell.panels import Panels
from posthog_code.ui.theme.glyphs import Glyph
from tests.ui.cloud_world import ME, cloud_context, cloud_state, cloud_task, cloud_tasks, opened
from tests.ui.shell_world import NOW, ToastNotes, permission
from tests.ui.test_palette import FakePanel


def rows_of(state: AppState, **more) -> dict[str, TaskRow]:
    return {row.title: row for row in build_rows(state, NOW, **more) if isinstance(row, TaskRow)}


def section_titles(state: AppState) -> list[str]:
    return [row.title for row in build_rows(state, NOW) if isinstance(row, SectionRow)]


def test_rows_stand_beside_local_ones_by_the_remote():
    state = cloud_state()
    rows = rows_of(state)
    nightly = rows["Nightly job fails on DST change"]
    assert nightly.section == rows["Rate-limit the public quotes API"].section == "harbor-api"
    assert nightly.cloud and not nightly.opened and nightly.glyph is Glyph.CLOUD_RUNNING
    assert nightly.branch == "posthog/dst-nightly" and nightly.who == "Ana started it from Slack"
    assert rows["Quotes time out"].strong and rows["Quotes time out"].branch == "From a report"
    assert rows["Quotes time out"].glyph is Glyph.FINISHED
    assert rows["Describe the audit log"].note == "#21" and rows["Describe the audit log"].glyph is Glyph.PR_OPEN
    assert "not opened here" in nightly.spoken and "running in the cloud" in nightly.spoken
    titles = section_titles(state)
    assert titles[-2:] == ["harbor/harbor-mobile", "Archived"]


@pytest.mark.parametrize(
    ("chosen", "wanted"),
    [
        ("all", {"c1", "c2", "c3", "c4"}),
        ("mine", {"c4"}),
        ("team", {"c1", "c3"}),
        ("unassigned", {"c2"}),
        ("signals", {"c2"}),
        ("nonsense", {"c1", "c2", "c3", "c4"}),
    ],
)
def test_filters(chosen, wanted):
    state = cloud_state()
    state = replace(state, settings=replace(state.settings, cloud_filter=chosen))
    assert {task.id for task in cloud_list.listed(state)} == wanted


def test_an_opened_task_keeps_its_row_and_tells_more():
    known = cloud_tasks()[0]
    task = opened(known)
    session = Session(SessionId(task.session_id), task.id, "cloud", phase=SessionPhase.WAITING, asks=(permission(),))
    state = cloud_state()
    before = rows_of(state)[known.title]
    state = replace(state, tasks={**state.tasks, task.id: task}, sessions={**state.sessions, session.id: session})
    after = rows_of(state)[known.title]
    assert before.task_id == after.task_id == cloud_list.row_id("c1")
    assert after.opened and after.word == "Waiting for permission" and after.strong
    assert waiting_count(state) == waiting_count(cloud_state()) + 1
    mine = replace(state, settings=replace(state.settings, cloud_filter="mine"))
    assert known.title not in rows_of(mine) and known.title in rows_of(mine, keep=task.id)


@pytest.mark.parametrize(
    ("status", "phase", "synced", "wanted"),
    [
        ("in_progress", SessionPhase.WORKING, 0.0, (Glyph.CLOUD_RUNNING, "Running in the cloud")),
        ("in_progress", SessionPhase.READY, 0.0, (Glyph.CLOUD, "Waits for a message")),
        ("in_progress", SessionPhase.CANCELLING, 0.0, (Glyph.CLOUD_RUNNING, "Stopping")),
        ("queued", SessionPhase.STARTING, 0.0, (Glyph.QUEUED, "Starting in the cloud")),
        ("failed", SessionPhase.FAILED, 0.0, (Glyph.FAILED, "The run failed")),
        ("completed", SessionPhase.IDLE, 0.0, (Glyph.IDLE, "Finished")),
        ("cancelled", SessionPhase.IDLE, 0.0, (Glyph.PAUSED, "Ended")),
        ("dreaming", SessionPhase.IDLE, 0.0, (Glyph.UNKNOWN, "Unknown")),
        ("in_progress", SessionPhase.WORKING, NOW - 240, (Glyph.UNKNOWN, "Running in the cloud")),
    ],
)
def test_states_of_an_opened_task(status, phase, synced, wanted):
    task = opened(known := cloud_task("c1", "Nightly", status=status))
    session = Session(task.session_id, task.id, "cloud", phase=phase, synced_at=synced)
    state = replace(cloud_state(known), tasks={task.id: task}, sessions={task.session_id: session})
    view = task_state(state, task.id)
    assert (view.glyph, view.word) == wanted
    if synced:
        assert elapsed_words(state, task.id, NOW) == "seen 4m ago"


def test_offline_rows_say_when_they_were_seen():
    state = cloud_state()
    state = replace(state, cloud=replace(state.cloud, error="eu.posthog.com does not answer.", fetched_at=NOW - 240))
    rows = rows_of(state)
    assert rows["Nightly job fails on DST change"].glyph is Glyph.UNKNOWN
    assert rows["Nightly job fails on DST change"].age == "seen 4m ago"
    assert rows["Crash on the order screen"].glyph is Glyph.FAILED, "what is over stays over"


def test_a_long_list_is_cut_by_group_and_found_again():
    many = [cloud_task(f"c{n}", f"Task {n}", updated_at=NOW - n) for n in range(300)]
    state = cloud_state(*many)
    assert sum(row.cloud for row in rows_of(state).values()) == cloud_list.GROUP_LIMIT
    assert len(cloud_list.listed(state, everything=True)) == 300


def test_news_of_the_persons_own_waits_for_them():
    done = cloud_task("c9", "Mine and over", creator=ME, status="completed", seen="")
    state = cloud_state(done)
    assert waiting_count(state) == waiting_count(cloud_state(replace(done, seen="r-c9 completed"))) + 1
    assert "Mine and over" in rows_of(state, waiting=True)


def test_the_window_opens_a_row_and_shows_who_is_signed_in(qtbot):
    ctx = cloud_context()
    window = MainWindow(ctx, Panels({"conversation": FakePanel}))
    qtbot.addWidget(window)
    window.show()
    sidebar = window.sidebar
    assert (
        sidebar.account.isVisible() and sidebar.account.text() == "Harbor" and "EU" in sidebar.account.accessibleName()
    )
    assert sidebar.cloud.accessibleName().startswith("Online. Cloud tasks are as of ")
    sidebar._on_opened("cloud-c1")
    assert ctx.services.called("cloud.open") == [("c1", "")]
    assert ctx.nav.task_id == "cloud-c1"
    header = window.task_page.header
    assert not header._take_over.isHidden() and not header._page.isHidden() and header._create.isHidden()
    assert header._workspace.text() == "Cloud" and header._agent.text() == "Claude Code"
    header._page.click()
    assert ctx.services.urls == ["https://eu.posthog.com/tasks/c1?run=r-c1"]
    words = [action.text() for action in window.tasks.menu(TaskId("cloud-c1"), window).actions()]
    assert "End the run…" in words and not any(word.startswith("Archive") for word in words)
    assert any("Send to the cloud" in a.text() for a in window.tasks.menu(TaskId("pay"), window).actions())
    menu = sidebar.account.menu()
    filters = next(action.menu() for action in menu.actions() if action.text() == "Cloud tasks")
    assert [action.text() for action in filters.actions() if action.isChecked()] == ["All cloud tasks"]
    next(action for action in filters.actions() if action.text() == "Mine").trigger()
    assert ctx.state.settings.cloud_filter == "mine"
    ctx.services.account.put(Account())
    ctx.bridge.flush()
    assert not sidebar.account.isVisible() and sidebar._agents.isVisible()


def test_links_open_tasks_and_say_what_is_wrong(qtbot):
    ctx = cloud_context()
    notes = ToastNotes()
    ctx.toasts.attach(notes)
    open_link(ctx, "")
    open_link(ctx, "posthog-code://task/c1/run/r-9")
    assert ctx.services.called("cloud.open") == [("c1", "r-9")] and ctx.nav.task_id == "cloud-c1"
    open_link(ctx, "posthog-code://settings")
    ctx.services.cloud.error = NotFound("There is no such cloud task.")
    open_link(ctx, "posthog-code://task/gone")
    assert [title for title, *_ in notes.shown] == [
        "This link leads nowhere.",
        "This cloud task is not there, or not yours to see.",
    ]


def test_what_is_watched(qtbot):
    mine = cloud_task("c5", "Mine at work", creator=ME)
    ctx = cloud_context(cloud_state(*cloud_tasks(), mine))
    window = MainWindow(ctx, Panels({"conversation": FakePanel}))
    qtbot.addWidget(window)
    window.show()
    CloudWatch(ctx, window)
    services = ctx.services
    assert services.called("cloud.open") == [("c5", "")], "the person's own tasks at work are opened by themselves"
    ctx.bridge.flush()
    assert services.sessions.watched == ["cloud-c5"]
    services.cloud.put(opened(cloud_tasks()[3]))
    ctx.nav.open_task(TaskId("cloud-c4"))
    assert sorted(services.sessions.watched) == ["cloud-c4", "cloud-c5"], "one that is over only while it is in view"
    ctx.nav.open_task(TaskId("pay"))
    assert services.sessions.watched == ["cloud-c5"]
    window.hide()
    assert services.cloud.visible[0] and not services.cloud.visible[-1]
    services.store.touch(Topic("cloud"))
    ctx.bridge.flush()
    assert services.called("cloud.open") == [("c5", "")]


def test_a_broken_line_to_the_run_is_told_above_the_composer(qtbot):
    task = opened(known := cloud_tasks()[0])
    session = Session(
        task.session_id,
        task.id,
        "cloud",
        phase=SessionPhase.WORKING,
        error="eu.posthog.com does not answer.",
        error_hint="It is tried again.",
        synced_at=NOW - 240,
    )
    state = cloud_state(known)
    state = replace(state, tasks={task.id: task}, sessions={session.id: session})
    ctx = cloud_context(state)
    bar = LinkBar(ctx)
    qtbot.addWidget(bar)
    bar.show_task(task.id)
    assert not bar.isHidden() and bar.label.text() == "eu.posthog.com does not answer. It is tried again."
    bar.again.click()
    assert ctx.services.called("retry_turn") == [(task.id,)]
    healed = replace(session, error="", error_hint="", synced_at=0.0)
    ctx.services.store.state = replace(state, sessions={session.id: healed})
    bar.show_task(task.id)
    assert bar.isHidden()
