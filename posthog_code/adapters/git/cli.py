"""Runs git: the one place where the project starts a git process."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from posthog_code.adapters.git.failures import command_name, explain, missing_git, redact
from posthog_code.adapters.git.patience import finish
from posthog_code.adapters.git.places import common_dir_of
from posthog_code.domain.errors import GitFailed, NotFound, StorageFailed

Log = Callable[[Path, str], None]
OnLine = Callable[[str], None]

READ_TIMEOUT = 120.0
WRITE_TIMEOUT = 1800.0
CHUNK = 65536
_READERS = 4
_ERR_LIMIT = 256 * 1024
_GRACE = 2.0
"""Seconds between TERM and KILL: git removes its lock files on TERM."""
_PIPE_GRACE = 0.4
"""Seconds that pipes may stay open after git has ended (a hook may leave a process behind that holds them)."""

NO_HOOKS = ("-c", f"core.hooksPath={os.devnull}")
# A file system monitor is a program that the repository names, or a daemon that would outlive us.
_ALWAYS = (
    "--no-pager", "-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "core.quotePath=false",
    "-c", "core.fsmonitor=false",
)  # fmt: skip

# What would point git somewhere else than the folder it is told to work in.
_DROPPED = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_CONFIG", "GIT_CONFIG_PARAMETERS", "GIT_DIR",
    "GIT_GRAFT_FILE", "GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_NAMESPACE", "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_REPLACE_REF_BASE", "GIT_SHALLOW_FILE", "GIT_WORK_TREE",
    "GIT_EXTERNAL_DIFF", "GIT_DIFF_OPTS", "GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS", "GIT_TRACE", "GIT_FLUSH", "LANGUAGE", "LC_MESSAGES",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Result:
    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        """Output without its last line end; undecodable bytes are surrogate-escaped."""
        return decode(self.out).removesuffix("\n")

    @property
    def items(self) -> list[str]:
        """NUL-separated output."""
        return [decode(item) for item in self.out.split(b"\0") if item]


def decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def environment(extra: Mapping[str, str] | None = None, *, read: bool) -> dict[str, str]:
    """The environment of a git process: the person's own, but never a prompt, a pager or another repository."""
    env = {key: value for key, value in os.environ.items() if key not in _DROPPED}
    env.update(
        LC_ALL="C.UTF-8",
        GIT_TERMINAL_PROMPT="0",
        GIT_ASKPASS="",
        GCM_INTERACTIVE="never",
        GIT_PAGER="cat",
        PAGER="cat",
        GIT_EDITOR=":",
        GIT_SEQUENCE_EDITOR=":",
    )
    if read:
        env["GIT_OPTIONAL_LOCKS"] = "0"
    env.update(extra or {})
    return env


class Lanes:
    """Who may run at the same time: a few reads per repository; writes to one git directory one after another."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reads: dict[Path, asyncio.Semaphore] = {}
        self._writes: dict[Path, asyncio.Lock] = {}

    def _here(self) -> None:
        """Locks belong to one event loop; a program may run several, one after another."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop = loop
            self._reads.clear()
            self._writes.clear()

    @asynccontextmanager
    async def reading(self, folder: Path) -> AsyncIterator[None]:
        self._here()
        key = common_dir_of(folder) or folder
        async with self._reads.setdefault(key, asyncio.Semaphore(_READERS)):
            yield

    @asynccontextmanager
    async def writing(self, git_dir: Path) -> AsyncIterator[None]:
        """`git_dir` is the common directory for branches and registrations, a private one for files and index."""
        self._here()
        async with self._writes.setdefault(git_dir, asyncio.Lock()):
            yield


