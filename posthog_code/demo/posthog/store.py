"""What the stand-in remembers: rows in one JSON file, logs and artifacts in files of their own."""

from __future__ import annotations

import json
import os
import secrets
import threading
import uuid
from collections.abc import Iterable
from pathlib import Path

from posthog_code.demo.posthog.wire import Json, Object, missing, now

CONFIG: Object = {
    "access_lifetime_s": 3600,
    "code_lifetime_s": 300,
    "refresh_grace_s": 120,
    "keepalive_s": 20,
    "stream_max_s": 900,
    "stream_wait_s": 120,
    "stream_buffer": 5000,
    "sse_ascii": True,
    "stored_skew_ms": 0,
    "log_flush_s": 0,
    "close_grace_s": 2,
    "idle_s": 3600,
    "storage_lifetime_s": 3600,
    "command_reply": "queued",
    "desktop_access": True,
    "github_authorization": "bot",
    "older": False,
    "query_slow_s": 0,
    "query_pending_s": 0,
    "signal_delay_s": 0.5,
    "mcp_refusals": 0,
}
"""Changed by POST /__demo/config.

`stream_wait_s`: how long a stream of a run without any event lives; `stream_buffer`: events that are kept, for runs
that begin later; `sse_ascii`: false sends characters past ASCII as they are; `stored_skew_ms`, `log_flush_s`: how far
stamps of stored entries are off, how late they are readable; `command_reply`: "queued" or "turn";
`github_authorization`: "user", "bot" (no personal GitHub, falls back) or "none" (a refusal that says so); `older`: no
cancel, desktop access and stream token calls, streams end without a word, session_logs has the run's own lines only,
and reports know neither `resolved` nor reasons nor bulk changes; `query_slow_s`: how long a query takes;
`query_pending_s`: above 0 queries are answered with 202 and are done so much later; `signal_delay_s`: from a captured
error to its report; `mcp_refusals`: so many MCP tool calls (-1: all) say `authentication_failed` in a 200.
"""

TERMINAL = frozenset({"completed", "failed", "cancelled"})


class Store:
    """Rows are plain dictionaries; keys that start with "_" are the stand-in's own and never shown.

    All methods may be called from any thread, holding `lock` for what belongs together.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lock = threading.RLock()
        self._file = root / "posthog.json"
        self.config: Object = dict(CONFIG)
        self.tasks: dict[str, Object] = {}
        self.runs: dict[str, Object] = {}
        self.environments: dict[str, Object] = {}
        self.clients: dict[str, Object] = {}
        self.codes: dict[str, Object] = {}
        self.tokens: dict[str, Object] = {}
        self.uploads: dict[str, Object] = {}
        """Signed storage keys that may be written or read, with the time when that ends."""
        self.people: Object = {}
        self.number = 0
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._file.is_file():
            kept = json.loads(self._file.read_text(encoding="utf-8"))
            for name in self._kept:
                setattr(self, name, kept.get(name, getattr(self, name)))
            self.config = {**CONFIG, **kept["config"]}

    _kept = ("tasks", "runs", "environments", "clients", "codes", "tokens", "uploads", "people", "number")

    @property
    def fresh(self) -> bool:
        """Whether nothing was ever kept here."""
        return not self._file.is_file()

    def save(self) -> None:
        """Written beside and renamed, so that a reader never finds half of it."""
        with self.lock:
            kept = {"version": 1, "config": self.config, **{name: getattr(self, name) for name in self._kept}}
            draft = self._file.with_suffix(".part")
            draft.touch(mode=0o600)
            draft.write_text(json.dumps(kept, separators=(",", ":")), encoding="utf-8")
            os.replace(draft, self._file)

    def task(self, project: int, task_id: str) -> Object:
        """Raises Failure for one that is not there, deleted, or of another project."""
        task = self.tasks.get(task_id)
        if task is None or task["_project"] != project or task["_deleted"]:
            raise missing()
        return task

    def run(self, project: int, task_id: str, run_id: str) -> Object:
        self.task(project, task_id)
        run = self.runs.get(run_id)
        if run is None or run["task"] != task_id:
            raise missing()
        return run

    def runs_of(self, task_id: str) -> list[Object]:
        """Oldest first."""
        return sorted((run for run in self.runs.values() if run["task"] == task_id), key=lambda run: run["_made"])

    def chain(self, run: Object) -> list[Object]:
        """The run and what it resumed, oldest first."""
        found = [run]
        while (earlier := self.runs.get(str(found[0]["state"].get("resume_from_run_id")))) and earlier not in found:
            found.insert(0, earlier)
        return found

    def touch(self, run: Object, at: float | None = None) -> None:
        """Something has changed: times never stand still or go back."""
        moved = max(at if at is not None else now(), run["_touched"] + 0.000_001)
        run["_touched"] = moved
        task = self.tasks[run["task"]]
        task["_touched"] = max(task["_touched"], moved)

    # -- files

    def run_folder(self, run_id: str) -> Path:
        return self.root / "runs" / run_id

    def blob(self, storage_path: str) -> Path:
        return self.root / "storage" / storage_path.replace("/", "__")

    def put_artifact(self, holder: list[Object], prefix: str, facts: Object, data: bytes) -> Object:
        """Keep the bytes and add a manifest entry to `holder`."""
        artifact = self.new_artifact(prefix, facts)
        path = self.blob(artifact["storage_path"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        artifact["size"] = len(data)
        holder.append(artifact)
        return artifact

    def new_artifact(self, prefix: str, facts: Object) -> Object:
        artifact_id = secrets.token_hex(8)
        name = str(facts.get("name") or "file").replace("/", "_")
        return {
            "id": artifact_id,
            "name": name,
            "type": facts.get("type") or "artifact",
            "source": facts.get("source") or "posthog_code",
            "size": facts.get("size") or 0,
            "content_type": facts.get("content_type") or "application/octet-stream",
            "storage_path": f"tasks/artifacts/{prefix}/{artifact_id}_{name}",
            "uploaded_at": None,
        }

    def artifact_at(self, runs: Iterable[Object], storage_path: str) -> Object | None:
        for run in runs:
            for artifact in run["artifacts"]:
                if artifact["storage_path"] == storage_path:
                    return dict(artifact)
        return None


def new_id(at: float) -> str:
    """A UUID of version 7: ids sort by time, as PostHog's do."""
    value = (int(at * 1000) << 80) | (7 << 76) | (secrets.randbits(12) << 64) | (2 << 62) | secrets.randbits(62)
    return str(uuid.UUID(int=value))


def shown(row: Object) -> dict[str, Json]:
    """A row without what is the stand-in's own."""
    return {key: value for key, value in row.items() if not key.startswith("_")}
