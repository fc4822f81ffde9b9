"""GitHub's REST calls, as far as a client of pull requests makes them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from posthog_code.demo.github import events
from posthog_code.demo.github.graph import iso
from posthog_code.demo.github.shapes import Shapes
from posthog_code.demo.github.store import VIEWER, Pull, Store

Json = Any
DOCS = "https://docs.github.com/rest"


@dataclass(slots=True)
class Reply:
    status: int
    body: Json = None
    headers: dict[str, str] = field(default_factory=dict)


class Failure(Exception):
    """A refusal in GitHub's shape."""

    def __init__(self, status: int, message: str, errors: list[Json] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Json] = {"message": message, "documentation_url": DOCS, "status": str(status)}
        if errors is not None:
            self.body["errors"] = errors


def invalid(resource: str, code: str, message: str = "", named: str = "") -> Failure:
    error = {"resource": resource, "code": code}
    if named:
        error["field"] = named
    if message:
        error["message"] = message
    return Failure(422, "Validation Failed", [error])


Call = Callable[[str, list[str], dict[str, str], dict[str, Json]], Reply]


class Rest:
    """`url` is the server's own address; `prefix` in a request's path is already gone when `handle` sees it."""

    def __init__(self, store: Store, url: str) -> None:
        self._store = store
        self._url = url
        self._shapes = Shapes(store, url)

    def handle(self, method: str, path: str, query: dict[str, str], body: dict[str, Json]) -> Reply:
        """Raises Failure for everything that GitHub would refuse."""
        parts = path.strip("/").split("/")
        if parts == ["user"]:
            return Reply(200, {**self._shapes.user(VIEWER), "name": "Mira Okafor", "email": "mira@harbor.example"})
        if parts == ["meta"]:
            return Reply(200, {"installed_version": "3.19.1", "verifiable_password_authentication": False})
        if parts == ["rate_limit"]:
            core = {"limit": 5000, "used": 11, "remaining": 4989, "reset": int(time.time()) + 3000}
            return Reply(200, {"resources": {"core": core, "graphql": core}, "rate": core})
        if parts == ["user", "repos"]:
            return Reply(200, [self._shapes.repository(name) for name in self._store.names()])
        if parts[0] != "repos" or len(parts) < 3:
            raise Failure(404, "Not Found")
        name = f"{parts[1]}/{parts[2]}"
        if self._store.bare(name) is None:
            raise Failure(404, "Not Found")
        return self._route(method, name, parts[3:], query, body)

    def _route(self, method: str, name: str, rest: list[str], query: dict[str, str], body: dict[str, Json]) -> Reply:
        match (method, *rest):
            case ("GET",):
                return Reply(200, self._shapes.repository(name))
            case ("GET", "branches"):
                return Reply(200, self._shapes.branches(name))
            case ("GET", "pulls"):
                return self._list(name, query)
            case ("POST", "pulls"):
                return self._create(name, body)
            case (_, "pulls", number, *action):
                return self._pull_call(method, name, self._pull(name, number), action, body)
            case (_, "issues", number, "comments"):
                return self._issue_comments(method, self._pull(name, number), body)
            case ("GET", "commits", sha, "check-runs"):
                runs = [self._shapes.check(name, run) for run in self._runs(name, sha)]
                return Reply(200, {"total_count": len(runs), "check_runs": runs})
            case ("GET", "commits", sha, "status"):
                return Reply(200, {"state": "success", "sha": sha, "total_count": 0, "statuses": []})
            case ("GET", "check-runs", check, "annotations"):
                self._found(name, check)
                return Reply(200, [])
            case (_, "actions", "jobs", job, what) if what in ("logs", "rerun"):
                return self._job(name, job, what)
            case ("GET", "compare", span) if "..." in span:
                return self._compare(name, *span.split("...", 1))
            case ("GET", "rules", "branches", _):
                return Reply(200, [])
        raise Failure(404, "Not Found")

    # -- pull requests

    def _pull(self, name: str, number: str) -> Pull:
        pull = self._store.pull(name, number)
        if pull is None:
            raise Failure(404, "Not Found")
        events.advance(self._store, name, pull)
        return pull

    def _pull_call(self, method: str, name: str, pull: Pull, action: list[str], body: dict[str, Json]) -> Reply:
        match (method, *action):
            case ("GET",):
                return Reply(200, self._shapes.full(name, pull))
            case ("PATCH",):
                return self._edit(name, pull, body)
            case ("PUT", "merge"):
                return self._merge(name, pull, body)
            case ("GET", "merge"):
                return Reply(204) if pull["merged_at"] else Reply(404, Failure(404, "Not Found").body)
            case ("GET", "files"):
                return Reply(200, self._shapes.files(name, pull))
            case ("POST", "requested_reviewers"):
                return self._request_review(name, pull, body)
            case ("GET", "reviews"):
                return Reply(200, [self._shapes.review(review) for review in pull["reviews"]])
            case ("GET", "comments"):
                threads = pull["threads"]
                return Reply(
                    200, [self._shapes.comment(one, comment) for one in threads for comment in one["comments"]]
                )
            case ("POST", "comments", comment, "replies"):
                return self._reply(pull, comment, body)
        raise Failure(404, "Not Found")

    def _list(self, name: str, query: dict[str, str]) -> Reply:
        owner = name.split("/")[0]
        wanted, state = query.get("head", ""), query.get("state", "open")
        found = []
        for pull in self._store.pulls.get(name, {}).values():
            events.advance(self._store, name, pull)
            # Like GitHub: a head without an owner is no filter at all.
            fits = ":" not in wanted or wanted == f"{owner}:{pull['head']}"
            if fits and state in ("all", pull["state"]) and query.get("base", pull["base"]) == pull["base"]:
                found.append(pull)
        key = "updated" if query.get("sort") == "updated" else "created"
        found.sort(key=lambda pull: pull[key], reverse=query.get("direction", "desc") == "desc")
        return Reply(200, [self._shapes.short(name, pull) for pull in found[: int(query.get("per_page", 30))]])

    def _create(self, name: str, body: dict[str, Json]) -> Reply:
        store, owner = self._store, name.split("/")[0]
        for needed in ("title", "head", "base"):
            if not body.get(needed):
                raise invalid("PullRequest", "missing_field", named=needed)
        head = str(body["head"]).removeprefix(f"{owner}:")
        base = str(body["base"])
        head_sha, base_sha = store.sha(name, head), store.sha(name, base)
        if not head_sha or not base_sha:
            raise invalid("PullRequest", "invalid", named="base" if head_sha else "head")
        for pull in store.pulls.get(name, {}).values():
            if pull["head"] == head and pull["base"] == base and pull["state"] == "open":
                raise invalid("PullRequest", "custom", f"A pull request already exists for {owner}:{head}.")
        if not store.git(name, "merge-base", base_sha, head_sha):
            raise invalid("PullRequest", "custom", f"The {head} branch has no history in common with {base}")
        if store.git(name, "rev-list", "--count", f"{base_sha}..{head_sha}") == "0":
            raise invalid("PullRequest", "custom", f"No commits between {base} and {head}")
        now = store.now()
        pull = {
            "number": store.next_number(name),
            "title": str(body["title"]),
            "body": str(body.get("body") or ""),
            "draft": bool(body.get("draft")),
            "state": "open",
            "head": head,
            "base": base,
            "author": VIEWER,
            "created": now,
            "updated": now,
            "heads": [{"sha": head_sha, "at": now}],
            "threads": [],
            "reviews": [],
            "comments": [],
            "requested": [],
            "reruns": {},
            "done": [],
            "merged_at": None,
            "merge_sha": None,
            "closed_at": None,
        }
        store.pulls.setdefault(name, {})[str(pull["number"])] = pull
        store.save()
        return Reply(
            201, self._shapes.full(name, pull), {"Location": f"{self._url}/repos/{name}/pulls/{pull['number']}"}
        )

    def _edit(self, name: str, pull: Pull, body: dict[str, Json]) -> Reply:
        if "base" in body and not self._store.sha(name, str(body["base"])):
            raise invalid("PullRequest", "invalid", named="base")
        for key in ("title", "body", "base"):
            if key in body:
                pull[key] = str(body[key] or "")
        if body.get("state") in ("open", "closed") and not pull["merged_at"]:
            pull["state"] = body["state"]
            pull["closed_at"] = self._store.now() if body["state"] == "closed" else None
        pull["updated"] = self._store.now()
        self._store.save()
        return Reply(200, self._shapes.full(name, pull))

    def _merge(self, name: str, pull: Pull, body: dict[str, Json]) -> Reply:
        method = body.get("merge_method", "merge")
        if pull["state"] != "open" or events.mergeable(self._store, name, pull) == "CONFLICTING":
            raise Failure(405, "Pull Request is not mergeable")
        if method == "rebase":
            raise Failure(405, "Rebase merges are not allowed on this repository.")
        if body.get("sha") and body["sha"] != pull["heads"][-1]["sha"]:
            raise Failure(409, "Head branch was modified. Review and try the merge again.")
        blocked = events.why_blocked(self._store, name, pull)
        if blocked:
            raise Failure(405, blocked)
        sha = self.merge_now(name, pull, method == "squash", body.get("commit_title"), body.get("commit_message"))
        return Reply(200, {"sha": sha, "merged": True, "message": "Pull Request successfully merged"})

    def merge_now(
        self, name: str, pull: Pull, squash: bool, title: str | None = None, message: str | None = None
    ) -> str:
        """Merge whatever the rules say. Raises Failure when there are conflicts."""
        pull["base_sha"] = self._store.sha(name, pull["base"])
        headline = title or f"{pull['title']} (#{pull['number']})"
        sha = self._store.commit_merge(name, pull, squash, headline, message or pull["body"])
        if not sha:
            raise Failure(405, "Pull Request is not mergeable")
        now = self._store.now()
        pull.update(state="closed", merged_at=now, closed_at=now, updated=now, merge_sha=sha)
        self._store.save()
        return sha

    def _request_review(self, name: str, pull: Pull, body: dict[str, Json]) -> Reply:
        asked = [str(login) for login in body.get("reviewers", ())]
        if VIEWER in asked:
            raise Failure(422, "Review cannot be requested from pull request author.")
        unknown = [login for login in asked if login not in (events.PRIYA, events.JONAS)]
        if unknown:
            raise Failure(422, "Reviews may only be requested from collaborators.")
        pull["requested"] = list(dict.fromkeys([*pull["requested"], *asked]))
        pull["updated"] = self._store.now()
        self._store.save()
        return Reply(201, self._shapes.full(name, pull))

    def _reply(self, pull: Pull, comment_id: str, body: dict[str, Json]) -> Reply:
        for thread in pull["threads"]:
            if str(thread["comments"][0]["id"]) == comment_id:
                now = self._store.now()
                comment = {
                    "id": self._store.new_id(),
                    "author": VIEWER,
                    "body": body["body"],
                    "at": now,
                    "review": None,
                }
                thread["comments"].append(comment)
                pull["updated"] = now
                self._store.save()
                return Reply(201, self._shapes.comment(thread, comment))
        raise Failure(404, "Not Found")

    def _issue_comments(self, method: str, pull: Pull, body: dict[str, Json]) -> Reply:
        if method == "GET":
            return Reply(200, pull["comments"])
        now = iso(self._store.now())
        comment = {
            "id": self._store.new_id(),
            "body": body["body"],
            "user": self._shapes.user(VIEWER),
            "created_at": now,
        }
        pull["comments"].append(comment)
        self._store.save()
        return Reply(201, comment)

    def _compare(self, name: str, base: str, head: str) -> Reply:
        counts = self._store.git(name, "rev-list", "--left-right", "--count", f"{base}...{head}", "--").split()
        if len(counts) != 2:
            raise Failure(404, "Not Found")
        behind, ahead = int(counts[0]), int(counts[1])
        status = "diverged" if ahead and behind else "ahead" if ahead else "behind" if behind else "identical"
        return Reply(200, {"status": status, "ahead_by": ahead, "behind_by": behind, "commits": [], "files": []})

    # -- checks

    def _runs(self, name: str, sha: str) -> list[events.CheckRun]:
        for pull in self._store.pulls.get(name, {}).values():
            events.advance(self._store, name, pull)
            if any(head["sha"] == sha for head in pull["heads"]):
                return events.check_runs(self._store, name, pull, sha)
        return []

    def _found(self, name: str, check: str) -> tuple[Pull, events.CheckRun]:
        found = events.find_check(self._store, name, int(check)) if check.isdigit() else None
        if found is None:
            raise Failure(404, "Not Found")
        return found

    def _job(self, name: str, job: str, what: str) -> Reply:
        pull, run = self._found(name, job)
        if run.status != "COMPLETED":
            raise Failure(404 if what == "logs" else 403, "Not Found" if what == "logs" else "The job is running")
        if what == "rerun":
            pull["reruns"][f"{run.sha}:{run.workflow} / {run.name}"] = self._store.now()
            self._store.save()
            return Reply(201, {})
        return Reply(302, None, {"Location": f"{self._url}/_logs/{name}/{job}?sig={signature(job)}"})


def signature(job: str) -> str:
    """What stands in a log's address instead of a token."""
    return f"{sum(job.encode()) * 7919:x}"
