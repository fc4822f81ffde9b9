"""State to rows, glyphs and words: no widgets involved."""

from __future__ import annotations

from dataclasses import replace

import pytest

from posthog_code.domain.ids import TaskId
from posthog_code.domain.pull_request import Check, CheckState, PullRequestState
from posthog_code.domain.session import SessionPhase
from posthog_code.domain.state import AppState
from posthog_code.domain.task import TaskPhase
from posthog_code.ui.models.fuzzy import match
from posthog_code.ui.models.task_list import SectionRow, TaskRow, build_rows, elapsed_words, task_ids
from posthog_code.ui.models.task_view import task_state
from posthog_code.ui.theme.glyphs import Glyph
from tests.ui.shell_world import NOW, permission, pull_request, question, session_of, task_of, world

T = TaskId("t")
PASSED, RUNNING = Check("unit", CheckState.PASSED), Check("e2e", CheckState.RUNNING)


def state_of(session=None, pr=None, **task) -> AppState:
    made = task_of("t", "A task", "harbor-web", "fix/a", NOW, added=3, **task)
    return AppState(
        tasks={T: made},
        sessions={session.id: session} if session else {},
        pull_requests={T: pr} if pr else {},
    )


@pytest.mark.parametrize(
    ("glyph", "word", "state"),
    [
        (
            Glyph.WAITING,
            "Waiting for permission",
            state_of(session_of("t", NOW, SessionPhase.WAITING, asks=(question(), permission()))),
        ),
        (Glyph.QUESTION, "Asks a question", state_of(session_of("t", NOW, SessionPhase.WAITING, asks=(question(),)))),
        (Glyph.FAILED, "Setup failed", state_of(phase=TaskPhase.SETUP_FAILED)),
        (Glyph.FAILED, "Stopped", state_of(session_of("t", NOW, SessionPhase.FAILED))),
        (Glyph.FAILED, "Stopped", state_of(session_of("t", NOW, stop="error"), pr=pull_request())),
        (Glyph.RUNNING, "Working", state_of(session_of("t", NOW, SessionPhase.WORKING), pr=pull_request())),
        (Glyph.RUNNING, "Stopping", state_of(session_of("t", NOW, SessionPhase.CANCELLING))),
        (Glyph.SETTING_UP, "Setting up", state_of(phase=TaskPhase.SETTING_UP)),
        (Glyph.SETTING_UP, "Starting the agent", state_of(session_of("t", NOW, SessionPhase.STARTING))),
        (Glyph.CHECKS_FAILING, "Checks failing", state_of(session_of("t", NOW), pr=pull_request(), unread=True)),
        (
            Glyph.CHANGES_REQUESTED,
            "Changes requested",
            state_of(pr=pull_request(checks=(PASSED,), review_decision="CHANGES_REQUESTED")),
        ),
        (
            Glyph.FINISHED,
            "Ready for review",
            state_of(session_of("t", NOW), pr=pull_request(checks=(RUNNING,)), unread=True),
        ),
        (Glyph.CHECKS_RUNNING, "Checks running", state_of(pr=pull_request(checks=(RUNNING,)))),
        (Glyph.APPROVED, "Approved", state_of(pr=pull_request(checks=(PASSED,), review_decision="APPROVED"))),
        (Glyph.PR_OPEN, "Pull request open", state_of(pr=pull_request(checks=(PASSED,)))),
        (Glyph.PR_DRAFT, "Draft pull request", state_of(pr=pull_request(checks=(), state=PullRequestState.DRAFT))),
        (Glyph.PR_MERGED, "Merged", state_of(session_of("t", NOW), pr=pull_request(state=PullRequestState.MERGED))),
        (Glyph.PR_CLOSED, "Closed", state_of(pr=pull_request(state=PullRequestState.CLOSED))),
        (Glyph.PAUSED, "Interrupted", state_of(session_of("t", NOW, SessionPhase.INTERRUPTED), unread=True)),
        (Glyph.PAUSED, "Interrupted", state_of(session_of("t", NOW, SessionPhase.INTERRUPTED), pr=pull_request())),
        (Glyph.PAUSED, "Stopped by you", state_of(session_of("t", NOW, stop="cancelled"), unread=True)),
        (Glyph.IDLE, "Ready for review", state_of(session_of("t", NOW))),
        (Glyph.IDLE, "Idle", state_of()),
        (Glyph.ARCHIVED, "Archived", state_of(session_of("t", NOW, SessionPhase.WORKING), phase=TaskPhase.ARCHIVED)),
        (Glyph.UNKNOWN, "Unknown", AppState()),
    ],
)
def test_the_most_urgent_state_wins(glyph, word, state):
    assert task_state(state, T)[:2] == (glyph, word)


def test_rows_are_grouped_and_ordered():
    rows = build_rows(world(), NOW, frozenset({"archived"}))
    sections = [(row.title, row.count) for row in rows if isinstance(row, SectionRow)]
    assert sections == [("Pinned", 1), ("harbor-web", 4), ("harbor-api", 4), ("ingest-worker", 1), ("Archived", 1)]
    assert task_ids(rows)[:5] == ["pay", "vite", "orders", "address", "focus"], "needs you, running, then newest"
    assert task_ids(rows)[5:7] == ["quotes", "audit"]
    opened = build_rows(world(), NOW)
    assert isinstance(opened[-1], TaskRow) and opened[-1].archived and opened[-1].task_id == "old"
    assert "old" not in task_ids(opened)


def test_nothing_moves_under_the_pointer():
    before = build_rows(world(), NOW)
    state = world()
    asking = session_of("focus", NOW, SessionPhase.WAITING, asks=(permission(),))
    new = task_of("new", "A new one", "harbor-web", "fix/new", NOW)
    state = replace(state, sessions={**state.sessions, asking.id: asking}, tasks={**state.tasks, TaskId("new"): new})
    held = task_ids(build_rows(state, NOW, previous=before))
    assert held[1:6] == ["new", "vite", "orders", "address", "focus"]
    free = task_ids(build_rows(state, NOW))
    assert free[1:3] == ["vite", "focus"], "both need you"


def test_a_row_is_spoken_in_full():
    row = next(r for r in build_rows(world(), NOW) if isinstance(r, TaskRow) and r.task_id == "vite")
    assert row.spoken == (
        "Upgrade Vite and drop legacy polyfills, waiting for permission, harbor-web, branch chore/vite-7, "
        "41 added, 206 removed, 1 minute ago"
    )
    assert row.strong


@pytest.mark.parametrize(
    ("words", "state"),
    [
        ("turn 3 · 2 m 41 s", state_of(session_of("t", NOW, SessionPhase.WORKING))),
        ("turn 3 took 2 m 41 s", state_of(session_of("t", NOW))),
        ("turn 3 · after 2 m 41 s", state_of(session_of("t", NOW, stop="error"))),
        ("", state_of()),
    ],
)
def test_turn_and_time_follow_the_word(words, state):
    assert elapsed_words(state, T, NOW) == words


def test_fuzzy_matches_words_before_letters():
    assert match("rev", "Send review to agent").positions == (5, 6, 7)
    assert match("rev", "Review").score > match("rev", "previewCard").score > match("rev", "Run every view").score
    assert match("rev", "Address for server") is None, "letters far apart are chance"
    assert match("ctask", "Create task").positions == (0, 7, 8, 9, 10)
    assert match("task new", "New task") is not None
    assert match("xyz", "New task") is None
    assert match("", "anything").positions == ()
