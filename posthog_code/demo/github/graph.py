"""GitHub's GraphQL objects over the store, as far as a client of pull requests asks for them."""

from __future__ import annotations

import time
from typing import Any

from posthog_code.demo.github import events
from posthog_code.demo.github.query import FieldError, Object
from posthog_code.demo.github.store import VIEWER, Pull, Store

Json = Any
POINTS = 5_000
DEPLOY_SECONDS = 90.0
"""Scripted seconds between a merge and its deployment."""


def iso(at: float | None) -> str | None:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) if at else None


def node_id(name: str, number: int) -> str:
    return f"PR_{name.replace('/', '.')}.{number}"


def connection(typename: str, items: list[Json], **arguments: Json) -> Object:
    """A page of `items`; cursors are positions."""
    after = int(arguments.get("after") or 0)
    first = arguments.get("first") or arguments.get("last")
    if first is None:
        raise FieldError("MISSING_PAGINATION_BOUNDARIES", f"You must provide a `first` or `last` value on {typename}.")
    if not 0 < int(first) <= 100:
        raise FieldError("EXCESSIVE_PAGINATION", f"Requesting {first} records on {typename} exceeds the limit of 100.")
    page = items[after : after + int(first)] if arguments.get("last") is None else items[-int(first) :]
    end = after + len(page)
    info = Object(
        "PageInfo",
        {
            "hasNextPage": end < len(items),
            "hasPreviousPage": after > 0,
            "endCursor": str(end) if page else None,
            "startCursor": str(after) if page else None,
        },
    )
    return Object(f"{typename}Connection", {"totalCount": len(items), "pageInfo": info, "nodes": page})


