"""Which runs wait for a person, of those that nobody watches: the list does not say, the end of their log does."""

from __future__ import annotations

from collections.abc import Iterable

from posthog_code.domain.cloud import CloudTask
from posthog_code.domain.cloud_entries import Frame, extension, frame_of
from posthog_code.domain.cloud_parse import mapping
from posthog_code.domain.errors import Offline, RateLimited, UserError
from posthog_code.ports.cloud import Cloud

LOOKED_AT = 40
"""Entries at the end of a log: a run that waits says nothing more."""
TASKS = 6
"""Looked at with each refresh; two requests each."""


async def waiting(cloud: Cloud, tasks: Iterable[CloudTask]) -> dict[str, bool]:
    """For each of the first few tasks, whether its run waits for an answer. Raises Offline and RateLimited."""
    found: dict[str, bool] = {}
    for task in list(tasks)[:TASKS]:
        if task.run is None:
            continue
        try:
            first = await cloud.session_log(task.id, task.run.id, 0, 1)
            start = max(0, first.total - LOOKED_AT)
            page = await cloud.session_log(task.id, task.run.id, start, LOOKED_AT)
        except (Offline, RateLimited):
            raise
        except UserError:
            continue
        found[task.id] = asks(frame for entry in page.entries if (frame := frame_of(entry)) is not None)
    return found


def asks(frames: Iterable[Frame]) -> bool:
    """Whether these frames, the last ones of a log, leave a request of the agent unanswered."""
    unanswered: set[str] = set()
    for frame in frames:
        if frame.get("method") == "session/request_permission" and "id" in frame:
            unanswered.add(str(frame["id"]))
        elif "outcome" in mapping(frame.get("result")):
            unanswered.discard(str(frame.get("id")))
        elif extension(frame) in ("turn_complete", "permission_response") or "stopReason" in mapping(
            frame.get("result")
        ):
            unanswered.clear()
    return bool(unanswered)
