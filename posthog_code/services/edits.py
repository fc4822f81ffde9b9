"""Pure edits of the state tree, named after what they do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from posthog_code.domain.ids import SessionId, TaskId
from posthog_code.domain.session import Session
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import Task

TASKS = Topic("tasks")


def task_topics(task_id: TaskId) -> tuple[Topic, Topic]:
    return Topic("task", task_id), TASKS


def put_task(state: AppState, task: Task) -> AppState:
    return replace(state, tasks={**state.tasks, task.id: task})


def edit_task(state: AppState, task_id: TaskId, **fields: Any) -> AppState:
    """The task with other fields; the same state when the task is gone or nothing differs."""
    task = state.tasks.get(task_id)
    if task is None:
        return state
    edited = replace(task, **fields)
    return state if edited == task else put_task(state, edited)


def put_session(state: AppState, session: Session) -> AppState:
    return replace(state, sessions={**state.sessions, session.id: session})


def edit_session(state: AppState, session_id: SessionId, **fields: Any) -> AppState:
    session = state.sessions.get(session_id)
    if session is None:
        return state
    edited = replace(session, **fields)
    return state if edited == session else put_session(state, edited)
