"""Odd, broken and hostile repositories, with real git, through all services."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import sys
from pathlib import Path

import pytest

from posthog_code.domain.changes import Scope
from posthog_code.domain.errors import Conflict, GitFailed, InvalidInput, NotFound, Refused, ToolMissing, UserError
from posthog_code.domain.publishing import NewPullRequest
from posthog_code.domain.session import SessionPhase
from posthog_code.domain.task import StepState, TaskDraft, TaskPhase
from posthog_code.services.app import Services
from tests.helpers import DEMO_AGENT, finished, git, make_repository, running, start_task, task_of, tree_hash, until


def sentence(error: UserError) -> str:
    assert error.title and error.hint, error
    assert "Traceback" not in error.detail
    return f"{error.title} {error.hint}"


RAW = f"{sys.executable} {Path(__file__).parent / 'bad_input_agent.py'}"
"""Edits a file and runs nothing: what runs is run by us."""


async def whole_round(services: Services, repository: Path) -> None:
    """A task from prompt to diff, archived and brought back."""
    task_id = await start_task(services, repository, "edit calc.py changed", agent_command=RAW)
    task = task_of(services, task_id)
    assert task.phase is TaskPhase.READY, task.steps
    session = await finished(services, task_id)
    assert session.turns[-1].stop_reason == "end_turn", session
    changes = await services.changes.refresh(task_id)
    assert changes.files
    async for _ in services.changes.diff(task_id, Scope.ALL):
        pass
    tree = tree_hash(Path(task.path))
    await services.tasks.archive(task_id)
    assert not Path(task.path).exists()
    await services.tasks.restore(task_id)
    assert tree_hash(Path(task.path)) == tree


# -- folders that cannot hold tasks --------------------------------------------------------------------------------


def bare(folder: Path) -> Path:
    git(folder, "init", "-q", "--bare", "bare.git")
    return folder / "bare.git"


def empty(folder: Path) -> Path:
    git(folder, "init", "-q", "empty")
    return folder / "empty"


def broken(folder: Path) -> Path:
    made = make_repository(folder / "broken")
    (made / ".git" / "HEAD").write_bytes(b"\0garbage")
    return made


def dangling(folder: Path) -> Path:
    made = folder / "dangling"
    made.mkdir()
    (made / ".git").write_text("gitdir: /nowhere/at/all\n")
    return made


def a_file(folder: Path) -> Path:
    (folder / "file").write_text("x")
    return folder / "file"


def git_dir(folder: Path) -> Path:
    return make_repository(folder / "inside") / ".git"


def lost_objects(folder: Path) -> Path:
    made = make_repository(folder / "lost")
    shutil.rmtree(made / ".git" / "objects")
    (made / ".git" / "objects").mkdir()
    return made


@pytest.mark.parametrize("make", [bare, empty, broken, dangling, a_file, git_dir, lost_objects])
def test_folders_that_cannot_hold_tasks(tmp_path: Path, make: object) -> None:
    async def main() -> None:
        async with running(tmp_path / "home") as container:
            with pytest.raises((InvalidInput, NotFound)) as caught:
                await container.services.repositories.add(make(tmp_path))  # type: ignore[operator]
            sentence(caught.value)
            assert not container.services.store.state.repositories

    asyncio.run(main())


# -- folders that can ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["with space", 'it\'s "quoted"', "line\nbreak", "żółć-日本", "-dash", "$(touch made)", b"bytes-\xff\xfe"]
)
def test_paths(tmp_path: Path, name: str | bytes) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + os.fsencode(name)))
    try:
        repository = make_repository(path)
    except OSError:
        pytest.skip("this file system does not take the name")
    (repository / "żółć \n file.txt").write_text("x\n")
    Path(os.fsdecode(os.fsencode(repository) + b"/raw-\xff.txt")).write_text("x\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "Odd names")

    async def main() -> None:
        async with running(tmp_path / "home") as container:
            await whole_round(container.services, repository)
        async with running(tmp_path / "home") as container:
            known = next(iter(container.services.store.state.repositories.values()))
            assert Path(known.path) == repository.resolve() and not container.services.problems

    asyncio.run(main())
    assert not list(tmp_path.rglob("made"))


def detached(folder: Path) -> Path:
    made = make_repository(folder / "repo")
    git(made, "checkout", "-q", "--detach")
    return made


def dirty(folder: Path) -> Path:
    made = make_repository(folder / "repo")
    (made / "calc.py").write_text("broken(")
    (made / "untracked.txt").write_text("x")
    git(made, "rm", "-q", "--cached", "tests/test_calc.py")
    return made


def shallow(folder: Path) -> Path:
    origin = make_repository(folder / "origin")
    git(origin, "commit", "-q", "--allow-empty", "-m", "Second")
    git(folder, "clone", "-q", "--depth", "1", origin.as_uri(), "repo")
    git(folder / "repo", "config", "user.email", "ada@example.com")
    return folder / "repo"


def a_worktree(folder: Path) -> Path:
    made = make_repository(folder / "main")
    git(made, "worktree", "add", "-q", "-b", "other", str(folder / "linked"))
    return folder / "linked"


def git_file(folder: Path) -> Path:
    made = make_repository(folder / "repo")
    git(made, "init", "-q", "--separate-git-dir", str(folder / "elsewhere.git"))
    assert (made / ".git").is_file()
    return made


def with_submodule(folder: Path) -> Path:
    library = make_repository(folder / "library")
    made = make_repository(folder / "repo")
    git(made, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(library), "library")
    git(made, "commit", "-qm", "Library")
    return made


def inside_submodule(folder: Path) -> Path:
    return with_submodule(folder) / "library"


def in_a_rebase(folder: Path) -> Path:
    made = make_repository(folder / "repo")
    git(made, "checkout", "-qb", "side")
    (made / "calc.py").write_text("side\n")
    git(made, "commit", "-qam", "Side")
    git(made, "checkout", "-q", "main")
    (made / "calc.py").write_text((made / "calc.py").read_text() + "# main\n")
    git(made, "commit", "-qam", "Main")
    with pytest.raises(AssertionError):
        git(made, "rebase", "side")
    return made


@pytest.mark.parametrize(
    "make", [detached, dirty, shallow, a_worktree, git_file, with_submodule, inside_submodule, in_a_rebase]
)
def test_shapes(tmp_path: Path, make: object) -> None:
    repository: Path = make(tmp_path)  # type: ignore[operator]

    def facts() -> tuple[object, ...]:
        head = git(repository, "rev-parse", "HEAD"), git(repository, "status", "--porcelain=v2")
        return tree_hash(repository), head, git(repository, "stash", "list")

    before = facts()

    async def main() -> None:
        async with running(tmp_path / "home") as container:
            await whole_round(container.services, repository)

    asyncio.run(main())
    assert facts() == before, "the checkout is as it was"


def test_ten_thousand_files(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "repo")
    blob = git(repository, "hash-object", "-w", "--stdin", data=b"x\n")
    lines = "".join(f"100644 {blob}\tdir{n % 100}/file{n}.txt\n" for n in range(10_000))
    git(repository, "update-index", "--add", "--index-info", data=lines.encode())
    git(repository, "commit", "-qm", "Many")
    git(repository, "checkout-index", "-aq")

    async def main() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            repository_id = await services.repositories.add(repository)
            assert len(await services.repositories.files(repository_id)) >= 10_000
            await whole_round(services, repository)

    asyncio.run(main())


# -- set-up that fails ---------------------------------------------------------------------------------------------


def test_a_branch_that_is_taken(tmp_path: Path, repository: Path) -> None:
    git(repository, "branch", "mine")

    async def main() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, "x", branch="mine")
            task = task_of(services, task_id)
            assert task.phase is TaskPhase.SETUP_FAILED and task.path == ""
            assert "exists already" in task.steps[0].detail and "another name" in task.steps[0].detail
            for bad in ("a..b", "-x", "with space", "a\nb", "main.lock", "@{x}"):
                odd = await start_task(services, repository, "x", branch=bad)
                assert task_of(services, odd).phase is TaskPhase.SETUP_FAILED
                assert task_of(services, odd).steps[0].detail
            git(repository, "branch", "-D", "mine")
            await services.tasks.retry_setup(task_id)
            await services.tasks.wait_for_setup(task_id)
            assert task_of(services, task_id).branch == "mine"
            await finished(services, task_id)
        assert git(repository, "branch", "--format=%(refname:short)").split("\n") == ["main", "mine"]

    asyncio.run(main())


def test_a_repository_that_was_moved(tmp_path: Path, repository: Path) -> None:
    async def main() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, "Improve add")
            await finished(services, task_id)
            repository_id = task_of(services, task_id).repository_id
            moved = repository.rename(tmp_path / "moved")
            for use in (
                lambda: services.repositories.branches(repository_id),
                lambda: services.repositories.files(repository_id),
                lambda: services.changes.refresh(task_id),
                lambda: services.tasks.risk(task_id),
                lambda: services.tasks.archive(task_id),
                lambda: services.pull_requests.create(task_id, NewPullRequest("T", "", base="main")),
            ):
                with pytest.raises(UserError) as caught:
                    await use()
                sentence(caught.value)
            assert (await services.pull_requests.propose(task_id)).problem
            other = await services.tasks.create(
                TaskDraft("y", repository_id, "custom", agent_command=DEMO_AGENT, mode="auto")
            )
            await services.tasks.wait_for_setup(other)
            failed = task_of(services, other)
            assert failed.phase is TaskPhase.SETUP_FAILED and "not there" in failed.steps[0].detail
            await services.sessions.prompt(task_id, "again")
            session = await finished(services, task_id)
            assert session.phase is SessionPhase.FAILED and session.error and session.error_hint
            assert (await services.sessions.load_transcript(task_id)).items
            assert Path(task_of(services, task_id).path).is_dir(), "nothing was removed"
            # Back where it was, everything goes on.
            moved.rename(repository)
            await services.sessions.retry_turn(task_id)
            assert (await finished(services, task_id)).turns[-1].stop_reason == "end_turn"
            await services.tasks.retry_setup(other)
            await services.tasks.wait_for_setup(other)
            assert (await finished(services, other)).turns[-1].stop_reason == "end_turn"
            await services.tasks.archive(task_id)
            await services.tasks.restore(task_id)

    asyncio.run(main())


# -- hooks and configuration ---------------------------------------------------------------------------------------


def trap(folder: Path, name: str, mark: Path, code: int = 0) -> Path:
    """A program that leaves a mark when it runs."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {name} $* >> '{mark}'\nexit {code}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


