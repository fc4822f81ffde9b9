"""Commands for PostHog's cloud: sign-in, tasks, live runs."""

from __future__ import annotations

import argparse
import getpass
import signal
import sys
import webbrowser
from functools import partial
from typing import Any

from posthog_code.cli.find import find_cloud_task
from posthog_code.cli.output import Output, plain
from posthog_code.domain import cloud_lists
from posthog_code.domain.cloud import CloudTask
from posthog_code.domain.cloud_lists import CloudFilter
from posthog_code.domain.errors import InvalidInput, NotFound
from posthog_code.domain.ids import RequestId, TaskId
from posthog_code.domain.session import Ask
from posthog_code.domain.text import age
from posthog_code.domain.transcript import AgentText, AskItem, Notice, ToolCall, Transcript, TurnFooter, UserMessage
from posthog_code.ports.cloud import SignIn
from posthog_code.services.app import Services
from posthog_code.services.cloud_link import Link

EXIT_OK = 0
EXIT_NOT_WELL = 1
_SIGN_AFTER, _SEND_WAIT = 3.0, 600.0
"""Seconds until a message that waits says so, and until the command ends without it."""


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    login = commands.add_parser("login", help="sign in to PostHog")
    login.add_argument("--region", default="us", help="us, eu, or the URL of a PostHog of your own (default: us)")
    login.add_argument(
        "--api-key",
        nargs="?",
        const="-",
        default="",
        metavar="-",
        help="with a personal API key, which is asked for, or read from standard input; without signing in the "
        "commands take the one in POSTHOG_API_KEY",
    )
    _json(login)
    _json(commands.add_parser("logout", help="sign out of PostHog"))
    whoami = commands.add_parser("whoami", help="who is signed in, and with which project")
    whoami.add_argument("--project", type=int, default=0, metavar="ID", help="work with this project from now on")
    _json(whoami)
    cloud = commands.add_parser("cloud", help="tasks in the cloud").add_subparsers(dest="cloud_command", required=True)
    listing = cloud.add_parser("list", help="the tasks of the project")
    listing.add_argument("--filter", choices=[one.value for one in CloudFilter], default=CloudFilter.ALL.value)
    listing.add_argument("--search", default="", help="words that must be in it")
    _json(listing)
    for name, text in (
        ("show", "one task with its conversation so far"),
        ("watch", "follow a run until it ends"),
        ("send", "send a follow-up; a finished run goes on as a new one"),
        ("stop", "stop the running turn"),
        ("answer", "answer a permission or question"),
    ):
        command = cloud.add_parser(name, help=text)
        command.add_argument("id", help="task id, or its beginning or end, or its short name (WEB-12)")
        if name == "send":
            command.add_argument("message")
            command.add_argument("--attach", action="append", default=[], metavar="FILE", help="send a file along")
        if name == "answer":
            command.add_argument("option", help="the option's id, or the beginning of its name")
        if name == "stop":
            command.add_argument("--end", action="store_true", help="end the run and its sandbox")
        if name == "watch":
            command.add_argument("--turn", action="store_true", help="stop at the end of the turn, or when it asks")
        _json(command)


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="JSON on standard output")


async def login(services: Services, options: argparse.Namespace, output: Output) -> int:
    key = _read_key() if options.api_key == "-" else options.api_key
    if options.api_key and not key:
        raise InvalidInput("No API key was given.", "Type it, or pass it on standard input.")
    if key and key == options.api_key:
        output.warning(
            "Other people on this machine can see this key in the list of processes, and the shell keeps it in its "
            "history. Better: --api-key alone, which asks for it."
        )

    def open_browser(url: str) -> bool:
        sys.stderr.write(f"Sign in here if no browser opens:\n  {url}\n")
        return webbrowser.open(url)

    await services.account.sign_in(SignIn(options.region, key), open_browser)
    return _tell_account(services, output)


