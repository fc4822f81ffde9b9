"""What a task in the cloud can be started with: repositories, branches, environments, models."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

from posthog_code.domain.cloud_requests import CloudEnvironment, CloudModel, GitHubInstallation
from posthog_code.domain.errors import NotSignedIn, UserError
from posthog_code.ui.context import UiContext

_MOST_CONNECTIONS = 5


@dataclass(frozen=True, slots=True)
class Offer:
    """What one project offers."""

    environments: tuple[CloudEnvironment, ...] = ()
    models: tuple[CloudModel, ...] = ()
    installations: tuple[GitHubInstallation, ...] = ()
    repositories: tuple[str, ...] = ()
    connect_url: str = ""
    """Where a person connects PostHog with GitHub."""
    problem: str = ""
    """Why a connection to GitHub does not work, in one sentence."""


class CloudChoices(QObject):
    """Asks when it is first wanted, and again for another project. Holds no widget."""

    changed = Signal()

    def __init__(self, ctx: UiContext, parent: QObject) -> None:
        super().__init__(parent)
        self._ctx = ctx
        self._project = 0
        self.offer = Offer()
        self.error: UserError | None = None
        self.loaded = False
        self._branches: dict[str, tuple[tuple[str, ...], str]] = {}

    def ask(self) -> None:
        """Read it, unless it is known already."""
        project = self._ctx.state.account.project_id
        if project == self._project and (self.loaded or self._ctx.actions.is_running("cloud.choices")):
            return
        self._project, self.loaded, self.offer = project, False, Offer()
        self._branches.clear()
        self._ctx.actions.start("cloud.choices", self._read, on_done=self._read_it, on_error=self._failed)

    def ask_again(self) -> None:
        self.loaded, self._project = False, 0
        self.ask()

    async def _read(self) -> Offer:
        cloud = self._ctx.services.account.cloud()
        installations = await cloud.installations()
        repositories: list[str] = []
        problem = next((f"{one.account}: {one.problem}" for one in installations if one.problem), "")
        for one in installations[:_MOST_CONNECTIONS]:
            try:
                repositories += await cloud.repositories(one)
            except NotSignedIn:
                raise
            except UserError as error:
                problem = problem or error.title
        return Offer(
            environments=await cloud.environments(),
            models=await cloud.models(),
            installations=installations,
            repositories=tuple(dict.fromkeys(name.lower() for name in repositories)),
            connect_url=cloud.connect_github_url(),
            problem=problem,
        )

    def _read_it(self, offer: Offer) -> None:
        self.offer, self.loaded, self.error = offer, True, None
        self.changed.emit()

    def _failed(self, error: UserError) -> None:
        self.error, self._project = error, 0
        self.changed.emit()

    def branches(self, repository: str) -> tuple[tuple[str, ...], str]:
        """Branches and the default one; both empty until they are known, which `changed` tells."""
        if repository and repository not in self._branches and self.loaded:
            self._branches[repository] = ((), "")
            self._ctx.actions.start(
                f"cloud.branches {repository}",
                lambda: self._read_branches(repository),
                on_done=self._branches_known,
                on_error=self._no_branches,
            )
        return self._branches.get(repository, ((), ""))

    async def _read_branches(self, repository: str) -> tuple[str, tuple[tuple[str, ...], str]]:
        cloud = self._ctx.services.account.cloud()
        for one in self.offer.installations:
            try:
                return repository, await cloud.branches(one, repository)
            except NotSignedIn:
                raise
            except UserError:
                continue  # another connection may reach it
        return repository, ((), "")

    def _branches_known(self, told: tuple[str, tuple[tuple[str, ...], str]]) -> None:
        self._branches[told[0]] = told[1]
        self.changed.emit()

    def _no_branches(self, _error: UserError) -> None:
        """The default branch is used then."""
