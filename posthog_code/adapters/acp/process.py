"""A child process on the event loop: raw pipes, exit by pidfd, parent-death signal.

The pipes are read with `loop.add_reader` on non-blocking descriptors, which works alike on asyncio's loop and on the
one that Qt drives, and costs less than either's own transports. The end of the process is told by its pidfd, never by
the end of its output: a grandchild may hold the pipe open for ever.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from .survivors import start_time

CHUNK = 256 * 1024
_PIECE = 64 * 1024
_DRAIN = 8 * 1024 * 1024
"""Bytes that are still read after the end of a process; its pipe holds less, only a grandchild can exceed this."""

OnBytes = Callable[[bytes], None]


@cache
def death_signal_prefix() -> tuple[str, ...]:
    """How a command is started so that it gets SIGTERM when this app dies; () where there is no way.

    util-linux' `setpriv` sets PR_SET_PDEATHSIG and becomes the program (same pid, about 1 ms). Python code between
    fork and exec could deadlock in a program with threads and gives up vfork, and a Python shim would cost 20 ms and
    does not exist in a frozen build. The signal is tied to the thread that forks: spawn on the main thread only.
    """
    program = shutil.which("setpriv") if sys.platform == "linux" else None
    if not program:
        return ()
    prefix = (program, "--pdeathsig", "TERM", "--")
    try:
        # Busybox has a setpriv without this option.
        probe = subprocess.run([*prefix, "true"], capture_output=True, timeout=5, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return prefix if probe.returncode == 0 else ()


class Child:
    """A started program. Callbacks run on the loop: output, then `on_exit` once, after all output."""

    def __init__(
        self,
        command: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        *,
        on_stdout: OnBytes,
        on_stderr: OnBytes | None,
        on_exit: Callable[[int], None],
        on_end_of_output: Callable[[], None] | None = None,
        stdin: bool = True,
    ) -> None:
        """Start it, in a session and process group of its own. `on_stderr` None: errors go with the output.

        Raises OSError when it cannot be executed.
        """
        self._loop = asyncio.get_running_loop()
        self._popen = subprocess.Popen(
            [*death_signal_prefix(), *command],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if on_stderr else subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
        )
        self.pid = self._popen.pid
        self.started = start_time(self.pid)
        self.code: int | None = None
        self._on_exit = on_exit
        self._on_end_of_output = on_end_of_output
        self._sinks: dict[int, OnBytes] = {}
        self._unsent = bytearray()
        self._closing_stdin = False
        self._stdin = self._popen.stdin.fileno() if self._popen.stdin else -1
        if self._stdin >= 0:
            os.set_blocking(self._stdin, False)
        self._stdout = self._listen(self._popen.stdout, on_stdout)
        if on_stderr:
            self._listen(self._popen.stderr, on_stderr)
        self._pidfd = -1
        self._watch()

    # ---- output

    def _listen(self, pipe: object, sink: OnBytes) -> int:
        fd: int = pipe.fileno()  # type: ignore[attr-defined]
        os.set_blocking(fd, False)
        self._sinks[fd] = sink
        self._loop.add_reader(fd, self._readable, fd)
        return fd

    def _readable(self, fd: int) -> bool:
        """Read what there is, once; False when there is nothing now or never again."""
        sink = self._sinks.get(fd)
        if sink is None:
            return False
        try:
            data = os.read(fd, CHUNK)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            data = b""
        if data:
            sink(data)
            return True
        self._stop_listening(fd)
        if fd == self._stdout and self.code is None and self._on_end_of_output:
            self._on_end_of_output()
        return False

    def _stop_listening(self, fd: int) -> None:
        if self._sinks.pop(fd, None) is not None:
            self._loop.remove_reader(fd)

    # ---- input

    def write(self, data: bytes) -> None:
        """Queue bytes for its input; what cannot be delivered is dropped: the exit tells of it."""
        if self._stdin < 0 or self._closing_stdin:
            return
        idle = not self._unsent
        self._unsent += data
        if idle and not self._flush() and self._stdin >= 0:
            self._loop.add_writer(self._stdin, self._writable)

    def _writable(self) -> None:
        if self._flush() and self._stdin >= 0:
            self._loop.remove_writer(self._stdin)
            if self._closing_stdin:
                self._shut_stdin()

    def _flush(self) -> bool:
        """True when all is written (or nothing can be any more)."""
        while self._unsent:
            try:
                done = os.write(self._stdin, self._unsent[:_PIECE])
            except (BlockingIOError, InterruptedError):
                return False
            except OSError:
                self._unsent = bytearray()
                break
            del self._unsent[:done]
        return True

    def close_stdin(self) -> None:
        """After what is queued."""
        if self._stdin < 0 or self._closing_stdin:
            return
        self._closing_stdin = True
        if not self._unsent:
            self._shut_stdin()

    def _shut_stdin(self) -> None:
        if self._stdin >= 0:
            self._loop.remove_writer(self._stdin)
            self._stdin = -1
            if self._popen.stdin:
                self._popen.stdin.close()

    # ---- exit

    def _watch(self) -> None:
        try:
            self._pidfd = os.pidfd_open(self.pid)
        except (AttributeError, OSError):
            threading.Thread(target=self._wait, name=f"wait-{self.pid}", daemon=True).start()
        else:
            self._loop.add_reader(self._pidfd, self._exited)

    def _wait(self) -> None:
        self._popen.wait()
        try:
            self._loop.call_soon_threadsafe(self._exited)
        except RuntimeError:
            pass  # The loop was closed first: nobody is there to hear of it.

    def _exited(self) -> None:
        code = self._popen.poll()
        if code is None or self.code is not None:
            return
        self.code = code
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
        for fd in tuple(self._sinks):
            left = _DRAIN
            while left > 0 and self._readable(fd):
                left -= CHUNK
            self._stop_listening(fd)
        self._unsent = bytearray()
        self._shut_stdin()
        for pipe in (self._popen.stdout, self._popen.stderr):
            if pipe:
                pipe.close()
        self._on_exit(code)
