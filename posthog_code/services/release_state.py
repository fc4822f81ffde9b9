"""Where a watch stands, decided without I/O: whether the change is released, and what figures make of the watch."""

from __future__ import annotations

from dataclasses import replace

from posthog_code.domain.release_compare import HOUR, HOURS_AFTER, Comparison
from posthog_code.domain.release_watch import Direction, ReleaseWatch, WatchState
from posthog_code.domain.text import duration
from posthog_code.ports.forge import Landing

GRACE = 600.0
"""Seconds after a merge in which nothing but a deployment or a tag is taken for its release."""
PATIENCE = 24 * HOUR
"""Seconds for which a repository that is known to deploy is waited for."""
AGREED = 120.0
"""Seconds by which clocks may differ without a word."""
SETTLED = 1.0
"""Hours after the release from which on a watch may turn worse before its end."""
AGAIN = 48 * HOUR
"""Seconds after its end in which a watch still tries to tell what it found."""
GIVEN_UP = 7 * 24 * HOUR
"""Seconds after its end in which figures that cannot be read are asked for again."""
LENGTH = HOURS_AFTER * HOUR
OUTCOMES = {
    Direction.BETTER: WatchState.BETTER,
    Direction.SAME: WatchState.SAME,
    Direction.WORSE: WatchState.WORSE,
    Direction.UNKNOWN: WatchState.UNKNOWN,
}


def released(watch: ReleaseWatch, at: float, by: str) -> ReleaseWatch:
    """Watching from `at` on. Figures of another release are forgotten."""
    return replace(
        watch,
        state=WatchState.WATCHING,
        released_at=at,
        released_by=by,
        until=at + LENGTH,
        checked_at=0.0,
        metrics=(),
        series=(),
        new_errors=(),
        verdict="",
        problem="",
    )


def landed(watch: ReleaseWatch, landing: Landing | None, now: float) -> ReleaseWatch:
    """The watch with what the forge tells of the merge; None when it could not be asked."""
    if landing is not None:
        watch = replace(
            watch, commit=landing.commit or watch.commit, merged_at=landing.merged_at or watch.merged_at or now
        )
        if landing.released_at:
            return released(watch, landing.released_at, landing.released_by)
    waited = now - watch.merged_at
    if waited < -AGREED:
        words = f"This machine's clock is {duration(-waited)} behind the forge's: figures come once it agrees."
        return replace(watch, problem=words)
    if waited < GRACE:
        return replace(watch, problem="")
    if landing is not None and landing.deploys and waited < PATIENCE:
        return replace(watch, problem="Merged; no deployment or release contains it yet.")
    return released(watch, watch.merged_at, "merge")


def compared(watch: ReleaseWatch, found: Comparison, now: float, note: str) -> ReleaseWatch:
    """The watch with fresh figures. Before its end it only ever turns worse, and only when two looks agree on the same
    figure: of many looks at chance, one is always extreme."""
    state = watch.state
    if state not in (WatchState.WORSE, WatchState.WAITING):
        if now >= watch.until:
            state = OUTCOMES[found.direction]
        else:
            state = WatchState.WORSE if _agreed(watch, found, now) else WatchState.WATCHING
    return replace(
        watch,
        state=state,
        checked_at=now,
        metrics=found.metrics,
        series=found.series,
        new_errors=found.new_errors,
        verdict=f"It got worse, and recovered. {found.verdict}" if _recovered(state, found) else found.verdict,
        problem=note,
    )


def unread(watch: ReleaseWatch, problem: str, now: float) -> ReleaseWatch:
    """The watch when its figures could not be read. Long after its end it is given up, until somebody asks for it."""
    if watch.state is WatchState.WATCHING and now >= watch.until + GIVEN_UP:
        verdict = watch.verdict or "The figures could not be read."
        return replace(watch, state=WatchState.UNKNOWN, verdict=verdict, problem=problem)
    return replace(watch, problem=problem)


def proves(watch: ReleaseWatch) -> bool:
    """Whether the outcome says that the report's problem is gone: one about errors needs fewer of them, whatever else
    became better."""
    if watch.state is not WatchState.BETTER:
        return False
    errors = next((metric for metric in watch.metrics if metric.id == "errors"), None)
    return not watch.fingerprints or (errors is not None and errors.direction is Direction.BETTER)


def _recovered(state: WatchState, found: Comparison) -> bool:
    return state is WatchState.WORSE and found.direction is not Direction.WORSE


def _agreed(watch: ReleaseWatch, found: Comparison, now: float) -> bool:
    if found.direction is not Direction.WORSE or now - watch.released_at < SETTLED * HOUR or not watch.checked_at:
        return False
    before = {metric.id for metric in watch.metrics if metric.direction is Direction.WORSE}
    return any(metric.id in before for metric in found.metrics if metric.direction is Direction.WORSE)


def leaning(watch: ReleaseWatch) -> Direction:
    """What the figures say so far, whatever the watch's state is."""
    if watch.state not in (WatchState.WAITING, WatchState.WATCHING):
        return Direction(watch.state.value)
    directions = {metric.direction for metric in watch.metrics}
    for direction in (Direction.WORSE, Direction.BETTER, Direction.SAME):
        if direction in directions:
            return direction
    return Direction.UNKNOWN


def wants_a_look(watch: ReleaseWatch, now: float, *, to_tell: bool) -> bool:
    """Whether there is still something to find out, or (`to_tell`) to tell, and not forever."""
    if watch.state in (WatchState.WAITING, WatchState.WATCHING):
        return True
    if watch.state is WatchState.WORSE and now < watch.until:
        return True
    return to_tell and now < watch.until + AGAIN
