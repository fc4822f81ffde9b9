"""The commands `watch` and `flaky`: what became of merged changes, and tests that fail by chance."""

from __future__ import annotations

import argparse
import asyncio
import time
from datetime import datetime

from posthog_code.cli.find import find_task
from posthog_code.cli.output import Output
from posthog_code.cli.turn import EXIT_OK
from posthog_code.domain import release_words as words
from posthog_code.domain.errors import NotSignedIn, UserError
from posthog_code.domain.flaky import ENOUGH, FlakyTest, flaky_fingerprint
from posthog_code.domain.ids import TaskId
from posthog_code.domain.pull_request import PullRequestState
from posthog_code.domain.release_watch import Direction, Metric, ReleaseWatch, WatchState
from posthog_code.domain.text import count, duration, plural
from posthog_code.services.app import Services
from posthog_code.services.release_state import leaning
from posthog_code.services.releases import EVERY

EXIT_WORSE, EXIT_ERROR = 1, 2
_UNITS = {"m": 60.0, "h": 3600.0, "d": 86_400.0}


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    watch = commands.add_parser("watch", help="whether a merged change helped: figures after its release and before")
    watch.description = (
        "Exit code 0 when the figures are better or as before (or not told yet), 1 when they are worse, 2 on errors."
    )
    watch.add_argument("id", help="task id, or its beginning")
    watch.add_argument(
        "--released-at", type=moment, default=0.0, metavar="TIME", help="when it was released: ISO time, or 2h for ago"
    )
    watch.add_argument("--once", action="store_true", help="look once; without it, until the outcome is known")
    watch.add_argument("--before", action="store_true", help="what touches the changed code before it is merged")
    watch.add_argument("--json", action="store_true", help="JSON on standard output")
    flaky = commands.add_parser("flaky", help="tests that failed and passed without a change, in tasks here")
    flaky.add_argument("--emit", default="", metavar="ID", help=f"tell PostHog of one that {ENOUGH} tasks have seen")
    flaky.add_argument("--json", action="store_true", help="JSON on standard output")


def moment(text: str) -> float:
    """UNIX time of an ISO time (local without a zone), of UNIX seconds, or of an age like 90m, 2h or 1d."""
    try:
        if text[-1:] in _UNITS:
            return time.time() - float(text[:-1]) * _UNITS[text[-1]]
        if text.replace(".", "", 1).isdigit():
            return float(text)
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write for example 2026-05-04T15:48 or 2h") from None


async def watch(services: Services, options: argparse.Namespace, output: Output) -> int:
    task = find_task(services.store.state, options.id)
    account = await services.account.restore()
    if not account.signed_in:
        raise NotSignedIn(account.problem or "You are not signed in to PostHog.", "Sign in (posthog-code login).")
    if options.before:
        return _print_before(await services.releases.before_merge(task.id), output)
    if options.released_at or task.id not in services.store.state.watches:
        await _read_pull_request(services, task.id)
        await services.releases.begin(task.id, options.released_at)
    told: tuple[object, ...] = ()
    while True:
        before = services.releases.get(task.id).checked_at
        found = await services.releases.check(task.id)
        if (news := (found.state, found.verdict, found.metrics, found.problem)) != told:
            told = news
            _print(found, output)
        open_ended = found.state in (WatchState.WAITING, WatchState.WATCHING)
        if options.once or not open_ended:
            failed = bool(found.problem) and found.checked_at == before and found.state is not WatchState.WAITING
            return EXIT_ERROR if failed else EXIT_WORSE if leaning(found) is Direction.WORSE else EXIT_OK
        await asyncio.sleep(EVERY)


async def _read_pull_request(services: Services, task_id: TaskId) -> None:
    """It may have been merged since anybody looked; without the forge, what is known will do."""
    known = services.store.state.pull_requests.get(task_id)
    if known is None or known.state is not PullRequestState.MERGED:
        try:
            await services.pull_requests.refresh(task_id)
        except UserError:
            pass


def _print(found: ReleaseWatch, output: Output) -> None:
    output.data(
        {
            "task": found.task_id,
            "state": found.state,
            "direction": leaning(found),
            "pull_request": found.pull_request,
            "report": found.report_id,
            "merged_at": found.merged_at,
            "released_at": found.released_at,
            "released_by": found.released_by,
            "until": found.until,
            "checked_at": found.checked_at,
            "verdict": found.verdict,
            "metrics": found.metrics,
            "new_errors": found.new_errors,
            "follow_up": found.follow_up,
            "follow_up_prompt": found.follow_up_prompt,
            "problem": found.problem,
        }
    )
    output.text(_standing(found))
    if found.verdict:
        output.text(found.verdict)
    for metric in found.metrics:
        place = f"  {metric.place}" if metric.place else ""
        detail = f"  ({metric.detail})" if metric.detail else ""
        output.text(f"  {metric.direction.value:<8} {words.change_words(metric)}{detail}{place}")
    for name in found.new_errors:
        output.text(f"  new error: {name}")
    if found.follow_up:
        output.text(f"Follow-up: task {found.follow_up}")
    elif found.follow_up_prompt:
        output.text("A follow-up is suggested: start it in the window.")
    if found.problem:
        output.warning(found.problem)


def _standing(found: ReleaseWatch) -> str:
    if found.state is WatchState.WAITING:
        return "Merged; waiting for the release."
    released = datetime.fromtimestamp(found.released_at).strftime("%Y-%m-%d %H:%M")
    since = f"released {released} ({found.released_by})"
    left = found.until - (found.checked_at or found.released_at)
    if found.state is WatchState.WATCHING:
        return f"Watching, {duration(left)} left; {since}"
    return f"{found.state.value.capitalize()}; {since}"


def _print_before(metrics: tuple[Metric, ...], output: Output) -> int:
    output.data({"before": metrics})
    output.text("In the last 7 days:")
    for metric in metrics:
        detail = f": {metric.detail}" if metric.detail else ""
        output.text(f"  {count(round(metric.before)):>6} {metric.label}{detail}")
    return EXIT_OK


async def flaky(services: Services, options: argparse.Namespace, output: Output) -> int:
    if options.emit:
        await services.account.restore()
        test = await services.emitting.emit_flaky(options.emit)
        output.data(_flaky_row(services, test))
        output.text(f"PostHog knows of {test.test} now.")
        return EXIT_OK
    found = await services.emitting.flaky()
    output.data([_flaky_row(services, test) for test in found])
    if not found:
        output.text("No test failed and passed without a change, as far as the conversations tell.")
    for test in found:
        told = "told" if _flaky_row(services, test)["told"] else "may be told" if len(test.tasks) >= ENOUGH else ""
        output.text(
            f"{test.id}  {plural(len(test.tasks), 'task'):<8} {test.repository:<20} {test.test}  {told}".rstrip()
        )
    return EXIT_OK


def _flaky_row(services: Services, test: FlakyTest) -> dict[str, object]:
    fingerprint = flaky_fingerprint(test, services.account.account.project_id)
    return {
        "id": test.id,
        "test": test.test,
        "framework": test.framework,
        "repository": test.repository,
        "tasks": test.tasks,
        "seen": test.sightings,
        "told": services.emitting.told(fingerprint) is not None,
    }


WATCH_COMMANDS = {"watch": watch, "flaky": flaky}
