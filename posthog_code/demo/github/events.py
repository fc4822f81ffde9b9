"""What happens to a pull request by itself: checks run, reviewers write. It all follows from the time that passed."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import Any

from posthog_code.demo.github.store import Pull, Store

PRIYA, JONAS = "priya-raman", "jonas-lind"
STARTS_AFTER = 2.0
"""Scripted seconds from a push until the first job starts."""
MERGEABLE_AFTER = 1.5
"""Scripted seconds until it is known whether a pull request can be merged."""
COMMENTS_AFTER, DECIDES_AFTER, LOOKS_AGAIN_AFTER = 8.0, 18.0, 10.0

JOBS: dict[str, tuple[tuple[str, float, bool], ...]] = {
    "harbor-web": (
        ("unit / payments", 6, True),
        ("checks / typecheck", 4, True),
        ("e2e / checkout (chromium)", 9, True),
        ("e2e / checkout (webkit)", 10, True),
        ("checks / lint", 2, False),
    ),
    "harbor-api": (("tests / unit", 5, True), ("tests / migrations", 8, True), ("checks / lint", 2, False)),
}
"""("workflow / job", scripted seconds, whether it is required) by repository."""
OTHER_JOBS = (("checks / links", 3.0, True),)
_TROUBLE = re.compile(r"fail|checkout|charge|cart|idempoten", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CheckRun:
    id: int
    workflow: str
    name: str
    """The job's."""
    status: str
    """QUEUED, IN_PROGRESS or COMPLETED."""
    conclusion: str | None
    """SUCCESS or FAILURE once it is over."""
    started: float
    ended: float
    required: bool
    sha: str


def check_runs(store: Store, name: str, pull: Pull, sha: str = "") -> list[CheckRun]:
    """The jobs of a head (the newest one by default) as they are now."""
    heads = pull["heads"]
    index = next((at for at, head in enumerate(heads) if head["sha"] == sha), len(heads) - 1)
    head = heads[index]
    jobs = JOBS.get(name.split("/")[-1], OTHER_JOBS)
    unlucky = _unlucky(pull, jobs) if index == 0 else ""
    return [_check_run(store, name, pull, head, job, job[0] == unlucky, order) for order, job in enumerate(jobs)]


def _unlucky(pull: Pull, jobs: tuple[tuple[str, float, bool], ...]) -> str:
    """The job that fails for the first push of some pull requests; the next push mends it."""
    if not _TROUBLE.search(f"{pull['title']} {pull['head']}"):
        return ""
    return next((job for job, _, _ in jobs if "webkit" in job), jobs[-1][0])


def _check_run(
    store: Store, name: str, pull: Pull, head: dict[str, Any], job: tuple[str, float, bool], fails: bool, order: int
) -> CheckRun:
    title, duration, required = job
    rerun = pull["reruns"].get(f"{head['sha']}:{title}")
    since = rerun or head["at"]
    begins = STARTS_AFTER + 0.5 * order
    passed = store.passed(since)
    status = "QUEUED" if passed < begins else "IN_PROGRESS" if passed < begins + duration else "COMPLETED"
    conclusion = None if status != "COMPLETED" else "FAILURE" if fails and not rerun else "SUCCESS"
    key = f"{name}#{pull['number']}:{head['sha']}:{title}:{rerun or ''}"
    check_id = 40_000_000_000 + zlib.crc32(key.encode())
    start = since + begins * store.pace
    workflow, _, job_name = title.partition(" / ")
    return CheckRun(
        check_id, workflow, job_name, status, conclusion, start, start + duration * store.pace, required, head["sha"]
    )


def find_check(store: Store, name: str, check_id: int) -> tuple[Pull, CheckRun] | None:
    for pull in store.pulls.get(name, {}).values():
        for head in pull["heads"]:
            for run in check_runs(store, name, pull, head["sha"]):
                if run.id == check_id:
                    return pull, run
    return None


def advance(store: Store, name: str, pull: Pull) -> None:
    """Let everything happen that is due: what was pushed, comments, decisions. To be called before each reading."""
    store.observe(name, pull)
    if pull["state"] != "open":
        return
    passed = store.passed(pull["created"])
    done = pull["done"]
    if passed >= COMMENTS_AFTER and "comment" not in done:
        done.append("comment")
        _comment(store, name, pull)
    if passed >= DECIDES_AFTER and "decision" not in done and not pull["draft"]:
        done.append("decision")
        trouble = bool(_TROUBLE.search(f"{pull['title']} {pull['head']}"))
        _review(store, pull, PRIYA, "CHANGES_REQUESTED" if trouble else "APPROVED")
    fresh = len(pull["heads"]) > 1 and store.passed(pull["heads"][-1]["at"]) >= LOOKS_AGAIN_AFTER
    if fresh and "decision" in done and "again" not in done:
        done.append("again")
        _review(store, pull, PRIYA, "APPROVED")