HOOKS = (
    "post-checkout", "reference-transaction", "post-index-change", "pre-commit", "commit-msg", "post-commit",
    "prepare-commit-msg", "post-rewrite", "pre-auto-gc", "fsmonitor-watchman", "post-merge", "pre-push",
)  # fmt: skip


@pytest.mark.parametrize("where", [".git/hooks", "core.hooksPath", "include"])
def test_nothing_of_the_repository_runs_when_it_is_read(tmp_path: Path, repository: Path, where: str) -> None:
    """Hooks, monitors, external diffs and aliases of a hostile configuration."""
    mark, traps = tmp_path / "mark", tmp_path / "traps"
    hooks = repository / ".git" / "hooks" if where == ".git/hooks" else traps / "hooks"
    for name in HOOKS:
        trap(hooks, name, mark, code=1)
    run = trap(traps, "run", mark)
    (repository / ".gitattributes").write_text("*.py diff=evil\n")
    git(repository, "-c", f"core.hooksPath={os.devnull}", "add", "-A")
    git(repository, "-c", f"core.hooksPath={os.devnull}", "commit", "-qm", "Attributes")
    pairs = {
        "core.fsmonitor": run,
        "diff.external": run,
        "diff.evil.textconv": run,
        "diff.evil.command": run,
        "core.pager": run,
        "pager.log": run,
        "alias.status": f"!{run}",
        "alias.diff": f"!{run}",
        "core.editor": run,
        "sequence.editor": run,
        "core.askPass": run,
        "core.sshCommand": run,
        "credential.helper": f"!{run}",
        "gpg.program": run,
        "commit.gpgSign": "false",
        "interactive.diffFilter": run,
        "status.showUntrackedFiles": "no",
        "diff.noprefix": "true",
        "diff.mnemonicPrefix": "true",
        "diff.algorithm": "patience",
        "color.ui": "always",
        "core.quotePath": "true",
        "uploadpack.packObjectsHook": run,
    }
    if where == "core.hooksPath":
        pairs["core.hooksPath"] = hooks
    if where == "include":
        included = tmp_path / "included"
        for key, value in {**pairs, "core.hooksPath": hooks}.items():
            git(repository, "config", "--file", str(included), key, str(value))
        git(repository, "config", "include.path", str(included))
        git(repository, "config", f"includeIf.gitdir:{repository}/.path", str(included))
    else:
        for key, value in pairs.items():
            git(repository, "config", key, str(value))
    mark.unlink(missing_ok=True)

    async def main() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            repository_id = await services.repositories.add(repository)
            await services.repositories.branches(repository_id)
            await services.repositories.files(repository_id)
            await whole_round(services, repository)
            task = next(iter(services.store.state.tasks.values()))
            patch = b"".join([chunk async for chunk in services.changes.diff(task.id, Scope.ALL)])
            assert b"diff --git a/calc.py b/calc.py" in patch and b"\x1b" not in patch
            await services.tasks.risk(task.id)
            await services.tasks.delete(task.id)
            await services.tasks.undo_delete(task.id)

    asyncio.run(main())
    ran = mark.read_text() if mark.exists() else ""
    assert ran == "", f"these were run by us: {ran}"


