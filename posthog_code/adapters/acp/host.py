"""Starts agents, and ends what earlier runs of the app left behind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from posthog_code.ports.agent import OnIncoming, RunSpec
from posthog_code.ports.clock import Clock

from .run import AcpRun
from .survivors import MARKER, alive, end_family, run_id_of
from .timeouts import Timeouts
from .warden import Warden
from .words import start_words


class AcpHost:
    """ports.agent.AgentHost over stdio. Use it on the main thread: see process.death_signal_prefix."""

    def __init__(self, clock: Clock, timeouts: Timeouts) -> None:
        self._clock = clock
        self._timeouts = timeouts
        # One thread: the writes and reads of an agent stay in the order in which they came.
        self._file_worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="agent-files")
        # Its own threads, which the interpreter waits for: an end that has begun is carried through.
        self._ender = ThreadPoolExecutor(max_workers=4, thread_name_prefix="agent-end")
        self._warden = Warden()

    async def start(self, spec: RunSpec, journal: Any, on_incoming: OnIncoming) -> AcpRun:
        env = dict(spec.env)
        if spec.run_id:
            env[MARKER] = spec.run_id
        command = list(spec.command)
        program = shutil.which(command[0], path=env.get("PATH")) if command else None
        if program is None or not spec.cwd.is_dir():
            raise start_words(spec.agent, command, spec.cwd)
        command[0] = program
        _put_beside(env, program)
        try:
            run = AcpRun(
                spec,
                command,
                env,
                journal,
                self._clock,
                on_incoming,
                self._timeouts,
                file_worker=self._file_worker,
                ender=self._ender,
                on_gone=partial(self._warden.release, spec.run_id),
            )
        except OSError as error:
            raise start_words(spec.agent, command, spec.cwd, error) from error
        self._warden.watch(spec.run_id)
        return run

    def reap(self, pid: int, started: float) -> bool:
        """See the port. Blocks for up to a few seconds when there is something to end."""
        if pid <= 0 or started <= 0:
            return False
        run_id = run_id_of(pid) if alive(pid, started) else ""
        return end_family(pid, started, {run_id} - {""}, patience=1.0, own=False) > 0

    def reap_marked(self, run_ids: Collection[str]) -> int:
        """See the port. Blocks like `reap`."""
        return end_family(0, 0.0, set(run_ids) - {""}, patience=1.0, own=False)


def _put_beside(env: dict[str, str], program: str) -> None:
    """A script of npm looks for its `node` on PATH; both are often in a folder that only a shell puts there."""
    folder = os.path.dirname(os.path.abspath(program))
    folders = env.get("PATH", os.defpath).split(os.pathsep)
    if folder not in folders:
        env["PATH"] = os.pathsep.join([*folders, folder])


def make_agent_host(clock: Clock, timeouts: Timeouts = Timeouts()) -> AcpHost:
    return AcpHost(clock, timeouts)
