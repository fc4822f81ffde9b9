"""What comes of a release that made something worse: one signal, and a follow-up that a person starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from posthog_code.domain import release_words as words
from posthog_code.domain.agent import usual_agent
from posthog_code.domain.cloud_lists import remote_name
from posthog_code.domain.errors import InvalidInput, NotFound
from posthog_code.domain.ids import TaskId
from posthog_code.domain.release_watch import Direction, ReleaseWatch, TouchedHunk
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import Task, TaskDraft, Workspace
from posthog_code.ports.signals import OutgoingSignal
from posthog_code.services.agents import Agents
from posthog_code.services.emitting import Emitting
from posthog_code.services.store import Store
from posthog_code.services.tasks import Tasks


class FollowUps:
    def __init__(self, store: Store, emitting: Emitting, tasks: Tasks, agents: Agents) -> None:
        self._store, self._emitting, self._tasks, self._agents = store, emitting, tasks, agents

    def untold(self, watch: ReleaseWatch) -> bool:
        return self._emitting.told(self._fingerprint(watch)) is None

    async def tell(self, watch: ReleaseWatch) -> None:
        """Keep the follow-up's prompt, then tell the project unless it was told. Raises what the port does."""
        pull = self._store.state.pull_requests.get(watch.task_id)
        if not watch.follow_up_prompt:
            prompt = words.follow_up(watch, pull, _hunk(watch))
            await self._put(watch.task_id, lambda known: replace(known, follow_up_prompt=prompt))
        if not self.untold(watch):
            return
        worse = [metric for metric in watch.metrics if metric.direction is Direction.WORSE]
        signal = OutgoingSignal(
            title=words.signal_title(watch, pull),
            text=words.signal_text(watch, pull),
            kind="regression",
            fingerprint=self._fingerprint(watch),
            properties={
                "repository": self._repository(watch),
                "pull_request": watch.pull_request,
                "pull_request_url": pull.url if pull else "",
                "commit": watch.commit,
                "released_at": watch.released_at,
                "released_by": watch.released_by,
                "report_id": watch.report_id,
                "metrics": [
                    {"id": one.id, "before": one.before, "after": one.after, "place": one.place} for one in worse
                ],
                "new_errors": list(watch.new_errors[:10]),
                "paths": list(watch.touched.paths[:20]),
            },
        )
        await self._emitting.tell(signal, watch.project_id)

    def _fingerprint(self, watch: ReleaseWatch) -> str:
        return words.signal_fingerprint(
            watch.project_id, self._repository(watch), watch.pull_request, f"{watch.task_id}:{watch.released_at:.0f}"
        )

    def _repository(self, watch: ReleaseWatch) -> str:
        repository = self._store.state.repository_of(watch.task_id)
        return remote_name(repository.remote_url)[1] if repository else ""

    async def start(self, task_id: TaskId) -> TaskId:
        """Make the task, once. Raises NotFound without a suggestion, InvalidInput when no agent can do it."""
        await self._store.refresh()
        watch, task = self._store.state.watches.get(task_id), self._store.state.tasks.get(task_id)
        if watch is None or task is None or not watch.follow_up_prompt:
            raise NotFound("There is no follow-up to start.", "One is suggested when something gets worse.")
        if watch.follow_up in self._store.state.tasks:
            return TaskId(watch.follow_up)
        made = await self._tasks.create(await self._draft(task, watch.follow_up_prompt))
        await self._put(task_id, lambda known: replace(known, follow_up=made))
        return made

    async def _draft(self, task: Task, prompt: str) -> TaskDraft:
        """For the agent that made the change; of a cloud task the usual one on this machine."""
        title = words.follow_up_title(self._store.state.pull_requests.get(task.id))
        draft = TaskDraft(prompt, task.repository_id, task.agent_id, base=task.base, title=title)
        if task.workspace is not Workspace.CLOUD:
            return replace(draft, agent_command=task.agent_command, mode=task.mode, model=task.model)
        infos = self._store.state.agents or await self._agents.detect()
        usual = usual_agent(infos, self._store.state.settings.default_agent)
        if not usual:
            raise InvalidInput("No agent is installed here.", "Install one, then start the follow-up again.")
        return replace(draft, agent_id=usual)

    async def _put(self, task_id: TaskId, edit: Callable[[ReleaseWatch], ReleaseWatch]) -> None:
        def change(state: AppState) -> AppState:
            known = state.watches.get(task_id)
            return state if known is None else replace(state, watches={**state.watches, task_id: edit(known)})

        await self._store.update(change, Topic("watch", task_id))


def _hunk(watch: ReleaseWatch) -> TouchedHunk | None:
    """The hunk that the worst figure belongs to, else the first one that is quoted."""
    for metric in watch.metrics:
        path, _, line = metric.place.rpartition(":")
        if metric.direction is Direction.WORSE and path and line.isdecimal():
            found = watch.touched.hunk_for(path, int(line))
            if found is not None:
                return found
    return next((hunk for hunk in watch.touched.hunks if hunk.quote), None)
