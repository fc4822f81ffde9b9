"""The command `runner`: does runs of the cloud on this machine."""

from __future__ import annotations

import argparse
import os
import secrets
import socket
import time
from pathlib import Path
from typing import Any

from posthog_code.cli.output import Output
from posthog_code.domain.agent import AgentStatus
from posthog_code.domain.cloud_lists import remote_name
from posthog_code.domain.errors import InvalidInput, NotFound
from posthog_code.domain.ids import RepositoryId
from posthog_code.services.app import Services
from posthog_code.services.runner import Runner, RunnerPlan
from posthog_code.services.runner_claim import Lease

EXIT_OK, EXIT_TURN = 0, 1


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    runner = commands.add_parser("runner", help="do waiting runs of a project on this machine")
    runner.add_argument("--project", type=int, required=True, metavar="ID", help="project whose runs are done")
    runner.add_argument(
        "--repo-map", action="append", default=[], metavar="OWNER/NAME=PATH", help="a repository and its checkout here"
    )
    runner.add_argument("--agent", default="", metavar="ID", help="agent that does them (see: posthog-code agents)")
    runner.add_argument("--agent-command", default="", metavar="CMD", help="command line that starts the agent")
    runner.add_argument("--mode", default="", help="permission mode, as the agent calls it")
    runner.add_argument(
        "--permissions",
        choices=("worktree", "allow", "deny"),
        default="worktree",
        help="what to answer when the agent asks; worktree allows what stays inside of it (default: worktree)",
    )
    runner.add_argument("--once", action="store_true", help="end when nothing waits any more")
    runner.add_argument("--parallel", type=int, default=1, metavar="N", help="runs at the same time (default: 1)")
    runner.add_argument("--poll", type=float, default=10.0, metavar="S", help="seconds between looks (default: 10)")
    runner.add_argument("--grace", type=float, default=20.0, metavar="S", help="seconds for running turns on SIGTERM")
    runner.add_argument(
        "--lease", type=float, default=120.0, metavar="S", help="seconds until a lost runner's run is free"
    )
    runner.add_argument(
        "--settle", type=float, default=3.0, metavar="S", help="seconds in which claims meet (default: 3)"
    )
    runner.add_argument("--json", action="store_true", help="JSON on standard output")


class _Clock:
    def now(self) -> float:
        return time.time()

    def new_id(self) -> str:
        return secrets.token_hex(8)


async def runner(services: Services, options: argparse.Namespace, output: Output) -> int:
    if options.parallel < 1:
        raise InvalidInput("--parallel must be at least 1.")
    await services.account.restore()
    cloud = services.account.cloud(options.project)
    repositories = await _repositories(services, options.repo_map)
    if not repositories:
        raise InvalidInput("No repository is known here.", "Name at least one with --repo-map OWNER/NAME=PATH.")
    runner_id = f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(3)}"
    plan = RunnerPlan(
        repositories=repositories,
        agent_id=await _agent(services, options),
        agent_command=options.agent_command,
        mode=options.mode,
        parallel=options.parallel,
        once=options.once,
        poll=options.poll,
        grace=options.grace,
        lease=Lease(settle=options.settle, length=options.lease, skew=min(30.0, options.lease / 4)),
    )

    def tell(event: dict[str, Any]) -> None:
        output.data(event)
        words = " ".join(str(event.get(key) or "") for key in ("title", "status", "pr_url", "error", "text"))
        output.text(f"{event['event']:<9} {event.get('run', '')} {words}".rstrip())

    working = Runner(services, cloud, _Clock(), plan, runner_id, services.handover.fetch, tell)
    output.data({"event": "runner", "id": runner_id, "repositories": sorted(repositories)})
    output.text(f"Runner {runner_id} for {', '.join(sorted(repositories))}")
    await working.run()
    output.data({"event": "summary", "completed": working.done, "failed": working.failed})
    return EXIT_TURN if working.failed else EXIT_OK


async def _repositories(services: Services, named: list[str]) -> dict[str, RepositoryId]:
    found: dict[str, RepositoryId] = {}
    for one in named:
        name, sign, path = one.partition("=")
        if not sign or "/" not in name or not path:
            raise InvalidInput(f"{one!r} is no OWNER/NAME=PATH.")
        found[name.strip().lower()] = await services.repositories.add(Path(path).expanduser().absolute())
    for repository in services.store.state.repositories.values():
        name = remote_name(repository.remote_url)[1]
        if name and name not in found and not named:
            found[name] = repository.id
    return found


async def _agent(services: Services, options: argparse.Namespace) -> str:
    if options.agent_command:
        return options.agent or "custom"
    if options.agent:
        services.agents.spec(options.agent)
        return str(options.agent)
    chosen = services.store.state.settings.default_agent
    if chosen:
        return chosen
    infos = await services.agents.detect()
    ready = next((info.spec.id for info in infos if info.status is AgentStatus.READY), "")
    if not ready:
        raise NotFound(
            "No agent is installed here.", "Install one (posthog-code agents lists them), or name it with --agent."
        )
    return ready


RUNNER_COMMANDS = {"runner": runner}
