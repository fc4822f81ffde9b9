"""The commands, each a coroutine on the services; gives the exit code."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from pathlib import Path

from posthog_code.cli.cloud import CLOUD_COMMANDS
from posthog_code.cli.find import find_task
from posthog_code.cli.handover import HANDOVER_COMMANDS
from posthog_code.cli.inbox import INBOX_COMMANDS
from posthog_code.cli.output import Output
from posthog_code.cli.runner import RUNNER_COMMANDS
from posthog_code.cli.signals import SIGNALS_COMMANDS
from posthog_code.cli.trash import trash_empty, trash_list
from posthog_code.cli.turn import EXIT_OK, TurnRunner
from posthog_code.cli.watch import WATCH_COMMANDS
from posthog_code.domain.agent import AgentStatus
from posthog_code.domain.changes import Scope
from posthog_code.domain.coverage import CoverageMissing
from posthog_code.domain.errors import InvalidInput, NotFound
from posthog_code.domain.publishing import NewPullRequest
from posthog_code.domain.pull_request import PullRequest
from posthog_code.domain.task import Repository, Task, TaskDraft, TaskPhase, Workspace
from posthog_code.domain.task_words import standing, turn_word
from posthog_code.domain.text import MINUS, age, plural
from posthog_code.services.app import Services

Command = Callable[[Services, argparse.Namespace, Output], Awaitable[int]]


async def run(services: Services, options: argparse.Namespace, output: Output) -> int:
    repository_id = await services.repositories.add(Path(options.repo))
    draft = TaskDraft(
        prompt=options.prompt,
        repository_id=repository_id,
        agent_id=options.agent,
        workspace=Workspace.LOCAL if options.local else Workspace.WORKTREE,
        base=options.base,
        branch=options.branch,
        agent_command=options.agent_command,
        mode=options.mode,
        model=options.model,
        run_setup=not options.no_setup,
        attachments=tuple(str(Path(name).absolute()) for name in options.attach),
    )
    services.agents.spec(options.agent)
    task_id = await services.tasks.create(draft)
    output.data({"event": "task", "task": task_id})
    runner = TurnRunner(services, task_id, output, options.permissions == "ask", options.timeout)
    runner.attach(new=True)
    return await runner.run()


async def prompt(services: Services, options: argparse.Namespace, output: Output) -> int:
    task = find_task(services.store.state, options.id)
    runner = TurnRunner(services, task.id, output, options.permissions == "ask", options.timeout)
    runner.attach()
    if options.mode:
        await services.sessions.set_option(task.id, _mode_option(services, task), options.mode)
    await services.sessions.prompt(task.id, options.prompt)
    return await runner.run()


def _mode_option(services: Services, task: Task) -> str:
    session = services.store.state.session_of(task.id)
    option = session.option("mode") if session else None
    return option.id if option else "mode"


async def retry(services: Services, options: argparse.Namespace, output: Output) -> int:
    task = find_task(services.store.state, options.id)
    runner = TurnRunner(services, task.id, output, options.permissions == "ask", options.timeout)
    runner.attach()
    if task.phase is TaskPhase.SETUP_FAILED:
        await services.tasks.retry_setup(task.id)
    else:
        await services.sessions.retry_turn(task.id)
    return await runner.run()


async def tasks(services: Services, options: argparse.Namespace, output: Output) -> int:
    state = services.store.state
    found = state.visible_tasks()
    if options.all:
        found = sorted(
            (t for t in state.tasks.values() if t.phase is not TaskPhase.DELETED), key=lambda t: -t.created_at
        )
    output.data([_task_row(services, task) for task in found])
    if not found:
        output.text("No tasks yet. posthog-code run makes one.")
    now = max((t.updated_at for t in found), default=0.0)
    for task in found:
        row = _task_row(services, task)
        output.text(
            f"{task.id}  {_word(services, task):<22} {age(now - task.updated_at):>4}  {row['repository']:<16} "
            f"+{task.stat.added} {MINUS}{task.stat.removed}  {task.branch or '-'}  {task.title}"
        )
    return EXIT_OK


def _word(services: Services, task: Task) -> str:
    """The window's word; a cloud task's is told by `cloud list`."""
    in_cloud = task.workspace is Workspace.CLOUD and task.phase is TaskPhase.READY
    return "In the cloud" if in_cloud else standing(services.store.state, task).word


def _task_row(services: Services, task: Task) -> dict[str, object]:
    state = services.store.state
    session = state.sessions.get(task.session_id)
    repository = state.repositories.get(task.repository_id)
    pull_request = state.pull_requests.get(task.id)
    ready = task.phase is TaskPhase.READY and session is not None
    return {
        "id": task.id,
        "title": task.title,
        "repository": repository.name if repository else "",
        "branch": task.branch,
        "base": task.base,
        "worktree": task.path,
        "agent": task.agent_id,
        "phase": task.phase.value,
        "state": session.phase.value if ready and session else task.phase.value,
        "turns": len(session.turns) if session else 0,
        "diff": {"files": task.stat.files, "added": task.stat.added, "removed": task.stat.removed},
        "pull_request": pull_request.url if pull_request else "",
        "created_at": task.created_at,
        "updated_at": task.updated_at,
    }


async def show(services: Services, options: argparse.Namespace, output: Output) -> int:
    task = find_task(services.store.state, options.id)
    session = services.store.state.session_of(task.id)
    transcript = await services.sessions.load_transcript(task.id) if options.transcript else None
    row = _task_row(services, task) | {
        "prompt": task.prompt,
        "steps": task.steps,
        "turn_list": session.turns if session else (),
        "agent_session": session.agent_session_id if session else "",
        "queue": services.store.state.queue.get(task.id, ()),
        "comments": services.store.state.comments.get(task.id, ()),
    }
    if transcript is not None:
        row["transcript"] = [{"type": type(item).__name__, **_fields(item)} for item in transcript.items]
    output.data(row)
    output.text(
        f"{task.title}\n  {row['repository']}  {task.branch} from {task.base}\n  {task.path}\n  {_word(services, task)}"
    )
    for turn in session.turns if session else ():
        figures = f"{plural(turn.files, 'file')} +{turn.added} {MINUS}{turn.removed}"
        prompt = " ".join(turn.prompt.split())[:60]
        output.text(f"  turn {turn.number}  {turn_word(turn.stop_reason)}  {figures}  {prompt}")
    return EXIT_OK


def _fields(item: object) -> dict[str, object]:
    from posthog_code.cli.output import plain

    value = plain(item)
    return value if isinstance(value, dict) else {}


async def diff(services: Services, options: argparse.Namespace, output: Output) -> int:
    task = find_task(services.store.state, options.id)
    scope = Scope(options.scope)
    if options.json or options.stat:
        found = await services.changes.refresh(task.id, scope)
        output.data(found)
        for file in found.files:
            output.text(f"{file.state.value}  +{file.added} {MINUS}{file.removed}  {file.path}")
        return EXIT_OK
    async for chunk in services.changes.diff(task.id, scope):
        output.raw(chunk)
    return EXIT_OK


async def archive(services: Services, options: argparse.Namespace, output: Output) -> int:
    task = find_task(services.store.state, options.id)
    await services.tasks.archive(task.id)
    return _told(services, task, output, "Archived. posthog-code restore brings it back.")


async def restore(services: Services, options: argparse.Namespace, output: Output) -> int:
    task = find_task(services.store.state, options.id)
    if task.phase is TaskPhase.DELETED:
        await services.tasks.undo_delete(task.id)
    else:
        await services.tasks.restore(task.id)
    return _told(services, task, output, "Restored.")


async def delete(services: Services, options: argparse.Namespace, output: Output) -> int:
    task = find_task(services.store.state, options.id)
    risk = await services.tasks.risk(task.id)
    await services.tasks.delete(task.id)
    if risk.any:
        files, commits = plural(len(risk.uncommitted), "file"), plural(risk.unpushed_commits, "commit")
        output.text(f"{files} and {commits} are kept in the snapshot.")
    return _told(services, task, output, f"Deleted. posthog-code restore {task.id} undoes it.")


def _told(services: Services, task: Task, output: Output, words: str) -> int:
    output.data(_task_row(services, services.store.state.tasks[task.id]))
    output.text(f"{task.title}: {words}")
    return EXIT_OK


async def pr_create(services: Services, options: argparse.Namespace, output: Output) -> int:
    task = find_task(services.store.state, options.id)
    proposal = await services.pull_requests.propose(task.id)
    if proposal.warning:
        output.warning(proposal.warning)
    new = NewPullRequest(
        title=options.title or proposal.new.title,
        body=options.body or proposal.new.body,
        base=options.base or proposal.new.base,
        draft=options.draft,
        commit_message=options.message or proposal.new.commit_message,
    )
    if proposal.coverage:
        output.text(proposal.coverage)
    try:
        created = await services.pull_requests.create(task.id, new, without_coverage=options.without_coverage)
    except CoverageMissing as error:
        error.hint = f"{error.hint} --without-coverage does."
        raise
    _print_pull_request(created, output)
    return EXIT_OK


async def pr_status(services: Services, options: argparse.Namespace, output: Output) -> int:
    task = find_task(services.store.state, options.id)
    found = await services.pull_requests.refresh(task.id)
    if found is None:
        raise NotFound("This task has no pull request.", f"posthog-code pr create {task.id} opens one.")
    _print_pull_request(found, output)
    return EXIT_OK


def _print_pull_request(found: PullRequest, output: Output) -> None:
    output.data(found)
    output.text(f"#{found.number} {found.title}\n  {found.url}\n  {found.state.value}, {found.head} into {found.base}")
    if found.stale:
        output.text(f"  last known state: {found.stale}")
    for check in found.checks:
        output.text(f"  {check.state.value:<9} {check.name}")
    for review in found.reviews:
        output.text(f"  {review.state.value:<17} {review.author}")


async def agents(services: Services, options: argparse.Namespace, output: Output) -> int:
    infos = await services.agents.detect()
    output.data(infos)
    for info in infos:
        output.text(f"{info.spec.id:<14} {info.status.value:<14} {info.version:<10} {info.path or info.spec.install}")
        if info.status is not AgentStatus.READY and info.reason:
            output.text(f"{'':<14} {info.reason}")
    for problem in services.agents.problems():
        output.text(f"! {problem}")
    return EXIT_OK


async def repositories(services: Services, options: argparse.Namespace, output: Output) -> int:
    if options.add:
        await services.repositories.add(Path(options.add))
    if options.setup_script:
        name, script = options.setup_script
        await services.repositories.update(_repository(services, name).id, setup_script=script)
    for field, switch in (("posthog_mcp", options.posthog_tools), ("require_coverage", options.require_check)):
        if switch:
            name, wanted = switch
            if wanted not in ("on", "off"):
                raise InvalidInput(f"{wanted!r} is neither on nor off.")
            await services.repositories.update(_repository(services, name).id, **{field: wanted == "on"})
    found = list(services.store.state.repositories.values())
    output.data(found)
    for repository in found:
        tools = services.mcp.state(repository.id).word
        output.text(
            f"{repository.name:<20} {repository.default_branch:<12} {repository.path}  PostHog tools: {tools.lower()}"
        )
    return EXIT_OK


def _repository(services: Services, name: str) -> Repository:
    match = next((r for r in services.store.state.repositories.values() if name in (r.id, r.name, r.path)), None)
    if match is None:
        raise NotFound(f"There is no repository {name!r}.", "posthog-code repositories lists them.")
    return match


COMMANDS: dict[str, Command] = {
    "run": run,
    "prompt": prompt,
    "retry": retry,
    "tasks": tasks,
    "show": show,
    "diff": diff,
    "archive": archive,
    "restore": restore,
    "delete": delete,
    "pr create": pr_create,
    "pr status": pr_status,
    "trash list": trash_list,
    "trash empty": trash_empty,
    "agents": agents,
    "repositories": repositories,
    **CLOUD_COMMANDS,
    **INBOX_COMMANDS,
    **WATCH_COMMANDS,
    **HANDOVER_COMMANDS,
    **RUNNER_COMMANDS,
    **SIGNALS_COMMANDS,
}
