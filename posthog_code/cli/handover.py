"""Commands for hand-overs: take a cloud task over, send a local one."""

from __future__ import annotations

import argparse
from pathlib import Path

from posthog_code.cli.find import find_cloud_task, find_task
from posthog_code.cli.output import Output
from posthog_code.domain.ids import TaskId
from posthog_code.domain.state import Topic
from posthog_code.domain.task import Step, StepState, TaskPhase
from posthog_code.services.app import Services
from posthog_code.services.handover import TakeOverWish

EXIT_OK, EXIT_ERROR = 0, 2


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    take = commands.add_parser("take-over", help="go on here with a task of the cloud, with all its changes")
    take.add_argument(
        "cloud_task", metavar="CLOUD_TASK", help="the cloud task's short name or id (see: posthog-code cloud list)"
    )
    take.add_argument("--repo", metavar="PATH", help="a checkout of its repository, when it is not in the list")
    take.add_argument("--clone", metavar="FOLDER", help="clone its repository into this folder")
    take.add_argument("--branch", default="", metavar="NAME", help="another name for the local branch")
    take.add_argument("--agent", default="", metavar="ID", help="agent that goes on here (see: posthog-code agents)")
    take.add_argument("--agent-command", default="", metavar="CMD", help="command line that starts the agent")
    take.add_argument("--project", type=int, default=0, metavar="ID", help="project of the cloud task")
    _json(take)
    send = commands.add_parser("send-to-cloud", help="go on in the cloud with a task of this machine")
    send.add_argument("id", help="task id, or its beginning")
    send.add_argument("--archive", action="store_true", help="archive the worktree once the run has started there")
    send.add_argument("--give-up", action="store_true", help="go on here with a task that could not be sent")
    _json(send)


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="JSON on standard output")


async def take_over(services: Services, options: argparse.Namespace, output: Output) -> int:
    await services.account.restore()
    if not services.store.state.agents:
        await services.agents.detect()
    wish = TakeOverWish(
        repository=Path(options.repo).absolute() if options.repo else None,
        clone_to=Path(options.clone) if options.clone else None,
        branch=options.branch,
        agent_id=options.agent,
        agent_command=options.agent_command,
        project_id=options.project,
    )
    # Tasks of another project are not in the list.
    listed = options.project in (0, services.store.state.account.project_id)
    name = await find_cloud_task(services, options.cloud_task) if listed else options.cloud_task
    task_id = await services.handover.take_over(name, wish)
    return await _follow(services, task_id, output)


async def send_to_cloud(services: Services, options: argparse.Namespace, output: Output) -> int:
    await services.account.restore()
    task = find_task(services.store.state, options.id)
    if options.give_up:
        await services.handover.give_up(task.id)
        output.data({"task": task.id, "phase": "ready"})
        output.text("The task goes on here.")
        return EXIT_OK
    await services.handover.send(task.id, archive=options.archive)
    return await _follow(services, task.id, output)


async def _follow(services: Services, task_id: TaskId, output: Output) -> int:
    """Print the steps as they go; gives the exit code."""
    seen: dict[str, StepState] = {}

    def tell(topics: frozenset[Topic] = frozenset()) -> None:
        if topics and Topic("task", task_id) not in topics:
            return
        for step in services.store.state.tasks[task_id].steps:
            if seen.get(step.id) is not step.state and step.state is not StepState.TODO:
                seen[step.id] = step.state
                _tell_step(step, output)

    stop = services.store.subscribe(tell)
    try:
        tell()
        await services.tasks.wait_for_setup(task_id)
        tell()
    finally:
        stop()
    task = services.store.state.tasks[task_id]
    output.data(
        {
            "event": "summary",
            "task": task.id,
            "phase": task.phase,
            "workspace": task.workspace,
            "branch": task.branch,
            "worktree": task.path,
            "cloud_task": task.cloud_task_id,
            "cloud_run": task.cloud_run_id,
        }
    )
    output.text(f"\n{task.title}\n  task      {task.id}\n  branch    {task.branch}\n  worktree  {task.path}")
    return EXIT_OK if task.phase is TaskPhase.READY else EXIT_ERROR


def _tell_step(step: Step, output: Output) -> None:
    output.data({"event": "step", "step": step.id, "title": step.title, "state": step.state, "detail": step.detail})
    if step.state is StepState.DONE:
        output.text(f"✓ {step.title}  {step.detail}".rstrip())
    elif step.state is StepState.FAILED:
        output.text(f"✗ {step.title}\n  {step.detail}".rstrip())


HANDOVER_COMMANDS = {"take-over": take_over, "send-to-cloud": send_to_cloud}
