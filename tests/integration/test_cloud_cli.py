"""The commands for the cloud, as a person or a script runs them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from posthog_code.domain.session import SessionPhase
from tests.helpers import run as drive
from tests.helpers import until
from tests.integration.cloud_server import KEY, CloudServer, cloud_server


async def command(server: CloudServer, *words: str, key: str = KEY) -> tuple[int, list[Any], str]:
    """Exit code, the JSON documents on standard output, and standard error."""
    env = {**os.environ, "POSTHOG_HOST": server.url, "POSTHOG_API_KEY": key}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "posthog_code",
        *words,
        "--json",
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, [json.loads(line) for line in out.splitlines()], error.decode()


def test_commands() -> None:
    async def go() -> None:
        async with cloud_server() as server:
            run = server.add()
            server.begin(run)
            server.ask(run, "p1", "c1")
            code, told, _ = await command(server, "whoami")
            assert code == 0 and told[0]["user"]["email"] == "ada@example.com" and told[0]["project"] == 1
            code, told, _ = await command(server, "cloud", "list", "--filter", "mine")
            assert [row["id"] for row in told[0]] == ["t1"] and told[0][0]["state"] == "waiting"
            code, told, error = await command(server, "cloud", "show", "t1")
            assert code == 0, error
            assert told[0]["phase"] == SessionPhase.WAITING.value and len(told[0]["asks"]) == 1
            code, told, _ = await command(server, "cloud", "answer", "T1", "allow")
            assert code == 0 and told[0]["answered"] == "allow"
            server.turn_over(run)
            code, told, _ = await command(server, "cloud", "send", "t1", "And a test")
            assert code == 0 and told[0]["sent"] is True
            await until(lambda: len(server.commands) == 2)
            server.finish(run)
            code, told, _ = await command(server, "cloud", "watch", "t1")
            assert code == 0
            assert [row["text"] for row in told if row["type"] == "UserMessage"] == ["Do it", "And a test"]
            code, told, error = await command(server, "whoami", key="phx_wrong_key_1")
            assert code == 1 and told[0]["signed_in"] is False
            code, told, error = await command(server, "cloud", "list", key="phx_wrong_key_1")
            assert code == 2 and told[-1]["error"] == "not_signed_in" and "phx_" not in error

    drive(go())
