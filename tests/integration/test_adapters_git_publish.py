from __future__ import annotations

import asyncio
import base64
import http.server
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from posthog_code.adapters.git import make_git
from posthog_code.domain.errors import Conflict, GitFailed, NotFound, NotSignedIn, Offline, Refused, ToolMissing
from tests.integration.git_world import World, git, isolate, make_world, run, write


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    isolate(monkeypatch, tmp_path)
    made = make_world(tmp_path)
    git(tmp_path, "clone", "-q", "--bare", str(made.repo), "origin.git")
    git(made.repo, "remote", "add", "origin", str(tmp_path / "origin.git"))
    return made


BRANCH = "posthog-code/task-one"


def test_commit_and_push(world: World) -> None:
    path = world.add()
    publishing = world.adapters.publishing
    assert run(publishing.status(path, "main")) == ((), 0)
    write(path, "src/app.py", "changed\n")
    write(path, "new file.txt", "new\n")
    (path / "README.md").rename(path / "READ\nME.md")
    paths, ahead = run(publishing.status(path, "main"))
    assert sorted(paths) == ["READ\nME.md", "README.md", "new file.txt", "src/app.py"] and ahead == 0
    lines: list[str] = []
    commit = run(publishing.commit_all(path, "Subject\n\n# not a comment\n", lines.append))
    assert git(path, "log", "-1", "--format=%B").decode().strip() == "Subject\n\n# not a comment"
    assert lines[0].startswith("$ git add") and run(publishing.status(path, "main")) == ((), 1)
    assert run(publishing.log(path, "main")) == ((commit, "Subject"),)
    assert run(publishing.push(path, BRANCH, lines.append)) == commit
    assert git(world.root / "origin.git", "rev-parse", BRANCH).decode().strip() == commit
    assert git(path, "rev-parse", "--abbrev-ref", "@{upstream}").decode().strip() == f"origin/{BRANCH}"
    assert run(publishing.push(path, BRANCH)) == commit
    with pytest.raises(Refused, match="nothing to commit"):
        run(publishing.commit_all(path, "again"))


def test_commit_tells_what_hooks_say(world: World) -> None:
    path = world.add()
    write(path, "x.txt", "x")
    write(
        world.repo, ".git/hooks/pre-commit", "#!/bin/sh\necho 'lint: connection refused in x.txt' >&2\nexit 1\n"
    ).chmod(0o755)
    lines: list[str] = []
    with pytest.raises(GitFailed, match="refused, by a hook") as caught:
        run(world.adapters.publishing.commit_all(path, "x", lines.append))
    assert "lint: connection refused in x.txt" in caught.value.detail
    assert "lint: connection refused in x.txt" in lines


def test_commit_needs_an_identity(world: World) -> None:
    path = world.add()
    write(path, "x.txt", "x")
    git(world.repo, "config", "--unset", "user.email")
    with pytest.raises(Refused, match=r"user.email is not set") as caught:
        run(world.adapters.publishing.commit_all(path, "x"))
    assert "git config --global user.email" in caught.value.hint
    assert git(path, "diff", "--cached", "--name-only") == b""