def test_a_filter_driver_that_fails(tmp_path: Path, repository: Path) -> None:
    (repository / ".gitattributes").write_text("*.dat filter=bad\n")
    (repository / "a.dat").write_text("data\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "Data")
    git(repository, "config", "filter.bad.smudge", "exit 1")
    git(repository, "config", "filter.bad.clean", "exit 1")
    git(repository, "config", "filter.bad.required", "true")

    async def main() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, "Improve add")
            task = task_of(services, task_id)
            assert task.phase is TaskPhase.SETUP_FAILED
            assert "filter" in task.steps[0].detail and "git-lfs" in task.steps[0].detail
            assert git(repository, "worktree", "list").count("\n") == 0
            git(repository, "config", "--unset", "filter.bad.smudge")
            git(repository, "config", "--unset", "filter.bad.clean")
            git(repository, "config", "--unset", "filter.bad.required")
            await services.tasks.retry_setup(task_id)
            await services.tasks.wait_for_setup(task_id)
            assert (await finished(services, task_id)).turns[-1].stop_reason == "end_turn"

    asyncio.run(main())


def test_a_stale_lock(tmp_path: Path, repository: Path) -> None:
    async def main() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, "Improve add")
            await finished(services, task_id)
            worktree = Path(task_of(services, task_id).path)
            lock = Path(git(worktree, "rev-parse", "--absolute-git-dir")) / "index.lock"
            lock.write_text("")
            # Reading, checkpoints, turns and archive do not need the worktree's own index.
            await services.changes.refresh(task_id)
            await services.sessions.prompt(task_id, "again")
            assert (await finished(services, task_id)).turns[-1].stop_reason == "end_turn"
            git(repository, "remote", "add", "origin", "https://github.com/acme/web.git")
            with pytest.raises(Conflict) as caught:
                await services.pull_requests.create(task_id, NewPullRequest("T", "", base="main"))
            words = sentence(caught.value)
            assert "Another git process" in words and "index.lock" in words + caught.value.detail
            lock.unlink()
            head = git(worktree, "rev-parse", "HEAD")
            with pytest.raises(UserError):
                await services.pull_requests.create(task_id, NewPullRequest("T", "", base="main"))
            assert git(worktree, "rev-parse", "HEAD") != head, "it went on behind the commit"

    asyncio.run(main())


