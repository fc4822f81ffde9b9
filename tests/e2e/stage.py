"""The real window on the demo world, with a person in front of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import shiboken6
from PySide6.QtWidgets import QApplication

from posthog_code.app import loop, window
from posthog_code.app.container import Container
from posthog_code.app.demo import DemoWorld
from posthog_code.domain.state import AppState
from posthog_code.ui.context import UiContext
from posthog_code.ui.shell.main_window import MainWindow
from tests.e2e.person import Person

Story = Callable[["World"], Awaitable[None]]


class World:
    def __init__(self, container: Container, context: UiContext, shown: MainWindow) -> None:
        self.container, self.context, self.window = container, context, shown
        self.services = container.services
        self.person = Person(shown)

    @property
    def state(self) -> AppState:
        return self.services.store.state


def play(qapp: QApplication, demo: DemoWorld, story: Story, limit: float = 90.0) -> None:
    """Open the window, let the person live the story within `limit` seconds, close it with everything it started."""
    database, state = window.open_database(demo.paths)

    async def main() -> int:
        container = window.build(demo.paths, database, state)
        window.dress(qapp, container)
        context = window.make_context(container)
        context.layout_path = None
        shown = MainWindow(context)
        shown.resize(1440, 900)
        shown.show()
        shown.activateWindow()
        try:
            await container.services.agents.detect()
            await asyncio.wait_for(story(World(container, context, shown)), limit)
        finally:
            shown.close()
            context.bridge.close()
            await container.close()
            shown.deleteLater()
            # Qt takes the window apart, not the garbage collector after the loop.
            while shiboken6.isValid(shown):
                await asyncio.sleep(0.01)
        return 0

    loop.run(qapp, main)
