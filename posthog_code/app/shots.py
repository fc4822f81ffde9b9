"""Pictures of the demo world's screens, rendered offscreen by the ordinary window."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from posthog_code.app import logs
from posthog_code.app.container import Container, build, open_database
from posthog_code.app.demo import DemoWorld
from posthog_code.app.paths import Paths
from posthog_code.demo.world import DemoPostHog, WorldError
from posthog_code.domain.errors import UserError
from posthog_code.domain.session import SessionPhase
from posthog_code.services.app import Services

_SETTLE = 0.35
"""Seconds for layouts, highlighting and pulses to come to rest before a picture is taken."""


def run(options: argparse.Namespace, paths: Paths) -> int:
    """`posthog-code shots`: gives the exit code."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    try:
        width, height = (int(part) for part in options.size.lower().split("x"))
    except ValueError:
        sys.stderr.write(f"{options.size} is no size. Give it as 1440x900.\n")
        return 2
    from posthog_code.app import shot_screens

    unknown = sorted(set(options.only) - set(shot_screens.SCREENS))
    if unknown:
        sys.stderr.write(f"There is no screen {', '.join(unknown)}. Screens: {', '.join(shot_screens.SCREENS)}.\n")
        return 2
    wanted = options.only or list(shot_screens.SCREENS)
    themes = [options.theme] if options.theme else ["dark", "light"]
    out = Path(options.out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.stderr.write(f"{out} cannot be written: {error.strerror}.\n")
        return 2
    logs.set_up(paths.logs, to_stderr=False)
    with tempfile.TemporaryDirectory(prefix="posthog-code-shots-") as folder:
        try:
            demo = DemoWorld.open(Path(folder), lambda words: None, pace=0.0, cloud=_needs_cloud(wanted))
        except (WorldError, UserError) as error:
            sys.stderr.write(f"The demo world could not be made. {error}\n")
            return 2
        try:
            return _take(demo, wanted, themes, (width, height), out)
        finally:
            demo.close()


def _take(demo: DemoWorld, wanted: list[str], themes: list[str], size: tuple[int, int], out: Path) -> int:
    from posthog_code.app import loop, qt, shot_screens, window
    from posthog_code.app.studio import Studio
    from posthog_code.ui.shell.main_window import MainWindow

    app = qt.make_application()
    database, state = open_database(demo.paths)
    state = replace(state, settings=replace(state.settings, theme=themes[0], reduced_motion=True))

    async def main() -> int:
        container = build(demo.paths, database, state)
        services = container.services
        try:
            await services.agents.detect()
            await demo.live(services)
            await _until_live(services)
            if demo.posthog is not None:
                await _until_in_cloud(demo.posthog, services)
            for theme in themes:
                await services.settings.set(theme=theme)
                window.dress(app, container)
                for name in wanted:
                    if not await shoot(container, name, out / f"{name}-{theme}.png"):
                        return 2
            return 0
        finally:
            await container.close()

    async def shoot(container: Container, name: str, path: Path) -> bool:
        # A window of its own for each picture: no screen inherits what another one left open.
        await container.services.settings.set(split_diff=False)
        context = window.make_context(container)
        context.layout_path = None
        shown = MainWindow(context)
        shown.resize(*size)
        shown.show()
        studio = Studio(shown, context, container)
        try:
            await shot_screens.SCREENS[name](studio)
            await asyncio.sleep(_SETTLE)
            if not shown.grab().save(str(path)):
                sys.stderr.write(f"{path} cannot be written.\n")
                return False
            sys.stdout.write(f"{path}\n")
            return True
        finally:
            await studio.tidy()
            shown.close()
            context.bridge.close()
            gone = asyncio.Event()
            shown.destroyed.connect(lambda *_: gone.set())
            shown.deleteLater()
            # Qt takes the window apart, not a collection while the next one is made.
            await gone.wait()

    return loop.run(app, main)


def _needs_cloud(wanted: list[str]) -> bool:
    from posthog_code.app.shot_cloud import CLOUD_SCREENS
    from posthog_code.app.shot_inbox import INBOX_SCREENS
    from posthog_code.app.shot_signals import SIGNAL_SCREENS

    return any(name in screens for name in wanted for screens in (CLOUD_SCREENS, INBOX_SCREENS, SIGNAL_SCREENS))


async def _until_in_cloud(posthog: DemoPostHog, services: Services) -> None:
    """The cloud's own tasks have come to where they should be, and are listed."""
    for _ in range(600):
        if await asyncio.to_thread(posthog.ready):
            break
        await asyncio.sleep(0.1)
    await services.cloud.refresh()


async def _until_live(services: Services) -> None:
    """The tasks that need a living agent have come to what they wait for."""
    store = services.store
    for _ in range(200):
        waiting = sum(s.phase is SessionPhase.WAITING for s in store.state.sessions.values())
        working = sum(s.phase is SessionPhase.WORKING for s in store.state.sessions.values())
        if waiting >= 2 and working >= 1:
            return
        await asyncio.sleep(0.05)
