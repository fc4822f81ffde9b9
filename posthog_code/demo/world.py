"""The demo world: sample repositories, their remotes, the stand-in GitHub and PostHog, in one folder."""

from __future__ import annotations

import json
import os
import selectors
import shutil
import socket
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posthog_code.demo.cloud_tasks import PROJECT
from posthog_code.demo.repositories import DEFAULT_BRANCH, NAMES, OWNER, git, make_repositories
from posthog_code.demo.tasks import TASKS, DemoTask

TOKEN = "ghp_demo"
"""What the stand-in GitHub takes for a token."""
POSTHOG_KEY = "phx_demo"
"""A personal API key that the stand-in PostHog takes for everything."""
VERSION = 2
"""Of what is in a world: scenarios and reports fit the sample repositories of the same version."""
START_LIMIT = 30.0
"""Seconds."""


class WorldError(Exception):
    """The demo world could not be made or started; the sentence says why."""


@dataclass(frozen=True, slots=True)
class WorldFacts:
    home: Path
    repositories: tuple[Path, ...]
    """Main checkouts, in the order of `repositories.NAMES`."""
    github_root: Path
    agent_state: Path
    """For POSTHOG_CODE_DEMO_STATE, so that the agent's conversations belong to this world."""
    tasks: tuple[DemoTask, ...] = TASKS

    def repository(self, name: str) -> Path:
        return self.repositories[NAMES.index(name)]


@dataclass(slots=True)
class DemoGitHub:
    """A running stand-in. It ends with `stop`, with this process, or when the pipe to it closes."""

    process: subprocess.Popen[bytes]
    url: str
    api: str
    """Base of the REST API."""
    graphql: str
    token: str = TOKEN

    def stop(self) -> None:
        _stop(self.process)

    def merge(self, repository: str, number: int) -> None:
        """Merge a pull request at once, whatever its checks and reviews say. Blocks; raises OSError when refused."""
        self._control(repository, number, {"merge": True})

    def advance(self, repository: str, number: int, seconds: float) -> None:
        """Let scripted time pass for a pull request: checks end, reviewers write. Blocks; OSError when refused."""
        self._control(repository, number, {"advance": seconds})

    def _control(self, repository: str, number: int, body: dict[str, Any]) -> None:
        request = urllib.request.Request(
            f"{self.url}/_demo/{OWNER}/{repository}/{number}",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "User-Agent": "posthog-code-demo"},
        )
        # Without the person's proxies: this is loopback.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            answer.read()


