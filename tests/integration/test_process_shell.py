"""Set-up scripts as real processes."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from posthog_code.adapters.acp.survivors import MARKER, alive, start_time
from posthog_code.adapters.process.shell import ShellCommands
from posthog_code.services.environment import RUN_ID


def test_a_script_ends_although_what_it_left_behind_holds_its_output(tmp_path: Path) -> None:
    lines: list[str] = []
    began = time.monotonic()
    script = "sleep 100 & echo $!; printf 'a\\rb'; exit 3"
    code = asyncio.run(ShellCommands().shell(script, tmp_path, dict(os.environ), lines.append))
    assert code == 3
    assert time.monotonic() - began < 20
    pid = int(lines[0])
    assert lines[1:] == ["a", "b"]
    started = start_time(pid)
    while alive(pid, started):
        assert time.monotonic() - began < 30
        time.sleep(0.01)


def test_its_processes_carry_the_mark_that_the_agent_host_looks_for() -> None:
    assert RUN_ID == MARKER
