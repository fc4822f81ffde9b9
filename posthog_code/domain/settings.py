"""What a person can set. Every field has a default, so that any older or newer file still loads."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Settings:
    theme: str = "system"
    """system, light or dark."""
    text_size: int = 13
    """Pixels, 12 to 18."""
    reduced_motion: bool = False
    color_blind_diffs: bool = False
    send_with_enter: bool = True
    default_agent: str = ""
    default_mode: str = ""
    branch_prefix: str = "posthog-code/"
    worktrees_dir: str = ""
    """"" means inside the data folder."""
    run_setup: bool = True
    split_diff: bool = False
    wrap_diff: bool = False
    editor_command: str = ""
    github_api_url: str = ""
    """"" means: from the remote URL."""
    agent_paths: Mapping[str, str] = field(default_factory=dict)
    """Agent id to the program chosen by hand."""
    custom_agents: Mapping[str, str] = field(default_factory=dict)
    """Name to command line of agents added by hand."""
    draft_pull_requests: bool = False
    cloud_filter: str = "all"
    """Which cloud tasks are listed: a CloudFilter."""
    priority_weights: Mapping[str, str] = field(default_factory=dict)
    """Factor id to weight, as a decimal number; what is missing has its default (`domain.priority`)."""
    code_context: bool = True
    """Agents are told what flags and events in the code mean when a task starts from a report."""


def to_json(settings: Settings) -> dict[str, Any]:
    return asdict(settings)


def from_json(data: Mapping[str, Any]) -> Settings:
    """Settings from a file: unknown keys are ignored, values of the wrong type fall back to the default."""
    hints = typing.get_type_hints(Settings)
    kept: dict[str, Any] = {}
    for item in fields(Settings):
        if item.name not in data:
            continue
        value, wanted = data[item.name], hints[item.name]
        origin = typing.get_origin(wanted)
        kind = dict if origin is not None and not isinstance(wanted, types.UnionType) else wanted
        if kind is dict:
            if isinstance(value, Mapping):
                kept[item.name] = {str(k): str(v) for k, v in value.items()}
        elif type(value) is kind:
            kept[item.name] = value
    return Settings(**kept)
