"""One command on the services, without a window."""

from __future__ import annotations

import argparse
import asyncio
import signal

from posthog_code.app.container import Container, ask_the_person, build, open_database
from posthog_code.app.paths import Paths
from posthog_code.cli.commands import COMMANDS
from posthog_code.cli.output import Output, for_a_command
from posthog_code.cli.turn import EXIT_ERROR, EXIT_STOPPED, policy_for
from posthog_code.domain.errors import UserError


def run_command(options: argparse.Namespace, paths: Paths) -> int:
    """Exit code of a command: 0 done, 1 the turn did not end by itself, 2 an error that was told, 130 interrupted."""
    output = Output(options.json)
    try:
        return asyncio.run(_run(options, paths, output))
    except UserError as error:
        output.error(for_a_command(error))
        return EXIT_ERROR
    except KeyboardInterrupt:
        return EXIT_STOPPED


async def _run(options: argparse.Namespace, paths: Paths, output: Output) -> int:
    second = getattr(options, f"{options.command}_command", "") or ""
    name = f"{options.command} {second}".strip()
    policy = policy_for(options.permissions) if "permissions" in options else ask_the_person
    container = build(paths, *open_database(paths), policy=policy)

    async def command() -> int:
        await container.mend()
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
    if container.late.made is not None:
        await container.services.sessions.stop_all()
    await container.close()
