"""Events of a live stream: their order, and what a word about the run's state adds to what is known."""

from __future__ import annotations

import re
from dataclasses import replace

from posthog_code.domain.cloud import CloudRunInfo
from posthog_code.ports.cloud import StreamEvent

_ID = re.compile(r"^(\d{1,20})-(\d{1,20})$")


def in_order(batch: list[StreamEvent]) -> list[StreamEvent]:
    """By their ids, where all of them tell; else as they came."""
    orders = [order_of(event.id) for event in batch]
    if all(order is not None for order in orders):
        pairs = sorted(zip(orders, range(len(batch)), strict=True))
        return [batch[index] for _, index in pairs]
    return batch


def merged(known: CloudRunInfo, told: CloudRunInfo) -> CloudRunInfo:
    """What a state event says on top of what is known: it has only some of the keys."""
    return replace(
        known,
        status=told.status or known.status,
        stage=told.stage or known.stage,
        branch=told.branch or known.branch,
        pr_url=told.pr_url or known.pr_url,
        error=told.error or known.error,
        output={**known.output, **told.output},
        updated_at=told.updated_at,
        completed_at=told.completed_at or known.completed_at,
    )


def order_of(event_id: str) -> tuple[int, int] | None:
    match = _ID.match(event_id)
    return (int(match[1]), int(match[2])) if match else None
