"""The app's own forge client against the stand-in: what one asks the other must answer."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Any

from posthog_code.adapters.forge.github import GitHub
from posthog_code.demo.repositories import git_environment
from posthog_code.demo.world import TOKEN, prepare, start_github
from posthog_code.domain.publishing import NewPullRequest
from posthog_code.domain.pull_request import CheckState, Mergeable, PullRequestState, ReviewState

NOW = 1_790_000_000.0
BRANCH = "fix/double-charge"


class NoSecrets:
    async def get(self, name: str) -> str | None:
        return None

    async def set(self, name: str, value: str) -> None: ...

    async def delete(self, name: str) -> None: ...

    async def available(self) -> bool:
        return False


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=git_environment(), capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_pull_request_from_its_creation_to_its_merge(tmp_path: Path) -> None:
    world = prepare(tmp_path / "home", NOW)
    github = start_github(world.home)
    folder = world.repository("harbor-web")
    git(folder, "checkout", "-q", "-b", BRANCH)
    (folder / "src/payments/extra.ts").write_text("export const paid = true;\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "Charge once")
    git(folder, "push", "-q", "origin", BRANCH)

    async def ask() -> None:
        env = {"GITHUB_API_URL": github.api, "GH_TOKEN": TOKEN, "GITHUB_TOKEN": TOKEN, "GH_ENTERPRISE_TOKEN": TOKEN}
        forge: Any = GitHub(NoSecrets(), env=env, write_pause=0.0)
        remote = forge.locate(git(folder, "remote", "get-url", "origin"))
        assert remote is not None and remote.full_name == "harbor/harbor-web"
        assert await forge.account(remote) == "mira-okafor"
        assert await forge.default_branch(remote) == "main"
        assert await forge.find(remote, BRANCH) is None
        new = NewPullRequest(title="Stop double charges", body="Why", base="main")
        made = await forge.create(remote, BRANCH, new)
        adopted = await forge.create(remote, BRANCH, new)
        assert adopted.number == made.number == 482
        fresh = await forge.read(remote, made)
        assert fresh.state is PullRequestState.OPEN and fresh.running > 0 and fresh.checks_known
        await asyncio.to_thread(github.advance, "harbor-web", made.number, 60)
        settled = await forge.read(remote, fresh)
        (failed,) = [check for check in settled.checks if check.state is CheckState.FAILED]
        assert failed.name == "e2e / checkout (webkit)" and failed.is_job and failed.required
        assert "##[error]" in await forge.job_log(remote, failed.id)
        assert settled.mergeable is Mergeable.BLOCKED
        assert [review.state for review in settled.reviews] == [ReviewState.CHANGES_REQUESTED]
        (thread,) = settled.threads
        assert (thread.path, thread.line, thread.resolved) == ("src/payments/extra.ts", 1, False)
        assert (settled.files, settled.added, settled.commits) == (1, 1, 1)
        await asyncio.to_thread(github.merge, "harbor-web", made.number)
        merged = await forge.read(remote, settled)
        assert merged.state is PullRequestState.MERGED
        await forge.close()

    try:
        asyncio.run(ask())
    finally:
        github.stop()
