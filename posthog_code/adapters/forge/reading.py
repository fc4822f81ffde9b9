"""GitHub's answers as pull requests. Unknown words become UNKNOWN or pending, missing parts their defaults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from posthog_code.domain.pull_request import (
    Check,
    CheckState,
    Mergeable,
    PullRequest,
    PullRequestState,
    Review,
    ReviewState,
    ReviewThread,
)

Json = Mapping[str, Any]
_PASS = frozenset({"SUCCESS"})
_SKIP = frozenset({"NEUTRAL", "SKIPPED"})
_FAIL = frozenset({"FAILURE", "TIMED_OUT", "ACTION_REQUIRED", "STARTUP_FAILURE", "ERROR"})
_INSIDERS = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})
_MERGE_STATES = {
    "CLEAN": Mergeable.YES,
    "UNSTABLE": Mergeable.YES,
    "HAS_HOOKS": Mergeable.YES,
    "DRAFT": Mergeable.YES,
    "BLOCKED": Mergeable.BLOCKED,
    "BEHIND": Mergeable.BEHIND,
    "DIRTY": Mergeable.CONFLICTS,
    "UNKNOWN": Mergeable.CHECKING,
}
CODE_LINES = 4
"""Lines shown above a comment at most."""


def seconds(stamp: Any) -> float:
    """UNIX time of an ISO date; 0 for none."""
    try:
        return datetime.fromisoformat(stamp).timestamp() if isinstance(stamp, str) else 0.0
    except ValueError:
        return 0.0


def pull_request(node: Json, *, at: float) -> PullRequest:
    """From a `State` or `ByBranch` node, without checks and threads; read at UNIX time `at`."""
    state = _state(str(node.get("state") or ""), bool(node.get("isDraft")))
    return PullRequest(
        number=int(node.get("number") or 0),
        title=str(node.get("title") or ""),
        url=str(node.get("url") or ""),
        state=state,
        head=str(node.get("headRefName") or ""),
        base=str(node.get("baseRefName") or ""),
        head_sha=str(node.get("headRefOid") or ""),
        node_id=str(node.get("id") or ""),
        author=_login(node.get("author")),
        body=str(node.get("body") or ""),
        created_at=seconds(node.get("createdAt")),
        commits=int(_part(node, "commits").get("totalCount") or 0),
        added=int(node.get("additions") or 0),
        removed=int(node.get("deletions") or 0),
        files=int(node.get("changedFiles") or 0),
        mergeable=_mergeable(node, state),
        review_decision=str(node.get("reviewDecision") or ""),
        reviews=tuple(_reviews(node)),
        fetched_at=at,
        by_viewer=bool(node.get("viewerDidAuthor")),
        updated_at=seconds(node.get("updatedAt")),
        queued=bool(node.get("isInMergeQueue")),
        auto_merge=bool(node.get("autoMergeRequest")),
    )


def created(body: Json, *, at: float) -> PullRequest:
    """From REST's answer to creating one."""
    return PullRequest(
        number=int(body.get("number") or 0),
        title=str(body.get("title") or ""),
        url=str(body.get("html_url") or ""),
        state=_state(str(body.get("state") or "open").upper(), bool(body.get("draft"))),
        head=str(_part(body, "head").get("ref") or ""),
        base=str(_part(body, "base").get("ref") or ""),
        head_sha=str(_part(body, "head").get("sha") or ""),
        node_id=str(body.get("node_id") or ""),
        author=_login(body.get("user")),
        body=str(body.get("body") or ""),
        created_at=seconds(body.get("created_at")),
        commits=int(body.get("commits") or 0),
        added=int(body.get("additions") or 0),
        removed=int(body.get("deletions") or 0),
        files=int(body.get("changed_files") or 0),
        mergeable=Mergeable.CHECKING,
        fetched_at=at,
        by_viewer=True,
    )


def choose(nodes: Iterable[Json], owner: str) -> Json | None:
    """Of the pull requests of a branch name: ours only (forks have the same names), the open one, else the newest."""
    mine = [node for node in nodes if _login(node.get("headRepositoryOwner")).lower() == owner.lower()]
    return next((node for node in mine if node.get("state") == "OPEN"), mine[0] if mine else None)


def rollup(contexts: Iterable[Json]) -> tuple[Check, ...]:
    """Check runs and statuses; of several with one (app, workflow, event, name) the newest only."""
    newest: dict[tuple[str, ...], Check] = {}
    for node in contexts:
        key, check = _status(node) if node.get("__typename") == "StatusContext" else _check_run(node)
        if key not in newest or check.started_at >= newest[key].started_at:
            newest[key] = check
    return tuple(newest.values())


def jobs(runs: Iterable[tuple[str, Iterable[Json]]], statuses: Iterable[Json]) -> tuple[Check, ...]:
    """What a token without access to checks still sees: Actions jobs by workflow name, and commit statuses."""
    found: dict[tuple[str, str], Check] = {}
    for workflow, items in runs:
        for job in items:
            check = Check(
                name=_full_name(workflow, str(job.get("name") or "")),
                state=_check_state(job.get("status"), job.get("conclusion")),
                id=str(job.get("id") or ""),
                url=str(job.get("html_url") or ""),
                started_at=seconds(job.get("started_at")),
                ended_at=seconds(job.get("completed_at")),
                is_job=True,
            )
            key = ("job", check.name)
            if key not in found or check.started_at >= found[key].started_at:
                found[key] = check
    for status in statuses:
        name = str(status.get("context") or "")
        found[("status", name)] = Check(
            name=name,
            state=_status_state(status.get("state")),
            summary=str(status.get("description") or ""),
            url=str(status.get("target_url") or ""),
            started_at=seconds(status.get("created_at")),
            ended_at=seconds(status.get("updated_at")),
        )
    return tuple(found.values())


