"""Which rows differ between two states: a pure plan of writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from posthog_code.adapters.storage.codec import encode
from posthog_code.domain.inbox import Inbox
from posthog_code.domain.session import Session
from posthog_code.domain.settings import to_json
from posthog_code.domain.state import AppState

INBOX_PARTS = {"report": "reports", "evidence": "evidence", "triage": "triage"}
"""What the keys of the inbox's rows begin with, and the part of it that they hold."""
Write = tuple[str, tuple[Any, ...]]
"""An SQL statement and its values."""


_MEMORY = frozenset({"changes", "agents", "code_signals"})
"""Parts of the state that no row holds."""


def differ(old: AppState, new: AppState) -> bool:
    """Whether there may be anything to write; quick, since it is asked where the window waits."""
    return any(
        getattr(old, part.name) is not getattr(new, part.name) for part in fields(AppState) if part.name not in _MEMORY
    )


def writes(old: AppState, new: AppState) -> list[Write]:
    """Statements that turn the rows of `old` into those of `new`; only what differs by identity is encoded."""
    plan: list[Write] = []
    plan += _things("repositories", "id, body", old.repositories, new.repositories, lambda r: (encode(r),))
    plan += _things(
        "tasks", "id, repository_id, phase, body", old.tasks, new.tasks, lambda t: (t.repository_id, t.phase, encode(t))
    )
    plan += _things(
        "sessions",
        "id, task_id, phase, body",
        old.sessions,
        new.sessions,
        lambda s: (s.task_id, s.phase, encode(_kept(s))),
    )
    plan += _lists("messages", old.queue, new.queue)
    plan += _lists("comments", old.comments, new.comments)
    plan += _lists("publishing", old.publishing, new.publishing)
    plan += _things("pull_requests", "task_id, body", old.pull_requests, new.pull_requests, lambda p: (encode(p),))
    plan += _things("drafts", "key, text", old.drafts, new.drafts, lambda text: (text,))
    plan += _viewed(old, new)
    if old.account != new.account:
        plan.append(("INSERT OR REPLACE INTO cloud VALUES ('account', ?)", (encode(new.account),)))
    if old.cloud.tasks is not new.cloud.tasks:
        # Each look at the server makes the list fresher; only another list is worth a write.
        plan.append(("INSERT OR REPLACE INTO cloud VALUES ('list', ?)", (encode(new.cloud),)))
    plan += _inbox(old.inbox, new.inbox)
    plan += _things("watches", "task_id, body", old.watches, new.watches, lambda w: (encode(w),))
    if old.telling is not new.telling:
        plan.append(("INSERT OR REPLACE INTO cloud VALUES ('telling', ?)", (encode(new.telling),)))
    if old.settings is not new.settings:
        plan += [
            ("INSERT OR REPLACE INTO settings VALUES (?, ?)", (key, json.dumps(value)))
            for key, value in to_json(new.settings).items()
        ]
    return plan


def _kept(session: Session) -> Session:
    """Pending asks die with the agent that asked: they are not kept."""
    return replace(session, asks=())


def _things(
    table: str, columns: str, old: Mapping[Any, Any], new: Mapping[Any, Any], values: Callable[[Any], tuple[Any, ...]]
) -> Iterator[Write]:
    if old is new:
        return
    key = columns.split(",")[0]
    marks = ", ".join("?" for _ in columns.split(","))
    for name, thing in new.items():
        if old.get(name) is not thing:
            yield f"INSERT OR REPLACE INTO {table} ({columns}) VALUES ({marks})", (name, *values(thing))
    for name in old.keys() - new.keys():
        yield f"DELETE FROM {table} WHERE {key} = ?", (name,)


def _inbox(old: Inbox, new: Inbox) -> Iterator[Write]:
    """A row for each report, evidence and decision: a look at one report does not write hundreds of them."""
    pairs = [(kind, getattr(old, part), getattr(new, part)) for kind, part in INBOX_PARTS.items()]
    if old.project_id != new.project_id or any(before is not after for _, before, after in pairs):
        # Each look at the server makes the list fresher; only another list is worth a write.
        head = replace(new, reports={}, evidence={}, triage={})
        yield "INSERT OR REPLACE INTO cloud VALUES ('inbox', ?)", (encode(head),)
    for kind, before, after in pairs:
        if before is after:
            continue
        for key, thing in after.items():
            if before.get(key) is not thing:
                yield "INSERT OR REPLACE INTO cloud VALUES (?, ?)", (f"{kind}:{key}", encode(thing))
        for key in before.keys() - after.keys():
            yield "DELETE FROM cloud WHERE key = ?", (f"{kind}:{key}",)


def _lists(table: str, old: Mapping[Any, tuple[Any, ...]], new: Mapping[Any, tuple[Any, ...]]) -> Iterator[Write]:
    if old is new:
        return
    for task_id in old.keys() | new.keys():
        before, after = old.get(task_id, ()), new.get(task_id, ())
        if before is after:
            continue
        yield f"DELETE FROM {table} WHERE task_id = ?", (task_id,)
        for position, thing in enumerate(after):
            yield f"INSERT INTO {table} (task_id, position, body) VALUES (?, ?, ?)", (task_id, position, encode(thing))


def _viewed(old: AppState, new: AppState) -> Iterator[Write]:
    if old.viewed is new.viewed:
        return
    for task_id in old.viewed.keys() | new.viewed.keys():
        before, after = old.viewed.get(task_id, {}), new.viewed.get(task_id, {})
        if before is after:
            continue
        yield "DELETE FROM viewed WHERE task_id = ?", (task_id,)
        for path, fingerprint in after.items():
            yield "INSERT INTO viewed VALUES (?, ?, ?)", (task_id, _storable(path), fingerprint)


def _storable(path: str) -> str:
    """SQLite wants valid Unicode; undecodable bytes of a path are escaped the JSON way."""
    return json.dumps(path)
