"""A run of the cloud taken over here, a local task sent there, and the way back: over real HTTP, git and agents."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from posthog_code.domain.cloud_errors import GitHubNeeded
from posthog_code.domain.errors import Conflict, Refused
from posthog_code.domain.fold import Fold
from posthog_code.domain.task import StepState, TaskPhase, Workspace
from posthog_code.services.handover import TakeOverWish
from posthog_code.services.handover_log import conversation
from tests.helpers import finished, git, run, running, session_of, start_task, task_of, tree_hash, until
from tests.integration.git_world import index_of, print_of
from tests.integration.handover_world import AGENT, World, ready, run_of, settled, told, world_at

WISH = TakeOverWish(**AGENT)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world_at(tmp_path / "world", monkeypatch) as made:
        yield made


def files_of(folder: Path) -> dict[str, str]:
    """Everything but the ignored settings, which each worktree gets from its own checkout."""
    return print_of(folder, skip=(".git", ".env.local"))


def folded(lines: object) -> Fold:
    fold = Fold()
    for frame, way, at in lines:  # type: ignore[attr-defined]
        fold.apply(frame, way, at)
    return fold


def test_a_cloud_run_is_taken_over_with_everything(world: World, tmp_path: Path) -> None:
    made = world.appear("Improve the health endpoint", mess=True)

    async def scenario() -> None:
        checkout = tree_hash(world.repository), (world.repository / ".git" / "index").read_bytes()
        async with running(tmp_path / "home") as container:
            services = container.services
            cloud = await ready(container, world)
            view = await services.cloud.open(made["id"])
            before = await run_of(cloud, made["id"])
            sandbox = world.sandbox(before.id)
            there, staged = files_of(sandbox), git(sandbox, "write-tree")
            task_id = await services.handover.take_over(made["id"], WISH)
            await settled(container, task_id)
            task = task_of(services, task_id)
            assert task.phase is TaskPhase.READY, task.steps
            assert (task.cloud_task_id, task.cloud_run_id) == (made["id"], before.id)
            folder = Path(task.path)
            assert files_of(folder) == there and git(folder, "write-tree") == staged
            assert git(folder, "rev-parse", "HEAD") == git(sandbox, "rev-parse", "HEAD")
            assert git(folder, "branch", "--show-current") == before.branch
            assert {"notes/untracked ü.txt", "notes/check.sh", "notes/link"} <= set(there)
            assert (await run_of(cloud, made["id"])).environment == "local"
            # The conversation, once.
            log = conversation(await cloud.whole_log(made["id"], before.id))
            transcript = await services.sessions.load_transcript(task_id)
            people, agents, calls = told(transcript)
            assert (people, agents, calls) == told(folded(log.lines).transcript)
            assert people == ["Improve the health endpoint"] and agents and len(set(calls)) == len(calls) > 0
            session = session_of(services, task_id)
            assert len(session.turns) == 1 and session.context.count("Improve the health endpoint") == 1
            assert view in services.store.state.tasks
            # The next prompt brings the summary, which nobody sees.
            await services.sessions.prompt(task_id, "Improve it once more")
            session = await finished(services, task_id)
            assert [turn.prompt for turn in session.turns] == ["Improve the health endpoint", "Improve it once more"]
            assert session.turns[-1].stop_reason == "end_turn" and session.context == ""
            people, _, _ = told(services.sessions.transcript(task_id))
            assert people == ["Improve the health endpoint", "Improve it once more"]
            frames = [frame for frame, _, _ in services.sessions.journaled(task_id)]
            prompts = [frame["params"]["prompt"] for frame in frames if frame.get("method") == "session/prompt"]
            assert "You take over work" in prompts[-1][0]["text"] and prompts[-1][1]["text"] == "Improve it once more"
            # Only now the view of the cloud's copy goes.
            await until(lambda: view not in services.store.state.tasks)
            assert await services.handover.take_over(made["id"]) == task_id
        assert (tree_hash(world.repository), (world.repository / ".git" / "index").read_bytes()) == checkout

    run(scenario())


def test_what_is_in_the_way_is_shown_and_left_alone(world: World, tmp_path: Path) -> None:
    made = world.appear("Describe the limits")

    async def scenario() -> None:
        repository = world.repository
        async with running(tmp_path / "home") as container:
            services = container.services
            cloud = await ready(container, world)
            branch = (await run_of(cloud, made["id"])).branch
            git(repository, "branch", branch, "main")
            commit = git(repository, "commit-tree", "-p", "main", "-m", "my own work", "main^{tree}")
            git(repository, "branch", "-f", branch, commit)
            with pytest.raises(Conflict) as caught:
                await services.handover.take_over(made["id"], WISH)
            assert "my own work" in caught.value.detail and "--branch" in caught.value.hint
            assert git(repository, "rev-parse", branch) == commit
            assert not [t for t in services.store.state.tasks.values() if t.cloud_task_id]
            assert (await run_of(cloud, made["id"])).environment == "cloud", "nothing was done in the cloud"
            other = TakeOverWish(branch="mine/of-the-limits", **AGENT)
            task_id = await services.handover.take_over(made["id"], other)
            await settled(container, task_id)
            assert task_of(services, task_id).phase is TaskPhase.READY
            assert task_of(services, task_id).branch == "mine/of-the-limits"
            assert git(repository, "rev-parse", branch) == commit

    run(scenario())


def test_a_repository_that_is_not_here_is_asked_for(world: World, tmp_path: Path) -> None:
    made = world.appear("Describe the limits")

    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            await services.account.restore()
            with pytest.raises(Refused, match="not on this machine") as caught:
                await services.handover.take_over(made["id"], WISH)
            assert "--repo" in caught.value.hint and "--clone" in caught.value.hint
            wish = TakeOverWish(clone_to=tmp_path / "cloned", **AGENT)
            task_id = await services.handover.take_over(made["id"], wish)
            await settled(container, task_id)
            assert task_of(services, task_id).phase is TaskPhase.READY, task_of(services, task_id).steps

    run(scenario())


def mess(folder: Path) -> None:
    (folder / "committed.txt").write_text("committed\n")
    git(folder, "add", "committed.txt")
    git(folder, "commit", "-qm", "A commit of the person")
    (folder / "committed.txt").write_text("staged\n")
    git(folder, "add", "committed.txt")
    (folder / "committed.txt").write_text("unstaged\n")
    (folder / "new and staged.txt").write_text("new\n")
    git(folder, "add", "new and staged.txt")
    (folder / "untracked ü.txt").write_text("untracked\n")
    (folder / "large.bin").write_bytes(os.urandom(4_000_000))
    (folder / "script.sh").write_text("#!/bin/sh\nexit 0\n")
    (folder / "script.sh").chmod(0o755)
    (folder / "link").symlink_to("script.sh")
    tracked = [name for name in git(folder, "ls-files").split("\n") if "/" not in name and name.endswith(".md")]
    (folder / tracked[0]).unlink()


def test_round_trip(world: World, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            cloud = await ready(container, world)
            first = await start_task(services, world.repository, "Improve the health endpoint")
            await finished(services, first)
            folder = Path(task_of(services, first).path)
            mess(folder)
            before = files_of(folder), index_of(folder)[0], git(folder, "rev-parse", "HEAD")
            here = told(services.sessions.transcript(first))
            await services.handover.send(first)
            await settled(container, first)
            sent = task_of(services, first)
            assert sent.phase is TaskPhase.READY and sent.workspace is Workspace.CLOUD, sent.steps
            assert files_of(folder) == before[0], "the worktree stays until the person says otherwise"
            run_info = await run_of(cloud, sent.cloud_task_id)
            assert run_info.id == sent.cloud_run_id and run_info.environment == "cloud"
            state = lambda: world.posthog.control("GET", f"runs/{run_info.id}")["state"]  # noqa: E731
            await until(lambda: state() == "idle")
            sandbox = world.sandbox(run_info.id)
            assert files_of(sandbox) == before[0] and git(sandbox, "rev-parse", "HEAD") == before[2]
            assert git(sandbox, "write-tree") == git(folder, "write-tree")
            stored = conversation(await cloud.whole_log(sent.cloud_task_id, run_info.id))
            assert told(folded(stored.lines).transcript) == here
            second = await services.handover.take_over(sent.cloud_task_id, WISH)
            await settled(container, second)
            back = task_of(services, second)
            assert back.phase is TaskPhase.READY and second != first, back.steps
            assert back.branch == sent.branch
            again = Path(back.path)
            after = files_of(again), index_of(again)[0], git(again, "rev-parse", "HEAD")
            assert after == before
            assert told(await services.sessions.load_transcript(second)) == here
            # The first copy was put to trash only because nothing of it was unsent.
            assert not folder.exists() and task_of(services, first).trash_path
            await services.sessions.prompt(second, "Improve it once more")
            await finished(services, second)
            await until(lambda: task_of(services, first).phase is TaskPhase.ARCHIVED)

    run(scenario())


def test_a_turn_in_the_cloud_comes_back_too_and_the_worktree_is_archived_on_wish(world: World, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            cloud = await ready(container, world)
            first = await start_task(services, world.repository, "Improve the health endpoint")
            await finished(services, first)
            await services.handover.send(first, archive=True)
            await settled(container, first)
            sent = task_of(services, first)
            assert sent.workspace is Workspace.CLOUD and not Path(sent.path).exists() and sent.trash_path, sent.steps
            await services.sessions.prompt(first, "Add a test for it")
            run_id = sent.cloud_run_id

            async def turns() -> int:
                return len(conversation(await cloud.whole_log(sent.cloud_task_id, run_id)).turns)

            async with asyncio.timeout(30):
                while await turns() < 2 or world.posthog.control("GET", f"runs/{run_id}")["state"] != "idle":
                    await asyncio.sleep(0.05)
            there = files_of(world.sandbox(run_id))
            second = await services.handover.take_over(sent.cloud_task_id, WISH)
            await settled(container, second)
            back = task_of(services, second)
            assert back.phase is TaskPhase.READY, back.steps
            assert files_of(Path(back.path)) == there
            transcript = await services.sessions.load_transcript(second)
            assert told(transcript)[0] == ["Improve the health endpoint", "Add a test for it"]
            log = conversation(await cloud.whole_log(sent.cloud_task_id, run_id))
            assert told(transcript) == told(folded(log.lines).transcript)
            # And off again: only what is new goes up.
            stored = len(await cloud.whole_log(sent.cloud_task_id, run_id))
            await services.sessions.prompt(second, "Improve the readme")
            await finished(services, second)
            await services.handover.send(second)
            await settled(container, second)
            assert task_of(services, second).workspace is Workspace.CLOUD, task_of(services, second).steps
            assert len(await cloud.whole_log(sent.cloud_task_id, run_id)) > stored
            log = conversation(await cloud.whole_log(sent.cloud_task_id, run_id))
            people, _, calls = told(folded(log.lines).transcript)
            assert people == ["Improve the health endpoint", "Add a test for it", "Improve the readme"]
            assert len(calls) == len(set(calls))

    run(scenario())


def test_missing_github_authorization_is_explained_with_the_link(world: World, tmp_path: Path) -> None:
    async def scenario() -> None:
        world.config(github_authorization="none")
        async with running(tmp_path / "home") as container:
            services = container.services
            cloud = await ready(container, world)
            first = await start_task(services, world.repository, "Improve the health endpoint")
            await finished(services, first)
            folder = Path(task_of(services, first).path)
            before = files_of(folder)
            await services.handover.send(first)
            await settled(container, first)
            task = task_of(services, first)
            failed = next(step for step in task.steps if step.state is StepState.FAILED)
            assert task.phase is TaskPhase.SETUP_FAILED and failed.id == "send_start"
            assert cloud.connect_github_url() in failed.detail
            assert files_of(folder) == before and task.workspace is Workspace.WORKTREE
            world.config(github_authorization="bot")
            await services.handover.send(first)
            await settled(container, first)
            assert task_of(services, first).workspace is Workspace.CLOUD
            assert len(await cloud.list_tasks()) == 1
            assert len(await cloud.runs(task.cloud_task_id)) == 1

    run(scenario())
    assert GitHubNeeded.code == "github_needed"


def test_a_task_that_could_not_be_sent_goes_on_here(world: World, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            await ready(container, world)
            first = await start_task(services, world.repository, "Improve the health endpoint")
            await finished(services, first)
            world.posthog.control("POST", "faults", {"path": "resume_in_cloud", "kind": "status", "status": 502})
            await services.handover.send(first)
            await settled(container, first)
            assert task_of(services, first).phase is TaskPhase.SETUP_FAILED
            await services.handover.give_up(first)
            assert task_of(services, first).phase is TaskPhase.READY
            await services.sessions.prompt(first, "Improve it once more")
            session = await finished(services, first)
            assert len(session.turns) == 2 and session.turns[-1].stop_reason == "end_turn"

    run(scenario())


@pytest.mark.parametrize(
    "path",
    ["tasks/$", "runs/$", "runs/[^/]+/$", "artifacts/$", "append_log/", "resume_in_cloud/"],
)
def test_an_answer_that_is_lost_doubles_nothing(world: World, tmp_path: Path, path: str) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            cloud = await ready(container, world)
            first = await start_task(services, world.repository, "Improve the health endpoint")
            await finished(services, first)
            here = told(services.sessions.transcript(first))
            lost = {"path": path, "kind": "drop", "after": True, "times": 4}
            world.posthog.control("POST", "faults", lost)
            for _ in range(8):
                await services.handover.send(first)
                await settled(container, first)
                if task_of(services, first).workspace is Workspace.CLOUD:
                    break
            sent = task_of(services, first)
            assert sent.workspace is Workspace.CLOUD, sent.steps
            (only,) = await cloud.list_tasks()
            (run_info,) = await cloud.runs(only.id)
            assert (only.id, run_info.id) == (sent.cloud_task_id, sent.cloud_run_id)
            log = await cloud.whole_log(only.id, run_info.id)
            assert told(folded(conversation(log).lines).transcript) == here
            names = [artifact.name for artifact in run_info.artifacts]
            assert len([name for name in names if name.endswith(".pack")]) >= 1

    run(scenario())


def test_a_copy_that_was_changed_after_it_was_sent_is_not_put_away(world: World, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            await ready(container, world)
            first = await start_task(services, world.repository, "Improve the health endpoint")
            await finished(services, first)
            await services.handover.send(first)
            await settled(container, first)
            sent = task_of(services, first)
            folder = Path(sent.path)
            (folder / "later.txt").write_text("written after it was sent\n")
            with pytest.raises(Conflict, match="changed after it was sent"):
                await services.handover.take_over(sent.cloud_task_id, WISH)
            assert (folder / "later.txt").is_file()
            other = TakeOverWish(branch="mine/again", **AGENT)
            second = await services.handover.take_over(sent.cloud_task_id, other)
            await settled(container, second)
            assert task_of(services, second).phase is TaskPhase.READY, task_of(services, second).steps
            assert (folder / "later.txt").is_file() and git(folder, "branch", "--show-current") == sent.branch

    run(scenario())


@pytest.mark.parametrize("fault", ["status", "drop"])
def test_without_a_last_checkpoint_the_one_before_is_used(world: World, tmp_path: Path, fault: str) -> None:
    made = world.appear("Improve the health endpoint", mess=True)

    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            cloud = await ready(container, world)
            before = await run_of(cloud, made["id"])
            there = files_of(world.sandbox(before.id))
            rule = {"path": "command", "kind": fault, "times": -1, "status": 504, "body": {"error": "timeout"}}
            world.posthog.control("POST", "faults", rule)
            task_id = await services.handover.take_over(made["id"], WISH)
            await settled(container, task_id)
            task = task_of(services, task_id)
            assert task.phase is TaskPhase.READY, task.steps
            assert next(step for step in task.steps if step.id == "take_close").detail == "without a last checkpoint"
            assert files_of(Path(task.path)) == there
            assert (await run_of(cloud, made["id"])).environment == "local"

    run(scenario())


def test_a_checkpoint_that_is_gone_is_told(world: World, tmp_path: Path) -> None:
    made = world.appear("Improve the health endpoint", mess=True)

    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            await ready(container, world)
            world.posthog.control("POST", "faults", {"path": "download", "kind": "status", "status": 404, "times": -1})
            task_id = await services.handover.take_over(made["id"], WISH)
            await settled(container, task_id)
            task = task_of(services, task_id)
            failed = next(step for step in task.steps if step.state is StepState.FAILED)
            assert failed.id == "take_checkpoint" and "cannot be had" in failed.detail and not task.path
            world.posthog.control("DELETE", "faults")
            assert await services.handover.take_over(made["id"], WISH) == task_id
            await settled(container, task_id)
            assert task_of(services, task_id).phase is TaskPhase.READY, task_of(services, task_id).steps

    run(scenario())


@pytest.mark.parametrize("ends", ["completed", "queued", "no_run"])
def test_runs_that_are_over_or_never_began(world: World, tmp_path: Path, ends: str) -> None:
    made = world.appear("Improve the health endpoint", ends=ends)

    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            cloud = await ready(container, world)
            view = await services.cloud.open(made["id"])
            task_id = await services.handover.take_over(made["id"], WISH)
            await settled(container, task_id)
            task = task_of(services, task_id)
            assert task.phase is TaskPhase.READY and task.branch not in ("", "main"), task.steps
            if ends != "completed":
                # Nobody had said anything yet: its description is the first prompt here.
                session = await finished(services, task_id)
                assert [turn.prompt for turn in session.turns] == ["Improve the health endpoint"]
            else:
                assert len(session_of(services, task_id).turns) == 1
                await services.handover.send(task_id)
                await settled(container, task_id)
                sent = task_of(services, task_id)
                assert sent.workspace is Workspace.CLOUD, sent.steps
                # A run that ended is never started again: it goes on as a new one, with the whole conversation.
                assert len(await cloud.runs(made["id"])) == 2 and sent.cloud_run_id != task.cloud_run_id
                log = conversation(await cloud.whole_log(made["id"], sent.cloud_run_id))
                assert [turn.prompt for turn in log.turns] == ["Improve the health endpoint"]
            await until(lambda: view not in services.store.state.tasks)

    run(scenario())
