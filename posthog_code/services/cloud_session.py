"""The session of a task whose agent is in the cloud: what panels ask of a session, over a watched run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from posthog_code.domain.cloud import CloudRunInfo
from posthog_code.domain.cloud_entries import prompt_text
from posthog_code.domain.cloud_errors import NotReady
from posthog_code.domain.cloud_facts import CloudFacts, request_of
from posthog_code.domain.cloud_parse import mapping, text
from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import RequestId, SessionId, TaskId
from posthog_code.domain.session import Session, SessionPhase
from posthog_code.domain.session_options import after_result
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import Task
from posthog_code.services import edits
from posthog_code.services.cloud_answers import Answers
from posthog_code.services.cloud_link import Link, Pace
from posthog_code.services.cloud_publish import Coalesced, session_fields, task_told, tell_end
from posthog_code.services.cloud_send import Sender
from posthog_code.services.cloud_stream import CloudStream, Timed
from posthog_code.services.cloud_watch import CloudRun
from posthog_code.services.session_parts import SessionParts

_REQUEST_WAIT = 2.0
"""Seconds between a stream-only permission and the agent's own request, before the former is shown alone."""


class CloudSession:
    """The same surface as SessionActor. Its turns run elsewhere: closing it only stops watching."""

    def __init__(
        self,
        parts: SessionParts,
        task_id: TaskId,
        session_id: SessionId,
        *,
        pace: Pace = Pace(),
        patience: float = 20.0,
    ) -> None:
        self._parts = parts
        self.task_id = task_id
        self._id = session_id
        self._scope = parts.scope.child(f"cloud-{task_id}")
        self.stream = CloudStream(parts, task_id, session_id)
        self._pace = pace
        self._viewers = 0
        self._watch: CloudRun | None = None
        self._watching: asyncio.Task[None] | None = None
        self._facts = CloudFacts()
        self._info: CloudRunInfo | None = None
        self._link = Link.CONNECTING
        self._problem: UserError | None = None
        self._heard_at = 0.0
        self._changes = Coalesced(self._scope, self._publish)
        self._news = False
        self._closed = False
        self._sender = Sender(self, parts, patience=patience)
        self._answers = Answers(self, patience / 4)

    # -- facts -------------------------------------------------------------------------------------------------

    @property
    def task(self) -> Task:
        return self._parts.store.state.tasks[self.task_id]

    @property
    def session(self) -> Session:
        return self._parts.store.state.sessions[self._id]

    @property
    def info(self) -> CloudRunInfo | None:
        """The run as last told."""
        return self._info

    @property
    def facts(self) -> CloudFacts:
        return self._facts

    @property
    def link_state(self) -> Link:
        return self._link

    @property
    def problem(self) -> UserError | None:
        """Why the run cannot be followed, or the next message is not sent."""
        return self._problem or self._sender.problem

    @property
    def stuck(self) -> bool:
        """What is to be sent waits for a person: `problem` says why."""
        return self._sender.problem is not None and not self._sender.sending

    @property
    def watch_run(self) -> CloudRun | None:
        return self._watch

    @property
    def over(self) -> bool:
        return self._info is not None and self._info.over

    @property
    def ready(self) -> bool:
        """The agent is up, and no prompt is with it."""
        info, facts = self._info, self._facts
        free = facts.started and facts.prompted and not facts.asks and not self.stream.transcript.running
        return free and info is not None and info.status == "in_progress"

    @property
    def busy(self) -> bool:
        """A turn runs, or something is on its way."""
        return self._sender.sending or (not self.over and not self.ready)

    # -- watching ----------------------------------------------------------------------------------------------

    def watch(self) -> None:
        """One more looks at it."""
        self._viewers += 1
        self.start()

    async def unwatch(self) -> None:
        """One less; the last one ends the watching, unless something waits to be sent."""
        self._viewers = max(0, self._viewers - 1)
        if not self._viewers and not self._sender.waiting:
            await self._stop_watching()

    def rest(self) -> None:
        """What had to be sent is sent: without a viewer nobody needs to be told more."""
        if not self._viewers and not self._closed:
            self._scope.spawn(self._rest(), "rest")

    async def _rest(self) -> None:
        if not self._viewers and not self._sender.pending:
            await self._stop_watching()

    async def reconnect(self) -> None:
        """Follow the run with the credentials of now."""
        await self._stop_watching()
        if self._viewers or self._sender.waiting:
            self.start()

    async def disconnect(self, why: UserError) -> None:
        """Stop following, and say why."""
        if self._watching is not None:
            await self._stop_watching()
            self.link(Link.LOST, why, self._heard_at)

    def start(self) -> None:
        """Watch, whether somebody looks or not, until there is nothing left to do."""
        if not self._closed and (self._watching is None or self._watching.done()):
            self._watching = self._scope.spawn(self._follow(), "watch")

    async def _follow(self) -> None:
        """Watch the task's run; when it goes on as another run, that one."""
        while True:
            task = self.task
            run_id = task.cloud_run_id
            if not run_id:
                return
            try:
                await self._parts.sign_in()
                cloud = self._parts.cloud(task)
            except UserError as error:
                self.link(Link.LOST, error, self._heard_at)
                return
            await self._begin(run_id)
            self._watch = CloudRun(
                cloud, task.cloud_task_id, run_id, self, self._parts.clock, self._scope, pace=self._pace
            )
            await self._watch.run()
            await asyncio.to_thread(self.stream.sync)
            if self.task.cloud_run_id == run_id:
                self.kick()
                return

    async def _begin(self, run_id: str) -> None:
        received = await self.stream.received(run_id)
        if not received.since and not any(p.get("run") == run_id for _, p in self.stream.notes("run")):
            self.stream.note("run", run=run_id)
        self._facts, self._info = CloudFacts.of(received.since, self.stream.transcript), None
        for _, params in self.stream.notes("permission"):
            self._facts.permission(params)

    async def _stop_watching(self) -> None:
        watching, self._watching, self._watch = self._watching, None, None
        if watching is not None:
            watching.cancel()
            await asyncio.wait([watching])
        self._link = Link.CONNECTING

    def retry_link(self) -> None:
        """Try the connection now: the person asked, or the network is back."""
        if self._watch is not None and self._watching is not None and not self._watching.done():
            self._watch.retry()
        elif self._viewers or self._sender.waiting:
            self.start()

    async def switch(self, run_id: str) -> None:
        """Go on with another run of the same task."""
        await self._stop_watching()
        await self._point_to(run_id)
        self.stream.note("run", run=run_id)
        self.start()
        self.touch()

    async def follow_run(self, run_id: str) -> None:
        """Another run of the task was started elsewhere."""
        if run_id == self.task.cloud_run_id:
            return
        if self._watching is not None:
            await self.switch(run_id)
        else:
            await self._point_to(run_id)

    async def _point_to(self, run_id: str) -> None:
        await self._parts.store.update(
            lambda state: edits.edit_task(state, self.task_id, cloud_run_id=run_id), *edits.task_topics(self.task_id)
        )
        self._facts, self._info = CloudFacts(), None

    # -- what the run tells (RunSink) --------------------------------------------------------------------------

    def told(self, frames: list[Timed]) -> None:
        live = self._link is Link.LIVE
        turns, asks = self._facts.turns, len(self._facts.asks)
        for frame, at in frames:
            self._facts.learn(frame, at, self.stream.transcript)
            if (said := prompt_text(frame)) is not None:
                self._sender.prompt_seen(said)
        self._news = self._news or (live and (self._facts.turns > turns or len(self._facts.asks) > asks))
        self.touch()
        if self._facts.turns > turns or (self._facts.started and not self.stream.transcript.running):
            self.kick()

    def rebuilt(self, frames: list[Timed]) -> None:
        facts = CloudFacts.of(frames, self.stream.transcript)
        facts.keep_addresses(self._facts)
        self._facts = facts
        self.touch()

    def permission(self, event: Mapping[str, Any]) -> None:
        reply_to = text(event.get("requestId"))
        call = text(mapping(event.get("toolCall")).get("toolCallId"))
        known = any(one.reply_to == reply_to for one in self._facts.asks.values())
        paired = self._facts.permission(event)
        if not known and call:
            self.stream.note("permission", requestId=reply_to, toolCall={"toolCallId": call})
        if not paired:
            asyncio.get_running_loop().call_later(_REQUEST_WAIT, self._show_alone, dict(event))
        self.touch()

    def _show_alone(self, event: dict[str, Any]) -> None:
        """The agent's own request did not come: the permission is shown by what the stream said of it."""
        if self._closed or self._facts.permission(event) or self.over or self._watch is None:
            return
        taken: list[Timed] = [(request_of(event), self._parts.clock.now())]
        self.stream.take(taken)
        self.told(taken)
        self._facts.permission(event)

    def run_state(self, run: CloudRunInfo) -> None:
        before, self._info = self._info, run
        if run.over:
            self._facts.asks.clear()
            tell_end(self.stream, run, self._facts.started)
            self._news = self._news or (before is not None and not before.over)
        self.touch()
        self.kick()

    def link(self, link: Link, error: UserError | None, heard_at: float) -> None:
        self._link, self._problem, self._heard_at = link, error, heard_at
        self.touch()

    # -- SessionActor's surface --------------------------------------------------------------------------------

    def kick(self) -> None:
        """Send what waits, if the run takes it."""
        if not self._closed:
            self._sender.kick()

    def retry(self, prompt: str, attachments: tuple[str, ...]) -> None:
        """Say something before what is queued."""
        self._sender.say_first(prompt, attachments)

    def release_queue(self) -> None:
        self._sender.release()

    def retry_sending(self) -> None:
        """Send what waits although it failed; a run that never came up is begun afresh."""
        self._sender.retry()

    async def started(self) -> None:
        """Until the agent is up, or cannot be."""
        await self._seen_through(lambda: self._facts.started or self.over)

    async def idle(self) -> None:
        """Until no turn runs and nothing waits, as far as can be told."""
        await self._seen_through(lambda: not self.busy)

    async def _seen_through(self, condition: Callable[[], bool]) -> None:
        self.watch()
        try:
            while not condition() and self._link not in (Link.LOST, Link.GONE):
                await self._changes.next()
        finally:
            await self.unwatch()

    async def stop_turn(self) -> None:
        """Stop the running turn; run and sandbox stay. What is queued waits for the person."""
        if self.over or not (self.stream.transcript.running or self._facts.asks):
            return
        self._sender.hold()
        await self._set_phase(SessionPhase.CANCELLING)
        try:
            await self.command("cancel", {})
        except UserError:
            # It was not told, as far as is known: the turn goes on, and so does the queue behind it.
            self._sender.release()
            await self._set_phase(SessionPhase.WORKING)
            raise
        finally:
            self.touch()

    async def _set_phase(self, phase: SessionPhase) -> None:
        change = partial(edits.edit_session, session_id=self._id, phase=phase)
        await self._parts.store.update(change, Topic("session", self.task_id))

    async def end_run(self, reason: str = "") -> None:
        """End the run and its sandbox for good; the conversation can go on as a new run."""
        task = self.task
        await self._parts.cloud(task).cancel_run(task.cloud_task_id, task.cloud_run_id, reason)

    async def answer(self, request_id: RequestId, option_id: str, by: str = "you") -> None:
        """Answer a permission, once. Raises NotFound when it is over, also when somebody else answered it."""
        await self._answers.permission(request_id, option_id, by)

    async def answer_question(self, request_id: RequestId, content: Mapping[str, Any] | None) -> None:
        """Answer a question; None declines it."""
        await self._answers.question(request_id, content)

    async def rejoin(self) -> None:
        """Follow the run as if for the first time: what the stream has kept is told again, to who looks for it."""
        await self._stop_watching()
        self.start()

    async def set_option(self, option_id: str, value: str) -> None:
        """Mode, model or another option of the running agent."""
        if not self._facts.started or self.over:
            raise NotReady("The agent in the cloud is not running.", "It can be set once it does.")
        result = await self.command("set_config_option", {"configId": option_id, "value": value})
        self._facts.session = after_result(self._facts.session, result)
        self.touch()

    async def close(self) -> None:
        """Stop watching; the run goes on in the cloud."""
        self._closed = True
        await self._sender.close()
        await self._scope.close()
        self.stream.close()

    async def command(self, method: str, params: Mapping[str, Any], command_id: str = "") -> Mapping[str, Any]:
        """One command to the run; raises what `Cloud.command` does."""
        task = self.task
        name = command_id or f"{method}-{self._parts.clock.new_id()}"
        return await self._parts.cloud(task).command(task.cloud_task_id, task.cloud_run_id, method, params, name)

    # -- state -------------------------------------------------------------------------------------------------

    def touch(self) -> None:
        """Something changed: publish it, once for many."""
        if not self._closed:
            self._changes.touch()

    async def _publish(self) -> None:
        news, self._news = self._news, False

        def change(state: AppState) -> AppState:
            if (known := state.sessions.get(self._id)) is None:
                return state  # closed meanwhile
            # By the session of this moment: a turn may have been stopped since.
            fields = session_fields(known, self._info, self._facts, self.problem, self.stream.transcript.running)
            fields["synced_at"] = self._heard_at if self._link in (Link.BROKEN, Link.LOST, Link.GONE) else 0.0
            state = edits.edit_session(state, self._id, **fields)
            return task_told(state, self.task_id, self._info, self._parts.clock.now() if news else 0.0)

        await self._parts.store.update(change, Topic("session", self.task_id), *edits.task_topics(self.task_id))

    async def settled(self) -> None:
        """Until the state says what is known."""
        await self._changes.settled()

    async def until(self, condition: Callable[[], Any], seconds: float) -> bool:
        return await self._changes.until(condition, seconds)
