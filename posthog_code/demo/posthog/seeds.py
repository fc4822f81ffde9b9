"""Tasks that appear by themselves: the ones of a new world, and those that a test lets appear."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import fields
from typing import Any

from posthog_code.demo.cloud_tasks import ORGANIZATION_ID, PEOPLE, PROJECT, PROJECTS, SEEDS, CloudTask, Ends
from posthog_code.demo.posthog.cloud import Cloud
from posthog_code.demo.posthog.forge import ForgeError
from posthog_code.demo.posthog.oauth import CLIENT, first_client
from posthog_code.demo.posthog.wire import Object, now, refused

PLAY_LIMIT = 60.0
"""Seconds that a seeded run may take to get to its state."""


def people() -> Object:
    users = [
        {
            "id": user,
            "uuid": f"0190a000-0000-7000-8000-{user:012d}",
            "distinct_id": f"u_{user}",
            "first_name": first,
            "last_name": last,
            "email": address,
        }
        for user, first, last, address in PEOPLE
    ]
    teams = [{"id": project, "name": name} for project, name in PROJECTS]
    organization = {
        "id": ORGANIZATION_ID,
        "name": "Harbor",
        "slug": "harbor",
        "membership_level": 15,
        "is_ai_data_processing_approved": True,
        "teams": teams,
    }
    return {"users": users, "organization": organization, "current": PROJECT}


def seed_of(body: Object) -> CloudTask:
    """A seed from a request's body: the fields of CloudTask. Raises Failure for others."""
    known = {field.name for field in fields(CloudTask)}
    if unknown := set(body) - known:
        raise refused(f"unknown: {', '.join(sorted(unknown))}")
    told: dict[str, Any] = {"age": 0.0, **body}
    told["ends"] = Ends(told.get("ends", "idle"))
    return CloudTask(**{"title": "Untitled", **told})


class Seeder:
    """Plants tasks and brings their runs, one after the other, to where they should be."""

    def __init__(self, cloud: Cloud, with_seeds: bool = True) -> None:
        self._cloud = cloud
        self._queue: queue.Queue[tuple[CloudTask, Object]] = queue.Queue()
        self._with_seeds = with_seeds
        self.waiting = 0

    @property
    def ready(self) -> bool:
        return self.waiting == 0

    def begin(self) -> None:
        """Rows at once; runs in a thread of their own."""
        store = self._cloud.store
        if store.fresh:
            store.people = people()
            store.clients[CLIENT] = first_client()
            for seed in sorted(SEEDS, key=lambda one: -one.age) if self._with_seeds else ():
                self.plant(seed)
            store.save()
        else:
            self._find_unplayed()
        threading.Thread(target=self._work, daemon=True).start()

    def plant(self, seed: CloudTask) -> Object:
        """The new task's row."""
        cloud, age = self._cloud, seed.age * 3600
        described = {
            "title": seed.title,
            "description": seed.prompt,
            "repository": seed.repository,
            "origin_product": seed.origin,
            "signal_report": seed.report,
            "slack_thread_references": [{"url": seed.thread}] if seed.thread else [],
        }
        demo: Object = {"publish": seed.publish, "mess": seed.mess, "ends": seed.ends.value, "error": seed.error}
        if seed.speed is not None:
            demo["speed"] = seed.speed
        task = cloud.new_task(seed.project, seed.creator, described, demo, age)
        if seed.ends is not Ends.NO_RUN:
            state = {
                "mode": "interactive",
                "pr_authorship_mode": "bot",
                "run_source": "signal_report" if seed.report else "manual",
                "initial_permission_mode": seed.mode,
                "sandbox_environment_id": None,
            }
            model = {"runtime_adapter": "claude", "provider": "anthropic", "model": "demo-large"}
            run = cloud.new_run(task, {**model, "reasoning_effort": "high"}, state, max(0.0, age - 20))
            if seed.ends is not Ends.QUEUED:
                self.waiting += 1
                self._queue.put((seed, run))
        cloud.store.save()
        return task

    def _work(self) -> None:
        # Runs of an earlier start that were at work come first: a person may be looking at them.
        self._cloud.revive()
        while True:
            seed, run = self._queue.get()
            try:
                self._play(seed, run)
            except ForgeError as error:
                self._cloud.patch_run(run, {"status": "failed", "error_message": str(error)})
            finally:
                # From here on a person may take part: what happens now is stamped with now.
                run["_age"] = 0.0
                self._cloud.store.save()
                self.waiting -= 1

    def _find_unplayed(self) -> None:
        """What an earlier start did not get to."""
        store = self._cloud.store
        for run in sorted(store.runs.values(), key=lambda one: float(one["_made"])):
            task = store.tasks[run["task"]]
            ends = task["_demo"].get("ends", Ends.QUEUED)
            if run["status"] == "queued" and "pending_user_message" not in run["state"] and ends != Ends.QUEUED:
                demo = task["_demo"]
                told = {name: demo[name] for name in ("publish", "mess", "error", "speed") if name in demo}
                seed = CloudTask(task["title"], task["description"], ends=Ends(ends), **told)
                self.waiting += 1
                self._queue.put((seed, run))
            else:
                run["_age"] = 0.0

    def _play(self, seed: CloudTask, run: Object) -> None:
        cloud = self._cloud
        if seed.ends is Ends.FAILED:
            self._fail(seed, run)
            return
        cloud.start(run, seed.prompt, [])
        until = time.monotonic() + PLAY_LIMIT
        engine = cloud.engine(run["id"])
        while engine is not None and time.monotonic() < until and not self._arrived(seed, run):
            time.sleep(0.02)
        if engine is not None and seed.ends is Ends.COMPLETED and engine.state == "idle":
            engine.finish("completed")

    def _arrived(self, seed: CloudTask, run: Object) -> bool:
        engine = self._cloud.engine(run["id"])
        if engine is None or engine.state == "ended" or (seed.speed or 0) > 0:
            return True
        if seed.ends is Ends.WAITING:
            return bool(engine.waiting())
        return engine.state == "idle" and engine.turns_over > 0

    def _fail(self, seed: CloudTask, run: Object) -> None:
        log, at = self._cloud.log(run["id"]), now() - run["_age"]
        params = {"sessionId": "", "step": "sandbox", "label": "Starting sandbox", "group": "setup"}
        for status, later in (("in_progress", 0.0), ("failed", 8.0)):
            frame = {"method": "_posthog/progress", "params": {**params, "status": status}}
            log.frame(frame, at + later)
        self._cloud.patch_run(run, {"status": "failed", "error_message": seed.error}, at + 8.1)
        log.end()
