"""The forge against github-lab, which holds each request to GitHub's own description and schema.

Set POSTHOG_CODE_GITHUB_LAB to the lab's folder (with its node modules installed) to run these.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from posthog_code.adapters.forge.github import GitHub
from posthog_code.domain.errors import InvalidInput, NotFound, NotSignedIn, Offline, RateLimited
from posthog_code.domain.publishing import NewPullRequest
from posthog_code.domain.pull_request import CheckState, Mergeable, PullRequestState, ReviewState

FOLDER = Path(os.environ.get("POSTHOG_CODE_GITHUB_LAB") or "missing")
pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(
        not (FOLDER / "node_modules").is_dir() or shutil.which("node") is None, reason="github-lab is not here"
    ),
]
NEW = NewPullRequest(title="Retry once", body="Why and what", base="main")


class NoSecrets:
    async def get(self, name: str) -> str | None:
        return None

    async def set(self, name: str, value: str) -> None: ...

    async def delete(self, name: str) -> None: ...

    async def available(self) -> bool:
        return False


async def no_gh(host: str, env: Any) -> str:
    return ""


@pytest.fixture(scope="module")
def lab() -> Iterator[Any]:
    spec = importlib.util.spec_from_file_location("ghlab", FOLDER / "ghlab.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with module.Lab() as running:
        yield running


@pytest.fixture
def world(lab: Any) -> Any:
    lab.reset()
    lab.repo("acme", "demo", files={"a.py": "one = 1\ntwo = 2\n"})
    lab.commit("acme/demo", "fix/one", {"a.py": "one = 1\ntwo = 3\nthree = 3\n"}, **{"from": "main"}, message="Three")
    return lab


def forge(lab: Any, token: str = "ghp_lab", lines: list[str] | None = None) -> GitHub:
    env = {"GITHUB_API_URL": lab.api, "GITHUB_TOKEN": token}
    return GitHub(NoSecrets(), env=env, ask_gh=no_gh, log=(lines if lines is not None else []).append)


async def session(hub: GitHub, lab: Any) -> Any:
    remote = hub.locate(f"{lab.url}/acme/demo.git")
    assert remote is not None
    return remote


def test_from_nothing_to_checks_reviews_and_threads(world: Any) -> None:
    lines: list[str] = []

    async def run() -> None:
        hub = forge(world, lines=lines)
        try:
            remote = await session(hub, world)
            assert await hub.account(remote) == "octo-dev"
            assert await hub.default_branch(remote) == "main"
            assert await hub.find(remote, "fix/one") is None
            made = await hub.create(remote, "fix/one", NEW)
            assert (made.state, made.head, made.base, made.commits) == (PullRequestState.OPEN, "fix/one", "main", 1)
            assert made.by_viewer and (made.added, made.removed, made.files) == (2, 1, 1)
            again = await hub.create(remote, "fix/one", NEW)
            assert again.number == made.number, "an open one is adopted"
            log = "2026-01-01T00:00:00.0000000Z ##[group]Run pytest\n2026-01-01T00:00:01.0000000Z boom\n"
            world.check("acme/demo", ref="fix/one", name="unit", conclusion="failure", log=log)
            world.check("acme/demo", ref="fix/one", name="lint", conclusion="success", log="ok\n")
            world.check("acme/demo", ref="fix/one", name="scan", conclusion="neutral", app="codecov", title="80 %")
            world.status("acme/demo", ref="fix/one", context="deploy/preview", state="pending", description="soon")
            comment = {"path": "a.py", "line": 3, "body": "why?"}
            await asyncio.to_thread(
                world.review,
                "acme/demo",
                made.number,
                **{"as": "reviewer"},
                event="REQUEST_CHANGES",
                body="no",
                comments=[comment],
            )
            read = await hub.read(remote, made)
            states = {check.name: check.state for check in read.checks}
            assert states["CI / unit"] is CheckState.FAILED and states["CI / lint"] is CheckState.PASSED
            assert states["scan"] is CheckState.SKIPPED and states["deploy/preview"] is CheckState.RUNNING
            assert read.checks_known
            assert [(r.author, r.state) for r in read.reviews] == [("reviewer", ReviewState.CHANGES_REQUESTED)]
            assert [(t.path, t.line, t.code, t.comments[0][1]) for t in read.threads] == [
                ("a.py", 3, "+three = 3", "why?")
            ]
            unit = next(check for check in read.checks if check.name == "CI / unit")
            assert unit.is_job and "boom" in await hub.job_log(remote, unit.id)
            with pytest.raises(NotFound):
                await hub.job_log(remote, "12345")
            for _ in range(3):
                if read.mergeable is not Mergeable.CHECKING:
                    break
                read = await hub.read(remote, made)
            assert read.mergeable in (Mergeable.YES, Mergeable.BLOCKED)
        finally:
            await hub.close()

    asyncio.run(run())
    world.assert_clean()
    assert not any("ghp_lab" in line for line in lines)
    assert any(line.startswith("POST /repos/acme/demo/pulls 201 ") or "/pulls 201" in line for line in lines)


def test_a_fine_grained_token_sees_jobs_and_statuses_only(world: Any) -> None:
    grants = {"pull_requests": "write", "contents": "write", "actions": "read", "statuses": "read", "metadata": "read"}
    world.token("github_pat_lab", kind="fine_grained", permissions=grants, repositories=["acme/demo"])

    async def run() -> None:
        hub = forge(world, "github_pat_lab")
        try:
            remote = await session(hub, world)
            made = await hub.create(remote, "fix/one", NEW)
            world.check("acme/demo", ref="fix/one", name="unit", conclusion="failure", log="boom\n")
            world.status("acme/demo", ref="fix/one", context="deploy", state="success")
            read = await hub.read(remote, made)
            assert not read.checks_known
            assert {c.name: c.state for c in read.checks}["CI / unit"] is CheckState.FAILED
            assert {c.name: c.state for c in read.checks}["deploy"] is CheckState.PASSED
        finally:
            await hub.close()

    asyncio.run(run())
    world.assert_clean()


def test_limits_expiry_and_outages(world: Any) -> None:
    async def run() -> None:
        hub = forge(world)
        try:
            remote = await session(hub, world)
            made = await hub.create(remote, "fix/one", NEW)
            world.fault(preset="server_error", match={"graphql": "State"}, times=1)
            assert (await hub.read(remote, made)).number == made.number, "5xx is tried again"
            world.fault(preset="graphql_timeout", match={"graphql": "State"}, times=1)
            assert (await hub.read(remote, made)).number == made.number
            world.fault(preset="drop", match={"graphql": "State"}, times=1)
            assert (await hub.read(remote, made)).number == made.number
            world.fault(preset="bad_credentials", match={"graphql": "State"}, times=2)
            with pytest.raises(NotSignedIn, match="expired"):
                await hub.read(remote, made)
        finally:
            await hub.close()
        hub = forge(world)
        try:
            world.admin("DELETE", "/faults")
            world.fault(preset="sso_required", match={"graphql": "State"}, times=1)
            with pytest.raises(NotSignedIn, match="SSO"):
                await hub.read(remote, made)
            world.fault(preset="graphql_rate_limit", match={"graphql": "State"}, times=1)
            with pytest.raises(RateLimited):
                await hub.read(remote, made)
            with pytest.raises(RateLimited):
                await hub.account(remote)
        finally:
            await hub.close()

    asyncio.run(run())
    world.assert_clean()


def test_refusals_of_creating(world: Any) -> None:
    async def run() -> None:
        hub = forge(world)
        try:
            remote = await session(hub, world)
            with pytest.raises(InvalidInput, match="branch is not on GitHub"):
                await hub.create(remote, "not-pushed", NEW)
            with pytest.raises(InvalidInput, match="base branch is not on GitHub"):
                await hub.create(remote, "fix/one", replace(NEW, base="nowhere"))
            world.settings("acme/demo", draft_allowed=False)
            with pytest.raises(InvalidInput, match="no drafts"):
                await hub.create(remote, "fix/one", replace(NEW, draft=True))
            world.fault(preset="drop", match={"operation": "pulls/create"}, times=1)
            with pytest.raises(Offline):
                await hub.create(remote, "fix/one", NEW)
            assert sum(e.get("operation") == "pulls/create" for e in world.journal()) == 4, "never sent twice"
            world.fault(preset="secondary_rate_limit", retry_after=2, match={"operation": "pulls/create"})
            with pytest.raises(RateLimited) as limited:
                await hub.create(remote, "fix/one", NEW)
            assert limited.value.until > 0
        finally:
            await hub.close()

    asyncio.run(run())
    world.assert_clean()
