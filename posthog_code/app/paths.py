"""Where things are kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Paths:
    home: Path
    """The data folder: everything below is in it, and nothing of ours is anywhere else."""

    @property
    def database(self) -> Path:
        return self.home / "state.sqlite3"

    @property
    def journals(self) -> Path:
        return self.home / "journal"

    @property
    def task_logs(self) -> Path:
        return self.home / "task-logs"

    @property
    def attachments(self) -> Path:
        return self.home / "attachments"

    @property
    def worktrees(self) -> Path:
        return self.home / "worktrees"

    @property
    def trash(self) -> Path:
        return self.home / "trash"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def agents(self) -> Path:
        return self.home / "agents"

    @property
    def layout(self) -> Path:
        return self.home / "layout.json"

    @property
    def lock(self) -> Path:
        return self.home / "window.lock"


def default_home(environ: Mapping[str, str] | None = None) -> Path:
    """`POSTHOG_CODE_HOME` when set, else the platform's place for application data."""
    env = os.environ if environ is None else environ
    if chosen := env.get("POSTHOG_CODE_HOME"):
        return Path(chosen).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "PostHog Code"
    if sys.platform == "win32":
        return Path(env.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "PostHog Code"
    data = env.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(data) / "posthog-code"
