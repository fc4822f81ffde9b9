"""PostHog's cloud at the level of intent: an account, and the tasks and runs of its projects."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from posthog_code.domain.cloud import Account, CloudArtifact, CloudRunInfo, CloudTask
from posthog_code.domain.cloud_requests import (
    CloudEnvironment,
    CloudModel,
    GitHubInstallation,
    NewCloudTask,
    RunRequest,
)
from posthog_code.ports.signals import ProductSignals

Entry = dict[str, Any]
"""One object of a run's log, `{"type": "notification", "timestamp": ISO, "notification": <JSON-RPC frame>}`, or any
other object that the server keeps there."""

OpenBrowser = Callable[[str], bool]
"""Show a page in the person's browser; False when that is not possible here (the URL is shown then)."""


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event of a run's live stream. Keep-alives are events without data."""

    name: str = ""
    """"" for an ordinary event; "keepalive", "error", "end", "stream-end", or another word."""
    data: Any = None
    """What the data line says, parsed; None when there was none."""
    id: str = ""
    """To be echoed verbatim; "" when the event had none."""
    broken: str = ""
    """Data that is no JSON, cut to 200 characters: something may be missing from here on."""


@dataclass(frozen=True, slots=True)
class LogPage:
    entries: tuple[Entry, ...]
    more: bool
    total: int = 0
    broken: int = 0
    """Entries that were no objects."""


@dataclass(frozen=True, slots=True)
class CloudFile:
    """Something to upload."""

    name: str
    data: bytes
    content_type: str = "application/octet-stream"
    type: str = "user_attachment"


@dataclass(frozen=True, slots=True)
class TaskQuery:
    repository: str = ""
    created_by: int = 0
    search: str = ""
    archived: bool = False


@dataclass(frozen=True, slots=True)
class SignIn:
    """How to sign in. A `host` is "us", "eu" or the URL of a PostHog of one's own."""

    host: str
    api_key: str = field(default="", repr=False)
    """A personal API key; "" for OAuth in the browser."""
    keep: bool = True
    """Keep the secret in the keyring; False keeps it in memory, for this run of the program only."""


class CloudAccount(Protocol):
    """Credentials of one account, refreshed by exactly one process at a time.

    All methods raise NotSignedIn, MissingScope, Offline or RateLimited.
    """

    async def sign_in(self, request: SignIn, known: Account, open_browser: OpenBrowser) -> Account:
        """Sign in and read who that is. With OAuth the browser opens and the answer is waited for up to 180 s; to give
        up, cancel. Raises Refused when the person said no, or when the secret should be kept and there is no keyring
        (nothing is signed in then)."""

    async def sign_out(self, account: Account) -> bool:
        """Forget the secrets here, then revoke them at the server. False when the server could not be told."""

    async def restore(self, account: Account) -> Account:
        """Go on with the credentials of the last run, or of POSTHOG_API_KEY and POSTHOG_HOST, and read who that is.

        Offline, the account is given as it was with `problem` set; what is revoked or gone gives a signed-out one.
        """

    async def identity(self, account: Account) -> Account:
        """The account as the server describes it now."""

    async def choose_organization(self, account: Account, organization_id: str) -> Account:
        """Make it the current one at the server, and give the account with its projects."""

    def project(self, account: Account, project_id: int) -> Cloud:
        """The cloud as seen from one project. Stays with that project, whatever is chosen later."""

    def signals(self, account: Account, project_id: int) -> ProductSignals:
        """The product signals of one project. Stays with that project, whatever is chosen later."""

    async def keyring_available(self) -> bool: ...

    async def close(self) -> None: ...


