"""The window's life: shown from what is on disk, everything else behind the first paint."""

from __future__ import annotations

import gc
import importlib
import sys
import time
from collections.abc import Callable

import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from posthog_code.app import crash, logs
from posthog_code.app.container import Container, build, open_database
from posthog_code.app.first_paint import show_painted
from posthog_code.app.instance import SingleInstance
from posthog_code.app.paths import Paths
from posthog_code.app.qt import make_application
from posthog_code.domain.errors import UserError
from posthog_code.domain.state import Topic
from posthog_code.ui.actions import Actions
from posthog_code.ui.bridge import Bridge
from posthog_code.ui.context import UiContext
from posthog_code.ui.nav import Nav
from posthog_code.ui.shell.main_window import MainWindow
from posthog_code.ui.theme import apply_theme

_RAISE_PATIENCE = 5.0
"""Seconds that a window which is starting gets to answer a second start."""
AfterStart = Callable[[Container, UiContext], None]


def open_window(
    paths: Paths,
    after_start: AfterStart | None = None,
    link: str = "",
    before_paint: Callable[[MainWindow], object] = lambda window: None,
) -> int:
    """`link` is a posthog-code:// address to show, or "". `after_start` is called on the running loop."""
    logs.set_up(paths.logs, to_stderr=False)
    crash.install(paths.logs)
    instance = SingleInstance(paths.lock)
    try:
        if not instance.acquire():
            return _another_is_open(instance, paths, link)
        app = make_application()
        database, state = open_database(paths)
    except UserError as error:
        sys.stderr.write(f"{error.title}\n{error.hint}\n{error.detail}\n")
        return 2
    # What is imported lives as long as the program: no collection has to look through it.
    gc.freeze()
    container = build(paths, database, state)
    context = make_context(container)
    dress(app, container)
    window = MainWindow(context, only_list=True)
    before_paint(window)
    show_painted(window, window.sidebar.list.viewport())
    # Imported here: the loop, asyncio and all that lives on it take as long as the window itself.
    from posthog_code.app import loop

    try:
        return loop.run(app, lambda: _live(app, container, context, window, instance, after_start, link))
    finally:
        instance.release()


def _another_is_open(instance: SingleInstance, paths: Paths, link: str) -> int:
    _app = make_application()
    deadline = time.monotonic() + _RAISE_PATIENCE
    while time.monotonic() < deadline:
        if instance.raise_other(link):
            sys.stdout.write("PostHog Code is open already; its window was brought to the front.\n")
            return 0
        # It listens once its window is painted: it may be starting itself.
        time.sleep(0.1)
    sys.stderr.write(
        f"PostHog Code is running on {paths.home}, but its window does not answer.\n"
        "Close it, or start this one with another POSTHOG_CODE_HOME.\n"
    )
    return 2


def make_context(container: Container) -> UiContext:
    """What the window's parts share."""
    services = container.services
    bridge = Bridge(services.store)
    nav = Nav()

    def on_user_error(error: UserError) -> None:
        context.toasts.show(error.title, error.hint, "error")

    report = crash.reporter(lambda title, text: context.toasts.show(title, text, "error"))
    actions = Actions(services.scope, on_user_error=on_user_error, on_crash=report)
    context = UiContext(services, bridge, actions, nav, layout_path=container.paths.layout)
    return context


def dress(app: QApplication, container: Container) -> None:
    settings = container.services.store.state.settings
    apply_theme(
        app,
        settings.theme,
        color_blind=settings.color_blind_diffs,
        text_size=settings.text_size,
        reduced_motion=settings.reduced_motion,
    )


async def _live(
    app: QApplication,
    container: Container,
    context: UiContext,
    window: MainWindow,
    instance: SingleInstance,
    after_start: AfterStart | None,
    link: str,
) -> int:
    """The window's life from its first paint to its end."""
    import asyncio
    import signal

    services = container.services
    closed = asyncio.Event()
    running = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        running.add_signal_handler(number, closed.set)
    window.closing.connect(closed.set)
    window.complete()

    def on_change(topics: frozenset[Topic]) -> None:
        if Topic("settings") in topics:
            dress(app, container)

    services.store.subscribe(on_change)

    def on_focus(state: Qt.ApplicationState) -> None:
        # Meanwhile the command line may have made tasks, or run turns.
        if state == Qt.ApplicationState.ApplicationActive and container.late.made is not None:
            context.actions.start("refresh", services.sessions.refresh)

    app.applicationStateChanged.connect(on_focus)

    async def behind() -> None:
        from posthog_code.ui.cloud.links import open_link
        from posthog_code.ui.cloud.watching import begin_cloud
        from posthog_code.ui.pages.inbox.watching import begin_inbox

        def on_raise(told: str) -> None:
            _to_front(window)
            open_link(context, told)

        instance.listen(on_raise)
        await _behind_first_paint(container, context)
        begin_cloud(context, window)
        begin_inbox(context, window, window.sidebar.show_inbox_count)
        services.releases.start()
        open_link(context, link)

    services.scope.spawn(behind(), "start")
    if after_start is not None:
        after_start(container, context)
    try:
        await closed.wait()
    finally:
        app.applicationStateChanged.disconnect(on_focus)
        window.hide()
        context.bridge.close()
        await container.close()
        window.deleteLater()
        # Qt takes the window apart while its loop still turns: left to the interpreter's end, widgets would outlive
        # the application object.
        for _ in range(200):
            if not shiboken6.isValid(window):
                break
            await asyncio.sleep(0.01)
    return 0


async def _behind_first_paint(container: Container, context: UiContext) -> None:
    import asyncio

    services = container.services
    await asyncio.to_thread(importlib.import_module, "posthog_code.app.wiring")
    found, interrupted = await container.mend()
    await services.pull_requests.recover()
    for problem in services.problems:
        context.toasts.show("Something in the data folder could not be read.", problem, "warning", timeout=15.0)
    if found:
        words = "1 task was found again." if found == 1 else f"{found} tasks were found again."
        context.toasts.show(words, "There was no database; worktrees and journals tell what they were.", "warning")
    if interrupted:
        words = "1 turn was interrupted." if interrupted == 1 else f"{interrupted} turns were interrupted."
        context.toasts.show(words, "Everything up to then is saved; each can be continued.", "warning")
    await services.agents.detect()


def _to_front(window: MainWindow) -> None:
    window.showNormal() if window.isMinimized() else window.show()
    window.raise_()
    window.activateWindow()
