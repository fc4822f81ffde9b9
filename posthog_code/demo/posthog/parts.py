"""What a run at work needs of the cloud around it, and its helpers of the run."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from posthog_code.demo.posthog.forge import Forge
from posthog_code.demo.posthog.runlog import RunLog
from posthog_code.demo.posthog.sandbox import Sandbox
from posthog_code.demo.posthog.store import Store
from posthog_code.demo.posthog.wire import Object


class Host(Protocol):
    """See cloud.Cloud."""

    store: Store
    forge: Forge
    agent_command: list[str]
    agent_state: Path
    pace: float

    def log(self, run_id: str) -> RunLog: ...

    def engine(self, run_id: str) -> object: ...

    def artifact_prefix(self, run: Object) -> str: ...

    def patch_run(self, run: Object, changes: Object, at: float | None = None) -> None: ...

    def tell_state(self, run: Object, at: float | None = None) -> None: ...

    def handed_over(self, run: Object) -> tuple[str, tuple[Object, bytes, bytes] | None]: ...

    def earlier_sessions(self, run: Object) -> list[str]: ...


class Worker(Protocol):
    """See engine.Engine."""

    cloud: Host
    store: Store
    run: Object

    @property
    def demo(self) -> Object: ...

    def sandbox(self) -> Sandbox: ...

    def patch(self, changes: Object) -> None: ...

    def notify(self, method: str, params: Object) -> None: ...

    def update(self, update: Object) -> None: ...

    def frame(self, frame: Object) -> None: ...

    def now(self) -> float: ...
