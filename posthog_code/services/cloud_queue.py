"""The durable queue of a cloud task: of several programs on one data folder, one sends a message."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from posthog_code.domain.ids import MessageId, TaskId
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import QueuedMessage
from posthog_code.ports.clock import Clock
from posthog_code.services import edits
from posthog_code.services.store import Store

CLAIM = 900.0
"""Seconds that a message is left to a program that seems to run still: its number may be another one's by now."""
_here: set[str] = set()
"""Those who send in this program."""


def enter(token: str) -> str:
    """A name to send under, until `leave`."""
    name = f"{os.getpid()}-{token}"
    _here.add(name)
    return name


def leave(name: str) -> None:
    _here.discard(name)


def _lives(name: str) -> bool:
    number = name.partition("-")[0]
    if number == str(os.getpid()):
        return name in _here
    try:
        os.kill(int(number), 0)
    except (ValueError, ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


async def claim(store: Store, clock: Clock, task_id: TaskId, ids: Collection[MessageId], sender: str) -> bool:
    """Whether these messages are ours to send: all of them still wait, and no other program is at it."""

    def change(state: AppState) -> AppState:
        now, waiting = clock.now(), state.queue.get(task_id, ())
        free = {m.id for m in waiting if m.sender in ("", sender) or m.sender_until < now or not _lives(m.sender)}
        if not free.issuperset(ids):
            return state
        taken = tuple(replace(m, sender=sender, sender_until=now + CLAIM) if m.id in ids else m for m in waiting)
        return replace(state, queue={**state.queue, task_id: taken})

    await store.update(change, Topic("queue", task_id))
    return {m.id for m in store.state.queue.get(task_id, ()) if m.sender == sender}.issuperset(ids)


async def take_out(store: Store, clock: Clock, task_id: TaskId, ids: Collection[MessageId]) -> None:
    """They are in the cloud."""

    def change(state: AppState) -> AppState:
        left = tuple(m for m in state.queue.get(task_id, ()) if m.id not in ids)
        state = replace(state, queue={**state.queue, task_id: left})
        return edits.edit_task(state, task_id, updated_at=clock.now(), unread=False)

    await store.update(change, Topic("queue", task_id), *edits.task_topics(task_id))


def combined(batch: Iterable[QueuedMessage]) -> str:
    return "\n\n".join(m.text.strip() for m in batch if m.text.strip())


def unsettled(
    notes: Iterable[tuple[str, dict[str, Any]]], ids: Collection[MessageId], run_id: str
) -> dict[str, Any] | None:
    """The note of a try that left this machine for this run without an end that is known."""
    pending: dict[str, Any] | None = None
    for name, params in notes:
        messages = params.get("messages")
        if isinstance(messages, list) and not set(ids).isdisjoint(messages):
            pending = params if name == "sending" and params.get("run") == run_id else None
    return pending
