"""Everything together: rows, logs, engines; what several endpoints and the runs themselves do to them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from posthog_code.demo.posthog.engine import Engine
from posthog_code.demo.posthog.forge import Forge
from posthog_code.demo.posthog.runlog import RunLog
from posthog_code.demo.posthog.store import TERMINAL, Store, new_id, shown
from posthog_code.demo.posthog.wire import Json, Object, iso, now, refused

CHECKPOINT_METHODS = ("_posthog/git_checkpoint", "__posthog/git_checkpoint")
SESSION_METHODS = ("_posthog/sdk_session", "__posthog/sdk_session")


class Cloud:
    def __init__(self, store: Store, forge: Forge, agent_command: list[str], agent_state: Path, pace: float) -> None:
        self.store = store
        self.forge = forge
        self.agent_command = agent_command
        self.agent_state = agent_state
        self.pace = pace
        """Real seconds for a scripted one."""
        self.url = ""
        self._logs: dict[str, RunLog] = {}
        self._engines: dict[str, Engine] = {}

    # -- lookups

    def log(self, run_id: str) -> RunLog:
        with self.store.lock:
            if run_id not in self._logs:
                log = RunLog(self.store.run_folder(run_id), self.store.config)
                run = self.store.runs[run_id]
                log.ended = run["status"] in TERMINAL or (run["environment"] == "local" and log.sent > 0)
                self._logs[run_id] = log
            return self._logs[run_id]

    def engine(self, run_id: str) -> Engine | None:
        return self._engines.get(run_id)

    def artifact_prefix(self, run: Object) -> str:
        return f"team_{self.store.tasks[run['task']]['_project']}/task_{run['task']}/run_{run['id']}"

    # -- rows

    def new_task(self, project: int, user: int | None, fields: Object, demo: Object, age: float = 0.0) -> Object:
        """A task as its row; it is not saved yet."""
        made = now() - age
        with self.store.lock:
            self.store.number += 1
            task: Object = {
                "id": new_id(made),
                "task_number": self.store.number,
                "slug": f"HARBOR-{self.store.number}",
                "title": "",
                "title_manually_set": False,
                "description": "",
                "origin_product": "user_created",
                "repository": None,
                "repositories": [],
                "github_integration": None,
                "github_user_integration": None,
                "signal_report": None,
                "json_schema": None,
                "internal": False,
                "archived": False,
                "archived_at": None,
                "ci_prompt": None,
                "runtime": "acp",
                "channel": None,
                "slack_thread_references": [],
                "_project": project,
                "_user": user,
                "_made": made,
                "_touched": made,
                "_deleted": False,
                "_staged": [],
                "_demo": demo,
            } | fields
            self.store.tasks[task["id"]] = task
        return task

    def new_run(self, task: Object, fields: Object, state: Object, age: float = 0.0) -> Object:
        """A queued run as its row; it is neither started nor saved yet."""
        made = now() - age
        run: Object = {
            "id": new_id(made),
            "task": task["id"],
            "stage": None,
            "branch": None,
            "status": "queued",
            "environment": "cloud",
            "runtime_adapter": None,
            "provider": None,
            "model": None,
            "reasoning_effort": None,
            "error_message": None,
            "output": {},
            "state": state,
            "artifacts": [],
            "_made": made,
            "_touched": made,
            "_completed": None,
            "_age": age,
            "_session": "",
            "_base": state.get("pr_base_branch"),
            "_inflight": None,
        } | fields
        with self.store.lock:
            self.store.runs[run["id"]] = run
            task["_touched"] = max(task["_touched"], made)
        return run

    def show_task(self, task: Object) -> dict[str, Json]:
        runs = self.store.runs_of(task["id"])
        person = next((row for row in self.store.people["users"] if row["id"] == task["_user"]), None)
        return {
            **shown(task),
            "latest_run": self.show_run(runs[-1]) if runs else None,
            "created_at": iso(task["_made"]),
            "updated_at": iso(task["_touched"]),
            "last_activity_at": iso(task["_touched"]),
            "created_by": dict(person) if person else None,
        }

    def show_run(self, run: Object) -> dict[str, Json]:
        return {
            **shown(run),
            "log_url": self.signed(f"logs/{run['id']}.jsonl") if run["status"] != "queued" else None,
            "created_at": iso(run["_made"]),
            "updated_at": iso(run["_touched"]),
            "completed_at": iso(run["_completed"]) if run["_completed"] else None,
        }

    def signed(self, key: str) -> str:
        """An address that needs no credential, for a while."""
        until = int(now() + float(self.store.config["storage_lifetime_s"]))
        return f"{self.url}/storage/{key}?expires={until}&signature={signature(key, until)}"

    def patch_run(self, run: Object, changes: Object, at: float | None = None) -> None:
        """`output` and `state` are merged, the rest is set; streams hear of it."""
        with self.store.lock:
            for key, value in changes.items():
                if key in ("output", "state") and isinstance(value, dict):
                    run[key] = {**(run[key] or {}), **value}
                else:
                    run[key] = value
            moment = now() if at is None else at
            if run["status"] in TERMINAL and not run["_completed"]:
                run["_completed"] = moment
            self.store.touch(run, moment)
            self.store.save()
        self.tell_state(run, moment)

    def tell_state(self, run: Object, at: float | None = None) -> None:
        keys = ("status", "stage", "output", "branch", "error_message")
        row = self.show_run(run)
        event = {"type": "task_run_state", "run_id": run["id"], "task_id": run["task"], **{k: row[k] for k in keys}}
        self.log(run["id"]).event({**event, "updated_at": row["updated_at"], "completed_at": row["completed_at"]}, at)

    # -- runs

    def start(self, run: Object, message: str | None, artifact_ids: list[str]) -> None:
        """Send a queued run off."""
        with self.store.lock:
            run["state"]["pending_user_message"] = message
            run["state"]["pending_user_artifact_ids"] = artifact_ids
            self.store.save()
        self.tell_state(run)
        self._run(run)

    def resume_in_cloud(self, run: Object) -> None:
        """Bring a local run to the cloud, with the checkpoint that its log names last. Raises Failure."""
        if run["environment"] == "cloud" and run["status"] not in TERMINAL:
            raise refused("Run is already active in cloud")
        with self.store.lock:
            _, facts = self._newest_checkpoint(run)
            run["environment"], run["status"], run["_completed"] = "cloud", "queued", None
            run["state"]["handoff_resumed"] = True
            run["_session"] = ""
            if facts is not None and facts.get("branch"):
                run["branch"] = facts["branch"]
            self.store.touch(run)
            self.store.save()
        self.log(run["id"]).end(False)
        self.tell_state(run)
        self._run(run)

    def go_local(self, run: Object) -> None:
        """The cloud's part of the run is over; the row goes on as a local one."""
        engine = self._engines.pop(run["id"], None)
        run["environment"] = "local"
        if engine is not None:
            engine.left()
        self.log(run["id"]).end()

    def _run(self, run: Object) -> None:
        with self.store.lock:
            engine = Engine(self, run)
            self._engines[run["id"]] = engine
        engine.start()

    def handed_over(self, run: Object) -> tuple[str, tuple[Object, bytes, bytes] | None]:
        """What the run's sandbox begins with: a branch, or a checkpoint (facts, pack, index) and no branch."""
        chain = self.store.chain(run)
        found, facts = self._newest_checkpoint(run)
        if found and facts is not None:
            parts = []
            for key in ("artifactPath", "indexArtifactPath"):
                path = self.store.blob(str(facts.get(key) or "-"))
                parts.append(path.read_bytes() if path.is_file() else b"")
            return "", (facts, parts[0], parts[1])
        for earlier in reversed(chain):
            branch = (earlier["output"] or {}).get("head_branch") or earlier["branch"]
            if branch:
                return str(branch), None
        return "", None

    def _newest_checkpoint(self, run: Object) -> tuple[bool, Object | None]:
        """Whether its pack is here, and its facts; (False, None) if there never was one."""
        for earlier in reversed(self.store.chain(run)):
            for entry in reversed(self.log(earlier["id"]).stored()):
                frame = entry.get("notification") or {}
                if frame.get("method") in CHECKPOINT_METHODS:
                    facts = frame.get("params") or {}
                    here = self.store.blob(str(facts.get("artifactPath") or "-")).is_file()
                    return here, facts
        return False, None

    def earlier_sessions(self, run: Object) -> list[str]:
        """Session ids of the conversation, newest first."""
        found = []
        for earlier in reversed(self.store.chain(run)):
            for entry in reversed(self.log(earlier["id"]).stored()):
                frame = entry.get("notification") or {}
                if frame.get("method") in SESSION_METHODS:
                    found.append(str((frame.get("params") or {}).get("sessionId") or ""))
        return [session for session in dict.fromkeys(found) if session]

    def revive(self) -> None:
        """After a start: runs that were at work go on."""
        with self.store.lock:
            live = [
                run
                for run in self.store.runs.values()
                if run["environment"] == "cloud"
                and run["status"] not in TERMINAL
                and run["id"] not in self._engines
                and not self.store.tasks[run["task"]]["_deleted"]
                and (run["_session"] or "pending_user_message" in run["state"])
            ]
        for run in live:
            self._run(run)

    def stop(self) -> None:
        for engine in list(self._engines.values()):
            engine.stop()


def signature(key: str, until: int) -> str:
    """Enough to notice a changed address; it guards nothing but this stand-in."""
    return hashlib.sha256(f"demo storage {key} {until}".encode()).hexdigest()[:32]
