"""A forge at the level of intent. GitHub is the one that ships."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from posthog_code.domain.publishing import NewPullRequest
from posthog_code.domain.pull_request import PullRequest


@dataclass(frozen=True, slots=True)
class RemoteRepository:
    host: str
    owner: str
    name: str
    api_url: str
    """Base of the REST API, without a trailing slash."""

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"


@dataclass(frozen=True, slots=True)
class Landing:
    """Where a merged pull request got. Times are the forge's, UNIX seconds, 0.0 when it does not tell."""

    commit: str = ""
    """What it became on its base."""
    merged_at: float = 0.0
    released_at: float = 0.0
    """When something that contains it was first released; 0.0 while nothing was."""
    released_by: str = ""
    """What tells so: "deployment" or "tag"."""
    deploys: bool = False
    """The repository has deployments or releases: one with this change may be expected."""


class Forge(Protocol):
    """All methods raise NotSignedIn, Offline, RateLimited, Conflict, InvalidInput or NotFound in the forge's words."""

    def locate(self, remote_url: str) -> RemoteRepository | None:
        """The repository that a git remote URL names; None when this forge does not serve that host."""

    async def account(self, remote: RemoteRepository) -> str:
        """Login of the signed-in person."""

    async def sign_in(self, remote: RemoteRepository, token: str) -> str:
        """Try a token, keep it in the keyring for the remote's host, give its login. Raises Refused without one."""

    async def lend(self, remote: RemoteRepository) -> bool:
        """Offer the token for the remote's host to git over https until `take_back`; False without a token."""

    def take_back(self, remote: RemoteRepository) -> None: ...

    async def find(self, remote: RemoteRepository, branch: str) -> PullRequest | None:
        """The open pull request of a branch, else the newest one."""

    async def create(self, remote: RemoteRepository, branch: str, new: NewPullRequest) -> PullRequest:
        """Open one; adopts the one that exists already for this branch. Never retried blindly."""

    async def read(self, remote: RemoteRepository, known: PullRequest) -> PullRequest:
        """State, checks, reviews and threads now. Checks that the token may not read give `checks_known=False`."""

    async def landing(self, remote: RemoteRepository, pull: PullRequest) -> Landing:
        """Whether a merged pull request was deployed or released, as far as the token may see."""

    async def default_branch(self, remote: RemoteRepository) -> str: ...

    async def job_log(self, remote: RemoteRepository, check_id: str) -> str:
        """The last 2 MB of an Actions job's log; NotFound while there is none."""

    async def close(self) -> None: ...


class Secrets(Protocol):
    """The OS keyring, never on the event loop. Without a keyring nothing is stored silently in plain text."""

    async def get(self, name: str) -> str | None: ...

    async def set(self, name: str, value: str) -> None:
        """Raises Refused when there is no keyring."""

    async def delete(self, name: str) -> None: ...

    async def available(self) -> bool: ...