def _read_key() -> str:
    """One line of standard input; of a terminal without showing it."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().strip()
    # The loop's own handler only notes a Ctrl+C, and the read would go on.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return getpass.getpass("Personal API key: ").strip()
    except EOFError:
        return ""
    finally:
        signal.signal(signal.SIGINT, before)


async def logout(services: Services, options: argparse.Namespace, output: Output) -> int:
    told = await services.account.sign_out()
    output.data({"signed_out": True, "revoked": told})
    output.text(
        "Signed out." if told else "Signed out here. PostHog could not be told: revoke the app in its settings."
    )
    return EXIT_OK


async def whoami(services: Services, options: argparse.Namespace, output: Output) -> int:
    await services.account.restore()
    if options.project:
        await services.account.choose_project(options.project)
    return _tell_account(services, output)


def _tell_account(services: Services, output: Output) -> int:
    account = services.account.account
    output.data(
        {
            "signed_in": account.signed_in,
            "host": account.host,
            "login": account.login,
            "user": account.user,
            "organizations": account.organizations,
            "projects": account.projects,
            "project": account.project_id,
            "kept": account.kept,
            "problem": account.problem,
        }
    )
    if not account.signed_in:
        output.text(account.problem or "Not signed in. posthog-code login signs in.")
        return EXIT_NOT_WELL
    output.text(f"{account.user.label} <{account.user.email}> on {account.host} ({account.login})")
    for project in account.projects:
        mark = "*" if project.id == account.project_id else " "
        output.text(f" {mark} {project.id}  {project.name}")
    if account.problem:
        output.text(f"! {account.problem}")
    return EXIT_OK


async def cloud_list(services: Services, options: argparse.Namespace, output: Output) -> int:
    await services.cloud.refresh()
    me = services.account.account.user
    found = cloud_lists.shown(services.cloud.list.tasks, CloudFilter(options.filter), me, options.search)
    output.data([_row(services, task) for task in found])
    if not found:
        output.text("No tasks.")
    for task in found:
        unread = "•" if cloud_lists.is_unread(task) else " "
        state = cloud_lists.word(task).value
        old = age(max(0.0, services.cloud.list.fetched_at - task.updated_at))
        output.text(
            f"{unread} {task.slug or task.id[:8]:<10} {state:<10} {old:>4}  {task.repository:<20} {task.origin:<16} "
            f"{task.creator.label:<14} {task.title}"
        )
    return EXIT_OK


def _row(services: Services, task: CloudTask) -> dict[str, Any]:
    run = task.run
    ours = services.cloud.opened(task.id)
    return {
        "id": task.id,
        "slug": task.slug,
        "title": task.title,
        "repository": task.repository,
        "local_repository": cloud_lists.local_repository(task.repository, services.store.state.repositories.values()),
        "origin": task.origin,
        "creator": task.creator,
        "state": cloud_lists.word(task).value,
        "unread": cloud_lists.is_unread(task),
        "run": run.id if run else "",
        "branch": run.branch if run else "",
        "pull_request": run.pr_url if run else "",
        "error": run.error if run else "",
        "task": ours.id if ours else "",
        "created_at": task.created_at,
        "updated_at": task.updated_at,
    }


async def _open(services: Services, words: str) -> TaskId:
    """Our task for what the person calls a cloud task."""
    return await services.cloud.open(await find_cloud_task(services, words))


async def cloud_show(services: Services, options: argparse.Namespace, output: Output) -> int:
    task_id = await _open(services, options.id)
    await _caught_up(services, task_id)
    session = services.sessions.cloud(task_id)
    items = session.stream.transcript.items
    shown = services.cloud.list.tasks.get(session.task.cloud_task_id)
    output.data(
        {
            "task": _row(services, shown) if shown else {},
            "phase": services.store.state.sessions[session.task.session_id].phase,
            "asks": session.session.asks,
            "transcript": [{"type": type(item).__name__, **_plain(item)} for item in items],
        }
    )
    output.text(session.task.title)
    for item in items:
        _tell_item(item, output)
    for ask in session.session.asks:
        _tell_ask(ask, output)
    return EXIT_OK


async def _caught_up(services: Services, task_id: TaskId) -> None:
    """Until the session shows what there is. Raises why it cannot."""
    session = services.sessions.cloud(task_id)
    session.watch()
    settled = (Link.LIVE, Link.OVER, Link.LOST, Link.GONE)
    await session.until(lambda: session.link_state in settled or not session.task.cloud_run_id, 90.0)
    if session.problem is not None and session.link_state in (Link.LOST, Link.GONE):
        raise session.problem
    await session.settled()


async def cloud_watch(services: Services, options: argparse.Namespace, output: Output) -> int:
    task_id = await _open(services, options.id)
    session = services.sessions.cloud(task_id)
    told = 0
    asked: set[RequestId] = set()
    await _caught_up(services, task_id)
    while True:
        items = session.stream.transcript.items
        # The last row may still grow.
        whole = len(items) if session.over or not session.stream.transcript.running else max(0, len(items) - 1)
        for item in items[told:whole]:
            output.data({"type": type(item).__name__, **_plain(item)})
            _tell_item(item, output)
        told = max(told, whole)
        if session.problem is not None and session.link_state in (Link.LOST, Link.GONE):
            raise session.problem
        asks = [one.ask for one in session.facts.asks.values()]
        for ask in asks:
            if ask.id not in asked:
                asked.add(ask.id)
                output.data({"type": "Ask", **_plain(ask)})
                _tell_ask(ask, output)
        if session.over or (options.turn and (session.ready or asks)):
            break
        moved = partial(_moved, session.stream.transcript, session.stream.transcript.rev)
        await session.until(moved, 5.0)
    info = session.info
    output.text(f"-- {info.status if info else 'unknown'} {info.pr_url if info else ''}".rstrip())
    return EXIT_OK if info is None or info.status != "failed" else EXIT_NOT_WELL


def _moved(transcript: Transcript, rev: int) -> bool:
    return transcript.rev != rev


async def cloud_send(services: Services, options: argparse.Namespace, output: Output) -> int:
    task_id = await _open(services, options.id)
    await _caught_up(services, task_id)
    session = services.sessions.cloud(task_id)
    await services.sessions.prompt(task_id, options.message, tuple(options.attach))
    sent = await session.until(lambda: session.stuck or _is_sent(services, task_id), _SIGN_AFTER)
    if not sent:
        asks = bool(session.facts.asks)
        output.warning(
            "The agent waits for an answer first (posthog-code cloud answer). The message goes out after it."
            if asks
            else "The agent is at work. The message goes out when its turn ends."
        )
        await session.until(lambda: session.stuck or _is_sent(services, task_id), _SEND_WAIT)
    sent = _is_sent(services, task_id)
    if session.problem is not None and not sent:
        raise session.problem
    output.data({"sent": sent, "run": session.task.cloud_run_id})
    output.text(
        "Sent." if sent else "Not sent yet: it is kept, and sent by the window or the next command on this task."
    )
    return EXIT_OK if sent else EXIT_NOT_WELL


def _is_sent(services: Services, task_id: TaskId) -> bool:
    return not services.store.state.queue.get(task_id)


async def cloud_stop(services: Services, options: argparse.Namespace, output: Output) -> int:
    task_id = await _open(services, options.id)
    if options.end:
        task = services.store.state.tasks[task_id]
        cloud = services.account.cloud_of(task)
        run = await cloud.run(task.cloud_task_id, task.cloud_run_id) if task.cloud_run_id else None
        if goes_on := run is not None and not run.over:
            await services.cloud.end_run(task_id, "ended from the command line")
    else:
        await _caught_up(services, task_id)
        session = services.sessions.cloud(task_id)
        if goes_on := not session.over and (session.stream.transcript.running or bool(session.facts.asks)):
            await services.sessions.stop(task_id)
    output.data({"stopped": goes_on})
    words = ("The run ends.", "The run is over already.") if options.end else ("The turn stops.", "No turn runs.")
    output.text(words[0] if goes_on else words[1])
    return EXIT_OK


async def cloud_answer(services: Services, options: argparse.Namespace, output: Output) -> int:
    task_id = await _open(services, options.id)
    await _caught_up(services, task_id)
    session = services.sessions.cloud(task_id)
    if not session.facts.asks:
        raise NotFound("This run does not ask for anything.")
    ask = next(iter(session.facts.asks.values())).ask
    wanted = options.option.lower()
    option = next((o for o in ask.options if o.id == options.option), None) or next(
        (o for o in ask.options if o.name.lower().startswith(wanted)), None
    )
    if option is None:
        offered = ", ".join(o.id for o in ask.options)
        raise InvalidInput(f"{options.option!r} was not offered.", f"Offered: {offered}")
    await services.sessions.answer(task_id, RequestId(ask.id), option.id)
    output.data({"answered": option.id, "title": ask.title})
    output.text(f"{ask.title}: {option.name}")
    return EXIT_OK


def _tell_ask(ask: Ask, output: Output) -> None:
    output.text(f"? {ask.title}" + (f"\n    {ask.command}" if ask.command not in ("", ask.title) else ""))
    for option in ask.options:
        output.text(f"    {option.id:<20} {option.name}")


def _tell_item(item: object, output: Output) -> None:
    if isinstance(item, UserMessage):
        output.text(f"\n> {item.text}")
    elif isinstance(item, AgentText):
        output.text(item.text)
    elif isinstance(item, ToolCall):
        output.text(f"  * {item.title}  [{item.status}]")
    elif isinstance(item, AskItem) and item.ask is not None:
        output.text(f"  ? {item.ask.title}  {item.answer or 'waiting'}")
    elif isinstance(item, Notice):
        output.text(f"  ! {item.title} {item.text}".rstrip())
    elif isinstance(item, TurnFooter):
        output.text(f"  -- turn {item.turn}: {item.stop_reason}")


def _plain(item: object) -> dict[str, Any]:
    value = plain(item)
    return value if isinstance(value, dict) else {}


CLOUD_COMMANDS = {
    "login": login,
    "logout": logout,
    "whoami": whoami,
    "cloud list": cloud_list,
    "cloud show": cloud_show,
    "cloud watch": cloud_watch,
    "cloud send": cloud_send,
    "cloud stop": cloud_stop,
    "cloud answer": cloud_answer,
}
