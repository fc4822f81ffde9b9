"""What the state of a flag, an event, an experiment or an error is called, and what can be done about it."""

from __future__ import annotations

from dataclasses import dataclass

from posthog_code.domain.product import CodeError, EventFacts, Experiment, Flag, ProductFacts
from posthog_code.domain.text import age, count, one_line, plural

DAY = 86_400.0
STALE_AFTER = 30 * DAY
"""Seconds that a flag is on for everyone until it is called stale."""
WEEK = 7 * DAY

ACTIVE, INACTIVE, STALE, NEW = "Active", "Inactive", "Stale", "New in this task"
MISSING, UNVERIFIED, REMOVED, COMPLETE = "Not in this project", "Unverified", "Removed", "Experiment complete"


@dataclass(frozen=True, slots=True)
class Standing:
    """The words of a row; all of them "" while nothing is known."""

    figure: str = ""
    state: str = ""
    tone: str = "neutral"
    detail: str = ""
    ask: str = ""


def reference_time(now: float, facts: ProductFacts) -> float:
    """This machine's time, corrected where the project's own times say that it must be wrong.

    No flag was made in the future. An event that the server counted in its last seven days was last seen in them, so
    seven days after the newest of those is the latest that it can be. An hour is let pass. What devices say of when
    something was seen is not believed the other way round: their clocks may be ahead."""
    made = max((flag.created_at for flag in facts.flags.values()), default=0.0)
    if made > now + 3600:
        return made
    seen = [event.last_seen for event in facts.events.values() if event.week and event.last_seen]
    return max(seen) + WEEK if seen and now > max(seen) + WEEK + 3600 else now


def flag_state(flag: Flag, experiment: Experiment | None, now: float) -> Standing:
    """`now` is UNIX time in seconds."""
    figure, detail = _flag_figure(flag), _flag_detail(flag, experiment)
    key = f"`{flag.key}`"
    if flag.deleted:
        ask = f"The feature flag {key} was deleted in PostHog. Remove its check and keep what happens without it."
        return Standing("deleted", MISSING, "bad", detail, ask)
    if not flag.active:
        ask = f"The feature flag {key} is switched off for everyone. Remove its check and the code behind it."
        return Standing("off for all", INACTIVE, "warn", detail, ask)
    if experiment is not None and _ended(experiment, now):
        conclusion = one_line(experiment.conclusion, 60)
        won = f" It was concluded as {conclusion}." if conclusion else ""
        ask = (
            f"The experiment “{one_line(experiment.name, 120) or flag.key}” on the flag {key} has ended.{won} "
            "Keep the variant that won, and remove the check and the other variants."
        )
        return Standing(figure, COMPLETE, "warn", detail, ask)
    days = stale_days(flag, now)
    if days and experiment is None:
        ask = (
            f"The feature flag {key} has been on for everyone for {plural(days, 'day')}. "
            "Remove the check, keep what happens with the flag on, and delete what it hid."
        )
        return Standing(figure, f"{STALE}, {plural(days, 'day')}", "warn", detail, ask)
    return Standing(figure, ACTIVE, "good", detail)


