"""Messages to a cloud run: one at a time, when the agent takes them, and never twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from posthog_code.domain.cloud import CloudRunInfo
from posthog_code.domain.cloud_entries import Frame, holds_prompt
from posthog_code.domain.cloud_errors import MissingArtifacts, NotReady, OutcomeUnknown, RunEnded
from posthog_code.domain.cloud_facts import CloudFacts
from posthog_code.domain.cloud_requests import RunRequest
from posthog_code.domain.errors import InvalidInput, Offline, RateLimited, UserError
from posthog_code.domain.ids import MessageId, TaskId
from posthog_code.domain.task import QueuedMessage, Task
from posthog_code.ports.cloud import Cloud
from posthog_code.services.cloud_files import Uploads, files_of
from posthog_code.services.cloud_link import outcome
from posthog_code.services.cloud_mend import stored_pages
from posthog_code.services.cloud_queue import claim, combined, enter, leave, take_out, unsettled
from posthog_code.services.cloud_stream import CloudStream
from posthog_code.services.session_parts import SessionParts

FIRST_WAIT = 2.0
LONGEST_WAIT = 30.0
SANDBOX_WAIT = 5.0
"""The longest wait for a sandbox that is not up: nothing tells when it is."""
STARTUP_GRACE = 15.0
"""Seconds after which an agent that is up and was not prompted takes our message all the same."""


class Speaker(Protocol):
    """What sending needs of the session that it speaks for."""

    task_id: TaskId
    stream: CloudStream

    @property
    def task(self) -> Task: ...

    @property
    def info(self) -> CloudRunInfo | None: ...

    @property
    def facts(self) -> CloudFacts: ...

    @property
    def over(self) -> bool: ...

    @property
    def ready(self) -> bool: ...

    def start(self) -> None: ...

    def touch(self) -> None: ...

    def rest(self) -> None:
        """Nothing is left to be sent."""

    async def until(self, condition: Callable[[], Any], seconds: float) -> bool: ...

    async def switch(self, run_id: str) -> None: ...

    async def command(self, method: str, params: Mapping[str, Any], command_id: str = "") -> Mapping[str, Any]: ...


class Sender:
    """Owns what goes out of one session. A message stays in the queue until the cloud has it."""

    def __init__(self, session: Speaker, parts: SessionParts, *, patience: float) -> None:
        """`patience`: seconds to look for a message in the log before it is taken for lost."""
        self._session, self._parts, self.patience = session, parts, patience
        self._scope = parts.scope.child(f"send-{session.task_id}")
        self._running: asyncio.Task[None] | None = None
        self._first: tuple[str, tuple[str, ...]] | None = None
        self._held = False
        self._arrived: asyncio.Event | None = None
        self._text = ""
        self._before: dict[str, int] = {}
        """How often the run had been told this text before we sent it."""
        self._waits = 0
        self._fresh = False
        self._grace: asyncio.TimerHandle | None = None
        self._grace_of = ""
        """The run whose agent is given time to be prompted."""
        self._uploads = Uploads()
        self._name = enter(parts.clock.new_id())
        self._left: set[MessageId] = set()
        """What another program began to send, and did not end."""
        self.problem: UserError | None = None
        """Why the next message is not sent."""

    @property
    def sending(self) -> bool:
        return not (self._running is None or self._running.done())

    @property
    def pending(self) -> bool:
        return bool(self._batch())

    @property
    def waiting(self) -> bool:
        """Something is to be sent, by itself."""
        return self.sending or self.pending

    def kick(self) -> None:
        if not self.sending and self._batch():
            self._session.start()
            self._running = self._scope.spawn(self._deliver(), "deliver")

    def say_first(self, text: str, attachments: tuple[str, ...]) -> None:
        self._first, self._fresh = (text, attachments), True
        self.release()
        self.kick()

    async def close(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
        await self._scope.close()
        leave(self._name)

    def retry(self) -> None:
        self._fresh = True
        self.release()
        self.kick()

    def hold(self) -> None:
        self._held = True

    def release(self) -> None:
        self._held, self.problem, self._waits = False, None, 0

    def prompt_seen(self, said: str) -> None:
        """A prompt came by the stream: perhaps the one that is being sent."""
        if self._arrived is not None and self._text.strip() and self._text.strip() in said:
            self._arrived.set()

    # -- delivery ----------------------------------------------------------------------------------------------

    def _batch(self) -> tuple[QueuedMessage, ...]:
        """What goes out next, as one message."""
        if self._held:
            return ()
        if self._first is not None:
            text, attachments = self._first
            return (QueuedMessage(MessageId("first"), self._session.task_id, text, 0.0, attachments),)
        return self._parts.store.state.queue.get(self._session.task_id, ())

    async def _deliver(self) -> None:
        session = self._session
        while batch := self._batch():
            if not (session.over or session.ready or self._overdue()):
                return  # the next state of the run kicks again
            if not await self._ours(batch):
                # Another program is at it: it takes them off the queue, or turns out to be gone.
                await asyncio.sleep(FIRST_WAIT)
                await self._parts.store.refresh()
                continue
            await self._guarded(self._resume(batch) if session.over else self._send(batch))
            self._session.touch()
        self._session.rest()

    async def _ours(self, batch: tuple[QueuedMessage, ...]) -> bool:
        if self._first is not None:
            return True
        left = {m.id for m in batch if m.sender not in ("", self._name)}
        ids = {m.id for m in batch}
        ours = await claim(self._parts.store, self._parts.clock, self._session.task_id, ids, self._name)
        self._left |= left if ours else set()
        return ours

    def _overdue(self) -> bool:
        """The agent is up, but nobody prompts it: then the first prompt is ours."""
        session = self._session
        info = session.info
        if info is None or info.status != "in_progress" or not session.facts.started or session.facts.prompted:
            return False
        if self._grace is None or self._grace_of != info.id:
            if self._grace is not None:
                self._grace.cancel()
            self._grace_of = info.id
            self._grace = asyncio.get_running_loop().call_later(STARTUP_GRACE, self.kick)
            return False
        return self._grace.when() <= asyncio.get_running_loop().time()

    async def _guarded(self, sending: Any) -> None:
        """Run one delivery; decide what its failure means for the queue."""
        try:
            await sending
            self._waits, self.problem = 0, None
        except (NotReady, RateLimited, Offline) as error:
            # It did not arrive (that was made sure of): it is tried again by itself.
            self.problem = error
            self._session.touch()
            longest = SANDBOX_WAIT if isinstance(error, NotReady) else LONGEST_WAIT
            wait = min(longest, FIRST_WAIT * 2 ** min(self._waits, 8))
            self._waits += 1
            if isinstance(error, OutcomeUnknown):
                self._held = True
                return
            if isinstance(error, RateLimited):
                wait = max(wait, min(error.until - self._parts.clock.now(), 300.0))
            await asyncio.sleep(wait)
        except UserError as error:
            self.problem = error
            self._held = True

    async def _send(self, batch: tuple[QueuedMessage, ...]) -> None:
        session, task = self._session, self._session.task
        batch, arrived = await self._begun(batch)
        text = combined(batch)
        if arrived:
            await self._done(batch, text, seen=True)
            return
        command_id = f"message-{batch[0].id}-{len(batch)}"
        cloud = self._parts.cloud(task)
        params: dict[str, Any] = {"content": text} if text else {}
        if artifact_ids := await self._uploads.of(cloud, task, batch):
            params["artifact_ids"] = artifact_ids
        self._arrived, self._text = asyncio.Event(), text
        try:
            await self._note_sending(batch, text, task.cloud_run_id)
            try:
                await self._command(params, command_id)
            except RunEnded:
                session.stream.note("unsent", messages=[m.id for m in batch])
                await self._resume(batch)
                return
            except MissingArtifacts:
                self._uploads = Uploads()
                await self._command(params | {"artifact_ids": await self._uploads.of(cloud, task, batch)}, command_id)
            await self._done(batch, text, seen=self._arrived.is_set())
        except OutcomeUnknown:
            raise
        except UserError:
            # It was refused, so it is not there: the next try need not look for it first.
            session.stream.note("unsent", messages=[m.id for m in batch])
            raise
        finally:
            self._arrived = None
        await session.until(lambda: session.stream.transcript.running or session.over or bool(session.facts.asks), 5.0)

    async def _command(self, params: dict[str, Any], command_id: str) -> None:
        """Returns once the message is there: the server said so, or the agent has it. Sent again only after the log
        was looked at."""
        assert self._arrived is not None
        again = False
        while True:
            sent = self._scope.spawn(outcome(self._session.command("user_message", params, command_id)), "command")
            seen = self._scope.spawn(self._arrived.wait(), "seen")
            # Older servers answer when the turn ends: the prompt in the stream is as good.
            await asyncio.wait([sent, seen], return_when=asyncio.FIRST_COMPLETED)
            seen.cancel()
            if not sent.done():
                return
            failure = told if isinstance(told := sent.result(), UserError) else None
            if failure is not None and not isinstance(failure, OutcomeUnknown):
                raise failure
            if failure is None or await self._find(self._text):
                return
            if again:
                raise failure
            again = True

    async def _find(self, text: str) -> bool:
        """Whether a message that nobody confirmed has arrived: in the stream, or in the stored log. Goes on until that
        could be looked up."""
        arrived = self._arrived or asyncio.Event()
        loop = asyncio.get_running_loop()
        deadline, wait = loop.time() + self.patience, self.patience / 20
        while True:
            try:
                if arrived.is_set() or await self._in_log(text):
                    return True
                if loop.time() >= deadline:
                    return False
            except (Offline, RateLimited):
                pass  # it cannot be looked up now; that is no reason to send it again
            except UserError as error:
                raise OutcomeUnknown(error.title, error.hint, error.detail) from error
            try:
                await asyncio.wait_for(arrived.wait(), wait)
            except TimeoutError:
                wait = min(wait * 2, LONGEST_WAIT)

    async def _in_log(self, text: str) -> bool:
        task = self._session.task
        cloud = self._parts.cloud(task)
        found = 0
        async for page in stored_pages(cloud, task.cloud_task_id, task.cloud_run_id):
            found += self._count((frame for frame, _ in page), text)
        return found > self._before.get(text, 0)

    # -- a new run ---------------------------------------------------------------------------------------------

    async def _resume(self, batch: tuple[QueuedMessage, ...]) -> None:
        """The run is over: the conversation goes on as a new one, with the same text."""
        session, task, info = self._session, self._session.task, self._session.info
        cloud = self._parts.cloud(task)
        batch, arrived = await self._begun(batch)
        text = combined(batch)
        if arrived:
            await self._done(batch, text, seen=True)
            return
        newest = (await cloud.task(task.cloud_task_id)).run
        if newest is not None and newest.id != task.cloud_run_id:
            # Somebody went on already, perhaps we before a crash: its first message tells.
            begun = any(p.get("run") == task.cloud_run_id for _, p in session.stream.notes("resuming"))
            ours = begun and text.strip() and text.strip() in str(newest.state.get("pending_user_message") or "")
            if ours:
                await self._done(batch, text, seen=True)
            if ours or not newest.over:
                await session.switch(newest.id)
                return
        never_up = info is not None and info.status == "failed" and not session.facts.started
        if never_up and not self._fresh:
            raise InvalidInput(
                "The last run did not come up, so there is nothing to go on from.",
                "Retry starts a fresh run with this message.",
                info.error if info else "",
            )
        files = await files_of(batch)
        staged = await cloud.upload(task.cloud_task_id, "", files) if files else ()
        request = RunRequest(
            branch=info.branch if info else "",
            adapter=info.adapter if info else "",
            model=info.model if info else "",
            effort=info.effort if info else "",
            resume_from="" if never_up else task.cloud_run_id,
            message=text,
            artifact_ids=tuple(one.id for one in staged),
        )
        session.stream.note("resuming", run=task.cloud_run_id, text=text)
        await asyncio.to_thread(session.stream.sync)
        try:
            made = (await cloud.run_task(task.cloud_task_id, request)).run
        except OutcomeUnknown:
            made = await self._new_run(cloud, task) or (await cloud.run_task(task.cloud_task_id, request)).run
        if made is None:
            raise Offline("The cloud did not say which run goes on.", "It is tried again in a while.")
        self._fresh = False
        await self._done(batch, text, seen=True)
        await session.switch(made.id)

    async def _new_run(self, cloud: Cloud, task: Task) -> CloudRunInfo | None:
        """The run that was asked for without an answer, if it comes to be. Raises what the look does: as long as it
        cannot be known, nothing is asked for again."""
        loop = asyncio.get_running_loop()
        deadline, wait = loop.time() + self.patience, self.patience / 20
        while True:
            await asyncio.sleep(wait)
            found = (await cloud.task(task.cloud_task_id)).run
            if found is not None and found.id != task.cloud_run_id:
                return found
            if loop.time() >= deadline:
                return None
            wait *= 2

    # -- records -----------------------------------------------------------------------------------------------

    async def _note_sending(self, batch: tuple[QueuedMessage, ...], text: str, run_id: str) -> None:
        """On disk before the message leaves: after a crash it is looked for, not sent again."""
        stream = self._session.stream
        received = await stream.received(run_id)
        self._before[text] = self._count([frame for frame, _ in received.since], text)
        stream.note("sending", messages=[m.id for m in batch], text=text, run=run_id, before=self._before[text])
        await asyncio.to_thread(stream.sync)

    async def _begun(self, batch: tuple[QueuedMessage, ...]) -> tuple[tuple[QueuedMessage, ...], bool]:
        """What of the batch left this machine before without an end that is known, and whether it has arrived; all of
        it, and False, when nothing did. What was queued since goes out after it."""
        ids = {m.id for m in batch}
        notes = self._session.stream.notes("sending", "sent", "unsent")
        pending = unsettled(notes, ids, self._session.task.cloud_run_id)
        if not pending and (left := tuple(m for m in batch if m.id in self._left)):
            pending = {"messages": [m.id for m in left], "text": combined(left)}
        if pending is None:
            return batch, False
        text = str(pending.get("text") or "")
        self._before.setdefault(text, int(pending.get("before") or 0))
        found = await self._find(text)
        self._left -= ids
        return tuple(m for m in batch if m.id in pending["messages"]), found

    async def _done(self, batch: tuple[QueuedMessage, ...], text: str, *, seen: bool) -> None:
        session = self._session
        session.stream.note("sent", messages=[m.id for m in batch])
        if not seen:
            # Shown at once; the prompt's own frame takes the row over when it comes.
            session.stream.note("prompt", text=text, attachments=[a for m in batch for a in m.attachments])
        if self._first is not None and batch[0].id == "first":
            self._first = None
            return
        await take_out(self._parts.store, self._parts.clock, session.task_id, {m.id for m in batch})

    @staticmethod
    def _count(frames: Iterable[Frame], text: str) -> int:
        return sum(1 for frame in frames if holds_prompt([frame], text))