def _review(store: Store, pull: Pull, login: str, state: str) -> None:
    review = {"id": store.new_id(), "author": login, "state": state, "at": store.now(), "sha": pull["heads"][-1]["sha"]}
    pull["reviews"].append(review)
    pull["requested"] = [one for one in pull["requested"] if one != login]
    pull["updated"] = store.now()
    store.save()


def _comment(store: Store, name: str, pull: Pull) -> None:
    """A thread on the first added line of the most interesting file."""
    base, head = store.sha(name, pull["base"]), pull["heads"][-1]["sha"]
    paths = store.git(name, "diff", "--name-only", "--diff-filter=AM", f"{base}...{head}").splitlines()
    if not paths:
        return
    path = next((one for one in paths if one.startswith(("src/", "app/")) and "test" not in one), paths[0])
    diff = store.git(name, "diff", f"{base}...{head}", "--", path)
    hunk = re.search(r"^@@ .*?^\+[^\n]*", diff[diff.find("\n@@") + 1 :], re.MULTILINE | re.DOTALL)
    start = re.search(r"\+(\d+)", hunk[0]) if hunk else None
    if hunk is None or start is None:
        return
    lines = hunk[0].splitlines()[1:]
    line = int(start[1]) + sum(not text.startswith("-") for text in lines) - 1
    body = (
        "What happens if the store cannot be reached here?"
        if "charg" in pull["title"].lower()
        else ("Could this say why, not only what?")
    )
    review = store.new_id()
    thread_id = store.new_id()
    comment = {"id": store.new_id(), "author": PRIYA, "body": body, "at": store.now(), "review": review}
    pull["threads"].append(
        {
            "id": f"PRRT_{thread_id}",
            "path": path,
            "line": line,
            "text": lines[-1][1:],
            "sha": head,
            "hunk": hunk[0],
            "resolved_by": "",
            "comments": [comment],
        }
    )
    _review(store, pull, PRIYA, "COMMENTED")


# -- what follows from it


def latest_reviews(pull: Pull) -> list[dict[str, Any]]:
    """The newest review of each person who was not asked again; an opinion is not undone by a comment."""
    newest: dict[str, dict[str, Any]] = {}
    for review in pull["reviews"]:
        known = newest.get(review["author"])
        if known is None or review["state"] != "COMMENTED" or known["state"] == "COMMENTED":
            newest[review["author"]] = review
    return [review for login, review in newest.items() if login not in pull["requested"]]


def review_decision(pull: Pull) -> str:
    states = {review["state"] for review in latest_reviews(pull)}
    return next((state for state in ("CHANGES_REQUESTED", "APPROVED") if state in states), "REVIEW_REQUIRED")


def mergeable(store: Store, name: str, pull: Pull) -> str:
    """MERGEABLE, CONFLICTING, or UNKNOWN for a moment after each push and for what is closed."""
    head = pull["heads"][-1]
    if pull["state"] != "open" or store.passed(head["at"]) < MERGEABLE_AFTER:
        return "UNKNOWN"
    return "MERGEABLE" if store.merge_tree(name, store.sha(name, pull["base"]), head["sha"]) else "CONFLICTING"


def why_blocked(store: Store, name: str, pull: Pull) -> str:
    """GitHub's words for the first rule that is not met, "" when it may be merged."""
    if pull["draft"]:
        return "Pull Request is still a draft"
    for run in check_runs(store, name, pull):
        if run.required and run.conclusion != "SUCCESS":
            return f'Required status check "{run.name}" is {"failing" if run.conclusion else "expected"}.'
    decision = review_decision(pull)
    if decision == "CHANGES_REQUESTED":
        return "Changes have been requested."
    return "" if decision == "APPROVED" else "At least 1 approving review is required by reviewers with write access."


def merge_state(store: Store, name: str, pull: Pull) -> str:
    known = mergeable(store, name, pull)
    if known != "MERGEABLE":
        return "DIRTY" if known == "CONFLICTING" else "UNKNOWN"
    if why_blocked(store, name, pull):
        return "BLOCKED"
    done = all(run.conclusion == "SUCCESS" for run in check_runs(store, name, pull))
    return "CLEAN" if done else "UNSTABLE"


def is_outdated(store: Store, name: str, pull: Pull, thread: dict[str, Any]) -> bool:
    """Whether the commented line reads differently in the newest head."""
    lines = store.git(name, "show", f"{pull['heads'][-1]['sha']}:{thread['path']}").splitlines()
    number = int(thread["line"])
    return number > len(lines) or lines[number - 1].strip() != str(thread["text"]).strip()