def stale_days(flag: Flag, now: float) -> int:
    """Whole days since a flag that is on for everyone, unconditionally and alike, was made; 0 when it is not stale."""
    alike = not flag.variants or any(variant.rollout >= 100 for variant in flag.variants)
    full = flag.rollout is not None and flag.rollout >= 100 and not flag.conditional
    if not (flag.active and full and alike and flag.created_at > 0) or flag.kind == "remote_config":
        return 0
    since = now - flag.created_at
    return int(since // DAY) if since > STALE_AFTER else 0


def event_state(event: EventFacts, *, partial: bool) -> Standing:
    """`partial`: the figures are not known, or are those of an earlier time."""
    partial = partial and not event.volume
    figure = "" if partial else plural(event.week, "event")
    detail = _event_detail(event, partial)
    if event.name.startswith("$"):
        return Standing(figure, ACTIVE, "good", detail)
    if not event.verified:
        ask = (
            f"The event `{event.name}` is not verified in PostHog. Check that its name and properties follow the "
            "convention of the other events in this repository, that it is sent exactly once for what it says, and "
            "correct it where it does not. Tell me when the name is right, so that it can be verified."
        )
        return Standing(figure, UNVERIFIED, "warn", detail, ask)
    if not partial and not event.volume and not event.week:
        ask = f"The event `{event.name}` has not been sent for 30 days. Find out whether this code is still reached."
        return Standing(figure, INACTIVE, "warn", detail, ask)
    return Standing(figure, ACTIVE, "good", detail)


def experiment_state(experiment: Experiment, now: float) -> Standing:
    if _ended(experiment, now):
        ended = _ago(now, experiment.ended_at)
        return Standing(f"ended {ended}".strip(), COMPLETE, "warn", one_line(experiment.conclusion))
    if experiment.started_at <= 0 or experiment.started_at > now + DAY:
        return Standing("not started", "Draft", "neutral", "")
    days = max(0, int((now - experiment.started_at) // DAY))
    return Standing(f"running {plural(days, 'day')}", ACTIVE, "good", "")


def error_state(error: CodeError, now: float, *, changed: bool) -> Standing:
    """`changed`: the line is one that the task changes."""
    people = plural(error.people, "person", "people")
    where = "on a line that this task changes" if changed else "in a file that this task changes"
    seen = f"last seen {_ago(now, error.last_seen)}" if error.last_seen else ""
    detail = ", ".join(filter(None, (f"{people}, {where}", seen)))
    # Whoever makes a program fail can choose the name: it must not end the quotation.
    name = one_line(error.name, 120).replace("`", "'")
    ask = (
        f"In production `{name}` was raised here {plural(error.count, 'time')} in seven days, "
        f"for {people}. "
        "Find the cause and correct it, with a test, or say why this task does not touch it."
    )
    return Standing(plural(error.count, "error"), people, "bad", detail, ask)


def missing_state(kind: str, name: str, *, new: bool, elsewhere: str = "") -> Standing:
    """Of a flag or event that the project does not have; `new` when the task is the first to use it."""
    figure = "0 events" if kind == "event" else ""
    if elsewhere:
        ask = (
            f"The feature flag `{name}` is not in this PostHog project, but in “{one_line(elsewhere, 120)}”. "
            "Check which project this code sends to, and whether the key is right."
        )
        return Standing(figure, MISSING, "bad", f"The project {elsewhere} has a flag of this key.", ask)
    if new:
        detail = "This task is the first to use it." + (
            " Make the flag in PostHog before this is released: until then it is off." if kind == "flag" else ""
        )
        return Standing(figure, NEW, "info", detail)
    thing = "feature flag" if kind == "flag" else "event"
    ask = (
        f"The {thing} `{name}` is not in PostHog. Find out whether its name is misspelt or it is not used any more, "
        "and correct or remove it."
    )
    return Standing(figure, MISSING, "bad", "", ask)


def removed_state(kind: str, name: str, known: Standing) -> Standing:
    """Of a use that the task takes out; `known` is what would be said of it otherwise."""
    if kind == "event" and known.figure and not known.figure.startswith("0 "):
        ask = (
            f"This change does not send the event `{name}` any more, which had {known.figure} in the last seven days. "
            "If that is not meant, send it again; else say which event takes its place."
        )
        return Standing(known.figure, REMOVED, "warn", known.detail, ask)
    return Standing(known.figure, REMOVED, "neutral", known.detail)


def _flag_figure(flag: Flag) -> str:
    if flag.rollout is None:
        return "by condition"
    rollout = _percent(flag.rollout)
    if flag.variants:
        return f"{plural(len(flag.variants), 'variant')}, {rollout}"
    if flag.rollout >= 100 and not flag.conditional:
        return f"{rollout} on for all"
    return f"{rollout} and by condition" if flag.conditional else f"{rollout} of all"


def _flag_detail(flag: Flag, experiment: Experiment | None) -> str:
    parts = [flag.name.strip()] if flag.name.strip() and flag.name.strip() != flag.key else []
    if flag.variants:
        parts.append(", ".join(f"{variant.key} {_percent(variant.rollout)}" for variant in flag.variants))
    elif flag.kind == "remote_config":
        parts.append("Remote config")
    if flag.evaluations:
        parts.append(f"{plural(flag.evaluations, 'check')} in 7 days")
    if experiment is not None:
        parts.append(f"Experiment: {experiment.name or flag.key}")
    return " · ".join(parts)


def _event_detail(event: EventFacts, partial: bool) -> str:
    parts = [event.description.strip()] if event.description.strip() else []
    if not partial:
        parts.append(f"{count(event.volume)} in 30 days from {plural(event.people, 'person', 'people')}")
    if event.tags:
        parts.append(", ".join(event.tags))
    if event.hidden:
        parts.append("hidden")
    return " · ".join(parts)


def _percent(share: float) -> str:
    return f"{share:.1f}".removesuffix(".0") + " %"


def _ended(experiment: Experiment, now: float) -> bool:
    return 0 < experiment.ended_at <= now + DAY


def _ago(now: float, then: float) -> str:
    if then <= 0:
        return ""
    words = age(max(0.0, now - then))
    return "just now" if words == "now" else f"{words} ago"