class GitCli:
    """Git commands as coroutines. Cancelling one ends its whole process group."""

    def __init__(self, log: Log | None = None, binary: str = "git") -> None:
        self.lanes = Lanes()
        self._log = log
        self._binary = binary

    async def read(
        self,
        folder: Path,
        *args: str,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        ok: Collection[int] = (0,),
        timeout: float = READ_TIMEOUT,
    ) -> Result:
        """A command that changes nothing: parallel to others, without optional locks."""
        async with self.lanes.reading(folder):
            return await self._run(folder, args, stdin, env, ok, timeout, None, read=True)

    async def write(
        self,
        folder: Path,
        *args: str,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        ok: Collection[int] = (0,),
        timeout: float = WRITE_TIMEOUT,
        on_line: OnLine | None = None,
        hooks: bool = False,
    ) -> Result:
        """A command that writes. The caller holds the lane: an operation is often several commands.

        The repository's hooks run only where the person expects them (`hooks`): at a commit and a push.
        """
        return await self._run(folder, args, stdin, env, ok, timeout, on_line, read=False, hooks=hooks)

    async def stream(
        self, folder: Path, *args: str, env: Mapping[str, str] | None = None, ok: Collection[int] = (0,)
    ) -> AsyncGenerator[bytes, None]:
        """Output of a reading command as it comes; leaving the generator ends git."""
        started = time.monotonic()
        process = await self._start(folder, args, env, stdin=False, read=True)
        assert process.stdout is not None and process.stderr is not None
        errors = _Lines(None)
        # An own task, because git stops when nobody reads its stderr; this generator owns and ends it.
        draining = asyncio.get_running_loop().create_task(_drain(process.stderr, errors))
        try:
            while chunk := await process.stdout.read(CHUNK):
                yield chunk
            await process.wait()
            await draining
        finally:
            draining.cancel()
            await _end(process)
            _close(process)
            code = process.returncode
            self._tell(folder, args, -1 if code is None else code, started)
        if code not in ok:
            raise explain(args, code or 0, errors.text)

    async def _run(
        self,
        folder: Path,
        args: Sequence[str],
        stdin: bytes | None,
        env: Mapping[str, str] | None,
        ok: Collection[int],
        timeout: float,
        on_line: OnLine | None,
        *,
        read: bool,
        hooks: bool = False,
    ) -> Result:
        started = time.monotonic()
        if on_line:
            on_line(f"$ {command_line(args)}")
        process = await self._start(folder, args, env, stdin=stdin is not None, read=read, hooks=hooks)
        out, err = _Lines(on_line, limit=0), _Lines(on_line)
        try:
            async with asyncio.timeout(timeout):
                await _communicate(process, stdin, out, err)
        except TimeoutError:
            await _end(process)
            self._tell(folder, args, -1, started, " (timed out)")
            raise GitFailed(
                f"git {command_name(args)} did not end within {timeout:.0f} s.",
                "It was stopped. Look for a hook or a remote that hangs.",
                err.text,
            ) from None
        except BaseException:
            await _end(process)
            self._tell(folder, args, -1, started, " (stopped)")
            raise
        finally:
            _close(process)
        code = process.returncode
        assert code is not None
        self._tell(folder, args, code, started)
        if code not in ok:
            raise explain(args, code, err.text + ("\n" + decode(bytes(out.data[-8192:])) if out.data else ""))
        return Result(code, bytes(out.data), err.text)

    async def _start(
        self,
        folder: Path,
        args: Sequence[str],
        env: Mapping[str, str] | None,
        *,
        stdin: bool,
        read: bool,
        hooks: bool = False,
    ) -> asyncio.subprocess.Process:
        spawning = asyncio.get_running_loop().create_task(
            asyncio.create_subprocess_exec(
                self._binary,
                *_ALWAYS,
                *(() if hooks else NO_HOOKS),
                *args,
                cwd=folder,
                env=environment(env, read=read),
                stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        )
        try:
            return await asyncio.shield(spawning)
        except asyncio.CancelledError:
            await finish(_abandon(spawning))
            raise
        except (FileNotFoundError, NotADirectoryError):
            if not folder.is_dir():
                raise NotFound(f"The folder {folder} is not there.", "It may have been moved or deleted.") from None
            raise missing_git() from None
        except PermissionError as error:
            raise StorageFailed(
                f"The folder {folder} cannot be opened.", "Check its permissions.", str(error)
            ) from None

    def _tell(self, folder: Path, args: Sequence[str], code: int, started: float, note: str = "") -> None:
        if self._log:
            spent = (time.monotonic() - started) * 1000
            self._log(folder, f"{command_line(args)} → exit {code}{note} · {spent:.0f} ms")


def command_line(args: Sequence[str]) -> str:
    """One line as a person would type it, without secrets and without what every command has."""
    line = shlex.join(["git", *args])
    line = redact(line).encode("utf-8", "replace").decode()
    return line if len(line) <= 400 else line[:400] + "…"


class _Lines:
    """Collects output, and tells complete lines as they come (progress ends in a carriage return)."""

    def __init__(self, on_line: OnLine | None, limit: int = _ERR_LIMIT) -> None:
        self.data = bytearray()
        self._on_line = on_line
        self._limit = limit
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        self.data += chunk
        if self._limit and len(self.data) > self._limit:
            del self.data[: len(self.data) - self._limit]
        if self._on_line:
            *lines, self._rest = (self._rest + chunk).replace(b"\r", b"\n").split(b"\n")
            for line in lines:
                self._say(line)

    def close(self) -> None:
        if self._on_line and self._rest:
            self._say(self._rest)
            self._rest = b""

    def _say(self, line: bytes) -> None:
        text = redact(line.decode("utf-8", "replace").rstrip())
        if text and self._on_line:
            self._on_line(text)

    @property
    def text(self) -> str:
        return self.data.decode("utf-8", "replace")


async def _drain(reader: asyncio.StreamReader, lines: _Lines) -> None:
    while chunk := await reader.read(CHUNK):
        lines.feed(chunk)
    lines.close()


async def _feed(writer: asyncio.StreamWriter, data: bytes) -> None:
    # Git may end before it has read everything; its exit code tells the rest.
    with suppress(BrokenPipeError, ConnectionResetError):
        writer.write(data)
        await writer.drain()
    with suppress(BrokenPipeError, ConnectionResetError):
        writer.close()
        await writer.wait_closed()


async def _communicate(process: asyncio.subprocess.Process, stdin: bytes | None, out: _Lines, err: _Lines) -> None:
    assert process.stdout is not None and process.stderr is not None
    async with asyncio.TaskGroup() as group:
        reading = {group.create_task(_drain(process.stdout, out)), group.create_task(_drain(process.stderr, err))}
        if process.stdin is not None:
            group.create_task(_feed(process.stdin, stdin or b""))
        while reading:
            _, reading = await asyncio.wait(reading, timeout=_PIPE_GRACE)
            if reading and process.returncode is not None:
                _, reading = await asyncio.wait(reading, timeout=_PIPE_GRACE)
                for task in reading:
                    task.cancel()
                break
    if process.returncode is None:
        await process.wait()


async def _abandon(spawning: asyncio.Task[asyncio.subprocess.Process]) -> None:
    """End what is being started. Left to a cancelled asyncio, git alone is killed, and its hooks, which go on, are
    waited for."""
    try:
        process = await spawning
    except OSError:
        return
    await _end(process)
    _close(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """TERM, then KILL, to the whole group."""
    if process.returncode is not None:
        return
    _signal(process, signal.SIGTERM)
    try:
        async with asyncio.timeout(_GRACE):
            await _returned(process)
    except (TimeoutError, asyncio.CancelledError):
        _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
        with suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                await _returned(process)


async def _returned(process: asyncio.subprocess.Process) -> None:
    """`Process.wait` also waits for pipes that grandchildren may hold, so the exit itself is watched."""
    while process.returncode is None:  # noqa: ASYNC110 - asyncio has no event for it
        await asyncio.sleep(0.01)


def _close(process: asyncio.subprocess.Process) -> None:
    """Let go of pipes that somebody else still holds open: asyncio has no public call for it."""
    process._transport.close()  # type: ignore[attr-defined]


def _signal(process: asyncio.subprocess.Process, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)
        else:
            process.kill()
