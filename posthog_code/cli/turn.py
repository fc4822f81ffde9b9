"""One turn from the command line: events as they come, a summary at the end."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from typing import Any

from posthog_code.cli.output import Output, plain
from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.session import Ask, AskKind, Session
from posthog_code.domain.state import Topic
from posthog_code.domain.task import StepState, Task, TaskPhase
from posthog_code.domain.task_words import turn_word
from posthog_code.domain.text import MINUS, duration, plural
from posthog_code.domain.transcript import AgentText, Item, Notice, Plan, ToolCall
from posthog_code.services.app import Services

EXIT_OK, EXIT_TURN, EXIT_ERROR, EXIT_STOPPED = 0, 1, 2, 130


def policy_for(choice: str) -> Any:
    """The answer of --permissions: an option id, or None to ask the person."""

    def decide(_task_id: TaskId, ask: Ask) -> str | None:
        if choice == "ask":
            return None
        if ask.kind is AskKind.QUESTION:
            return ""
        allowed = choice == "allow" or (choice == "worktree" and not ask.outside)
        wanted = ("allow_once", "allow_always") if allowed else ("reject_once", "reject_always")
        for kind in wanted:
            for option in ask.options:
                if option.kind == kind:
                    return option.id
        # Unknown kinds of options: the safe one of an unknown list is the last.
        return ask.options[-1].id if ask.options and not allowed else (ask.options[0].id if ask.options else "")

    return decide


@dataclass
class TurnRunner:
    """Watches a task until nothing runs any more, printing what happens."""

    services: Services
    task_id: TaskId
    output: Output
    ask_person: bool
    timeout: float = 0.0
    _shown: int = 0
    _partial: int = 0
    _steps: dict[str, StepState] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _asked: set[str] = field(default_factory=set)
    _turns_before: int = 0

    @property
    def task(self) -> Task:
        return self.services.store.state.tasks[self.task_id]

    @property
    def session(self) -> Session:
        session = self.services.store.state.session_of(self.task_id)
        assert session is not None
        return session

    def attach(self, *, new: bool = False) -> None:
        """Begin at the present: what was there before is not printed again, unless the task is `new`."""
        self._turns_before = len(self.session.turns)
        self._shown = 0 if new else len(self.services.sessions.transcript(self.task_id).items)
        self.services.store.subscribe(self._on_change)

    def _on_change(self, topics: frozenset[Topic]) -> None:
        if any(topic.id == self.task_id for topic in topics):
            self._changed.set()

    async def run(self) -> int:
        """Until the set-up and its turns are over; gives the exit code."""
        if self.timeout:
            try:
                async with asyncio.timeout(self.timeout):
                    await self._follow()
            except TimeoutError:
                await self.services.sessions.stop(self.task_id)
                await self._follow()
        else:
            await self._follow()
        await self._report()
        return await self._summary()

    async def _follow(self) -> None:
        done = asyncio.get_running_loop().create_future()

        async def finish() -> None:
            await self.services.tasks.wait_for_setup(self.task_id)
            await self.services.sessions.wait_idle(self.task_id)
            if not done.done():
                done.set_result(None)
            self._changed.set()

        waiting = self.services.scope.spawn(finish(), "cli-turn")
        try:
            while not done.done():
                await self._changed.wait()
                self._changed.clear()
                await self._report()
        finally:
            waiting.cancel()

    async def _report(self) -> None:
        self._report_steps()
        self._report_items()
        for ask in self.session.asks:
            if ask.id not in self._asked:
                self._asked.add(ask.id)
                await self._ask(ask)

    def _report_steps(self) -> None:
        for step in self.task.steps:
            if self._steps.get(step.id) is step.state or step.state is StepState.TODO:
                continue
            self._steps[step.id] = step.state
            self.output.data(
                {"event": "step", "step": step.id, "title": step.title, "state": step.state, "detail": step.detail}
            )
            if step.state is StepState.DONE:
                self.output.text(f"✓ {step.title}  {step.detail}".rstrip())
            elif step.state is StepState.FAILED:
                self.output.text(f"✗ {step.title}")  # the reason stands at the end, once

    def _report_items(self) -> None:
        items = self.services.sessions.transcript(self.task_id).items
        while self._shown < len(items) and _settled(items[self._shown]):
            self._print(items[self._shown])
            self._shown += 1

    def _print(self, item: Item) -> None:
        if self.output.as_json:
            self.output.data({"event": "item", "type": type(item).__name__, **plain(item)})
        elif isinstance(item, AgentText) and item.text.strip():
            self.output.text("\n" + item.text.strip() + "\n")
        elif isinstance(item, ToolCall):
            mark = {"completed": "✓", "failed": "✗"}.get(item.status, "·")
            self.output.text(f"  {mark} {item.kind}  {item.command or item.title}")
        elif isinstance(item, Plan):
            self.output.text("\n".join(f"  - {entry.text}" for entry in item.entries))
        elif isinstance(item, Notice):
            self.output.text(f"! {item.title} {item.text}")

    async def _ask(self, ask: Ask) -> None:
        self.output.data({"event": "ask", "ask": ask})
        if not self.ask_person or not sys.stdin.isatty():
            option = next((o.id for o in ask.options if o.kind.startswith("reject")), None)
            self.output.text(f"? {ask.title}: rejected, since nobody can be asked here (see --permissions)")
            await self._answer(ask, option)
            return
        self.output.text(f"\n? {ask.title}\n  {ask.command or ask.detail}".rstrip())
        for number, choice in enumerate(ask.options, 1):
            self.output.text(f"  {number}  {choice.name}")
        line = await asyncio.to_thread(_read_line)
        index = int(line) - 1 if line.isdigit() else -1
        chosen = ask.options[index].id if 0 <= index < len(ask.options) else None
        await self._answer(ask, chosen or next((o.id for o in ask.options if o.kind.startswith("reject")), None))

    async def _answer(self, ask: Ask, option: str | None) -> None:
        try:
            if ask.kind is AskKind.QUESTION:
                await self.services.sessions.answer_question(self.task_id, ask.id, None)
            elif option is None:
                await self.services.sessions.stop(self.task_id)
            else:
                await self.services.sessions.answer(self.task_id, ask.id, option)
        except UserError:
            # The agent went on by itself before the answer reached it.
            return

    async def _summary(self) -> int:
        task, session = self.task, self.session
        turns = session.turns[self._turns_before :]
        last = turns[-1] if turns else None
        failed_step = next((s for s in task.steps if s.state is StepState.FAILED), None)
        reason = last.stop_reason if last else "setup_failed" if failed_step else "not_started"
        error = (last.error if last else "") or (failed_step.detail if failed_step else "") or session.error
        stat = task.stat
        self.output.data(
            {
                "event": "summary",
                "task": task.id,
                "session": session.id,
                "title": task.title,
                "branch": task.branch,
                "base": task.base,
                "base_commit": task.base_commit,
                "worktree": task.path,
                "phase": task.phase,
                "stop_reason": reason,
                "error": error,
                "error_hint": session.error_hint,
                "turns": len(session.turns),
                "seconds": round(sum(t.ended_at - t.started_at for t in turns if t.ended_at), 3),
                "diff": {"files": stat.files, "added": stat.added, "removed": stat.removed},
            }
        )
        self.output.text(f"\n{task.title}\n  task      {task.id}\n  branch    {task.branch}\n  worktree  {task.path}")
        if last is not None:
            self.output.text(
                f"  turn      {last.number}, {turn_word(reason)}, {duration(last.ended_at - last.started_at)}"
            )
        self.output.text(f"  changes   {plural(stat.files, 'file')} +{stat.added} {MINUS}{stat.removed}")
        if error:
            sys.stderr.write(f"{error} {session.error_hint}".strip() + "\n")
        if last is None or task.phase is TaskPhase.SETUP_FAILED:
            return EXIT_ERROR
        return EXIT_OK if reason == "end_turn" else EXIT_TURN


def _settled(item: Item) -> bool:
    if isinstance(item, AgentText):
        return not item.open
    if isinstance(item, ToolCall):
        return item.status in ("completed", "failed", "stopped")
    return True


def _read_line() -> str:
    sys.stderr.write("> ")
    sys.stderr.flush()
    return sys.stdin.readline().strip()