def test_a_hook_that_fails_and_one_that_hangs_at_create_pr(tmp_path: Path, repository: Path) -> None:
    git(repository, "remote", "add", "origin", "https://github.com/acme/web.git")

    async def main() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, "Improve add")
            await finished(services, task_id)
            hook = repository / ".git" / "hooks" / "pre-commit"
            hook.parent.mkdir(exist_ok=True)
            hook.write_text("#!/bin/sh\necho 'lint: calc.py:3 is too long' >&2\nexit 1\n")
            hook.chmod(0o755)
            new = NewPullRequest("T", "", base="main")
            with pytest.raises((GitFailed, Refused)) as caught:
                await services.pull_requests.create(task_id, new)
            assert "lint: calc.py:3" in caught.value.detail
            step = services.store.state.publishing[task_id][0]
            assert step.state is StepState.FAILED and "lint: calc.py:3" in step.detail
            # One that hangs is stopped by the person, and its process goes with it.
            pid_file = tmp_path / "hook-pid"
            hook.write_text(f"#!/bin/sh\necho $$ > '{pid_file}'\nsleep 600\n")
            creating = asyncio.get_running_loop().create_task(services.pull_requests.create(task_id, new))
            await until(lambda: pid_file.exists() and pid_file.read_text().strip())
            creating.cancel()
            with pytest.raises(asyncio.CancelledError):
                await creating
            await until(lambda: not Path(f"/proc/{pid_file.read_text().strip()}").exists())
            step = services.store.state.publishing[task_id][0]
            assert step.state is StepState.FAILED and step.detail

    asyncio.run(main())


