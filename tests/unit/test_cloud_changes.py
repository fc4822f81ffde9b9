"""Where the changes of a cloud task come from: its branch when that can be fetched, else what the tools told."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from posthog_code.domain.errors import NotFound, Offline
from posthog_code.domain.ids import RepositoryId, SessionId, TaskId
from posthog_code.domain.session import SessionPhase
from posthog_code.domain.task import Repository, Task, TaskPhase, Workspace
from posthog_code.domain.transcript import DiffContent, ToolCall, Transcript
from posthog_code.services.cloud_changes import CloudSource

REPOSITORY = Repository(RepositoryId("api"), "/src/api", "api", "main")
TASK = Task(
    TaskId("t"),
    REPOSITORY.id,
    "Title",
    "Prompt",
    Workspace.CLOUD,
    "cloud",
    SessionId("s"),
    0.0,
    0.0,
    TaskPhase.READY,
    branch="posthog/dst",
)


class Git:
    """What is on origin and what is known of it here."""

    def __init__(self) -> None:
        self.remote, self.tracked = "c1", ""
        self.fetches = 0
        self.error: Offline | None = None

    async def fetch(self, repository: Path, branch: str, on_line: object = None) -> str:
        self.fetches += 1
        if self.error is not None:
            raise self.error
        return self.remote

    async def resolve(self, repository: Path, name: str) -> str:
        if not self.tracked:
            raise NotFound("unknown")
        return self.tracked

    async def merge_base(self, folder: Path, base: str, head: str = "HEAD") -> str:
        return "b0"


def source(git: Git) -> CloudSource:
    transcript = Transcript()
    diff = DiffContent("/sandbox/a.py", "1\n", "2\n")
    transcript.items.append(ToolCall("k", 0.0, call_id="c", status="completed", diffs=(diff,)))
    return CloudSource(git, git, lambda _task_id: transcript, lambda _task_id: "/sandbox")  # type: ignore[arg-type]


def test_a_branch_with_commits_is_taken_and_fetched_sparingly() -> None:
    async def story() -> None:
        git = Git()
        cloud = source(git)
        wanted = (Path("/src/api"), "b0", "c1")
        assert await cloud.branch(TASK, REPOSITORY, SessionPhase.WORKING) == wanted
        assert await cloud.branch(TASK, REPOSITORY, SessionPhase.WORKING) == wanted
        assert git.fetches == 1 and cloud.note(TASK.id) == ""
        await cloud.branch(TASK, REPOSITORY, SessionPhase.READY)
        await cloud.branch(TASK, REPOSITORY, SessionPhase.READY)
        assert git.fetches == 2, "once more when the turn has ended"

    asyncio.run(story())


def test_without_a_branch_the_tools_tell_and_it_is_said_why() -> None:
    async def story() -> None:
        git = Git()
        cloud = source(git)
        assert await cloud.branch(TASK, None, None) is None
        assert cloud.note(TASK.id).startswith("The repository is not on this machine")
        assert await cloud.branch(replace(TASK, branch=""), REPOSITORY, None) is None
        assert cloud.note(TASK.id).startswith("Nothing is pushed yet")
        git.remote = ""
        assert await cloud.branch(TASK, REPOSITORY, None) is None
        assert cloud.note(TASK.id).startswith("Nothing is pushed yet")
        assert [file.path for file in cloud.files(TASK.id)] == ["a.py"]

    asyncio.run(story())


def test_offline_the_branch_as_last_fetched_is_better_than_nothing() -> None:
    async def story() -> None:
        git = Git()
        git.error = Offline("GitHub does not answer.")
        cloud = source(git)
        assert await cloud.branch(TASK, REPOSITORY, None) is None
        assert "GitHub does not answer" in cloud.note(TASK.id)
        git.tracked = "c0"
        assert await cloud.branch(replace(TASK, branch="posthog/other"), REPOSITORY, None) == (
            Path("/src/api"),
            "b0",
            "c0",
        )

    asyncio.run(story())
