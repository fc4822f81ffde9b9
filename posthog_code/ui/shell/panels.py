"""Which panels there are, and how they are made. A panel is imported when it is first shown."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PySide6.QtWidgets import QWidget

from posthog_code.ui.context import UiContext

PanelFactory = Callable[[UiContext, QWidget], QWidget]


@dataclass(frozen=True, slots=True)
class PanelSpec:
    id: str
    title: str
    icon: str
    keys: str
    module: str
    name: str
    """Class in the module: `Panel(ctx, parent)` with `set_task(task_id | None)`."""


CONVERSATION = PanelSpec(
    "conversation",
    "Conversation",
    "ph.chat-centered-text",
    "",
    "posthog_code.ui.panels.conversation",
    "ConversationPanel",
)
SIDE_PANELS = (
    PanelSpec("changes", "Changes", "ph.plus-minus", "Ctrl+Shift+D", "posthog_code.ui.panels.changes", "ChangesPanel"),
    PanelSpec("logs", "Logs", "ph.list-dashes", "Ctrl+Shift+L", "posthog_code.ui.panels.logs", "LogsPanel"),
    PanelSpec(
        "pull_request",
        "Pull request",
        "ph.git-pull-request",
        "Ctrl+Shift+R",
        "posthog_code.ui.panels.pull_request",
        "PullRequestPanel",
    ),
    PanelSpec("signals", "Signals", "ph.activity", "Ctrl+Shift+S", "posthog_code.ui.panels.signals", "SignalsPanel"),
)


class Panels:
    """The panels of this build. Tests hand in factories of their own."""

    def __init__(self, factories: Mapping[str, PanelFactory] | None = None) -> None:
        self._factories = factories
        self.side = tuple(spec for spec in SIDE_PANELS if self._exists(spec))

    def modules(self) -> list[str]:
        """What making the panels imports, in the order it is needed; nothing for factories of a test."""
        return [] if self._factories is not None else [spec.module for spec in (CONVERSATION, *self.side)]

    def make(self, spec: PanelSpec, ctx: UiContext, parent: QWidget) -> QWidget:
        if self._factories is not None:
            return self._factories[spec.id](ctx, parent)
        panel: QWidget = getattr(importlib.import_module(spec.module), spec.name)(ctx, parent)
        return panel

    def _exists(self, spec: PanelSpec) -> bool:
        if self._factories is not None:
            return spec.id in self._factories
        found = importlib.util.find_spec(spec.module)
        return found is not None and found.origin is not None
