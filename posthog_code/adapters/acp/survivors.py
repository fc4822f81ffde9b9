"""What belongs to a run among the processes of this machine, and how it is ended.

A run is a process in a session of its own, but what it starts may leave that session, outlive its parent and be given
to init. So a process is taken for part of a run by any of four signs: its process group, its session, its descent, or
the variable POSTHOG_CODE_RUN_ID that every child inherits. All functions may block: they belong in a thread.
Without /proc (macOS) only the process group is known.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass

MARKER = "POSTHOG_CODE_RUN_ID"
_STEP = 0.02


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    pid: int
    parent: int
    group: int
    session: int
    started: float
    """Clock ticks since the machine started, as /proc gives them."""
    zombie: bool


def facts(pid: int) -> ProcessFacts | None:
    """A process as /proc/<pid>/stat describes it (proc(5)); None when it is gone or there is no /proc."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    words = text[text.rfind(b")") + 2 :].split()
    try:
        return ProcessFacts(
            pid, int(words[1]), int(words[2]), int(words[3]), float(words[19]), zombie=words[0] in (b"Z", b"X")
        )
    except (IndexError, ValueError):
        return None


def start_time(pid: int) -> float:
    """0.0 when it is not known."""
    found = facts(pid)
    return found.started if found else 0.0


def alive(pid: int, started: float) -> bool:
    """Whether the process with this pid is the one that started then, and no zombie."""
    found = facts(pid)
    return found is not None and found.started == started and not found.zombie


def run_id_of(pid: int) -> str:
    """The run that a process was started in; "" for none, or when it may not be read."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            environ = file.read()
    except OSError:
        return ""
    sign = MARKER.encode() + b"="
    for part in environ.split(b"\0"):
        if part.startswith(sign):
            return part[len(sign) :].decode("utf-8", "replace")
    return ""


def _all() -> dict[int, ProcessFacts]:
    try:
        names = os.listdir("/proc")
    except OSError:
        return {}
    found = (facts(int(name)) for name in names if name.isdigit())
    own = os.getpid()
    return {p.pid: p for p in found if p is not None and not p.zombie and p.pid != own}


def now_in_ticks() -> float:
    """The present, as start times are counted."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK")


def family(
    pid: int, started: float, run_ids: Collection[str], *, own: bool, before: float = math.inf
) -> dict[int, ProcessFacts]:
    """Living processes of a run. `pid` 0: only those that are marked.

    When another process has the pid now, nothing is taken by group or descent: then only the marker counts. `own`:
    it was a child of this app until a moment ago, so its group is ours even where its members are not marked. What
    started after `before` is not taken by its marker: a later start of the app may have resumed the same run.
    """
    processes = _all()
    leader = processes.get(pid)
    reused = leader is not None and started > 0 and leader.started != started
    members: dict[int, ProcessFacts] = {}
    for process in processes.values():
        in_group = pid > 0 and not reused and pid in (process.group, process.session, process.pid)
        if in_group and process.started >= started:
            # The group may outlive its leader: then its members must be marked, for a pid may be used again.
            if own or leader is not None or run_id_of(process.pid):
                members[process.pid] = process
        elif run_ids and process.started <= before and run_id_of(process.pid) in run_ids:
            members[process.pid] = process
    grown = bool(members)
    while grown:
        grown = False
        for process in processes.values():
            if process.pid not in members and process.parent in members:
                members[process.pid] = process
                grown = True
    return members


def end_family(
    pid: int,
    started: float,
    run_ids: Collection[str],
    *,
    patience: float = 2.0,
    own: bool = True,
    before: float = math.inf,
) -> int:
    """TERM, then after `patience` seconds KILL, for all that belongs to a run. Gives how many were there.

    Returns when nothing is left, at the latest 5 s after the KILL (a process may hang in the kernel).
    """
    if not os.path.isdir("/proc/self"):
        return _end_group(pid, patience)
    members = family(pid, started, run_ids, own=own, before=before)
    seen = set(members)
    began = time.monotonic()
    told: set[int] = set()
    while members:
        waited = time.monotonic() - began
        if waited > patience + 5.0:
            break
        sign = signal.SIGKILL if waited >= patience else signal.SIGTERM
        for process in members.values():
            if sign == signal.SIGKILL or process.pid not in told:
                told.add(process.pid)
                _signal(process, sign)
        time.sleep(_STEP)
        # Children that are born while the parents die are found by looking again; those of a parent that is gone
        # already are found by who they were descended from a moment ago.
        again = family(pid, started, run_ids, own=own, before=before)
        for process in members.values():
            if process.pid not in again and alive(process.pid, process.started):
                again[process.pid] = process
        members = again
        seen.update(members)
    return len(seen)


def _signal(process: ProcessFacts, sign: signal.Signals) -> None:
    if alive(process.pid, process.started):
        try:
            os.kill(process.pid, sign)
        except (ProcessLookupError, PermissionError):
            pass


def _end_group(pid: int, patience: float) -> int:
    """The same where only process groups are known."""
    if pid <= 0:
        return 0
    ended = 0
    began = time.monotonic()
    while time.monotonic() - began < patience + 5.0:
        late = time.monotonic() - began >= patience
        try:
            os.killpg(pid, signal.SIGKILL if late else signal.SIGTERM if not ended else 0)
        except (ProcessLookupError, PermissionError):
            break
        ended = 1
        time.sleep(_STEP)
    return ended


def main() -> None:
    """As a program (see warden.py): lines "+id" and "-id" on stdin; at its end, what carries those ids ends."""
    watched: set[str] = set()
    while line := sys.stdin.buffer.readline():
        sign, run_id = line[:1], line[1:].strip().decode("utf-8", "replace")
        if sign == b"+":
            watched.add(run_id)
        else:
            watched.discard(run_id)
    if watched:
        end_family(0, 0.0, watched, patience=1.0, own=False, before=now_in_ticks())


if __name__ == "__main__":
    main()