def thread(node: Json) -> ReviewThread | None:
    """One review thread; None when nothing of it may be shown (all minimized)."""
    items = [c for c in _nodes(node, "comments") if not c.get("isMinimized")]
    if not items:
        return None
    line = int(node.get("line") or node.get("originalLine") or 0)
    start = int(node.get("startLine") or node.get("originalStartLine") or 0)
    return ReviewThread(
        id=str(node.get("id") or ""),
        path=str(node.get("path") or ""),
        line=line,
        resolved=bool(node.get("isResolved")),
        outdated=bool(node.get("isOutdated")),
        comments=tuple((_login(c.get("author")), str(c.get("body") or ""), seconds(c.get("createdAt"))) for c in items),
        code=_code(str(items[0].get("diffHunk") or ""), line - start + 1 if 0 < start < line else 1),
        start=start if 0 < start < line else 0,
        url=str(items[0].get("url") or ""),
        trusted=all(c.get("viewerDidAuthor") or c.get("authorAssociation") in _INSIDERS for c in items),
    )


def with_checks(known: PullRequest, checks: tuple[Check, ...], *, complete: bool) -> PullRequest:
    return replace(known, checks=checks, checks_known=complete)


def _state(word: str, draft: bool) -> PullRequestState:
    if word == "MERGED":
        return PullRequestState.MERGED
    if word == "CLOSED":
        return PullRequestState.CLOSED
    return PullRequestState.DRAFT if draft else PullRequestState.OPEN


def _mergeable(node: Json, state: PullRequestState) -> Mergeable:
    if state in (PullRequestState.MERGED, PullRequestState.CLOSED) or "mergeable" not in node:
        return Mergeable.UNKNOWN
    if node.get("mergeable") == "CONFLICTING":
        return Mergeable.CONFLICTS
    if node.get("mergeable") == "UNKNOWN":
        return Mergeable.CHECKING
    return _MERGE_STATES.get(str(node.get("mergeStateStatus")), Mergeable.UNKNOWN)


def _reviews(node: Json) -> Iterable[Review]:
    words = {
        "APPROVED": ReviewState.APPROVED,
        "CHANGES_REQUESTED": ReviewState.CHANGES_REQUESTED,
        "COMMENTED": ReviewState.COMMENTED,
        "DISMISSED": ReviewState.DISMISSED,
    }
    for item in _nodes(node, "latestReviews"):
        if state := words.get(str(item.get("state"))):
            yield Review(_login(item.get("author")), state, seconds(item.get("submittedAt")))
    for item in _nodes(node, "reviewRequests"):
        who = _part(item, "requestedReviewer")
        if name := str(who.get("login") or who.get("slug") or ""):
            yield Review(name, ReviewState.REQUESTED)


def _check_run(node: Json) -> tuple[tuple[str, ...], Check]:
    suite = _part(node, "checkSuite")
    app, run = _part(suite, "app"), _part(suite, "workflowRun")
    slug, event = str(app.get("slug") or ""), str(run.get("event") or "")
    workflow = str(_part(run, "workflow").get("name") or "")
    name = str(node.get("name") or "")
    check = Check(
        name=_full_name(workflow, name),
        state=_check_state(node.get("status"), node.get("conclusion")),
        id=str(node.get("databaseId") or ""),
        summary=str(node.get("title") or ""),
        url=str(node.get("detailsUrl") or ""),
        started_at=seconds(node.get("startedAt")),
        ended_at=seconds(node.get("completedAt")),
        required=bool(node.get("isRequired")),
        is_job=slug == "github-actions",
    )
    return (slug, workflow, event, name), check


def _status(node: Json) -> tuple[tuple[str, ...], Check]:
    name = str(node.get("context") or "")
    check = Check(
        name=name,
        state=_status_state(node.get("state")),
        summary=str(node.get("description") or ""),
        url=str(node.get("targetUrl") or ""),
        started_at=seconds(node.get("createdAt")),
        required=bool(node.get("isRequired")),
    )
    return ("", "", "", name), check


def _full_name(workflow: str, name: str) -> str:
    return f"{workflow} / {name}" if workflow else name


def _check_state(status: Any, conclusion: Any) -> CheckState:
    word = str(conclusion or "").upper()
    if str(status or "").upper() != "COMPLETED":
        return CheckState.RUNNING
    if word in _PASS:
        return CheckState.PASSED
    if word in _SKIP:
        return CheckState.SKIPPED
    if word in _FAIL:
        return CheckState.FAILED
    return CheckState.CANCELLED if word == "CANCELLED" else CheckState.RUNNING


def _status_state(state: Any) -> CheckState:
    word = str(state or "").upper()
    return CheckState.PASSED if word in _PASS else CheckState.FAILED if word in _FAIL else CheckState.RUNNING


def _code(hunk: str, lines: int) -> str:
    """The end of a diff hunk, which is where the comment hangs."""
    body = [line for line in hunk.splitlines() if not line.startswith(("@@", "\\"))]
    return "\n".join(body[-min(lines, CODE_LINES) :]) if body else ""


def _part(node: Json, name: str) -> Json:
    value = node.get(name)
    return value if isinstance(value, Mapping) else {}


def _nodes(node: Json, name: str) -> list[Json]:
    items = _part(node, name).get("nodes")
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []


def _login(value: Any) -> str:
    if not isinstance(value, Mapping):
        return "ghost"  # a deleted account, as GitHub calls it
    return str(value.get("login") or "ghost")
