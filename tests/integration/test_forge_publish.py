"""Create PR with real git, over real HTTP, against the demo world's GitHub."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from posthog_code.adapters.forge.github import GitHub
from posthog_code.adapters.git import make_git
from posthog_code.app.container import SystemClock
from posthog_code.domain.errors import InvalidInput, NotSignedIn, Offline, UserError
from posthog_code.domain.ids import RepositoryId, SessionId, TaskId
from posthog_code.domain.pull_request import CheckState, PullRequestState
from posthog_code.domain.state import AppState
from posthog_code.domain.task import Repository, StepState, Task, TaskPhase, Workspace
from posthog_code.services.pull_requests import PullRequests
from posthog_code.services.scope import Scope
from posthog_code.services.store import Store
from tests.helpers import git, make_repository

T, R = TaskId("t1"), RepositoryId("r1")
BRANCH = "fix/checkout"


class Memory:
    """A database and a keyring that forget."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}

    def load(self) -> AppState:
        return AppState()

    async def save(self, old: AppState, new: AppState) -> None: ...

    def close(self) -> None: ...

    async def get(self, name: str) -> str | None:
        return self.secrets.get(name)

    async def set(self, name: str, value: str) -> None:
        self.secrets[name] = value

    async def delete(self, name: str) -> None:
        self.secrets.pop(name, None)

    async def available(self) -> bool:
        return True