class Graph:
    def __init__(self, store: Store, url: str) -> None:
        self._store = store
        self._url = url

    def root(self, kind: str) -> Object:
        """The object that a query or a mutation starts from."""
        if kind == "mutation":
            return Object(
                "Mutation",
                {
                    "addPullRequestReviewThreadReply": self._reply,
                    "resolveReviewThread": lambda input: self._resolve(input, True),
                    "unresolveReviewThread": lambda input: self._resolve(input, False),
                    "markPullRequestReadyForReview": lambda input: self._draft(input, False),
                    "convertPullRequestToDraft": lambda input: self._draft(input, True),
                },
            )
        limit = {"limit": POINTS, "cost": 1, "remaining": POINTS - 11, "used": 11, "resetAt": iso(time.time() + 3_000)}
        return Object(
            "Query",
            {
                "rateLimit": Object("RateLimit", limit),
                "viewer": self._user(VIEWER),
                "repository": self._repository_named,
                "node": lambda id: self._node(id),
                "nodes": lambda ids: [self._node(one, lenient=True) for one in ids],
                "__type": lambda name: None,
            },
        )

    # -- lookup

    def _node(self, node: str, lenient: bool = False) -> Object | None:
        found = self._find(node)
        if found is None:
            if lenient:
                return None
            raise FieldError("NOT_FOUND", f"Could not resolve to a node with the global id of '{node}'")
        return self.pull_request(*found)

    def _find(self, node: str) -> tuple[str, Pull] | None:
        for name, pulls in self._store.pulls.items():
            for pull in pulls.values():
                if node_id(name, pull["number"]) == node:
                    return name, pull
        return None

    def _thread(self, thread_id: str) -> tuple[str, Pull, dict[str, Json]]:
        for name, pulls in self._store.pulls.items():
            for pull in pulls.values():
                for thread in pull["threads"]:
                    if thread["id"] == thread_id:
                        return name, pull, thread
        raise FieldError("NOT_FOUND", f"Could not resolve to a node with the global id of '{thread_id}'")

    def _repository_named(self, owner: str, name: str, followRenames: bool = True) -> Object:
        full = f"{owner}/{name}"
        if self._store.bare(full) is None:
            raise FieldError("NOT_FOUND", f"Could not resolve to a Repository with the name '{full}'.")
        return self.repository(full)

    # -- mutations

    def _reply(self, input: dict[str, Json]) -> Object:
        name, pull, thread = self._thread(input["pullRequestReviewThreadId"])
        now = self._store.now()
        comment = {"id": self._store.new_id(), "author": VIEWER, "body": input["body"], "at": now, "review": None}
        thread["comments"].append(comment)
        pull["updated"] = now
        self._store.save()
        return Object("AddPullRequestReviewThreadReplyPayload", {"comment": self._comment(name, pull, thread, comment)})

    def _resolve(self, input: dict[str, Json], on: bool) -> Object:
        name, pull, thread = self._thread(input["threadId"])
        thread["resolved_by"] = VIEWER if on else ""
        pull["updated"] = self._store.now()
        self._store.save()
        return Object("ResolveReviewThreadPayload", {"thread": self._thread_object(name, pull, thread)})

    def _draft(self, input: dict[str, Json], on: bool) -> Object:
        found = self._find(input["pullRequestId"])
        if found is None:
            raise FieldError("NOT_FOUND", "Could not resolve to a PullRequest")
        found[1]["draft"] = on
        found[1]["updated"] = self._store.now()
        self._store.save()
        return Object("PullRequestPayload", {"pullRequest": self.pull_request(*found)})

    # -- objects

    def _user(self, login: str) -> Object:
        fields = {"login": login, "id": f"U_{login}", "url": f"{self._url}/{login}", "avatarUrl": ""}
        return Object("User", fields, ("Actor", "Node", "RequestedReviewer"))

    def repository(self, full: str) -> Object:
        owner, name = full.split("/")
        default = self._store.default_branch(full)
        template = self._store.git(full, "show", f"{default}:.github/pull_request_template.md")
        templates = [Object("PullRequestTemplate", {"filename": "pull_request_template.md", "body": template})]
        return Object(
            "Repository",
            {
                "id": f"R_{owner}.{name}",
                "name": name,
                "nameWithOwner": full,
                "owner": self._user(owner),
                "url": f"{self._url}/{full}",
                "isPrivate": True,
                "isFork": False,
                "isArchived": False,
                "viewerPermission": "ADMIN",
                "defaultBranchRef": Object("Ref", {"name": default}),
                "parent": None,
                "mergeCommitAllowed": True,
                "squashMergeAllowed": True,
                "rebaseMergeAllowed": False,
                "viewerDefaultMergeMethod": "SQUASH",
                "autoMergeAllowed": False,
                "deleteBranchOnMerge": False,
                "allowUpdateBranch": True,
                "pullRequestTemplates": templates if template else [],
                "pullRequest": lambda number: self._numbered(full, number),
                "pullRequests": lambda **asked: self._pull_requests(full, **asked),
                "deployments": lambda **asked: connection("Deployment", self._deployments(full), **asked),
                "releases": lambda **asked: connection("Release", [], **asked),
            },
            ("Node",),
        )

    def _deployments(self, full: str) -> list[Object]:
        """What is merged goes to production by itself, newest first."""
        found = []
        merged = [pull for pull in self._store.pulls.get(full, {}).values() if pull["merged_at"]]
        for pull in sorted(merged, key=lambda pull: -pull["merged_at"]):
            done = self._store.passed(pull["merged_at"]) > DEPLOY_SECONDS
            at = pull["merged_at"] + (DEPLOY_SECONDS * self._store.pace if done else 0)
            status = {"state": "SUCCESS" if done else "IN_PROGRESS", "createdAt": iso(at)}
            fields = {
                "commitOid": pull["merge_sha"],
                "environment": "production",
                "createdAt": iso(pull["merged_at"]),
                "latestStatus": Object("DeploymentStatus", status),
            }
            found.append(Object("Deployment", fields, ("Node",)))
        return found

    def _numbered(self, full: str, number: int) -> Object:
        pull = self._store.pull(full, number)
        if pull is None:
            raise FieldError("NOT_FOUND", f"Could not resolve to a PullRequest with the number of {number}.")
        return self.pull_request(full, pull)

    def _pull_requests(self, full: str, **asked: Json) -> Object:
        pulls = list(self._store.pulls.get(full, {}).values())
        if asked.get("headRefName"):
            pulls = [pull for pull in pulls if pull["head"] == asked["headRefName"]]
        if asked.get("states"):
            states = [asked["states"]] if isinstance(asked["states"], str) else asked["states"]
            pulls = [pull for pull in pulls if _state(pull) in states]
        for pull in pulls:
            events.advance(self._store, full, pull)
        pulls.sort(key=lambda pull: -pull["updated"])
        return connection("PullRequest", [self.pull_request(full, pull) for pull in pulls], **asked)

    def pull_request(self, full: str, pull: Pull) -> Object:
        store = self._store
        events.advance(store, full, pull)
        head, base_sha = pull["heads"][-1]["sha"], store.sha(full, pull["base"])
        base = pull.get("base_sha") or base_sha
        repository, is_open = self.repository(full), pull["state"] == "open"
        files, added, removed = store.stat(full, base, head)
        commits = int(store.git(full, "rev-list", "--count", f"{base}..{head}") or 0)
        requests = [Object("ReviewRequest", {"requestedReviewer": self._user(login)}) for login in pull["requested"]]
        reviews = [self._review(review) for review in pull["reviews"]]
        latest = [self._review(review) for review in events.latest_reviews(pull)]
        threads = [self._thread_object(full, pull, thread) for thread in pull["threads"]]
        decision = events.review_decision(pull) if is_open or pull["reviews"] else None
        return Object(
            "PullRequest",
            {
                "id": node_id(full, pull["number"]),
                "number": pull["number"],
                "fullDatabaseId": str(pull["number"] * 7919),
                "locked": False,
                "title": pull["title"],
                "body": pull["body"],
                "url": f"{self._url}/{full}/pull/{pull['number']}",
                "state": _state(pull),
                "isDraft": pull["draft"],
                "merged": bool(pull["merged_at"]),
                "createdAt": iso(pull["created"]),
                "updatedAt": iso(pull["updated"]),
                "mergedAt": iso(pull["merged_at"]),
                "closedAt": iso(pull["closed_at"]),
                "headRefName": pull["head"],
                "headRefOid": head,
                "baseRefName": pull["base"],
                "baseRefOid": base,
                "isCrossRepository": False,
                "headRepository": repository,
                "headRepositoryOwner": self._user(full.split("/")[0]),
                "mergeable": events.mergeable(store, full, pull),
                "mergeStateStatus": events.merge_state(store, full, pull),
                "reviewDecision": decision,
                "isInMergeQueue": False,
                "isMergeQueueEnabled": False,
                "mergeQueueEntry": None,
                "autoMergeRequest": None,
                "additions": added,
                "deletions": removed,
                "changedFiles": files,
                "totalCommentsCount": len(pull["comments"]) + sum(len(one["comments"]) for one in pull["threads"]),
                "commits": lambda **asked: connection("PullRequestCommit", [None] * commits, **{"first": 1, **asked}),
                "author": self._user(pull["author"]),
                "reviewRequests": lambda **asked: connection("ReviewRequest", requests, **asked),
                "latestReviews": lambda **asked: connection("PullRequestReview", latest, **asked),
                "reviews": lambda **asked: connection("PullRequestReview", reviews, **asked),
                "reviewThreads": lambda **asked: connection("PullRequestReviewThread", threads, **asked),
                "statusCheckRollup": self._rollup(full, pull),
                "mergeCommit": Object("Commit", {"oid": pull["merge_sha"]}) if pull["merge_sha"] else None,
                "repository": repository,
                "viewerDidAuthor": pull["author"] == VIEWER,
                "viewerCanUpdate": True,
                "viewerCanUpdateBranch": is_open,
                "viewerCanEnableAutoMerge": False,
                "viewerCanMergeAsAdmin": is_open,
                "viewerCanDeleteHeadRef": True,
            },
            ("Node",),
        )

    def _rollup(self, full: str, pull: Pull) -> Object:
        runs = events.check_runs(self._store, full, pull)
        failed = any(run.conclusion == "FAILURE" for run in runs)
        done = all(run.status == "COMPLETED" for run in runs)
        state = "FAILURE" if failed else "SUCCESS" if done else "PENDING"
        contexts = [self._check_run(full, pull, run) for run in runs] + [self._preview(full, pull)]
        return Object(
            "StatusCheckRollup",
            {"state": state, "contexts": lambda **asked: connection("StatusCheckRollupContext", contexts, **asked)},
        )

    def _check_run(self, full: str, pull: Pull, run: events.CheckRun) -> Object:
        suite_run = pull["number"] * 1_000_003 + sum(run.workflow.encode())
        workflow = Object(
            "WorkflowRun",
            {"databaseId": suite_run, "event": "pull_request", "workflow": Object("Workflow", {"name": run.workflow})},
        )
        app = Object("App", {"slug": "github-actions", "name": "GitHub Actions"})
        begun = run.status != "QUEUED"
        return Object(
            "CheckRun",
            {
                "id": f"CR_{run.id}",
                "databaseId": run.id,
                "name": run.name,
                "status": run.status,
                "conclusion": run.conclusion,
                "startedAt": iso(run.started) if begun else None,
                "completedAt": iso(run.ended) if run.conclusion else None,
                "detailsUrl": f"{self._url}/{full}/actions/runs/{suite_run}/job/{run.id}",
                "title": "1 of 6 tests failed" if run.conclusion == "FAILURE" else None,
                "summary": None,
                "isRequired": lambda **asked: run.required,
                "checkSuite": Object("CheckSuite", {"app": app, "workflowRun": workflow}),
            },
            ("Node", "RequirableByPullRequest"),
        )

    def _preview(self, full: str, pull: Pull) -> Object:
        head = pull["heads"][-1]
        done = self._store.passed(head["at"]) > 5
        return Object(
            "StatusContext",
            {
                "context": "preview / deploy",
                "state": "SUCCESS" if done else "PENDING",
                "description": "Preview is ready" if done else "Building the preview",
                "targetUrl": f"{self._url}/{full}/preview/{head['sha'][:7]}",
                "createdAt": iso(head["at"]),
                "isRequired": lambda **asked: False,
            },
            ("Node", "RequirableByPullRequest"),
        )

    def _review(self, review: dict[str, Json]) -> Object:
        return Object(
            "PullRequestReview",
            {
                "id": f"PRR_{review['id']}",
                "fullDatabaseId": str(review["id"]),
                "state": review["state"],
                "body": "",
                "submittedAt": iso(review["at"]),
                "author": self._user(review["author"]),
                "authorCanPushToRepository": True,
            },
            ("Node",),
        )

    def _thread_object(self, full: str, pull: Pull, thread: dict[str, Json]) -> Object:
        outdated = events.is_outdated(self._store, full, pull, thread)
        comments = [self._comment(full, pull, thread, comment) for comment in thread["comments"]]
        resolved = thread["resolved_by"]
        return Object(
            "PullRequestReviewThread",
            {
                "id": thread["id"],
                "isResolved": bool(resolved),
                "isOutdated": outdated,
                "isCollapsed": outdated or bool(resolved),
                "subjectType": "LINE",
                "path": thread["path"],
                "diffSide": "RIGHT",
                "line": None if outdated else thread["line"],
                "startLine": None,
                "originalLine": thread["line"],
                "originalStartLine": None,
                "viewerCanReply": True,
                "viewerCanResolve": not resolved,
                "viewerCanUnresolve": bool(resolved),
                "resolvedBy": self._user(resolved) if resolved else None,
                "comments": lambda **asked: connection("PullRequestReviewComment", comments, **asked),
            },
            ("Node",),
        )

    def _comment(self, full: str, pull: Pull, thread: dict[str, Json], comment: dict[str, Json]) -> Object:
        review = {"fullDatabaseId": str(comment["review"] or comment["id"]), "state": "COMMENTED"}
        return Object(
            "PullRequestReviewComment",
            {
                "id": f"PRRC_{comment['id']}",
                "fullDatabaseId": str(comment["id"]),
                "url": f"{self._url}/{full}/pull/{pull['number']}#discussion_r{comment['id']}",
                "body": comment["body"],
                "diffHunk": thread["hunk"],
                "path": thread["path"],
                "createdAt": iso(comment["at"]),
                "updatedAt": iso(comment["at"]),
                "isMinimized": False,
                "state": "SUBMITTED",
                "author": self._user(comment["author"]),
                "authorAssociation": "OWNER" if comment["author"] == VIEWER else "MEMBER",
                "viewerDidAuthor": comment["author"] == VIEWER,
                "originalCommit": Object("Commit", {"oid": thread["sha"]}),
                "pullRequestReview": Object("PullRequestReview", review),
            },
            ("Node", "Comment"),
        )


def _state(pull: Pull) -> str:
    return "MERGED" if pull["merged_at"] else "OPEN" if pull["state"] == "open" else "CLOSED"
