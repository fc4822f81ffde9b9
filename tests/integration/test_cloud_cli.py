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
from tests.integration.cloud_server import KEY, CloudServer, Fault, cloud_server


async def command(
    server: CloudServer, *words: str, key: str = KEY, typed: str | None = None
) -> tuple[int, list[Any], str]:
    """Exit code, the JSON documents on standard output, and standard error. `typed` is what standard input says; then
    nobody is signed in by the environment."""
    env = {**os.environ, "POSTHOG_HOST": server.url, "POSTHOG_API_KEY": key}
    if typed is not None:
        del env["POSTHOG_API_KEY"]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "posthog_code",
        *words,
        "--json",
        env=env,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await asyncio.wait_for(process.communicate((typed or "").encode()), 60)
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


def test_a_key_is_read_from_standard_input_and_one_on_the_command_line_warned_of() -> None:
    async def go() -> None:
        async with cloud_server() as server:
            for words in (("--api-key",), ("--api-key", "-")):
                code, told, error = await command(server, "login", "--region", server.url, *words, typed=f"{KEY}\n")
                # The key was taken; there is no keyring here to keep it in.
                assert code == 2 and told[-1]["title"].startswith("This machine has no keyring"), error
                assert "list of processes" not in error and KEY not in error
            code, told, error = await command(server, "login", "--region", server.url, "--api-key", KEY, typed="")
            assert code == 2 and "list of processes" in error and KEY not in error
            code, told, _ = await command(server, "login", "--region", server.url, "--api-key", typed="")
            assert code == 2 and told[-1]["title"] == "No API key was given."

    drive(go())


def test_a_run_that_waits_says_for_what_and_a_message_says_why_it_waits() -> None:
    async def go() -> None:
        async with cloud_server() as server:
            run = server.add()
            server.begin(run)
            server.ask(run, "p1", "c1")
            code, told, _ = await command(server, "cloud", "watch", "t1", "--turn")
            (ask,) = [row for row in told if row["type"] == "Ask"]
            assert code == 0 and [option["id"] for option in ask["options"]] == ["allow", "reject"]
            sending = asyncio.create_task(command(server, "cloud", "send", "t1", "And a test"))
            await until(lambda: server.count("GET", "/stream/$") > 1)
            code, told, _ = await command(server, "cloud", "answer", "t1", "allow")
            assert code == 0
            server.turn_over(run)
            code, told, error = await sending
            assert code == 0 and told[0]["sent"] is True
            code, told, _ = await command(server, "cloud", "stop", "t1")
            assert code == 0 and told[0]["stopped"] is False
            server.finish(run)
            code, told, _ = await command(server, "cloud", "stop", "t1", "--end")
            assert code == 0 and told[0]["stopped"] is False
            assert [c["method"] for c in server.commands] == ["permission_response", "user_message"]
            code, told, error = await command(server, "take-over", "T-9")
            assert code == 2 and "No cloud task is called" in error
            code, told, error = await command(server, "take-over", "T1")
            assert code == 2 and "acme/web is not on this machine" in error

    drive(go())


def test_a_message_that_is_refused_is_told_at_once() -> None:
    async def go() -> None:
        async with cloud_server() as server:
            run = server.add()
            server.begin(run)
            server.turn_over(run)
            detail = {"type": "authentication_error", "detail": "API key missing required scope 'task:write'"}
            server.faults.append(
                Fault("POST", "/command/", 403, json.dumps(detail).encode(), {"Content-Type": "application/json"})
            )
            code, _, error = await command(server, "cloud", "send", "t1", "And a test")
            assert code == 2 and "task:write" in error and not server.commands

    drive(go())
