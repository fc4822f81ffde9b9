"""The stand-in GitHub over real HTTP, with real pushes."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from posthog_code.demo.repositories import git_environment
from posthog_code.demo.world import DemoGitHub, WorldFacts, prepare, start_github

NOW = 1_790_000_000.0
PULLS = "/repos/harbor/harbor-web/pulls"
STATE = """
query State($ids: [ID!]!) { rateLimit { cost remaining resetAt } nodes(ids: $ids) { ... on PullRequest {
  id number state isDraft merged mergedAt headRefOid mergeable mergeStateStatus reviewDecision isInMergeQueue
  mergeQueueEntry { state position estimatedTimeToMerge } autoMergeRequest { mergeMethod enabledBy { login } }
  additions deletions changedFiles totalCommentsCount commits { totalCount } author { login }
  reviewRequests(first: 20) { nodes { requestedReviewer { __typename ... on User { login } ... on Team { slug } } } }
  latestReviews(first: 20) { nodes { fullDatabaseId state submittedAt author { login } } } mergeCommit { oid }
} } }"""
CHECKS = """
query Checks($id: ID!, $number: Int!, $after: String) { node(id: $id) { ... on PullRequest { headRefOid
  statusCheckRollup { state contexts(first: 100, after: $after) { totalCount pageInfo { hasNextPage endCursor } nodes {
    __typename
    ... on CheckRun { databaseId name status conclusion isRequired(pullRequestNumber: $number)
      checkSuite { app { slug name } workflowRun { databaseId workflow { name } } } }
    ... on StatusContext { context state targetUrl isRequired(pullRequestNumber: $number) } } } } } } }"""
THREADS = """
query Threads($id: ID!, $after: String) { node(id: $id) { ... on PullRequest {
  reviewThreads(first: 50, after: $after) { totalCount nodes { id isResolved isOutdated path line viewerCanResolve
    comments(first: 50) { nodes { body diffHunk author { __typename login } pullRequestReview { state } } } } } } } }"""


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=git_environment(), capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


class Api:
    def __init__(self, base: str, token: str = "ghp_demo") -> None:
        self.base = base
        self.token = token

    def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.token}", "User-Agent": "test"}
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.base + path, data=data, headers=headers, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect())
        try:
            with opener.open(request, timeout=20) as answer:
                text = answer.read()
                self.headers = answer.headers
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            text = error.read()
            self.headers = error.headers
            return error.code, json.loads(text) if text.startswith(b"{") else None

    def graphql(self, document: str, **variables: Any) -> Any:
        base, self.base = self.base, self.base.removesuffix("/v3")
        try:
            return self("POST", "/graphql", {"query": document, "variables": variables})[1]
        finally:
            self.base = base


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any, **named: Any) -> None:
        return None


@pytest.fixture
def world(tmp_path: Path) -> WorldFacts:
    return prepare(tmp_path / "home", NOW)


@pytest.fixture
def serve(world: WorldFacts) -> Iterator[Callable[..., DemoGitHub]]:
    started: list[DemoGitHub] = []

    def begin(pace: float = 0.0) -> DemoGitHub:
        started.append(start_github(world.home, pace))
        return started[-1]

    yield begin
    for github in started:
        github.stop()


def push(world: WorldFacts, branch: str, text: str = "export const paid = true;\n", name: str = "harbor-web") -> Path:
    folder = world.repository(name)
    git(folder, "checkout", "-q", "-B", branch)
    target = folder / "src/payments/extra.ts" if name == "harbor-web" else folder / "app/extra.py"
    target.write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", f"Work on {branch}")
    git(folder, "push", "-q", "-f", "-u", "origin", branch)
    git(folder, "checkout", "-q", "main")
    return folder


def until(wanted: Callable[[], Any], seconds: float = 15.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = wanted()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it never happened")


def test_prepare_is_idempotent_and_survives_an_interruption(tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = prepare(home, NOW)
    heads = [git(path, "rev-parse", "HEAD") for path in first.repositories]
    (home / "world.json").unlink()
    subprocess.run(["rm", "-rf", str(home / "github/git/harbor/harbor-web.git")], check=True)
    assert prepare(home, NOW + 1000) == first
    assert [git(path, "rev-parse", "HEAD") for path in first.repositories] == heads
    assert git(first.repository("harbor-web"), "status", "--porcelain", "--branch") == "## main...origin/main"
    assert len({task.title for task in first.tasks}) == 8


def test_token_and_both_layouts(serve: Callable[..., DemoGitHub]) -> None:
    github = serve()
    for base in (github.api, github.url):
        api = Api(base)
        assert api("GET", "/user")[1]["login"] == "mira-okafor"
        assert int(api.headers["X-RateLimit-Remaining"]) > 0
        repository = api("GET", "/repos/harbor/harbor-web")[1]
        assert repository["default_branch"] == "main" and repository["node_id"]
    status, body = Api(github.api, "ghp_wrong")("GET", "/user")
    assert (status, body["message"]) == (401, "Bad credentials")
    assert Api(github.api)("GET", "/repos/harbor/nothing")[0] == 404
    assert Api(github.api)("GET", "/repos/harbor/harbor-web/stacks")[0] == 404


def test_create_and_its_refusals(world: WorldFacts, serve: Callable[..., DemoGitHub]) -> None:
    api = Api(serve().api)
    push(world, "feat/one")
    new = {"title": "One", "head": "feat/one", "base": "main", "body": "Text"}
    status, pull = api("POST", PULLS, new)
    assert (status, pull["number"], pull["state"], pull["changed_files"]) == (201, 482, "open", 1)
    status, again = api("POST", PULLS, new)
    assert status == 422
    assert again["errors"][0]["message"] == "A pull request already exists for harbor:feat/one."
    assert api("POST", PULLS, {**new, "head": "nope"})[1]["errors"][0] == {
        "resource": "PullRequest",
        "code": "invalid",
        "field": "head",
    }
    assert api("POST", PULLS, {**new, "base": "nope"})[1]["errors"][0]["field"] == "base"
    git(world.repository("harbor-web"), "push", "-q", "origin", "main:refs/heads/same")
    assert "No commits between" in api("POST", PULLS, {**new, "head": "same"})[1]["errors"][0]["message"]
    assert [one["number"] for one in api("GET", f"{PULLS}?head=harbor:feat/one&state=all")[1]] == [482]
    assert api("GET", f"{PULLS}?head=harbor:other")[1] == []
    assert api("PATCH", f"{PULLS}/482", {"title": "Renamed"})[1]["title"] == "Renamed"
    assert api("POST", f"{PULLS}/482/requested_reviewers", {"reviewers": ["priya-raman"]})[0] == 201
    assert api("POST", f"{PULLS}/482/requested_reviewers", {"reviewers": ["nobody"]})[0] == 422
    assert api("PATCH", f"{PULLS}/482", {"state": "closed"})[1]["closed_at"]


def test_checks_run_fail_and_are_mended_by_the_next_push(world: WorldFacts, serve: Callable[..., DemoGitHub]) -> None:
    api = Api(serve(pace=0.05).api)
    push(world, "fix/double-charge")
    pull = api("POST", PULLS, {"title": "Stop double charges", "head": "fix/double-charge", "base": "main"})[1]
    ids = {"id": pull["node_id"], "number": pull["number"]}

    def runs() -> dict[str, dict[str, Any]]:
        answer = api.graphql(CHECKS, **ids)
        assert "errors" not in answer, answer
        nodes = answer["data"]["node"]["statusCheckRollup"]["contexts"]["nodes"]
        return {node["name"]: node for node in nodes if node["__typename"] == "CheckRun"}

    seen = set()
    first = runs()
    assert {run["status"] for run in first.values()} <= {"QUEUED", "IN_PROGRESS"}
    seen.update(run["status"] for run in first.values())

    def over() -> dict[str, dict[str, Any]] | None:
        now = runs()
        seen.update(run["status"] for run in now.values())
        return now if {run["status"] for run in now.values()} == {"COMPLETED"} else None

    done = until(over)
    assert seen == {"QUEUED", "IN_PROGRESS", "COMPLETED"}
    failed = done["checkout (webkit)"]
    assert failed["conclusion"] == "FAILURE" and failed["isRequired"] and failed["databaseId"] > 2**31
    assert {run["conclusion"] for run in done.values() if run != failed} == {"SUCCESS"}

    assert api("GET", f"/repos/harbor/harbor-web/actions/jobs/{failed['databaseId']}/logs")[0] == 302
    place = api.headers["Location"]
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(place, timeout=10) as answer:
        log = answer.read().decode()
    assert "##[error]" in log and "tapped twice" in log
    assert Api(place)("GET", "")[0] == 403, "a token does not belong there"

    push(world, "fix/double-charge", "export const paid = 2;\n")
    assert runs()["checkout (webkit)"]["status"] != "COMPLETED"
    assert until(over)["checkout (webkit)"]["conclusion"] == "SUCCESS"


def test_reviewers_write_and_threads_are_answered(world: WorldFacts, serve: Callable[..., DemoGitHub]) -> None:
    github = serve(pace=1000.0)
    api = Api(github.api)
    push(world, "fix/double-charge")
    pull = api("POST", PULLS, {"title": "Stop double charges", "head": "fix/double-charge", "base": "main"})[1]
    node = pull["node_id"]

    def state() -> dict[str, Any]:
        answer = api.graphql(STATE, ids=[node, "PR_gone"])
        assert "errors" not in answer and answer["data"]["nodes"][1] is None
        return answer["data"]["nodes"][0]

    assert (state()["mergeable"], state()["mergeStateStatus"]) == ("UNKNOWN", "UNKNOWN")
    assert api.graphql(THREADS, id=node)["data"]["node"]["reviewThreads"]["totalCount"] == 0
    github.advance("harbor-web", pull["number"], 100_000)
    now = state()
    assert (now["mergeable"], now["mergeStateStatus"]) == ("MERGEABLE", "BLOCKED")
    assert now["reviewDecision"] == "CHANGES_REQUESTED"
    assert [review["author"]["login"] for review in now["latestReviews"]["nodes"]] == ["priya-raman"]
    (thread,) = api.graphql(THREADS, id=node)["data"]["node"]["reviewThreads"]["nodes"]
    assert (thread["path"], thread["line"], thread["isResolved"]) == ("src/payments/extra.ts", 1, False)
    assert thread["comments"]["nodes"][0]["diffHunk"].endswith("+export const paid = true;")
    reply = (
        "mutation Reply($thread: ID!, $body: String!) { addPullRequestReviewThreadReply(input: "
        "{pullRequestReviewThreadId: $thread, body: $body}) { comment { id fullDatabaseId url state } } }"
    )
    assert api.graphql(reply, thread=thread["id"], body="Done")["data"]["addPullRequestReviewThreadReply"]["comment"]
    resolve = "mutation Resolve($t: ID!) { resolveReviewThread(input: {threadId: $t}) { thread { id isResolved } } }"
    assert api.graphql(resolve, t=thread["id"])["data"]["resolveReviewThread"]["thread"]["isResolved"]
    (thread,) = api.graphql(THREADS, id=node)["data"]["node"]["reviewThreads"]["nodes"]
    assert [one["body"] for one in thread["comments"]["nodes"]][1:] == ["Done"]
    assert api("PUT", f"{PULLS}/{pull['number']}/merge", {})[0] == 405
    push(world, "fix/double-charge", "export const paid = 3;\n")
    github.advance("harbor-web", pull["number"], 100_000)
    assert state()["reviewDecision"] == "APPROVED" and state()["mergeStateStatus"] == "CLEAN"
    (thread,) = api.graphql(THREADS, id=node)["data"]["node"]["reviewThreads"]["nodes"]
    assert thread["isOutdated"] and thread["line"] is None


def test_merge_moves_the_base(world: WorldFacts, serve: Callable[..., DemoGitHub]) -> None:
    github = serve()
    api = Api(github.api)
    folder = push(world, "feat/quiet")
    pull = api("POST", PULLS, {"title": "Quiet", "head": "feat/quiet", "base": "main"})[1]
    path = f"{PULLS}/{pull['number']}/merge"
    assert api("PUT", path, {"sha": "0" * 40})[0] == 409
    assert api("PUT", path, {"merge_method": "rebase"})[0] == 405
    status, merged = api("PUT", path, {"merge_method": "squash", "sha": pull["head"]["sha"]})
    assert (status, merged["merged"]) == (200, True), merged
    git(folder, "fetch", "-q", "origin")
    assert git(folder, "rev-parse", "origin/main") == merged["sha"]
    after = api.graphql(STATE, ids=[pull["node_id"]])["data"]["nodes"][0]
    assert (after["state"], after["changedFiles"], after["mergeCommit"]["oid"]) == ("MERGED", 1, merged["sha"])
    assert api("PUT", path, {})[0] == 405


def test_conflicts_are_real(world: WorldFacts, serve: Callable[..., DemoGitHub]) -> None:
    github = serve()
    api = Api(github.api)
    push(world, "feat/one", "one\n")
    folder = push(world, "feat/two", "two\n")
    git(folder, "branch", "-q", "-f", "feat/two", "feat/two")
    one = api("POST", PULLS, {"title": "One", "head": "feat/one", "base": "main"})[1]
    two = api("POST", PULLS, {"title": "Two", "head": "feat/two", "base": "main"})[1]
    github.merge("harbor-web", one["number"])
    state = api.graphql(STATE, ids=[two["node_id"]])["data"]["nodes"][0]
    assert (state["mergeable"], state["mergeStateStatus"]) == ("CONFLICTING", "DIRTY")


def test_state_survives_a_restart_on_the_same_port(world: WorldFacts, serve: Callable[..., DemoGitHub]) -> None:
    first = serve()
    push(world, "feat/one")
    pull = Api(first.api)("POST", PULLS, {"title": "One", "head": "feat/one", "base": "main"})[1]
    first.stop()
    second = serve()
    assert second.url == first.url
    assert Api(second.api)("GET", f"{PULLS}/{pull['number']}")[1]["title"] == "One"
    third = serve()
    assert third.url != second.url, "a taken port is not fought over"
    assert git(world.repository("harbor-web"), "remote", "get-url", "origin").startswith(third.url)


def test_unknown_fields_and_missing_things_are_graphql_errors(serve: Callable[..., DemoGitHub]) -> None:
    api = Api(serve().api)
    wrong = api.graphql("{ viewer { login shoeSize } }")
    assert wrong["errors"][0]["extensions"]["code"] == "undefinedField" and "data" not in wrong
    missing = api.graphql('{ viewer { login } repository(owner: "harbor", name: "x") { id } }')
    assert missing["errors"][0]["type"] == "NOT_FOUND" and missing["data"]["viewer"]["login"] == "mira-okafor"
    repository = api.graphql(
        'query Repo($o: String!) { repository(owner: $o, name: "harbor-web") { id nameWithOwner viewerPermission '
        "defaultBranchRef { name } parent { id } pullRequestTemplates { filename body } "
        'pullRequests(headRefName: "x", first: 10, orderBy: {field: UPDATED_AT, direction: DESC}) { nodes { id } } } }',
        o="harbor",
    )["data"]["repository"]
    assert (
        repository["defaultBranchRef"] == {"name": "main"} and "## Why" in repository["pullRequestTemplates"][0]["body"]
    )


def test_wrong_git_credentials_are_refused(world: WorldFacts, serve: Callable[..., DemoGitHub]) -> None:
    serve()
    folder = world.repository("harbor-web")

    def fetch(token: str) -> int:
        secret = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        header = f"http.extraHeader=Authorization: Basic {secret}"
        done = subprocess.run(
            ["git", "-c", header, "ls-remote", "origin"], cwd=folder, env=git_environment(), capture_output=True
        )
        return done.returncode

    assert fetch("ghp_demo") == 0
    assert fetch("ghp_wrong") != 0


def test_a_big_push_arrives(world: WorldFacts, serve: Callable[..., DemoGitHub]) -> None:
    """git sends more than 1 MB in chunks, after a first empty request."""
    serve()
    folder = world.repository("harbor-api")
    (folder / "big.bin").write_bytes(os.urandom(3_000_000))
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "Big")
    git(folder, "push", "-q", "origin", "HEAD:refs/heads/big")
    assert git(folder, "ls-remote", "origin", "refs/heads/big").startswith(git(folder, "rev-parse", "HEAD"))


@pytest.mark.skipif(sys.platform == "win32", reason="ends a parent by a signal")
def test_dies_with_its_parent(world: WorldFacts) -> None:
    script = (
        "import sys; from pathlib import Path; from posthog_code.demo.world import start_github; "
        f"print(start_github(Path({str(world.home)!r})).process.pid, flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()

    def gone() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except OSError:
            return True

    assert until(gone, 5)
