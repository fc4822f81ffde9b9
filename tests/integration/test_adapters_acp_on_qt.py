"""The same client on the event loop that Qt drives."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from posthog_code.app.loop import run
from posthog_code.domain.errors import AgentFailed
from tests.integration.acp_bench import Bench, until_gone


def test_turns_exit_and_close_on_the_loop_of_qt(qapp: QApplication, tmp_path: Path) -> None:
    async def story() -> int:
        async with asyncio.timeout(30):
            bench = Bench(tmp_path)
            await bench.start(offers_fs=True, offers_terminal=True)
            await bench.prompt("flood 3000")
            assert bench.text == "".join(map(str, range(3000)))
            await bench.prompt("stderr 500000")
            bench.inbox.clear()
            await bench.run.prompt([{"type": "text", "text": "long-line 3000000" + " " * 2_000_000}])
            assert len(bench.text) == 3_000_000
            await bench.prompt('ask fs/write_text_file {"path": "a", "content": "b"}')
            assert (tmp_path / "a").read_text() == "b"
            await bench.prompt('ask terminal/create {"command": "echo hi"}')
            bench.inbox.clear()
            await bench.prompt('ask terminal/wait_for_exit {"terminalId": "term-1"}')
            assert json.loads(bench.text)["exitCode"] == 0
            turn = asyncio.ensure_future(bench.prompt("slow"))
            bench.inbox.clear()
            await bench.until(lambda: bench.text)
            await bench.run.cancel()
            assert await turn == {"stopReason": "cancelled"}
            bench.inbox.clear()
            with pytest.raises(AgentFailed, match="SIGKILL"):
                await bench.prompt("hold")
            await until_gone(int(bench.text.split()[1]))
            await bench.run.close()
            await bench.start()
            await bench.run.close()
            await until_gone(bench.run.pid, 0.1)
        return 7

    assert run(qapp, story) == 7
