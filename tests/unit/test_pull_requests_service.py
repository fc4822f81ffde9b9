"""The pull request service over fakes: proposals, the saga, reading, watching."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from posthog_code.adapters.forge.hosts import locate
from posthog_code.domain.changes import ChangedFile, ChangeSet, FileState, Scope
from posthog_code.domain.errors import Conflict, InvalidInput, NotFound, NotSignedIn, Offline, RateLimited
from posthog_code.domain.ids import RepositoryId, SessionId, TaskId
from posthog_code.domain.publishing import NewPullRequest, PullRequestProposal
from posthog_code.domain.pull_request import Check, CheckState, Mergeable, PullRequest, PullRequestState
from posthog_code.domain.session import Session, SessionPhase
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import Repository, StepState, Task, TaskPhase, Workspace
from posthog_code.services.pull_requests import PullRequests, Unpushed
from posthog_code.services.scope import Scope as RunScope
from posthog_code.services.store import Store

T = TaskId("t1")
R = RepositoryId("r1")
NEW = NewPullRequest("Retry once", "Why", "main", commit_message="Retry")
PULL = PullRequest(
    number=482,
    title="Retry once",
    url="https://github.com/acme/web/pull/482",
    state=PullRequestState.OPEN,
    head="fix/one",
    base="main",
    head_sha="c2",
    node_id="N",
    mergeable=Mergeable.YES,
    fetched_at=1000.0,
)


class Disk:
    def load(self) -> AppState:
        return AppState()

    async def save(self, old: AppState, new: AppState) -> None:
        return None

    def close(self) -> None:
        return None


class FakeForge:
    def __init__(self) -> None:
        self.found: PullRequest | None = None
        self.fail: Exception | None = None
        self.calls: list[str] = []
        self.kept = ""
        self.log = "##[group]Run pytest\nboom\n##[error]exit 1"

    locate = staticmethod(locate)

    def _step(self, name: str) -> None:
        self.calls.append(name)
        if self.fail is not None:
            raise self.fail

    async def find(self, remote: Any, branch: str) -> PullRequest | None:
        self._step("find")
        return self.found

    async def read(self, remote: Any, known: PullRequest) -> PullRequest:
        self._step("read")
        return replace(self.found or known, stale="")

    async def create(self, remote: Any, branch: str, new: NewPullRequest) -> PullRequest:
        self._step("create")
        self.found = replace(PULL, title=new.title)
        return self.found

    async def job_log(self, remote: Any, check_id: str) -> str:
        self._step("log")
        return self.log

    async def lend(self, remote: Any) -> bool:
        self.calls.append("lend")
        return True

    def take_back(self, remote: Any) -> None:
        self.calls.append("take back")

    async def sign_in(self, remote: Any, token: str) -> str:
        self.kept, self.fail = f"{remote.host}:{token}", None
        return "ana"


class FakeGit:
    """Git and Publishing and Changes in one."""

    def __init__(self) -> None:
        self.uncommitted: tuple[str, ...] = ("a.py", "b.py")
        self.calls: list[str] = []
        self.push_fails: list[Exception] = []

    async def facts(self, path: Path) -> Any:
        return SimpleNamespace(remote_url="")

    async def merge_base(self, folder: Path, base: str) -> str:
        return "c0"

    async def summary(self, worktree: Path, *, scope: Scope, old: str, new: str = "") -> ChangeSet:
        return ChangeSet(
            scope, (ChangedFile("a.py", FileState.MODIFIED, 3, 1), ChangedFile("b.py", FileState.ADDED, 2)), old
        )

    async def status(self, worktree: Path, base: str) -> tuple[tuple[str, ...], int]:
        return self.uncommitted, 1

    async def log(self, worktree: Path, base: str, limit: int = 50) -> tuple[tuple[str, str], ...]:
        return (("c1", "First"),)

    async def template(self, worktree: Path) -> tuple[str, str]:
        return ".github/pull_request_template.md", "## What\n"

    async def commit_all(self, worktree: Path, message: str, on_line: Callable[[str], None] | None = None) -> str:
        self.calls.append(f"commit {message}")
        self.uncommitted = ()
        return "c2"

    async def push(self, worktree: Path, branch: str, on_line: Callable[[str], None] | None = None) -> str:
        self.calls.append(f"push {branch}")
        await asyncio.sleep(0)
        if on_line:
            on_line("git push origin fix/one")
        if self.push_fails:
            raise self.push_fails.pop(0)
        return "c2"


class World:
    def __init__(self, folder: Path, *, branch: str = "fix/one", remote: str = "git@github.com:acme/web.git") -> None:
        task = Task(
            T, R, "Retry the payment", "Retry in src", Workspace.WORKTREE, "demo", SessionId("s"), 0.0, 0.0,
            phase=TaskPhase.READY, base="main", branch=branch, path=str(folder),
        )  # fmt: skip
        repository = Repository(R, str(folder), "web", "main", remote)
        self.store = Store(Disk(), AppState(repositories={R: repository}, tasks={T: task}))
        self.git, self.forge, self.now, self.lines = FakeGit(), FakeForge(), 1000.0, list[str]()
        self.topics: list[Topic] = []
        self.store.subscribe(self.topics.extend)
        self.crashes: list[BaseException] = []
        self.scope = RunScope("test", lambda name, error: self.crashes.append(error))
        self.pulls = PullRequests(
            self.store,
            self.git,  # type: ignore[arg-type]
            self.git,  # type: ignore[arg-type]
            self.git,  # type: ignore[arg-type]
            self.forge,  # type: ignore[arg-type]
            SimpleNamespace(now=lambda: self.now, new_id=lambda: "id"),
            self.scope,
            log=lambda task_id, source, text: self.lines.append(f"{source} {text}"),
            summary=self.summary,
        )

    async def summary(self, task_id: TaskId) -> str:
        return "One key per cart."

    @property
    def steps(self) -> dict[str, StepState]:
        return {step.id: step.state for step in self.store.state.publishing.get(T, ())}


def play(world: World, use: Callable[[PullRequests], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        try:
            return await use(world.pulls)
        finally:
            await world.scope.close()

    result = asyncio.run(run())
    assert not world.crashes
    return result


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not done():
            await asyncio.sleep(0)


def test_a_proposal(tmp_path: Path) -> None:
    proposal = play(World(tmp_path), lambda pulls: pulls.propose(T))
    assert proposal.problem == "" and proposal.existing is None
    assert proposal.uncommitted == ("a.py", "b.py") and (proposal.files, proposal.added, proposal.removed) == (2, 5, 1)
    assert proposal.new.title == "Retry the payment" and proposal.new.commit_message == "Retry the payment"
    assert "Retry in src" in proposal.new.body and "One key per cart." in proposal.new.body


@pytest.mark.parametrize(
    ("world", "says"),
    [
        ({"remote": ""}, "no remote"),
        ({"remote": "git@gitlab.com:acme/web.git"}, "not on GitHub"),
        ({"branch": "main"}, "branch of its own"),
        ({"branch": ""}, "on no branch"),
    ],
)
def test_what_stands_in_the_way_is_said(tmp_path: Path, world: dict[str, str], says: str) -> None:
    assert says in play(World(tmp_path, **world), lambda pulls: pulls.propose(T)).problem


@pytest.mark.parametrize(("phase", "warns"), [("working", True), ("waiting", True), ("ready", False)])
def test_an_agent_that_still_works_is_told_of(tmp_path: Path, phase: str, warns: bool) -> None:
    world = World(tmp_path)
    session = Session(SessionId("s"), T, "demo", phase=SessionPhase(phase))

    async def use(pulls: PullRequests) -> PullRequestProposal:
        await world.store.update(lambda state: replace(state, sessions={session.id: session}))
        return await pulls.propose(T)

    proposal = play(world, use)
    assert proposal.warning.startswith("The agent is still working") == warns and proposal.problem == ""


def test_an_open_one_is_adopted(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.forge.found = PULL
    proposal = play(world, lambda pulls: pulls.propose(T))
    assert proposal.existing == PULL and world.store.state.pull_requests[T] == PULL


def test_the_saga(tmp_path: Path) -> None:
    world = World(tmp_path)
    pull = play(world, lambda pulls: pulls.create(T, NEW))
    assert pull.number == 482
    assert world.git.calls == ["commit Retry", "push fix/one"]
    assert world.store.state.pull_requests[T].number == 482 and T not in world.store.state.publishing
    assert Topic("publish", T) in world.topics and Topic("pull_request", T) in world.topics
    assert "git git push origin fix/one" in world.lines
    assert world.pulls.form(T) is None


def test_a_failed_step_is_resumed(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.git.push_fails = [Conflict("Push rejected.", "Pull, then push again.", "! [rejected]")]

    async def use(pulls: PullRequests) -> None:
        with pytest.raises(Conflict):
            await pulls.create(T, NEW)
        assert world.steps == {"commit": StepState.DONE, "push": StepState.FAILED, "pull_request": StepState.TODO}
        failed = world.store.state.publishing[T][1]
        assert failed.detail == "Push rejected. Pull, then push again.\n! [rejected]"
        assert pulls.form(T) == NEW
        await pulls.create(T, NEW)
        assert world.git.calls == ["commit Retry", "push fix/one", "push fix/one"], "nothing is committed twice"

    play(world, use)


def test_the_token_helps_where_git_has_no_credentials(tmp_path: Path) -> None:
    world = World(tmp_path, remote="https://github.com/acme/web.git")
    world.git.push_fails = [NotSignedIn("git is not signed in.")]
    play(world, lambda pulls: pulls.create(T, NEW))
    assert world.git.calls[1:] == ["push fix/one", "push fix/one"]
    assert world.forge.calls[:2] == ["lend", "take back"]
    ssh = World(tmp_path)
    ssh.git.push_fails = [NotSignedIn("git is not signed in.")]
    with pytest.raises(NotSignedIn):
        play(ssh, lambda pulls: pulls.create(T, NEW))


def test_bad_input_starts_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    for bad in (replace(NEW, title="  "), replace(NEW, base="fix/one")):
        with pytest.raises(InvalidInput):
            play(world, lambda pulls, bad=bad: pulls.create(T, bad))  # type: ignore[misc]
    assert world.git.calls == [] and world.steps == {}


def test_pushing_more(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.forge.found = PULL

    async def use(pulls: PullRequests) -> None:
        await pulls.refresh(T)
        assert pulls.unpushed(T) == Unpushed(2, 1)
        world.git.push_fails = [Conflict("Push rejected.")]
        with pytest.raises(Conflict):
            await pulls.push(T)
        assert world.steps == {"commit": StepState.DONE, "push": StepState.FAILED}
        await pulls.push(T)
        assert world.git.calls == ["commit Retry the payment", "push fix/one", "push fix/one"]
        assert world.steps == {} and not pulls.unpushed(T)
        assert "create" not in world.forge.calls

    play(world, use)


def test_two_at_once(tmp_path: Path) -> None:
    world = World(tmp_path)

    async def use(pulls: PullRequests) -> None:
        both = await asyncio.gather(pulls.create(T, NEW), pulls.create(T, NEW), return_exceptions=True)
        assert sorted(type(one).__name__ for one in both) == ["Conflict", "PullRequest"]

    play(world, use)


def test_last_known_beats_empty(tmp_path: Path) -> None:
    world = World(tmp_path)

    async def use(pulls: PullRequests) -> None:
        world.forge.found = PULL
        assert (await pulls.refresh(T)) == PULL
        world.forge.fail = NotSignedIn("GitHub sign-in expired.", "Sign in again.")
        stale = await pulls.refresh(T)
        assert stale is not None and stale.stale == "GitHub sign-in expired." and stale.fetched_at == 1000.0
        assert isinstance(pulls.problem(T), NotSignedIn)
        assert await pulls.sign_in(T, "ghp_x") == "ana" and world.forge.kept == "github.com:ghp_x"
        fresh = await pulls.refresh(T)
        assert fresh is not None and fresh.stale == "" and pulls.problem(T) is None

    play(world, use)


def test_nothing_known_and_nothing_found(tmp_path: Path) -> None:
    world = World(tmp_path)

    async def use(pulls: PullRequests) -> None:
        assert not pulls.loaded(T)
        assert await pulls.refresh(T) is None
        assert pulls.loaded(T)
        world.forge.fail = Offline("github.com could not be reached.")
        with pytest.raises(Offline):
            await pulls.refresh(T)

    play(world, use)


def test_watching_reads_only_while_somebody_looks(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.forge.found = PULL

    async def use(pulls: PullRequests) -> None:
        pulls.watch(T)
        pulls.watch(T)
        await until(lambda: "read" in world.forge.calls)
        pulls.unwatch(T)
        assert T in pulls._watches
        pulls.unwatch(T)
        assert T not in pulls._watches
        await until(lambda: not world.scope._tasks)
        pulls.unwatch(T)

    play(world, use)


def test_delays(tmp_path: Path) -> None:
    world = World(tmp_path)

    async def use(pulls: PullRequests) -> None:
        world.forge.found = PULL
        await pulls.refresh(T)
        delay = pulls._delay(T)
        assert delay is not None and 25 < delay < 35
        world.forge.fail = RateLimited("GitHub asks to wait 90 s.", until=1090.0)
        await pulls.refresh(T)
        assert pulls._delay(T) == 91.0
        world.forge.fail = None
        world.forge.found = replace(PULL, state=PullRequestState.MERGED)
        await pulls.refresh(T)
        assert [pulls._delay(T), pulls._delay(T)] == [60.0, None]
        world.forge.found = replace(PULL, mergeable=Mergeable.CHECKING)
        await pulls.refresh(T)
        quick = [pulls._delay(T) or 0 for _ in range(6)]
        assert quick[1] < 2 and quick[-1] > 8, "quick at first, then every ten seconds"

    play(world, use)


def test_logs_and_prompts(tmp_path: Path) -> None:
    world = World(tmp_path)
    failed = Check("CI / unit", CheckState.FAILED, id="7", is_job=True)
    other = Check("codecov", CheckState.FAILED, id="8")

    async def use(pulls: PullRequests) -> None:
        world.forge.found = PULL
        await pulls.refresh(T)
        assert await pulls.check_log(T, failed) == "Run pytest\nboom\nError: exit 1"
        await pulls.check_log(T, failed)
        assert world.forge.calls.count("log") == 1
        with pytest.raises(NotFound):
            await pulls.check_log(T, other)
        prompt = await pulls.failure_prompt(T, [failed, other])
        assert "step “pytest”" in prompt and "codecov\nNo log." in prompt

    play(world, use)


def test_after_a_restart_a_running_step_can_be_run_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.git.push_fails = [Offline("github.com could not be reached.")]

    async def use(pulls: PullRequests) -> None:
        with pytest.raises(Offline):
            await pulls.create(T, NEW)
        await world.store.update(
            lambda s: replace(s, publishing={T: tuple(replace(x, state=StepState.RUNNING) for x in s.publishing[T])})
        )
        await pulls.recover()
        assert set(world.steps.values()) == {StepState.FAILED}
        await pulls.dismiss_failure(T)
        assert world.steps == {} and pulls.form(T) == NEW
        assert (await pulls.propose(T)).new == NEW, "what was typed is there again"

    play(world, use)


def test_stopping_leaves_a_step_that_says_so(tmp_path: Path) -> None:
    world = World(tmp_path)
    started = asyncio.Event()

    async def push(*args: Any, **kw: Any) -> str:
        started.set()
        await asyncio.Event().wait()
        return ""

    async def use(pulls: PullRequests) -> None:
        world.git.push = push  # type: ignore[method-assign]
        creating: Coroutine[Any, Any, PullRequest] = pulls.create(T, NEW)
        task = asyncio.get_running_loop().create_task(creating)
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert world.steps["push"] is StepState.FAILED and not pulls.creating(T)

    play(world, use)
