"""What the panel says: states, times, figures."""

from __future__ import annotations

import time
from pathlib import PurePosixPath

from posthog_code.domain.code_signals import CodeSignals
from posthog_code.domain.coverage import Coverage
from posthog_code.domain.coverage_rules import place_name
from posthog_code.domain.inbox import Evidence, Report
from posthog_code.domain.release_watch import Direction, Metric, ReleaseWatch, WatchState
from posthog_code.domain.text import MINUS, count, duration, plural

SIGNAL_KEYS = (
    ("J K", "Next, previous line"),
    ("Return", "Show it in the changes, or open the recording"),
    ("A", "Ask the agent about it"),
    ("B", "Open in PostHog"),
    ("R", "Read the figures again"),
)
"""For the list of keys."""
KIND_ICONS = {
    "flag": "ph.flag",
    "event": "ph.lightning",
    "experiment": "ph.gauge",
    "error": "ph.warning-octagon",
}
KIND_WORDS = {"flag": "Flag", "event": "Event", "experiment": "Experiment", "error": "Error"}
TONES = {
    "good": "status.success",
    "warn": "status.waiting",
    "bad": "status.failed",
    "info": "status.running",
    "neutral": "text.secondary",
}
_STATUS = {
    "potential": ("Gathering", "draft"),
    "candidate": ("Queued", "draft"),
    "in_progress": ("Researching", "running"),
    "pending_input": ("Needs input", "waiting"),
    "failed": ("Research failed", "failed"),
    "suppressed": ("Dismissed", "draft"),
    "resolved": ("Resolved", "merged"),
}
DIRECTION_TOKENS = {
    Direction.BETTER: "status.success",
    Direction.WORSE: "status.failed",
    Direction.SAME: "text.primary",
    Direction.UNKNOWN: "text.muted",
}


def clock(at: float) -> str:
    return time.strftime("%H:%M", time.localtime(at))


def day(at: float) -> str:
    """ "12 Sep"."""
    moment = time.localtime(at)
    return f"{moment.tm_mday} {time.strftime('%b', moment)}"


def report_badge(report: Report, watch: ReleaseWatch | None) -> tuple[str, str, str]:
    """Words, tone and icon of where the report stands."""
    if watch is not None and report.status != "resolved":
        return "Fix released" if watch.released_at else "Fix merged", "merged", "ph.git-merge-bold"
    if report.status == "ready":
        return "In work", "running", ""  # it was ready to start until this task did
    words, tone = _STATUS.get(report.status, (report.status.replace("_", " ").capitalize(), "draft"))
    return words, tone, ""


def watch_badge(watch: ReleaseWatch, now: float) -> tuple[str, str, str]:
    match watch.state:
        case WatchState.WAITING:
            return "Waiting for the release", "draft", "ph.clock"
        case WatchState.WATCHING:
            left = f" · {duration(watch.until - now)} left" if watch.until > now else ""
            return f"Watching{left}", "running", "ph.eye"
        case WatchState.BETTER:
            return "Better than before", "success", "ph.check-bold"
        case WatchState.WORSE:
            return "Worse than before", "failed", "ph.x-bold"
        case WatchState.SAME:
            return "As before", "draft", "ph.eye"
    return "No figures", "draft", "ph.eye"


def watch_note(watch: ReleaseWatch) -> str:
    if watch.state is WatchState.WAITING:
        return f"merged at {clock(watch.merged_at)}" if watch.merged_at else ""
    return "compares 24 h after the release with the week before"


def change(metric: Metric) -> str:
    """The big figure of a metric: "−97 %", "0", "×2.4"."""
    if metric.id == "new_errors":
        return count(round(metric.after))
    if not metric.before:
        return figure(metric.after) if metric.after else "0"
    share = metric.after / metric.before - 1
    if share >= 1.5:
        return f"×{metric.after / metric.before:.1f}"
    percent = round(abs(share) * 100)
    return f"{MINUS if share < 0 and percent else '+' if percent else ''}{percent} %"


def figure(value: float) -> str:
    return count(round(value)) if value >= 10 or value == int(value) else f"{value:.1f}"


def caption(metric: Metric) -> str:
    """What is compared, and both figures."""
    if metric.id == "new_errors":
        return metric.label
    if metric.id.startswith("funnel:"):
        return f"{metric.label}, {metric.before * 100:.0f} % to {metric.after * 100:.0f} %"
    if not metric.before and not metric.after:
        return f"{metric.label}, none"
    return f"{metric.label}, {figure(metric.before)} to {figure(metric.after)}"


def row_caption(metric: Metric) -> str:
    """The caption as a line of its own. Names of the code keep their letters."""
    said = caption(metric)
    return said if ":" in metric.id else said[:1].upper() + said[1:]


def rows_note(signals: CodeSignals) -> str:
    """ "2 flags, 3 events"."""
    parts = []
    for kind, word in (("flag", "flag"), ("event", "event"), ("experiment", "experiment"), ("error", "error")):
        names = {row.name for row in signals.rows if row.kind == kind}
        if names:
            parts.append(plural(len(names), word))
    return ", ".join(parts)


def touched(signals: CodeSignals) -> str:
    """What real people meet in the changed code, in one sentence; "" when nothing is known."""
    facts = signals.facts
    if not facts.errors and not facts.recordings:
        return ""
    times, people = sum(error.count for error in facts.errors), max((e.people for e in facts.errors), default=0)
    parts = []
    if facts.errors:
        words = f"{count(times)} {'error' if times == 1 else 'errors'}"
        parts.append(f"{words} for {count(people)} {'person' if people == 1 else 'people'}" if people else words)
    if facts.recordings:
        parts.append(f"{count(facts.recordings)} recorded {'session' if facts.recordings == 1 else 'sessions'}")
    return f"In 7 days {' and '.join(parts)} passed through this code."


def coverage_words(coverage: Coverage) -> tuple[str, str, str]:
    """ "4 of 5", what they do, and what is missing."""
    places = coverage.places
    missing = [place_name(place) for place in places if not place.covered]
    told = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
    verb = "sends" if 1 in (coverage.covered, len(places)) else "send"
    paths = "changed path" if len(places) == 1 else "changed paths"
    return (
        f"{coverage.covered} of {len(places)}",
        f"{paths} {verb} an event.",
        f"Missing: {told}" if told else "",
    )


def where(path: str, line: int) -> str:
    return f"{PurePosixPath(path).name}:{line}" if line else PurePosixPath(path).name


def recordings_left(evidence: Evidence, shown: int) -> str:
    left = len(evidence.recordings) - shown
    return f"{plural(left, 'more recording')}" if left > 0 else ""


def clip(seconds: float) -> str:
    """Length of a recording: "2:18"."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}" if seconds else ""
