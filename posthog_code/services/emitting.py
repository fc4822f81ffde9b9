"""Telling the project what this program learned: each signal once, over restarts and several programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from posthog_code.domain.cloud_errors import OutcomeUnknown
from posthog_code.domain.errors import Conflict, NotFound, UserError
from posthog_code.domain.flaky import ENOUGH, FlakyTest, flaky_fingerprint, flaky_text, flaky_title
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.telling import SENT, Told
from posthog_code.ports.clock import Clock
from posthog_code.ports.signals import OutgoingSignal, ProductSignals
from posthog_code.services.flaky_scan import FlakyScan
from posthog_code.services.store import Store

TELLING = Topic("telling")
SignalsOf = Callable[[int], ProductSignals]
"""The product signals of a project, 0 for the chosen one. Raises NotSignedIn, NotFound."""


class Emitting:
    def __init__(self, store: Store, signals_of: SignalsOf, scan: FlakyScan, clock: Clock) -> None:
        self._store, self._signals_of, self._scan, self._clock = store, signals_of, scan, clock

    # -- signals -----------------------------------------------------------------------------------------------

    def told(self, fingerprint: str) -> Told | None:
        return self._store.state.telling.signals.get(fingerprint)

    async def tell(self, signal: OutgoingSignal, project_id: int = 0) -> bool:
        """Send a signal unless it was sent before; False when it was.

        It is marked on disk before it leaves, so that a crash, a lost answer or another program never sends it twice.
        Only a failure that says that nothing was sent takes the mark back. Raises what the port does.
        """
        port = self._signals_of(project_id)
        mine = self._clock.new_id()
        if not await self._mark(signal.fingerprint, Told(self._clock.now(), mine)):
            return False
        try:
            await port.emit(signal)
        except OutcomeUnknown as error:
            await self._change(signal.fingerprint, mine, problem=error.title)
            raise
        except UserError:
            await self._take_back(signal.fingerprint, mine)
            raise
        await self._change(signal.fingerprint, mine, state=SENT)
        return True

    async def _mark(self, fingerprint: str, told: Told) -> bool:
        def change(state: AppState) -> AppState:
            if fingerprint in state.telling.signals:
                return state
            return replace(state, telling=state.telling.marked(fingerprint, told))

        # What other programs marked is seen by the save itself, which then makes the change anew.
        await self._store.update(change, TELLING)
        kept = self.told(fingerprint)
        return kept is not None and kept.by == told.by

    async def _change(self, fingerprint: str, mine: str, *, state: str = "", problem: str = "") -> None:
        def change(old: AppState) -> AppState:
            told = old.telling.signals.get(fingerprint)
            if told is None or told.by != mine:
                return old
            told = replace(told, state=state or told.state, problem=problem)
            return replace(old, telling=old.telling.marked(fingerprint, told))

        await self._store.update(change, TELLING)

    async def _take_back(self, fingerprint: str, mine: str) -> None:
        def change(old: AppState) -> AppState:
            told = old.telling.signals.get(fingerprint)
            ours = told is not None and told.by == mine
            return replace(old, telling=old.telling.without(fingerprint)) if ours else old

        await self._store.update(change, TELLING)

    # -- flaky tests -------------------------------------------------------------------------------------------

    async def flaky(self) -> tuple[FlakyTest, ...]:
        """Tests that failed and passed without a change, the most often seen first. Reads conversations of the newest
        tasks off the loop; what did not grow since is not read again."""
        return await self._scan.run()

    async def emit_flaky(self, flaky_id: str) -> FlakyTest:
        """Tell the project of one. Raises NotFound, Conflict (not seen in three tasks, or told already) and what the
        port does."""
        found = [test for test in await self.flaky() if test.id.startswith(flaky_id)]
        if len(found) != 1 or not flaky_id:
            raise NotFound(f"There is no flaky test {flaky_id!r}.", "posthog-code flaky lists them.")
        test = found[0]
        if len(test.tasks) < ENOUGH:
            raise Conflict(
                f"It was seen in {len(test.tasks)} of {ENOUGH} tasks.", "Once may be chance: it can be told later."
            )
        port = self._signals_of(0)
        if not await self.tell(_signal(test, port.project_id), port.project_id):
            told = self.told(flaky_fingerprint(test, port.project_id))
            raise Conflict("The project knows of it.", told.problem if told else "")
        return test


def _signal(test: FlakyTest, project_id: int) -> OutgoingSignal:
    return OutgoingSignal(
        title=flaky_title(test),
        text=flaky_text(test),
        kind="flaky_test",
        fingerprint=flaky_fingerprint(test, project_id),
        properties={
            "test": test.test,
            "framework": test.framework,
            "repository": test.repository,
            "tasks": len(test.tasks),
            "first_failed_at": test.sightings[0].failed_at,
            "last_failed_at": test.sightings[-1].failed_at,
        },
    )