# -- git itself ----------------------------------------------------------------------------------------------------


def fake_git(folder: Path, script: str) -> str:
    """A PATH on which `git` is a script; "$REAL" in it is the real one."""
    folder.mkdir()
    path = folder / "git"
    path.write_text(f"#!/bin/sh\nREAL='{shutil.which('git')}'\n{script}\n")
    path.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo git version 2.20.1", "too old"),
        ("echo no version here", "version"),
        ("echo cannot load libpcre >&2; exit 127", "git"),
        ("kill -9 $$", "git"),
    ],
)
def test_a_git_that_will_not_do(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch, script: str, says: str
) -> None:
    monkeypatch.setenv("PATH", fake_git(tmp_path / "bin", script))

    async def main() -> None:
        async with running(tmp_path / "home") as container:
            with pytest.raises((ToolMissing, GitFailed)) as caught:
                await container.services.repositories.add(repository)
            assert says in sentence(caught.value)

    asyncio.run(main())


def test_git_vanishes_and_comes_back(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing, then killed in the middle of the checkout: each time the task is kept and can go on."""
    path = os.environ["PATH"]
    (tmp_path / "none").mkdir()

    async def main() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            await services.repositories.add(repository)
            monkeypatch.setenv("PATH", str(tmp_path / "none"))
            repository_id = next(iter(services.store.state.repositories))
            task_id = await services.tasks.create(
                TaskDraft("Improve add", repository_id, "custom", agent_command=DEMO_AGENT, mode="auto")
            )
            await services.tasks.wait_for_setup(task_id)
            step = task_of(services, task_id).steps[0]
            assert step.state is StepState.FAILED and "not installed" in step.detail and "apt install" in step.detail
            killed = 'case "$*" in *reset*--hard*) kill -9 $$;; esac\nexec "$REAL" "$@"'
            monkeypatch.setenv("PATH", fake_git(tmp_path / "killed", killed).replace(os.environ["PATH"], path))
            await services.tasks.retry_setup(task_id)
            await services.tasks.wait_for_setup(task_id)
            step = task_of(services, task_id).steps[0]
            assert step.state is StepState.FAILED and "killed" in step.detail
            monkeypatch.setenv("PATH", path)
            assert git(repository, "worktree", "list").count("\n") == 0
            await services.tasks.retry_setup(task_id)
            await services.tasks.wait_for_setup(task_id)
            assert (await finished(services, task_id)).turns[-1].stop_reason == "end_turn"

    asyncio.run(main())