async def no_gh(host: str, env: Any) -> str:
    return ""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    """URL of a running stand-in with an empty bare repository acme/web."""
    bare = tmp_path / "hub" / "git" / "acme" / "web.git"
    bare.mkdir(parents=True)
    git(bare, "init", "-q", "--bare", "-b", "main")
    git(bare, "config", "http.receivepack", "true")
    command = [sys.executable, "-m", "posthog_code.demo.github", "--root", str(tmp_path / "hub"), "--pace", "0"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None and process.stdin is not None
        yield json.loads(process.stdout.readline())["url"]
        process.stdin.close()
        process.wait(10)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class World:
    def __init__(self, tmp_path: Path, url: str, token: str = "ghp_demo") -> None:
        self.main = make_repository(tmp_path / "web")
        git(self.main, "remote", "add", "origin", f"{url}/acme/web.git")
        git(self.main, "push", "-q", "origin", "main")
        self.folder = tmp_path / "worktree"
        self.lines: list[str] = []
        memory = Memory()
        env = {"GITHUB_API_URL": f"{url}/api/v3", "GITHUB_TOKEN": token}
        self.forge = GitHub(
            memory,
            env=env,
            ask_gh=no_gh,
            write_pause=0.0,
            log=lambda line: self.pulls.network(line),
            ssh_config=tmp_path / "none",
        )
        self.git = make_git(trash=tmp_path / "trash", auth=self.forge.lent)
        task = Task(
            T, R, "Round the cart total", "Round it", Workspace.WORKTREE, "demo", SessionId("s"), 0.0, 0.0,
            phase=TaskPhase.READY, base="main", branch=BRANCH, path=str(self.folder),
        )  # fmt: skip
        self.store = Store(
            memory, AppState(repositories={R: Repository(R, str(self.main), "web", "main")}, tasks={T: task})
        )
        self.errors: list[BaseException] = []
        self.scope = Scope("test", lambda name, error: self.errors.append(error))
        self.pulls = PullRequests(
            self.store,
            self.git.git,
            self.git.publishing,
            self.git.changes,
            self.forge,
            SystemClock(),
            self.scope,
            log=lambda task_id, source, text: self.lines.append(f"{source}: {text}"),
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[PullRequests]:
        await self.git.worktrees.add(self.main, self.folder, branch=BRANCH, base="main", task_id=T)
        (self.folder / "calc.py").write_text("def add(a, b):\n    return round(a + b, 2)\n")
        (self.folder / "notes.md").write_text("new\n")
        try:
            yield self.pulls
        finally:
            await self.scope.close()
            await self.forge.close()
        assert not self.errors


def test_from_changes_to_checks(tmp_path: Path, hub: str) -> None:
    world = World(tmp_path, hub)

    async def run() -> None:
        async with world.running() as pulls:
            before = (git(world.main, "status", "--porcelain"), git(world.main, "rev-parse", "HEAD"))
            proposal = await pulls.propose(T)
            assert proposal.problem == "" and set(proposal.uncommitted) == {"calc.py", "notes.md"}
            assert proposal.files == 2 and proposal.new.base == "main"
            assert await pulls.refresh(T) is None
            pull = await pulls.create(T, proposal.new)
            assert (pull.state, pull.head, pull.base) == (PullRequestState.OPEN, BRANCH, "main")
            assert T not in world.store.state.publishing and world.store.state.pull_requests[T].number == pull.number
            assert git(world.folder, "status", "--porcelain") == ""
            head = git(world.folder, "rev-parse", "HEAD")
            read = await pulls.refresh(T)
            assert read is not None and read.head_sha == head and read.checks and read.checks_known
            failed = [check for check in read.checks if check.state is CheckState.FAILED]
            for check in failed:
                assert await pulls.check_log(T, check)
            again = await pulls.propose(T)
            assert again.existing is not None and again.existing.number == pull.number
            assert before == (git(world.main, "status", "--porcelain"), git(world.main, "rev-parse", "HEAD"))
            network = [line for line in world.lines if line.startswith("network: ")]
            assert any("POST /api/v3/repos/acme/web/pulls 201" in line for line in network)
            assert not any("ghp_demo" in line for line in world.lines)

    asyncio.run(run())


def test_a_rejected_push_is_a_step_to_resume(tmp_path: Path, hub: str) -> None:
    world = World(tmp_path, hub)

    async def run() -> None:
        async with world.running() as pulls:
            other = tmp_path / "other"
            git(tmp_path, "clone", "-q", f"{hub}/acme/web.git", str(other))
            git(other, "switch", "-qc", BRANCH)
            (other / "theirs.txt").write_text("first\n")
            git(other, "add", "-A")
            git(other, "commit", "-qm", "Theirs")
            git(other, "push", "-q", "origin", BRANCH)
            new = (await pulls.propose(T)).new
            with pytest.raises(UserError):
                await pulls.create(T, new)
            steps = {step.id: step for step in world.store.state.publishing[T]}
            assert steps["commit"].state is StepState.DONE and steps["push"].state is StepState.FAILED
            assert steps["push"].detail
            committed = git(world.folder, "rev-parse", "HEAD")
            git(world.folder, "pull", "-q", "--rebase", "origin", BRANCH)
            pull = await pulls.create(T, new)
            assert pull.number and git(world.folder, "rev-list", "--count", "main..HEAD") == "2"
            assert committed != git(world.folder, "rev-parse", "HEAD")

    asyncio.run(run())


def test_a_wrong_token_and_the_way_on(tmp_path: Path, hub: str) -> None:
    world = World(tmp_path, hub, token="ghp_wrong")

    async def run() -> None:
        async with world.running() as pulls:
            assert "sign-in expired" in (await pulls.propose(T)).problem
            with pytest.raises(NotSignedIn):
                await pulls.refresh(T)
            with pytest.raises(NotSignedIn):
                await pulls.sign_in(T, "ghp_other")
            with pytest.raises(InvalidInput):
                await pulls.sign_in(T, "two words")
            assert await pulls.sign_in(T, "ghp_demo")
            assert (await pulls.propose(T)).problem == ""

    asyncio.run(run())


def test_while_the_server_is_away_the_last_state_stays(tmp_path: Path, hub: str) -> None:
    world = World(tmp_path, hub)

    async def run() -> None:
        async with world.running() as pulls:
            pull = await pulls.create(T, replace((await pulls.propose(T)).new, draft=True))
            assert pull.state is PullRequestState.DRAFT
            world.forge._env = {"GITHUB_API_URL": "http://127.0.0.1:9/api/v3", "GITHUB_TOKEN": "ghp_demo"}
            world.forge._tokens._env = world.forge._env
            stale = await pulls.refresh(T)
            assert stale is not None and stale.number == pull.number and "could not be reached" in stale.stale
            assert isinstance(pulls.problem(T), Offline)

    asyncio.run(run())