def test_identity_from_the_global_file(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = world.add()
    write(path, "x.txt", "x")
    git(world.repo, "config", "--unset", "user.email")
    monkeypatch.delenv("GIT_CONFIG_GLOBAL")
    write(world.root, ".gitconfig", "[user]\n\temail = global@example.com\n")
    run(world.adapters.publishing.commit_all(path, "x"))
    assert git(path, "log", "-1", "--format=%ae").strip() == b"global@example.com"


def test_main_checkout_only_for_local_tasks(world: World) -> None:
    write(world.repo, "x.txt", "x")
    with pytest.raises(Refused, match="main checkout"):
        run(world.adapters.publishing.commit_all(world.repo, "x"))
    local = make_git(is_local=lambda path: path == world.repo)
    run(local.publishing.commit_all(world.repo, "by the person's wish"))


def test_push_is_never_forced(world: World) -> None:
    path = world.add()
    git(path, "commit", "-q", "--allow-empty", "-m", "one")
    run(world.adapters.publishing.push(path, BRANCH))
    theirs = git(path, "rev-parse", "HEAD")
    git(path, "commit", "-q", "--amend", "--allow-empty", "-m", "other")
    with pytest.raises(Conflict, match="commits that are not here"):
        run(world.adapters.publishing.push(path, BRANCH))
    assert git(world.root / "origin.git", "rev-parse", BRANCH) == theirs


def test_push_failures(world: World) -> None:
    path = world.add()
    push = world.adapters.publishing.push
    git(path, "commit", "-q", "--allow-empty", "-m", "one")
    write(
        world.root, "origin.git/hooks/pre-receive", "#!/bin/sh\necho 'branch is protected: ask Ada' >&2\nexit 1\n"
    ).chmod(0o755)
    with pytest.raises(Refused) as caught:
        run(push(path, BRANCH))
    assert "branch is protected: ask Ada" in caught.value.detail
    write(world.repo, ".git/hooks/pre-push", "#!/bin/sh\necho 'tests failed' >&2\nexit 1\n").chmod(0o755)
    with pytest.raises(GitFailed) as failed:
        run(push(path, BRANCH))
    assert "tests failed" in failed.value.detail
    (world.repo / ".git" / "hooks" / "pre-push").unlink()
    git(world.repo, "remote", "set-url", "origin", "http://127.0.0.1:9/x.git")
    with pytest.raises(Offline):
        run(push(path, BRANCH))
    git(world.repo, "remote", "set-url", "origin", str(world.root / "gone.git"))
    with pytest.raises(NotFound):
        run(push(path, BRANCH))
    git(world.repo, "remote", "remove", "origin")
    with pytest.raises(NotFound, match="no remote"):
        run(push(path, BRANCH))


@pytest.fixture
def guarded_server() -> Iterator[tuple[str, list[str]]]:
    """A server that wants credentials and notes those it gets."""
    seen: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization", ""))
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/ada/sample.git", seen
    server.shutdown()
    server.server_close()


def test_credentials_are_never_in_arguments_or_logs(world: World, guarded_server: tuple[str, list[str]]) -> None:
    url, seen = guarded_server
    path = world.add()
    git(path, "commit", "-q", "--allow-empty", "-m", "one")
    git(world.repo, "remote", "set-url", "origin", url)
    with pytest.raises(NotSignedIn):
        run(world.adapters.publishing.push(path, BRANCH))
    lines: list[str] = []
    asked: list[str] = []

    def auth(remote: str) -> str:
        asked.append(remote)
        return "secret-token"

    signed = make_git(lambda _folder, line: lines.append(line), auth=auth)
    with pytest.raises(NotSignedIn):
        run(signed.publishing.push(path, BRANCH, lines.append))
    expected = "Basic " + base64.b64encode(b"x-access-token:secret-token").decode()
    assert asked == [url] and expected in seen
    assert lines and not any("secret-token" in line or expected in line for line in lines)


def test_template(world: World) -> None:
    path = world.add()
    template = world.adapters.publishing.template
    assert run(template(path)) == ("", "")
    write(path, "docs/pull_request_template.md", "docs")
    assert run(template(path)) == ("docs/pull_request_template.md", "docs")
    write(path, ".github/PULL_REQUEST_TEMPLATE.md", "## What\n")
    assert run(template(path)) == (".github/PULL_REQUEST_TEMPLATE.md", "## What\n")


def test_a_process_left_behind_by_a_hook_does_not_hang_git(world: World) -> None:
    path = world.add()
    write(path, "x.txt", "x")
    write(world.repo, ".git/hooks/post-commit", "#!/bin/sh\nsleep 30 &\n").chmod(0o755)
    started = time.monotonic()
    run(world.adapters.publishing.commit_all(path, "x"))
    assert time.monotonic() - started < 15


def test_cancelling_ends_git_and_its_hooks(world: World) -> None:
    path = world.add()
    write(path, "x.txt", "x")
    note = world.root / "hook.pid"
    write(
        world.repo, ".git/hooks/pre-commit", f"#!/bin/sh\necho $$ > '{note}.new'\nmv '{note}.new' '{note}'\nsleep 60\n"
    ).chmod(0o755)

    async def cancel() -> None:
        committing = asyncio.ensure_future(world.adapters.publishing.commit_all(path, "x"))
        while not note.exists():
            await asyncio.sleep(0.01)
        committing.cancel()
        await asyncio.wait({committing})
        assert committing.cancelled()

    run(cancel())
    with pytest.raises(ProcessLookupError):
        for _ in range(500):
            os.kill(int(note.read_text()), 0)
            time.sleep(0.01)
    (world.repo / ".git" / "hooks" / "pre-commit").unlink()
    assert run(world.adapters.publishing.commit_all(path, "x"))  # no lock file was left behind


def test_a_missing_or_old_git_is_told(world: World) -> None:
    with pytest.raises(ToolMissing, match="not installed"):
        run(make_git(binary="no-such-git").git.check())
    old = write(world.root, "old-git", "#!/bin/sh\necho git version 2.20.1\n")
    old.chmod(0o755)
    with pytest.raises(ToolMissing, match=r"2\.20\.1 is too old"):
        run(make_git(binary=str(old)).git.check())
    assert run(world.adapters.git.check())[0].isdigit()
