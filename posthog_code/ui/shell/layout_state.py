"""Sizes of the window's parts, kept in a small JSON file. Losing it loses nothing but sizes."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_log = logging.getLogger(__name__)


@dataclass
class LayoutState:
    """What the window looks like between two starts. Lengths are logical pixels."""

    geometry: str = ""
    """QWidget.saveGeometry as base64."""
    sidebar_width: int = 0
    """0 is the design's width."""
    sidebar_pinned: bool = False
    """The sidebar stays open in a narrow window."""
    sidebar_hidden: bool = False
    conversation_width: int = 0
    panel_open: bool = True
    conversation_open: bool = True
    tab: str = "changes"
    last_task: str = ""
    """Id of the task that was in view."""
    collapsed: list[str] = field(default_factory=lambda: ["archived"])
    """Sections of the sidebar that are folded."""

    @classmethod
    def load(cls, path: Path | None) -> LayoutState:
        """Unknown or wrong values fall back to the defaults."""
        state = cls()
        if path is None:
            return state
        try:
            data: Any = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return state
        except (OSError, ValueError) as error:
            _log.warning("The layout was not read from %s: %s", path, error)
            return state
        if isinstance(data, dict):
            for name, default in asdict(state).items():
                value = data.get(name, default)
                if type(value) is type(default):
                    setattr(state, name, value)
        state.collapsed = [key for key in state.collapsed if isinstance(key, str)]
        return state

    def save(self, path: Path | None) -> None:
        if path is None:
            return
        fresh = path.with_name(path.name + ".new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
            os.replace(fresh, path)
        except OSError as error:
            _log.warning("The layout was not written to %s: %s", path, error)
