"""Commands that the agent runs: each in a process group of its own, ended with the turn and with the agent."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

GRACE = 0.5
"""Seconds between asking a command to end and killing it."""

_running: set[subprocess.Popen[bytes]] = set()


def _parent_death_signal() -> Callable[[], None] | None:
    """What a child calls so that it dies with the agent even if that is killed; None where there is no such thing."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    try:
        prctl = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):
        return None
    return lambda: prctl(1, signal.SIGKILL)


class Command:
    """A started command. Iterate `output` to read it; it ends when the command has ended."""

    def __init__(self, arguments: Sequence[str], cwd: Path) -> None:
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
        self._process = subprocess.Popen(
            list(arguments),
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_parent_death_signal(),
        )
        _running.add(self._process)
        self._chunks: queue.Queue[bytes | None] = queue.Queue()
        threading.Thread(target=self._pump, daemon=True).start()

    def output(self, every: float, stop: Callable[[], bool]) -> Iterator[str]:
        """What came, at most each `every` seconds. Ends early, with the command killed, when `stop` says so."""
        pending, due, ended = b"", time.monotonic() + every, False
        while not ended:
            if stop():
                self.kill()
                return
            try:
                chunk = self._chunks.get(timeout=0.02)
            except queue.Empty:
                chunk = b""
            ended = chunk is None
            pending += chunk or b""
            if pending and (ended or time.monotonic() >= due):
                yield pending.decode("utf-8", "replace")
                pending, due = b"", time.monotonic() + every

    def wait(self) -> int:
        """The exit code."""
        code = self._process.wait()
        _running.discard(self._process)
        return code

    def kill(self) -> None:
        end_group(self._process)
        self.wait()

    def _pump(self) -> None:
        stream = self._process.stdout
        while stream is not None and (chunk := os.read(stream.fileno(), 65_536)):
            self._chunks.put(chunk)
        self._chunks.put(None)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Ask the whole group to end, then kill what is left of it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except (ProcessLookupError, PermissionError):
            return
        deadline = time.monotonic() + GRACE
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)


def end_all() -> None:
    """Kill every command that still runs."""
    for process in list(_running):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass


def leave(code: int = 0) -> NoReturn:
    """End this process at once, with everything that it started."""
    end_all()
    os._exit(code)
