"""What is asked of PostHog's cloud: new tasks and runs, and what they can be made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CloudEnvironment:
    """A sandbox that runs can be started in."""

    id: str
    name: str = ""
    network: str = ""
    repositories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CloudModel:
    adapter: str
    id: str
    name: str = ""
    efforts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GitHubInstallation:
    """A connection between PostHog and GitHub: the team's (a number) or the person's own (a UUID)."""

    id: str
    personal: bool = False
    account: str = ""
    installation_id: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class NewCloudTask:
    """What a task is created from."""

    description: str
    repository: str = ""
    title: str = ""
    github_integration: int = 0
    github_user_integration: str = ""
    origin: str = "user_created"
    report_id: str = ""
    relationship: str = ""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a run is created from. "" leaves a part to the server."""

    environment: str = "cloud"
    mode: str = "interactive"
    branch: str = ""
    adapter: str = ""
    model: str = ""
    effort: str = ""
    sandbox_environment: str = ""
    authorship: str = ""
    """"user" or "bot"."""
    source: str = "manual"
    permission_mode: str = ""
    report_id: str = ""
    resume_from: str = ""
    """Run that this one goes on from."""
    message: str = ""
    """First message; without one the agent gets the task's description."""
    artifact_ids: tuple[str, ...] = ()
    """Staged for the task."""


@dataclass(frozen=True, slots=True)
class CloudDraft:
    """What *New task* asks for when it is to run in the cloud."""

    prompt: str
    repository: str = ""
    """`owner/name`."""
    title: str = ""
    branch: str = ""
    environment: str = ""
    adapter: str = "claude"
    model: str = ""
    effort: str = ""
    permission_mode: str = ""
    attachments: tuple[str, ...] = ()
    """Absolute paths."""
    report_id: str = ""
    """Inbox report that it is made from."""
