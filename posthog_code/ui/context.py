"""What every page and panel is handed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from posthog_code.domain.state import AppState
from posthog_code.ui import platform
from posthog_code.ui.actions import Actions
from posthog_code.ui.bridge import Bridge
from posthog_code.ui.commands import CommandRegistry
from posthog_code.ui.nav import Nav

if TYPE_CHECKING:
    from posthog_code.services.app import Services

ToastAction = tuple[str, Callable[[], object]]


class ToastSink(Protocol):
    """Shows toasts: the window's notification area."""

    def show_toast(
        self, title: str, text: str, kind: str, actions: Sequence[ToastAction], timeout: float, key: str, /
    ) -> object: ...


class Toasts:
    """Notifications. Those that come before there is a window are kept for it."""

    def __init__(self) -> None:
        self._sink: ToastSink | None = None
        self._early: list[tuple[str, str, str, Sequence[ToastAction], float, str]] = []

    def attach(self, sink: ToastSink | None) -> None:
        self._sink = sink
        if sink is not None:
            early, self._early = self._early, []
            for toast in early:
                sink.show_toast(*toast)

    def show(
        self,
        title: str,
        text: str = "",
        kind: str = "info",
        actions: Sequence[ToastAction] = (),
        timeout: float = 6.0,
        key: str = "",
    ) -> None:
        """`kind` is info, success, warning or error; `actions` are (label, callable); `timeout` in seconds.

        A toast takes the place of an older one with the same `key`.
        """
        if self._sink is None:
            self._early.append((title, text, kind, actions, timeout, key))
        else:
            self._sink.show_toast(title, text, kind, actions, timeout, key)


@dataclass
class UiContext:
    """The window's world: services to ask, and the few objects that widgets share."""

    services: Services
    bridge: Bridge
    actions: Actions
    nav: Nav
    toasts: Toasts = field(default_factory=Toasts)
    commands: CommandRegistry = field(default_factory=CommandRegistry)
    layout_path: Path | None = None
    """File that keeps geometry and splitters; None keeps nothing."""
    open_url: Callable[[str], bool] = platform.open_url
    """Shows a page in the person's browser; False when that is not possible."""
    now: Callable[[], float] = time.time
    """UNIX time in s; fixed in pictures and tests."""

    @property
    def state(self) -> AppState:
        return self.services.store.state
