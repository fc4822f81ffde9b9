"""A small process that outlives this app, only to end the agents that a killed app leaves behind.

The parent-death signal reaches the agent itself. What the agent started may live on, in sessions of its own, until the
app is started again; an agent's command could go on to change files for hours. The warden reads the ids of live runs
from a pipe, and when the pipe ends because the app is gone, it ends what carries them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import weakref

from . import survivors

# A frozen build has no interpreter to call: it starts itself with a switch (app/main.py).
_FROZEN = getattr(sys, "frozen", False)
_COMMAND = [sys.executable, "warden"] if _FROZEN else [sys.executable, "-I", "-S", survivors.__file__]


class Warden:
    """Started with the first run. A help, not a need: without one (no /proc) the next start reaps."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._possible = sys.platform == "linux" and bool(sys.executable)

    def watch(self, run_id: str) -> None:
        if self._possible and run_id and self._process is None:
            try:
                # Isolated and without `site`: about 10 MB and 20 ms, off the loop. It must not keep a folder busy.
                self._process = subprocess.Popen(
                    _COMMAND,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    env={},
                    bufsize=0,
                    start_new_session=True,
                )
            except OSError:
                self._possible = False
            else:
                if self._process.stdin:
                    os.set_blocking(self._process.stdin.fileno(), False)
                weakref.finalize(self, _let_go, self._process)
        self._tell(f"+{run_id}\n")

    def release(self, run_id: str) -> None:
        self._tell(f"-{run_id}\n")

    def _tell(self, line: str) -> None:
        if self._process is None or self._process.stdin is None:
            return
        try:
            self._process.stdin.write(line.encode())
        except OSError:
            pass  # It was ended by somebody: the next start reaps.


def _let_go(process: subprocess.Popen[bytes]) -> None:
    """At the app's normal end: it ends at once when nothing is left to watch."""
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(timeout=0.5)
    except subprocess.TimeoutExpired:
        pass  # It is busy with what was not closed, and needs nobody to wait for it.
