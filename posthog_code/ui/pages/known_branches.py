"""Branches of the repositories that were chosen so far, read when they are first asked for."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal

from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import RepositoryId
from posthog_code.ports.git import Branch
from posthog_code.ui.context import UiContext


class KnownBranches(QObject):
    arrived = Signal(str)
    """The repository whose branches are known now."""
    failed = Signal(str, object)
    """The repository, and the UserError."""

    def __init__(self, ctx: UiContext, parent: QObject) -> None:
        super().__init__(parent)
        self._ctx = ctx
        self._known: dict[RepositoryId, tuple[Branch, ...]] = {}

    def of(self, repository_id: RepositoryId) -> tuple[Branch, ...]:
        """What is known; () at first, until `arrived`."""
        known = self._known.get(repository_id)
        if known is None:
            self._known[repository_id] = known = ()
            self._load(repository_id)
        return known

    def _load(self, repository_id: RepositoryId) -> None:
        def loaded(branches: Sequence[Branch]) -> None:
            self._known[repository_id] = tuple(branches)
            self.arrived.emit(repository_id)

        def failed(error: UserError) -> None:
            self.failed.emit(repository_id, error)

        branches = self._ctx.services.repositories.branches
        self._ctx.actions.start(
            f"branches {repository_id}", lambda: branches(repository_id), on_done=loaded, on_error=failed
        )
