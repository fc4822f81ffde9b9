"""The fs/* and terminal/* methods that an agent may ask for."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from posthog_code.adapters.acp.terminals import Tail
from tests.integration.acp_bench import Bench, running, until_gone
from tests.integration.test_adapters_acp import play


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    (tmp_path / "work").mkdir()
    (tmp_path / "outside.txt").write_text("secret")
    return Bench(tmp_path / "work")


async def ask(bench: Bench, method: str, **params: Any) -> dict[str, Any]:
    """Let the agent ask and give the answer that it got."""
    bench.inbox.clear()
    await bench.prompt(f"ask {method} {json.dumps(params)}")
    answer: dict[str, Any] = json.loads(bench.text)
    return answer


def test_files_are_read_and_written_in_the_worktree(bench: Bench) -> None:
    async def story() -> None:
        await bench.start(offers_fs=True)
        capabilities = bench.opened.initialize["_client"]["clientCapabilities"]
        assert capabilities["fs"] == {"readTextFile": True, "writeTextFile": True} and not capabilities["terminal"]
        path = bench.cwd / "new folder" / "ä.txt"
        assert await ask(bench, "fs/write_text_file", path=str(path), content="one\ntwo\r\nthrée") == {}
        assert path.read_bytes() == "one\ntwo\r\nthrée".encode()
        path.chmod(0o755)
        assert await ask(bench, "fs/write_text_file", path="new folder/ä.txt", content="1\n2\n3\n") == {}
        assert path.read_text() == "1\n2\n3\n" and path.stat().st_mode & 0o777 == 0o755
        assert await ask(bench, "fs/read_text_file", path=str(path)) == {"content": "1\n2\n3\n"}
        assert await ask(bench, "fs/read_text_file", path=str(path), line=2, limit=1) == {"content": "2\n"}
        assert (await ask(bench, "fs/read_text_file", path="none.txt"))["code"] == -32002
        assert (await ask(bench, "fs/read_text_file", path="."))["code"] == -32602
        assert (await ask(bench, "fs/read_text_file"))["code"] == -32602
        assert (await ask(bench, "fs/other"))["code"] == -32601
        os.mkfifo(bench.cwd / "pipe")
        assert (await ask(bench, "fs/read_text_file", path="pipe"))["code"] == -32602
        await bench.run.close()

    play(story())


def test_nothing_outside_the_worktree_is_reached(bench: Bench) -> None:
    outside = bench.cwd.parent / "outside.txt"
    (bench.cwd / "link.txt").symlink_to(outside)
    (bench.cwd / "folder").symlink_to(bench.cwd.parent)
    (bench.cwd / "dangling").symlink_to(bench.cwd.parent / "made.txt")
    (bench.cwd / "inner.txt").write_text("fine")
    (bench.cwd / "inner-link").symlink_to("inner.txt")

    async def story() -> None:
        await bench.start(offers_fs=True)
        for path in (
            str(outside),
            "../outside.txt",
            "link.txt",
            "folder/outside.txt",
            "/etc/passwd",
            "dangling",
            "a\0b",
        ):
            for method in ("fs/read_text_file", "fs/write_text_file"):
                answer = await ask(bench, method, path=path, content="overwritten")
                assert answer["code"] == -32602, path
        assert outside.read_text() == "secret"
        assert not (bench.cwd.parent / "made.txt").exists()
        assert await ask(bench, "fs/read_text_file", path="inner-link") == {"content": "fine"}
        await bench.run.close()

    play(story())


def test_what_is_not_offered_is_not_found(bench: Bench) -> None:
    async def story() -> None:
        await bench.start()
        assert (await ask(bench, "fs/read_text_file", path="x"))["code"] == -32601
        assert (await ask(bench, "terminal/create", command="true"))["code"] == -32601
        await bench.run.close()

    play(story())


def test_a_terminal_runs_is_limited_and_is_released(bench: Bench) -> None:
    async def story() -> None:
        await bench.start(offers_terminal=True)
        # A whole shell line in `command`, as some agents send it.
        made = await ask(
            bench, "terminal/create", command="echo $HI > f; pwd; cat f; exit 3", env=[{"name": "HI", "value": "hé"}]
        )
        ended = await ask(bench, "terminal/wait_for_exit", **made)
        assert ended == {"exitCode": 3, "signal": None}
        output = await ask(bench, "terminal/output", **made)
        assert output == {"output": f"{bench.cwd}\nhé\n", "truncated": False, "exitStatus": ended}
        assert await ask(bench, "terminal/release", **made) == {}
        assert (await ask(bench, "terminal/output", **made))["code"] == -32602

        made = await ask(
            bench, "terminal/create", command="printf", args=["é%.0s", *map(str, range(100))], outputByteLimit=9
        )
        await ask(bench, "terminal/wait_for_exit", **made)
        output = await ask(bench, "terminal/output", **made)
        assert output["output"] == "é" * 4 and output["truncated"]

        assert (await ask(bench, "terminal/create", command="true", cwd=str(bench.cwd.parent)))["code"] == -32602
        assert (await ask(bench, "terminal/create"))["code"] == -32602
        assert (await ask(bench, "terminal/output", terminalId="none"))["code"] == -32602
        await bench.run.close()

    play(story())


async def sleeper(bench: Bench) -> tuple[dict[str, Any], int]:
    """A terminal whose shell has started a command; its id and the command's pid."""
    made = await ask(bench, "terminal/create", command="sleep 600 & echo $!; wait")
    while "\n" not in (text := (await ask(bench, "terminal/output", **made))["output"]):
        await asyncio.sleep(0.01)
    pid = int(text)
    assert running(pid)
    return made, pid


def test_terminals_end_with_kill_cancel_and_close(bench: Bench) -> None:
    async def story() -> None:
        await bench.start(offers_terminal=True)
        made, pid = await sleeper(bench)
        assert await ask(bench, "terminal/kill", **made) == {}
        ended = await ask(bench, "terminal/wait_for_exit", **made)
        assert ended == {"exitCode": None, "signal": "SIGTERM"}
        await until_gone(pid)

        made, pid = await sleeper(bench)
        bench.inbox.clear()
        turn = asyncio.ensure_future(bench.prompt("slow"))
        await bench.until(lambda: bench.text)
        await bench.run.cancel()
        await turn
        await until_gone(pid)

        made, pid = await sleeper(bench)
        await bench.run.close()
        await until_gone(pid, 0.1)

    play(story())


def test_the_tail_of_an_output_keeps_whole_characters() -> None:
    tail = Tail(10)
    for _ in range(5000):
        tail.add("aé€".encode())
    assert tail.text() == "€aé€" and tail.truncated
    assert Tail(0).text() == ""
