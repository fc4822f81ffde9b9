"""What another program wrote to the data folder, taken into the state that is held in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from posthog_code.domain.session import Session
from posthog_code.domain.state import AppState, Topic

Topics = Callable[[Any, Any], tuple[Topic, ...]]
"""From a row's key and the row (None when it is gone) to what its listeners are told."""


def merged(mine: AppState, disk: AppState) -> tuple[AppState, frozenset[Topic]]:
    """The rows on disk, and what differs from `mine`.

    Rows that are equal keep their identity, so that the next save does not write them again. What is only in memory
    (changes in view, agents, pending asks) stays.
    """
    told: set[Topic] = set()

    def rows(
        ours: Mapping[Any, Any], theirs: Mapping[Any, Any], topics: Topics, same: Callable[[Any, Any], bool] = _equal
    ) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        for key, row in theirs.items():
            kept = key in ours and same(ours[key], row)
            result[key] = ours[key] if kept else row
            if not kept:
                told.update(topics(key, row))
        for key in ours.keys() - theirs.keys():
            if ours[key]:
                told.update(topics(key, ours[key]))
        return result

    def by_task(kind: str) -> Topics:
        return lambda key, _row: (Topic(kind, key), Topic("task", key))

    state = replace(
        mine,
        repositories=rows(mine.repositories, disk.repositories, lambda _key, _row: (Topic("repositories"),)),
        tasks=rows(mine.tasks, disk.tasks, lambda key, _row: (Topic("tasks"), Topic("task", key))),
        sessions=rows(mine.sessions, disk.sessions, _session_topics, _same_session),
        queue=rows(mine.queue, disk.queue, by_task("queue")),
        comments=rows(mine.comments, disk.comments, by_task("comments")),
        viewed=rows(mine.viewed, disk.viewed, by_task("viewed")),
        drafts=rows(mine.drafts, disk.drafts, lambda _key, _row: (Topic("drafts"),)),
        pull_requests=rows(mine.pull_requests, disk.pull_requests, by_task("pull_request")),
        publishing=rows(mine.publishing, disk.publishing, by_task("publish")),
        watches=rows(mine.watches, disk.watches, by_task("watch")),
    )
    if disk.settings != mine.settings:
        told.add(Topic("settings"))
        state = replace(state, settings=disk.settings)
    if disk.account != mine.account:
        told.add(Topic("account"))
        state = replace(state, account=disk.account)
    if disk.telling != mine.telling:
        told.add(Topic("telling"))
        state = replace(state, telling=disk.telling)
    if disk.inbox.triage != mine.inbox.triage:
        # What a person decided in another program; reports and evidence are only copies of the server's.
        told.add(Topic("inbox"))
        state = replace(state, inbox=replace(state.inbox, triage=disk.inbox.triage))
    return (state, frozenset(told)) if told else (mine, frozenset())


def _equal(one: object, other: object) -> bool:
    return one == other


def _same_session(one: Session, other: Session) -> bool:
    """Pending asks are not kept on disk."""
    return replace(one, asks=()) == replace(other, asks=())


def _session_topics(_key: Any, session: Session) -> tuple[Topic, ...]:
    return Topic("session", session.task_id), Topic("task", session.task_id), Topic("tasks")
