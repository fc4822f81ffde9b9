"""The demo agent under the app's own ACP client, catalogue and fold."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from posthog_code.adapters.acp import Timeouts, make_agent_host
from posthog_code.adapters.agents import make_catalogue
from posthog_code.domain.agent import AgentStatus
from posthog_code.domain.fold import Fold
from posthog_code.domain.transcript import AgentText, AskItem, Notice, Plan, Thought, ToolCall, UserMessage
from posthog_code.ports.agent import Incoming, RunSpec

Copy = Callable[[str], Path]
_ids = itertools.count(1)


class Clock:
    def now(self) -> float:
        return time.time()

    def new_id(self) -> str:
        return f"id{next(_ids)}"


class Journal:
    path = Path("journal")

    def __init__(self, fold: Fold) -> None:
        self.fold = fold

    def append(self, frame: dict[str, Any], direction: str, at: float) -> None:
        self.fold.apply(frame, direction, at)

    def append_raw(self, line: bytes, direction: str, at: float) -> None:
        self.append(json.loads(line), direction, at)

    def sync(self) -> None: ...

    def close(self) -> None: ...


def play(cwd: Path, state: Path, prompts: list[str], mode: str) -> tuple[Fold, list[str]]:
    """A conversation that allows everything; gives its rows and what was garbage."""
    fold, garbage = Fold(worktree=str(cwd)), []

    async def story() -> None:
        (info,) = [one for one in await make_catalogue().detect({}) if one.spec.id == "demo"]
        assert info.status is AgentStatus.READY and info.version == "1.0"
        env = {**os.environ, "POSTHOG_CODE_DEMO_STATE": str(state), "POSTHOG_CODE_DEMO_SPEED": "0"}
        host = make_agent_host(Clock(), Timeouts())

        def told(incoming: Incoming) -> None:
            if incoming.garbage:
                garbage.append(incoming.garbage)
            frame = incoming.frame or {}
            if frame.get("method") == "session/request_permission":
                option = frame["params"]["options"][0]["optionId"]
                run.respond(frame["id"], {"outcome": {"outcome": "selected", "optionId": option}})
            elif frame.get("method") == "elicitation/create":
                run.respond(frame["id"], {"action": "accept", "content": {"choice": "60"}})

        spec = RunSpec(info.spec, info.spec.command, cwd, env, run_id=f"demo-{os.getpid()}-{next(_ids)}")
        run = await host.start(spec, Journal(fold), told)
        opened = await run.open()
        assert [mode["id"] for mode in opened.session["modes"]["availableModes"]] == [
            known for known, _ in info.spec.modes
        ]
        await run.set_mode(mode)
        for prompt in prompts:
            await run.prompt([{"type": "text", "text": prompt}])
        await run.close()

    asyncio.run(asyncio.wait_for(story(), 60))
    return fold, garbage


def rows(fold: Fold, kind: type[Any]) -> list[Any]:
    return [item for item in fold.transcript.items if isinstance(item, kind)]


def test_a_task_becomes_rows(repository: Copy, tmp_path: Path) -> None:
    prompts = ["Customers are charged twice", "Keep one retry helper", "sub-agent"]
    fold, garbage = play(repository("harbor-web"), tmp_path / "state", prompts, "ask")
    assert garbage == [] and rows(fold, Notice) == []
    assert [row.text for row in rows(fold, UserMessage)] == prompts
    assert rows(fold, Thought) and "first** charge back" in "".join(row.text for row in rows(fold, AgentText))
    assert all(entry.status == "completed" for entry in rows(fold, Plan)[-1].entries)
    calls = rows(fold, ToolCall)
    assert {call.kind for call in calls} == {"search", "read", "edit", "delete", "execute", "think"}
    assert {call.exit_code for call in calls if call.kind == "execute"} == {0, 1}
    assert all(call.command and "passed" in call.output for call in calls if call.kind == "execute")
    assert all(call.diffs for call in calls if call.kind == "edit")
    assert any(call.parent_id for call in calls)
    asks = rows(fold, AskItem)
    assert asks and {ask.answer for ask in asks} == {"Allow once"}


def test_noise_is_survived(repository: Copy, tmp_path: Path) -> None:
    fold, garbage = play(repository("harbor-docs"), tmp_path / "state", ["garbage", "huge", "question"], "auto")
    assert len(garbage) == 5
    assert "That was one line of 10 MB." in "".join(row.text for row in rows(fold, AgentText))
    assert len(rows(fold, AskItem)) == 1
