"""All sessions, wherever their agents are: those of cloud tasks are watched runs, the others run here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from posthog_code.domain.errors import InvalidInput, NotFound, UserError
from posthog_code.domain.ids import MessageId, RequestId, TaskId
from posthog_code.domain.task import QueuedMessage, Task, TaskPhase, Workspace
from posthog_code.domain.transcript import Transcript
from posthog_code.services.cloud_link import Link
from posthog_code.services.cloud_session import CloudSession
from posthog_code.services.session_parts import SessionParts
from posthog_code.services.sessions import CONTINUE, Sessions

NewSession = Callable[[SessionParts, Task], CloudSession]


def _new_session(parts: SessionParts, task: Task) -> CloudSession:
    return CloudSession(parts, task.id, task.session_id)


class AllSessions(Sessions):
    """`Sessions` for every task; what a cloud task is asked goes to its run."""

    def __init__(self, parts: SessionParts, new_session: NewSession = _new_session) -> None:
        super().__init__(parts)
        self._clouds: dict[TaskId, CloudSession] = {}
        self._new_session = new_session

    def cloud(self, task_id: TaskId) -> CloudSession:
        """The session of a task whose agent is in the cloud. Raises NotFound for any other task."""
        found = self._cloud(task_id)
        if found is None:
            raise NotFound("This task does not run in the cloud.")
        return found

    def _cloud(self, task_id: TaskId) -> CloudSession | None:
        task = self._task(task_id)
        if task.workspace is not Workspace.CLOUD:
            return None
        if task_id not in self._clouds:
            self._clouds[task_id] = self._new_session(self._parts, task)
        return self._clouds[task_id]

    def watch(self, task_id: TaskId) -> None:
        """A panel shows this cloud task; nothing happens for any other. Each call wants its `unwatch`."""
        if (cloud := self._cloud(task_id)) is not None:
            cloud.watch()

    async def unwatch(self, task_id: TaskId) -> None:
        if (cloud := self._clouds.get(task_id)) is not None:
            await cloud.unwatch()

    def cloud_folder(self, task_id: TaskId) -> str:
        """Where the checkout of a cloud task is in its sandbox; "" when that is not known."""
        cloud = self._clouds.get(task_id)
        return cloud.facts.folder if cloud is not None else ""

    def watches(self, cloud_task_id: str) -> bool:
        """Whether the run of a cloud task is being followed now."""
        return any(
            one.watch_run is not None and one.task.cloud_task_id == cloud_task_id for one in self._clouds.values()
        )

    def reached_cloud(self) -> None:
        """The cloud answers: sessions that had given up, or wait, try now."""
        for cloud in self._clouds.values():
            if cloud.link_state in (Link.LOST, Link.BROKEN):
                cloud.retry_link()

    async def signed_in(self, anew: bool) -> None:
        """Credentials were replaced: those that had given up follow their runs with the new ones; with `anew`, because
        somebody else is signed in now, all of them do."""
        for cloud in tuple(self._clouds.values()):
            if anew or cloud.link_state is Link.LOST:
                await cloud.reconnect()

    async def signed_out(self, why: UserError) -> None:
        """Nobody is signed in: what is followed belongs to nobody here any more."""
        for cloud in tuple(self._clouds.values()):
            await cloud.disconnect(why)

    async def leave(self, task_id: TaskId) -> None:
        """Stop watching for good: the task goes on here, or is gone."""
        if (cloud := self._clouds.pop(task_id, None)) is not None:
            await cloud.close()

    # -- Sessions ----------------------------------------------------------------------------------------------

    def claim(self, task_id: TaskId) -> None:
        if self._cloud(task_id) is None:
            super().claim(task_id)

    def kick(self, task_id: TaskId) -> None:
        if (cloud := self._cloud(task_id)) is not None:
            cloud.kick()
        else:
            super().kick(task_id)

    async def prompt(self, task_id: TaskId, text: str, attachments: Sequence[str] = ()) -> bool:
        if (cloud := self._cloud(task_id)) is None:
            return await super().prompt(task_id, text, attachments)
        if not text.strip() and not attachments:
            raise InvalidInput("The message is empty.", "Type what the agent should do.")
        if self._task(task_id).phase in (TaskPhase.ARCHIVED, TaskPhase.DELETED):
            raise InvalidInput("This task is archived.", "Restore it to go on with it.")
        clock = self._parts.clock
        message = QueuedMessage(MessageId(clock.new_id()), task_id, text, clock.now(), tuple(attachments))
        now = not cloud.busy
        await self._queue(task_id, lambda queue: (*queue, message))
        cloud.release_queue()
        cloud.start()
        cloud.kick()
        return now

    async def stop(self, task_id: TaskId) -> None:
        if (cloud := self._cloud(task_id)) is not None:
            await cloud.stop_turn()
        else:
            await super().stop(task_id)

    async def end(self, task_id: TaskId) -> None:
        """Of a cloud task only the watching ends: the run is not on this machine. `cloud(id).end_run` ends it."""
        if self._cloud(task_id) is not None:
            await self.leave(task_id)
        else:
            await super().end(task_id)

    async def answer(self, task_id: TaskId, request_id: RequestId, option_id: str) -> None:
        if (cloud := self._cloud(task_id)) is not None:
            await cloud.answer(request_id, option_id)
        else:
            await super().answer(task_id, request_id, option_id)

    async def answer_question(self, task_id: TaskId, request_id: RequestId, content: Mapping[str, Any] | None) -> None:
        if (cloud := self._cloud(task_id)) is not None:
            await cloud.answer_question(request_id, content)
        else:
            await super().answer_question(task_id, request_id, content)

    async def set_option(self, task_id: TaskId, option_id: str, value: str) -> None:
        if (cloud := self._cloud(task_id)) is not None:
            await cloud.set_option(option_id, value)
        else:
            await super().set_option(task_id, option_id, value)

    async def retry_turn(self, task_id: TaskId) -> None:
        """Of a cloud task: the connection, and what could not be sent; a run that never came up starts afresh."""
        if (cloud := self._cloud(task_id)) is None:
            await super().retry_turn(task_id)
            return
        cloud.release_queue()
        cloud.retry_link()
        cloud.start()
        if cloud.over and not self._store.state.queue.get(task_id):
            cloud.retry(self._task(task_id).prompt or CONTINUE, ())
        else:
            cloud.retry_sending()

    async def continue_turn(self, task_id: TaskId) -> None:
        if (cloud := self._cloud(task_id)) is not None:
            cloud.start()
            cloud.retry(CONTINUE, ())
        else:
            await super().continue_turn(task_id)

    async def send_now(self, task_id: TaskId, message_id: MessageId) -> None:
        if (cloud := self._cloud(task_id)) is None:
            await super().send_now(task_id, message_id)
            return
        await self.move_queued(task_id, message_id, 0)
        await cloud.stop_turn()
        cloud.release_queue()
        cloud.kick()

    def transcript(self, task_id: TaskId) -> Transcript:
        cloud = self._cloud(task_id)
        return cloud.stream.transcript if cloud is not None else super().transcript(task_id)

    async def load_transcript(self, task_id: TaskId) -> Transcript:
        cloud = self._cloud(task_id)
        return cloud.stream.transcript if cloud is not None else await super().load_transcript(task_id)

    async def wait_started(self, task_id: TaskId) -> None:
        if (cloud := self._cloud(task_id)) is not None:
            await cloud.started()
        else:
            await super().wait_started(task_id)

    async def wait_idle(self, task_id: TaskId) -> None:
        if (cloud := self._cloud(task_id)) is not None:
            await cloud.idle()
        else:
            await super().wait_idle(task_id)

    async def close(self) -> None:
        for task_id in tuple(self._clouds):
            await self.leave(task_id)
        await super().close()
