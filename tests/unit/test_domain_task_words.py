"""One word for how a task stands."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from posthog_code.domain.ids import RepositoryId, SessionId, TaskId
from posthog_code.domain.session import Session, SessionPhase, Turn
from posthog_code.domain.state import AppState
from posthog_code.domain.task import DiffStat, Task, TaskPhase, Workspace
from posthog_code.domain.task_words import Standing, standing, turn_word

T, S = TaskId("t"), SessionId("s")
TASK = Task(T, RepositoryId("r"), "Title", "Prompt", Workspace.WORKTREE, "demo", S, 0.0, 0.0, phase=TaskPhase.READY)
ONE_FILE = DiffStat(1, 2, 3)


@pytest.mark.parametrize(
    ("task", "phase", "reason", "word"),
    [
        ({}, "idle", None, "Idle"),
        ({"stat": ONE_FILE}, "ready", "end_turn", "Ready for review"),
        ({"stat": ONE_FILE, "unread": True}, "ready", "end_turn", "Ready for review"),
        ({"unread": True}, "ready", "end_turn", "Finished"),
        ({"stat": ONE_FILE, "unread": True}, "ready", "cancelled", "Stopped by you"),
        ({}, "interrupted", "interrupted", "Interrupted"),
        ({}, "ready", "error", "Stopped"),
        ({}, "working", "", "Working"),
        ({"phase": TaskPhase.SETTING_UP}, "idle", None, "Setting up"),
        ({"phase": TaskPhase.SETUP_FAILED}, "idle", None, "Setup failed"),
        ({"phase": TaskPhase.ARCHIVED}, "idle", None, "Archived"),
        ({"phase": TaskPhase.DELETED}, "idle", None, "Deleted"),
    ],
)
def test_the_word_of_a_task(task: dict[str, Any], phase: str, reason: str | None, word: str) -> None:
    turns = () if reason is None else (Turn(1, "Prompt", 0.0, stop_reason=reason),)
    session = Session(S, T, "demo", phase=SessionPhase(phase), turns=turns)
    state = AppState(tasks={T: replace(TASK, **task)}, sessions={S: session})
    assert standing(state, state.tasks[T]).word == word


def test_every_standing_has_a_word() -> None:
    assert all(one.word for one in Standing)
    assert (turn_word("end_turn"), turn_word("cancelled"), turn_word("odd")) == ("Done", "Stopped by you", "odd")
