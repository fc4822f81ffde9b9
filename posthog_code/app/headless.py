"""One command on the services, without a window."""

from __future__ import annotations

import argparse
import asyncio
import signal

from posthog_code.app.container import Container, ask_the_person, build, open_database
from posthog_code.app.paths import Paths
from posthog_code.cli.commands import COMMANDS
from posthog_code.cli.output import Output
from posthog_code.cli.turn import EXIT_ERROR, EXIT_STOPPED, policy_for
from posthog_code.domain.errors import UserError


def run_command(options: argparse.Namespace, paths: Paths) -> int:
    """Exit code of a command: 0 done, 1 the turn did not end by itself, 2 an error that was told, 130 interrupted."""
    output = Output(options.json)
    try:
        return asyncio.run(_run(options, paths, output))
    except UserError as error:
        output.error(error)
        return EXIT_ERROR
    except KeyboardInterrupt:
        return EXIT_STOPPED


async def _run(options: argparse.Namespace, paths: Paths, output: Output) -> int:
    name = f"pr {options.pr_command}" if options.command == "pr" else options.command
    policy = policy_for(options.permissions) if "permissions" in options else ask_the_person
    container = build(paths, *open_database(paths), policy=policy)

    async def command() -> int:
        await container.services.reconcile.run()
        return await COMMANDS[name](container.services, options, output)

    running: asyncio.Task[int] = container.services.scope.spawn(command(), "command")
    _end_on_signals(running)
    try:
        return await running
    except asyncio.CancelledError:
        return EXIT_STOPPED
    finally:
        await _close(container)


def _end_on_signals(running: asyncio.Task[int]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, running.cancel)


async def _close(container: Container) -> None:
    for task_id, session in [(s.task_id, s) for s in container.services.store.state.sessions.values()]:
        if session.phase.busy:
            await container.services.sessions.end(task_id)
    await container.close()
