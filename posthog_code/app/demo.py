"""The demo world: made once, filled with tasks by the ordinary services, opened in the ordinary window."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from posthog_code.app.container import Container, build, open_database
from posthog_code.app.paths import Paths
from posthog_code.demo.signals import SNOOZED
from posthog_code.demo.tasks import DemoTask, Wanted
from posthog_code.demo.world import (
    DemoGitHub,
    DemoPostHog,
    WorldError,
    WorldFacts,
    outdated,
    prepare,
    start_github,
    start_posthog,
)
from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import RepositoryId, TaskId
from posthog_code.domain.inbox import Triage
from posthog_code.domain.session import Ask
from posthog_code.domain.state import AppState
from posthog_code.domain.task import TaskDraft
from posthog_code.services import edits
from posthog_code.services.app import Services
from posthog_code.services.inbox_triage import INBOX
from posthog_code.ui.context import UiContext

LIVE = (Wanted.RUNNING, Wanted.PERMISSION, Wanted.QUESTION)
"""States that only a living agent can be in: these tasks are begun when the window is open."""
_SPEED = "POSTHOG_CODE_DEMO_SPEED"
Say = Callable[[str], None]


def run(options: argparse.Namespace, paths: Paths) -> int:
    """`posthog-code demo`: gives the exit code."""
    home = Path(options.home).expanduser().absolute() if options.home else paths.home / "demo"
    if options.reset:
        _set_aside(home)
    elif outdated(home):
        _say(f"The demo world is of an older version: it is kept as {_set_aside(home).name}, and a new one is made.")
    try:
        demo = DemoWorld.open(home, _say, cloud=not options.prepare_only)
    except (WorldError, UserError) as error:
        sys.stderr.write(f"The demo world could not be made. {error}\n")
        return 2
    try:
        if options.prepare_only:
            return 0
        from posthog_code.app.window import open_window

        return open_window(demo.paths, demo.begin_live_tasks)
    finally:
        demo.close()


def _say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def _set_aside(home: Path) -> Path:
    """Where it is now."""
    kept = home.with_name(f"{home.name}.before-{int(time.time())}")
    if home.exists():
        os.replace(home, kept)
    return kept


class DemoWorld:
    """A prepared world with its GitHub, and perhaps its PostHog, running and its tasks seeded."""

    def __init__(self, facts: WorldFacts, github: DemoGitHub, now: float) -> None:
        self.facts = facts
        self.github = github
        self.posthog: DemoPostHog | None = None
        self.paths = Paths(facts.home / "data")
        self._now = now
        os.environ["GITHUB_API_URL"] = github.api
        os.environ["GITHUB_TOKEN"] = github.token
        os.environ["POSTHOG_CODE_DEMO_STATE"] = str(facts.agent_state)

    @classmethod
    def open(cls, home: Path, say: Say, *, pace: float = 1.0, cloud: bool = False) -> DemoWorld:
        """Make or find the world and everything in it that does not need a window; with `cloud` this program is signed
        in to a stand-in for PostHog. Raises WorldError, UserError."""
        now = time.time()
        if not (home / "world.json").exists():
            say("Making the demo world: two repositories with history, a GitHub, and an agent.")
        facts = prepare(home, now)
        world = cls(facts, start_github(home, pace), now)
        try:
            if cloud:
                world.sign_in(start_posthog(home, pace))
            asyncio.run(world._seed(say))
        except BaseException:
            world.close()
            raise
        return world

    def sign_in(self, posthog: DemoPostHog) -> None:
        self.posthog = posthog
        os.environ["POSTHOG_HOST"] = posthog.url
        os.environ["POSTHOG_API_KEY"] = posthog.token

    def close(self) -> None:
        if self.posthog is not None:
            self.posthog.stop()
        self.github.stop()

    async def _seed(self, say: Say) -> None:
        container = build(self.paths, *open_database(self.paths), policy=_allow)
        try:
            services = container.services
            await services.reconcile.run()
            await services.pull_requests.recover()
            repositories = await self._add_repositories(services)
            missing = [t for t in self.facts.tasks if t.wanted not in LIVE and not _known(services.store.state, t)]
            for number, task in enumerate(missing, 1):
                say(f"  {number}/{len(missing)}  {task.title}")
                await self._make(services, repositories[task.repository], task)
            await services.store.update(_snoozed, INBOX)
        finally:
            await container.close()

    async def _add_repositories(self, services: Services) -> dict[str, RepositoryId]:
        found = {}
        for path in self.facts.repositories:
            found[path.name] = await services.repositories.add(path)
        if not services.store.state.settings.default_agent:
            await services.settings.set(default_agent="demo")
        return found

    async def _make(self, services: Services, repository_id: RepositoryId, task: DemoTask) -> TaskId:
        """Bring one task into its state the way a person would."""
        task_id = await _start(services, repository_id, task)
        await services.sessions.wait_idle(task_id)
        for prompt in task.prompts[1:]:
            await services.sessions.prompt(task_id, prompt)
            await services.sessions.wait_idle(task_id)
        if task.pull_request:
            await self._publish(services, task_id, task)
        await services.sessions.end(task_id)
        if task.wanted is Wanted.ARCHIVED:
            await services.tasks.archive(task_id)
        await services.store.update(lambda state: self._aged(state, task_id, task))
        return task_id

    def _aged(self, state: AppState, task_id: TaskId, task: DemoTask) -> AppState:
        """As if nothing had happened in it for `task.age` hours."""
        at = self._now - task.age * 3600
        session = state.session_of(task_id)
        if session is not None:
            gap = self._now - at
            turns = tuple(replace(t, started_at=t.started_at - gap, ended_at=t.ended_at - gap) for t in session.turns)
            state = edits.edit_session(state, session.id, turns=turns)
        unread = task.wanted in (Wanted.FINISHED, Wanted.FAILED)
        pinned = task is self.facts.tasks[0]
        return edits.edit_task(state, task_id, created_at=at, updated_at=at, unread=unread, pinned=pinned)

    async def _publish(self, services: Services, task_id: TaskId, task: DemoTask) -> None:
        proposal = await services.pull_requests.propose(task_id)
        pull = await services.pull_requests.create(task_id, replace(proposal.new, title=task.pull_request))
        if task.advance:
            await asyncio.to_thread(self.github.advance, task.repository, pull.number, task.advance)
        if task.wanted is Wanted.MERGED:
            await asyncio.to_thread(self.github.merge, task.repository, pull.number)
            # The product's history follows: it goes by the time of the merge.
            await asyncio.to_thread(self.github.advance, task.repository, pull.number, task.released * 3600)
        await services.pull_requests.refresh(task_id)

    def begin_live_tasks(self, container: Container, context: UiContext) -> None:
        """Called once the window is there: tasks whose agents are at work in it."""
        container.services.scope.spawn(self.live(container.services, context), "demo-live")

    async def live(self, services: Services, context: UiContext | None = None) -> None:
        repositories = {r.name: r.id for r in services.store.state.repositories.values()}
        if context is not None and context.nav.place.task_id is None:
            first = next((t for t in services.store.state.visible_tasks() if t.pinned), None)
            if first is not None:
                context.nav.open_task(first.id)
        for task in self.facts.tasks:
            if task.wanted in LIVE and not _known(services.store.state, task):
                await _start(services, repositories[task.repository], task)


async def _start(services: Services, repository_id: RepositoryId, task: DemoTask) -> TaskId:
    # The agent reads its pace from the environment when it starts; set-up and start are awaited before the next one.
    os.environ[_SPEED] = str(task.speed)
    try:
        task_id = await services.tasks.create(
            TaskDraft(
                prompt=task.prompts[0],
                repository_id=repository_id,
                agent_id="demo",
                title=task.title,
                branch=task.branch,
                mode=task.mode,
                report_id=task.report,
            )
        )
        if task.report:
            await services.store.update(lambda state: _linked(state, task.report, task_id), INBOX)
        await services.tasks.wait_for_setup(task_id)
        await services.sessions.wait_started(task_id)
    finally:
        os.environ.pop(_SPEED, None)
    return task_id


def _linked(state: AppState, report: str, task_id: TaskId) -> AppState:
    """The report knows the task, as it would if the task had been started from it."""
    known = state.inbox.triage.get(report, Triage())
    triage = {**state.inbox.triage, report: replace(known, task_ids=(*known.task_ids, task_id))}
    return replace(state, inbox=replace(state.inbox, triage=triage))


def _snoozed(state: AppState) -> AppState:
    """What was snoozed before this world was opened for the first time; the server knows of it as well."""
    told = {report: Triage(snoozed_signals=signals) for report, signals in SNOOZED.items()}
    return replace(state, inbox=replace(state.inbox, triage={**told, **state.inbox.triage}))


def _known(state: AppState, task: DemoTask) -> bool:
    return any(t.title == task.title and t.branch in (task.branch, "") for t in state.tasks.values())


def _allow(_task_id: TaskId, ask: Ask) -> str | None:
    return next((o.id for o in ask.options if o.kind == "allow_once"), None)
