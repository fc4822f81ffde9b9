"""What the tests of the ACP client share: a run with an agent, its inbox and its journal."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from posthog_code.adapters.acp import AcpHost, AcpRun, Timeouts, make_agent_host
from posthog_code.domain.agent import AgentSpec
from posthog_code.ports.agent import Incoming, Opened, RunSpec

AGENT = Path(__file__).with_name("acp_agent.py")
QUICK = Timeouts(initialize=30, session=30, setting=5, cancel=0.4, stdin=0.3, terminate=0.3, output_end=0.1)
_ids = itertools.count(1)


class ClockForTests:
    def now(self) -> float:
        return time.time()

    def new_id(self) -> str:
        return f"id{next(_ids)}"


class JournalForTests:
    """Keeps what it gets; `broken` makes it fail."""

    def __init__(self) -> None:
        self.path = Path("journal")
        self.entries: list[tuple[dict[str, Any], str]] = []
        self.broken = False

    def append(self, frame: dict[str, Any], direction: str, at: float) -> None:
        self.append_raw(json.dumps(frame).encode(), direction, at)

    def append_raw(self, line: bytes, direction: str, at: float) -> None:
        assert b"\n" not in line
        if self.broken:
            raise OSError(28, "No space left on device")
        self.entries.append((json.loads(line), direction))

    def sync(self) -> None: ...

    def close(self) -> None: ...


class Bench:
    """One run and everything that it told."""

    def __init__(self, cwd: Path, timeouts: Timeouts = QUICK, clock: Any = None) -> None:
        self.cwd = cwd
        self.host: AcpHost = make_agent_host(clock or ClockForTests(), timeouts)
        self.journal = JournalForTests()
        self.inbox: list[Incoming] = []
        self.run_id = f"test-{os.getpid()}-{next(_ids)}"
        self.on_frame: Callable[[dict[str, Any]], None] = lambda frame: None
        self.run: AcpRun
        self.opened: Opened
        self._news = asyncio.Event()

    def told(self, incoming: Incoming) -> None:
        self.inbox.append(incoming)
        self._news.set()
        if incoming.frame:
            self.on_frame(incoming.frame)

    def spec(self, *start: str, **agent: Any) -> RunSpec:
        return RunSpec(
            agent=AgentSpec(
                **{
                    "id": "test",
                    "name": "Test agent",
                    "letter": "T",
                    "command": (),
                    "sign_in": "Run: test login",
                    **agent,
                }
            ),
            command=(sys.executable, "-S", str(AGENT), *start),
            cwd=self.cwd,
            env=dict(os.environ),
            run_id=self.run_id,
        )

    async def start(self, *start: str, resume: str = "", spec: RunSpec | None = None, **agent: Any) -> Opened:
        self.run = await self.host.start(spec or self.spec(*start, **agent), self.journal, self.told)
        self.opened = await self.run.open(resume=resume)
        return self.opened

    async def prompt(self, text: str) -> Mapping[str, Any]:
        return await self.run.prompt([{"type": "text", "text": text}])

    async def until(self, condition: Callable[[], Any], seconds: float = 30.0) -> Any:
        async with asyncio.timeout(seconds):
            while not (found := condition()):
                self._news.clear()
                await self._news.wait()
        return found

    @property
    def frames(self) -> list[dict[str, Any]]:
        return [i.frame for i in self.inbox if i.frame]

    @property
    def sent(self) -> list[dict[str, Any]]:
        return [i.sent for i in self.inbox if i.sent]

    @property
    def garbage(self) -> list[str]:
        return [i.garbage for i in self.inbox if i.garbage]

    @property
    def text(self) -> str:
        """What the agent said."""
        updates = [f["params"]["update"] for f in self.frames if f.get("method") == "session/update"]
        return "".join(u["content"]["text"] for u in updates if u["sessionUpdate"] == "agent_message_chunk")


def running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (OSError, IndexError):
        return False


async def until_gone(pid: int, seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while running(pid):
            await asyncio.sleep(0.01)
