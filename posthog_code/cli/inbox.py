"""Commands for the inbox: reports by urgency, what stands behind them, and what becomes of them."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from posthog_code.cli.output import Output, printable
from posthog_code.cli.turn import TurnRunner
from posthog_code.domain import deep_links, inbox_lists
from posthog_code.domain.errors import InvalidInput, NotFound, NotSignedIn, UserError
from posthog_code.domain.ids import RepositoryId, TaskId
from posthog_code.domain.inbox import DISMISSAL_REASONS, Evidence, Report, Score
from posthog_code.domain.inbox_lists import Tab
from posthog_code.domain.text import age, count, duration, plural
from posthog_code.services.app import Services

EXIT_OK = 0
EXIT_NOT_WELL = 1
LONGEST_WEIGHING = 45.0
"""Seconds that a list waits for evidence; what is not there by then is listed without."""
SHOWN = 6
"""Recordings and signals that are printed; JSON has them all."""
_ID = "report id, or its beginning or end"


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    inbox = commands.add_parser("inbox", help="reports that PostHog made of errors, recordings and tickets")
    _list_options(inbox, Tab.FOR_YOU.value, "", False)
    inboxes = inbox.add_subparsers(dest="inbox_command")
    # What is given before the word `list` stays unless it is given again after it.
    _list_options(inboxes.add_parser("list", help="by urgency (the default)"), *[argparse.SUPPRESS] * 3)
    show = inboxes.add_parser("show", help="one report: evidence and the explained score")
    show.add_argument("id", help=_ID)
    _json(show)
    start = inboxes.add_parser("start", help="make a task from a report and run its first turn")
    start.add_argument("id", help=_ID)
    start.add_argument("--cloud", action="store_true", help="in the cloud; it goes on there by itself")
    start.add_argument("--repo", default="", metavar="PATH", help="folder of the repository (default: the report's)")
    start.add_argument("--agent", default="", metavar="ID", help="agent id (default: the one of new tasks)")
    start.add_argument("--agent-command", default="", metavar="CMD", help="command line that starts the agent")
    start.add_argument("--mode", default="", help="permission mode, as the agent calls it")
    start.add_argument(
        "--permissions",
        choices=("allow", "deny", "ask"),
        default="ask",
        help="what to answer when the agent asks; ask needs a terminal (default: ask)",
    )
    start.add_argument("--timeout", type=float, default=0.0, metavar="S", help="stop the turn after S seconds")
    _json(start)
    for name, text in (
        ("snooze", "put reports aside until they have further signals"),
        ("dismiss", "take reports off the list, with the reason"),
        ("restore", "bring snoozed or dismissed reports back"),
    ):
        command = inboxes.add_parser(name, help=text)
        command.add_argument("ids", nargs="+", metavar="ID", help=_ID)
        if name == "snooze":
            command.add_argument("--for", dest="signals", type=int, default=5, metavar="N", help="signals (default: 5)")
        if name == "dismiss":
            command.add_argument("--reason", choices=DISMISSAL_REASONS, default="other")
            command.add_argument("--note", default="", help="a sentence for the others")
        _json(command)


def _list_options(parser: argparse.ArgumentParser, tab: str, search: str, as_json: bool | str) -> None:
    parser.add_argument("--tab", choices=[one.value for one in Tab], default=tab, help="default: for_you")
    parser.add_argument("--search", default=search, help="words that must be in it")
    parser.add_argument("--json", action="store_true", default=as_json, help="JSON on standard output")


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="JSON on standard output")


# -- looking -------------------------------------------------------------------------------------------------------


async def inbox_list(services: Services, options: argparse.Namespace, output: Output) -> int:
    """The list as it was last known when the server cannot be asked, with the reason, and an exit code that says so."""
    stale = await _refreshed(services, output)
    inbox = services.inbox.inbox
    if not stale:
        try:
            async with asyncio.timeout(LONGEST_WEIGHING):
                await services.inbox.weigh()
        except TimeoutError:
            output.warning("PostHog is slow: some reports are listed without their evidence.")
    found = services.inbox.ranked(options.tab, options.search)
    output.data(
        {
            "tab": options.tab,
            "project": inbox.project_id,
            "fetched_at": inbox.fetched_at,
            "problem": services.inbox.inbox.error,
            "counts": services.inbox.counts(),
            "reports": [_row(services, report, score) for report, score in found],
        }
    )
    if not found:
        others = len(services.inbox.ranked(Tab.ALL))
        elsewhere = options.tab == Tab.FOR_YOU and not options.search and others
        output.text(f"Nothing for you. --tab all has {plural(others, 'report')}." if elsewhere else "No reports.")
    now = time.time()
    for report, score in found:
        evidence = services.store.state.inbox.evidence.get(report.id)
        unread = "•" if services.inbox.is_unread(report.id) else " "
        people = f"{count(evidence.people)} people" if evidence and evidence.people else ""
        place = evidence.repository.rpartition("/")[2] if evidence else ""
        tasks = " [task]" if services.inbox.tasks_of(report.id) else ""
        output.text(
            f"{unread} {report.id[-8:]:<8} {score.total:>5.1f}  {report.priority or '-':<2} {_old(report, now):>4}  "
            f"{people:<14} {place:<16} {report.title}{tasks}"
        )
    return EXIT_NOT_WELL if stale else EXIT_OK


async def _refreshed(services: Services, output: Output) -> bool:
    """Whether the list is an old one. Raises when there is none, and when nobody is signed in."""
    try:
        await services.inbox.refresh()
    except NotSignedIn:
        raise
    except UserError as error:
        inbox = services.inbox.inbox
        if not inbox.reports or not inbox.fetched_at:
            raise
        old = age(max(0.0, time.time() - inbox.fetched_at))
        output.warning(printable(f"{error.title} This is the list of {'a moment' if old == 'now' else old} ago."))
        return True
    return False


def _row(services: Services, report: Report, score: Score) -> dict[str, Any]:
    state = services.store.state
    evidence = state.inbox.evidence.get(report.id)
    triage = services.inbox.triage_of(report.id)
    return {
        "id": report.id,
        "title": report.title,
        "status": report.status,
        "priority": report.priority,
        "score": score.total,
        "actionability": report.actionability,
        "already_addressed": report.already_addressed,
        "for_me": report.for_me,
        "sources": report.sources,
        "signals": report.signal_count,
        "people": evidence.people if evidence else None,
        "events": evidence.events if evidence else None,
        "repository": evidence.repository if evidence else "",
        "paths": evidence.paths if evidence else (),
        "unread": services.inbox.is_unread(report.id),
        "snoozed": inbox_lists.is_snoozed(report, triage),
        "snoozed_until_signals": triage.snoozed_signals,
        "dismissed": inbox_lists.is_dismissed(report, triage),
        "dismissal_reason": report.dismissal_reason,
        "pull_request": report.pull_request_url,
        "tasks": services.inbox.tasks_of(report.id),
        "proof": triage.proof,
        "url": services.inbox.url(report.id),
        "created_at": report.created_at,
        "updated_at": report.updated_at,
    }


def _old(report: Report, now: float) -> str:
    since = report.created_at or report.updated_at
    return age(max(0.0, now - since)) if since else "-"


async def inbox_show(services: Services, options: argparse.Namespace, output: Output) -> int:
    report = await _find(services, options.id, output)
    evidence = await services.inbox.load_evidence(report.id)
    await services.inbox.mark_seen(report.id)
    score = services.inbox.score(report.id)
    output.data(
        {
            **_row(services, report, score),
            "summary": report.summary,
            "factors": score.factors,
            "evidence": evidence,
        }
    )
    output.text(f"{report.title}\n{services.inbox.url(report.id)}\n")
    output.text(f"{report.priority or 'not judged'} · {report.status} · {report.actionability.replace('_', ' ')}")
    output.text(f"\nScore {score.total:.0f} of 100")
    for factor in score.factors:
        output.text(f"  {factor.points:>+6.1f}  of {factor.weight:>4.1f}  {factor.label:<24} {factor.value}")
    output.text(f"\n{report.summary.strip()}\n")
    _tell_evidence(evidence, output)
    for task_id in services.inbox.tasks_of(report.id):
        output.text(f"Task {task_id}: {services.store.state.tasks[task_id].title}")
    if proof := services.inbox.triage_of(report.id).proof:
        output.text(f"Resolved: {proof}")
    return EXIT_NOT_WELL if evidence.problem else EXIT_OK


def _tell_evidence(evidence: Evidence, output: Output) -> None:
    if evidence.repository:
        output.text(f"Repository   {evidence.repository}")
    for path in evidence.paths:
        output.text(f"File         {path}")
    for error in evidence.errors:
        figures = f"{count(error.count)}×, {plural(error.people, 'person', 'people')}"
        output.text(f"Error        {error.name}  {error.place}  {figures}")
    for recording in evidence.recordings[:SHOWN]:
        output.text(f"Recording    {duration(recording.duration)}  {recording.what}  {recording.url}")
    _tell_more(len(evidence.recordings), "recording", output)
    for flag in evidence.flags:
        output.text(f"Flag         {flag}")
    for reviewer in evidence.reviewers:
        output.text(f"Reviewer     {reviewer.name}  {reviewer.reason}".rstrip())
    # Errors and recordings are told above, with their figures.
    others = [one for one in evidence.signals if not {"fingerprint", "session_id"} & one.extra.keys()]
    for signal in others[:SHOWN]:
        said = " ".join(signal.content.split())[:160]
        output.text(f"Signal       {signal.source_product.replace('_', ' ')}: {said}")
    _tell_more(len(others), "signal", output)
    if evidence.priority_reason:
        output.text(f"Why          {evidence.priority_reason}")
    if evidence.problem:
        output.text(f"! Not everything could be read: {evidence.problem}")


def _tell_more(number: int, what: str, output: Output) -> None:
    if number > SHOWN:
        output.text(f"             and {plural(number - SHOWN, what)} more")


async def _find(services: Services, words: str, output: Output) -> Report:
    """The report that a person means: of the list, or of the server by its whole id."""
    if deep_links.is_link(words):
        link = deep_links.parse(words)
        if not isinstance(link, deep_links.InboxLink):
            raise InvalidInput("This link leads to no report.", "posthog-code inbox lists them.")
        words = link.report_id
    wanted = words.strip().lower()
    if not wanted:
        raise InvalidInput("Which report?", "posthog-code inbox lists them.")
    await services.account.restore()
    if not _called(services, wanted):
        await _refreshed(services, output)
    found = _called(services, wanted)
    if len(found) > 1:
        raise InvalidInput(f"{words!r} is part of {len(found)} report ids.", "Give more of the id.")
    if found:
        return found[0]
    try:
        return await services.inbox.find(wanted)
    except NotFound as error:
        raise NotFound(f"There is no report {words!r}.", "posthog-code inbox --tab all lists them.") from error


def _called(services: Services, wanted: str) -> list[Report]:
    reports = services.inbox.inbox.reports
    if wanted in reports:
        return [reports[wanted]]
    return [one for key, one in reports.items() if key.startswith(wanted) or (len(wanted) > 3 and key.endswith(wanted))]


# -- acting --------------------------------------------------------------------------------------------------------


async def inbox_start(services: Services, options: argparse.Namespace, output: Output) -> int:
    report = await _find(services, options.id, output)
    if options.cloud and (options.repo or options.agent):
        raise InvalidInput("--cloud chooses repository and agent by itself.", "Leave --repo and --agent out.")
    repository_id = await _repository(services, options.repo) if options.repo else None
    made = await services.inbox.start_task(
        report.id,
        in_cloud=options.cloud,
        repository_id=repository_id,
        agent_id=options.agent or ("custom" if options.agent_command else ""),
        agent_command=options.agent_command,
        mode=options.mode,
    )
    if options.cloud:
        output.data({"event": "task", "cloud_task": made, "report": report.id})
        output.text(f"Started in the cloud: {made}\nposthog-code cloud watch {made} follows it.")
        return EXIT_OK
    task_id = TaskId(made)
    output.data({"event": "task", "task": task_id, "report": report.id})
    runner = TurnRunner(services, task_id, output, options.permissions == "ask", options.timeout)
    runner.attach(new=True)
    return await runner.run()


async def _repository(services: Services, path: str) -> RepositoryId:
    return await services.repositories.add(Path(path))


async def inbox_snooze(services: Services, options: argparse.Namespace, output: Output) -> int:
    ids = await _ids(services, options.ids, output)
    told = await services.inbox.snooze(ids, options.signals)
    return _tell(services, told, f"Snoozed for {plural(options.signals, 'signal')}", output)


async def inbox_dismiss(services: Services, options: argparse.Namespace, output: Output) -> int:
    ids = await _ids(services, options.ids, output)
    return _tell(services, await services.inbox.dismiss(ids, options.reason, options.note), "Dismissed", output)


async def inbox_restore(services: Services, options: argparse.Namespace, output: Output) -> int:
    ids = await _ids(services, options.ids, output)
    return _tell(services, await services.inbox.restore(ids), "Restored", output)


async def _ids(services: Services, words: Sequence[str], output: Output) -> list[str]:
    return [(await _find(services, one, output)).id for one in words]


def _tell(services: Services, outcome: Mapping[str, str], done: str, output: Output) -> int:
    """One line for each; a report that was refused makes the command fail, the others stay done."""
    output.data({"outcome": dict(outcome)})
    for report_id, problem in outcome.items():
        known = services.inbox.inbox.reports.get(report_id)
        title = known.title if known else report_id
        output.text(f"! {title}: {problem}" if problem else f"{done}: {title}")
    return EXIT_NOT_WELL if any(outcome.values()) else EXIT_OK


INBOX_COMMANDS = {
    "inbox": inbox_list,
    "inbox list": inbox_list,
    "inbox show": inbox_show,
    "inbox start": inbox_start,
    "inbox snooze": inbox_snooze,
    "inbox dismiss": inbox_dismiss,
    "inbox restore": inbox_restore,
}