@dataclass(slots=True)
class DemoPostHog:
    """A running stand-in for PostHog's cloud. It ends with `stop`, with this process, or when the pipe to it closes."""

    process: subprocess.Popen[bytes]
    url: str
    token: str = POSTHOG_KEY
    """A personal API key with all scopes."""
    project: int = PROJECT

    def stop(self) -> None:
        _stop(self.process)

    def ready(self) -> bool:
        """Whether the runs of the seeded tasks have got to where they should be. Blocks shortly; OSError when gone."""
        return bool(self.control("GET", "ready")["ready"])

    def appear(self, **fields: Any) -> dict[str, Any]:
        """Let a task appear that somebody else made; the fields of cloud_tasks.CloudTask. Gives the API's task."""
        return self.control("POST", "tasks", fields)

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """A call below /__demo/: faults, journal, config, tokens, runs. Blocks; OSError when refused."""
        request = urllib.request.Request(
            f"{self.url}/__demo/{path}",
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Content-Type": "application/json", "User-Agent": "posthog-code-demo"},
            method=method,
        )
        # Without the person's proxies: this is loopback.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            told: dict[str, Any] = json.loads(answer.read() or b"{}")
            return told


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(2.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def outdated(home: Path) -> bool:
    """Whether a world is there that an older program has made."""
    try:
        made: dict[str, Any] = json.loads((home / "world.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return int(made.get("version", 1)) < VERSION


def prepare(home: Path, now: float) -> WorldFacts:
    """Make the world once; later calls find it. May be interrupted at any point and called again.

    The sample history ends shortly before `now` (UNIX time, s). Raises WorldError when git is missing or refuses.
    """
    facts = WorldFacts(
        home, tuple(home / "repositories" / name for name in NAMES), home / "github", home / "agent-sessions"
    )
    marker = home / "world.json"
    if marker.is_file() and all(path.is_dir() for path in facts.repositories):
        return facts
    if shutil.which("git") is None:
        raise WorldError("The demo needs git, which was not found on PATH.")
    home.mkdir(parents=True, exist_ok=True)
    facts.agent_state.mkdir(exist_ok=True, mode=0o700)
    try:
        port = _free_port()
        for path in make_repositories(home / "repositories", now):
            _make_remote(path, facts.github_root, port)
    except subprocess.CalledProcessError as error:
        raise WorldError(f"git refused: {error.stderr.decode('utf-8', 'replace').strip()[-300:]}") from error
    (facts.github_root / "port").write_text(str(port), encoding="utf-8")
    draft = marker.with_suffix(".part")
    draft.write_text(json.dumps({"version": VERSION, "made": now}), encoding="utf-8")
    os.replace(draft, marker)
    return facts


def _make_remote(path: Path, root: Path, port: int) -> None:
    """A bare repository beside the checkout, known to it as `origin` by its HTTP address."""
    bare = root / "git" / OWNER / f"{path.name}.git"
    if not bare.exists():
        draft = bare.with_suffix(".part")
        shutil.rmtree(draft, ignore_errors=True)
        draft.parent.mkdir(parents=True, exist_ok=True)
        git(path.parent, "clone", "--bare", "--quiet", "--no-hardlinks", str(path), str(draft))
        git(draft, "config", "http.receivepack", "true")
        git(draft, "config", "gc.auto", "0")
        git(draft, "remote", "remove", "origin")
        draft.rename(bare)
    if "origin" not in git(path, "remote").split():
        git(path, "remote", "add", "origin", str(bare))
    git(path, "fetch", "--quiet", str(bare), "+refs/heads/*:refs/remotes/origin/*")
    git(path, "remote", "set-url", "origin", _remote_url(port, path.name))
    git(path, "symbolic-ref", "refs/remotes/origin/HEAD", f"refs/remotes/origin/{DEFAULT_BRANCH}")
    git(path, "config", f"branch.{DEFAULT_BRANCH}.remote", "origin")
    git(path, "config", f"branch.{DEFAULT_BRANCH}.merge", f"refs/heads/{DEFAULT_BRANCH}")


def _remote_url(port: int, name: str) -> str:
    return f"http://127.0.0.1:{port}/{OWNER}/{name}.git"


def _free_port() -> int:
    """A port that is free now. It is kept for later starts, so that the addresses of remotes stay true."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def child_command(name: str) -> list[str]:
    """How a child of the demo is started: "agent", "github" or "posthog". A frozen program starts itself."""
    if getattr(sys, "frozen", False):
        return [sys.executable, f"demo-{name}"]
    return [sys.executable, "-m", f"posthog_code.demo.{name}"]


def start_github(home: Path, pace: float = 1.0) -> DemoGitHub:
    """Start the stand-in for a prepared world, on the port that the remotes name if that is free.

    `pace` is how many real seconds a scripted one takes; 0 lets checks and reviews be over at once. Blocks until it
    listens (about 0.2 s). Raises WorldError when it does not start.
    """
    root = home / "github"
    port = _kept_port(root)
    command = [*child_command("github"), "--root", str(root), "--port", str(port), "--pace", str(pace)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    try:
        told = json.loads(_first_line(process))
    except ValueError:
        process.kill()
        process.wait()
        raise WorldError("The demo's GitHub did not start.") from None
    started = DemoGitHub(process, told["url"], told["api"], told["graphql"])
    now_at = int(started.url.rsplit(":", 1)[1])
    if now_at != port:
        for name in NAMES:
            git(home / "repositories" / name, "remote", "set-url", "origin", _remote_url(now_at, name))
        (root / "port").write_text(str(now_at), encoding="utf-8")
    return started


def start_posthog(home: Path, pace: float = 1.0, *, seeds: bool = True, signals: bool = True) -> DemoPostHog:
    """Start the stand-in for PostHog's cloud, on the port of the last time if that is free.

    The world's GitHub must run: sandboxes are clones of its repositories. `pace` is the speed of the agents at work (0:
    no delays). A new world begins with `cloud_tasks.SEEDS`; their runs get to their states within some seconds, see
    `ready`. With `signals` its product tells what demo/signals.py says, otherwise nothing. Blocks until it listens
    (about 0.3 s). Raises WorldError when it does not start.
    """
    root = home / "posthog"
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    port, github = _kept_port(root), _kept_port(home / "github")
    command = [*child_command("posthog"), "--root", str(root), "--port", str(port), "--pace", str(pace)]
    command += ["--github", f"http://127.0.0.1:{github}", "--agent-state", str(home / "agent-sessions")]
    command += ["--repositories", str(home / "github" / "git" / OWNER)]
    if not seeds:
        command.append("--empty")
    if not signals:
        command.append("--quiet")
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    try:
        url = str(json.loads(_first_line(process))["url"])
    except ValueError:
        process.kill()
        process.wait()
        raise WorldError("The demo's PostHog did not start.") from None
    (root / "port").write_text(url.rsplit(":", 1)[1], encoding="utf-8")
    return DemoPostHog(process, url)


def _kept_port(root: Path) -> int:
    """The port of an earlier start, 0 if there was none."""
    try:
        return int((root / "port").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    """What the child says first; b"" when it ends or says nothing in time."""
    if process.stdout is None:
        return b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        return process.stdout.readline() if selector.select(START_LIMIT) else b""