class Cloud(Protocol):
    """One project's tasks and runs.

    All methods raise NotSignedIn, MissingScope (named), NotFound, Conflict, InvalidInput, RateLimited, Offline, and
    what `domain.cloud_errors` has for single calls. Only reads are repeated by themselves.
    """

    project_id: int

    # tasks
    async def list_tasks(self, query: TaskQuery = TaskQuery()) -> tuple[CloudTask, ...]:
        """All pages, newest first, at most 5,000 tasks."""

    async def task(self, task_id: str) -> CloudTask: ...

    async def create_task(self, new: NewCloudTask) -> CloudTask: ...

    async def patch_task(self, task_id: str, fields: Mapping[str, Any]) -> CloudTask: ...

    async def delete_task(self, task_id: str) -> None: ...

    # runs
    async def runs(self, task_id: str) -> tuple[CloudRunInfo, ...]:
        """Newest first."""

    async def run(self, task_id: str, run_id: str) -> CloudRunInfo: ...

    async def create_run(self, task_id: str, request: RunRequest) -> CloudRunInfo:
        """Make a run that is not started yet. Raises GitHubNeeded, UsageLimit."""

    async def start_run(self, task_id: str, run_id: str, message: str, artifact_ids: Sequence[str] = ()) -> CloudTask:
        """Raises MissingArtifacts, GitHubNeeded, UsageLimit."""

    async def run_task(self, task_id: str, request: RunRequest) -> CloudTask:
        """Make and start a run in one step; goes on from `request.resume_from` when that is set. Not repeated: raises
        OutcomeUnknown when no answer came."""

    async def resume_in_cloud(self, task_id: str, run_id: str) -> CloudRunInfo:
        """Take a local run into the cloud under the same id."""

    async def patch_run(self, task_id: str, run_id: str, fields: Mapping[str, Any]) -> CloudRunInfo: ...

    async def cancel_run(self, task_id: str, run_id: str, reason: str = "") -> None:
        """End the run and its sandbox (falls back to the command `close` on older servers)."""

    async def command(
        self, task_id: str, run_id: str, method: str, params: Mapping[str, Any], command_id: str
    ) -> Mapping[str, Any]:
        """The `result` of one JSON-RPC command; sent once. Raises NotReady (no sandbox yet), RunEnded, MissingArtifacts
        OutcomeUnknown (no answer; it may have been carried out), Refused (the agent's own error)."""

    # logs
    async def session_log(self, task_id: str, run_id: str, offset: int = 0, limit: int = 5000) -> LogPage:
        """One page; the next begins at `offset` + the number of entries and broken ones."""

    async def whole_log(self, task_id: str, run_id: str) -> tuple[Entry, ...]:
        """The chain of runs that this one goes on from, oldest first."""

    async def append_log(self, task_id: str, run_id: str, entries: Sequence[Entry]) -> None: ...

    def stream(self, task_id: str, run_id: str, last_event_id: str = "") -> AsyncIterator[StreamEvent]:
        """One connection to the live stream, from the oldest event that the server still has or after `last_event_id`.
        Ends when the server ends it; a broken connection raises Offline."""

    # files
    async def upload(self, task_id: str, run_id: str, files: Sequence[CloudFile]) -> tuple[CloudArtifact, ...]:
        """Into object storage, as artifacts of the run, or staged for the task's next run when `run_id` is ""."""

    async def put_artifacts(self, task_id: str, run_id: str, files: Sequence[CloudFile]) -> tuple[CloudArtifact, ...]:
        """In the request itself: small files, and the parts of a checkpoint."""

    async def download(self, task_id: str, run_id: str, storage_path: str) -> bytes:
        """An artifact of the run or of those it goes on from."""

    # what a run can be started with
    async def environments(self) -> tuple[CloudEnvironment, ...]: ...

    async def models(self) -> tuple[CloudModel, ...]:
        """() on servers that do not say."""

    async def installations(self) -> tuple[GitHubInstallation, ...]:
        """Connections to GitHub, the team's first."""

    async def repositories(self, installation: GitHubInstallation, search: str = "") -> tuple[str, ...]:
        """`owner/name` of what a connection reaches."""

    async def branches(self, installation: GitHubInstallation, repository: str) -> tuple[tuple[str, ...], str]:
        """Branches, and the default one."""

    def connect_github_url(self) -> str:
        """The page on which a person connects PostHog with GitHub."""

    def task_url(self, task_id: str, run_id: str = "") -> str:
        """The task's page in PostHog."""
