"""What the stand-in's REST answers look like."""

from __future__ import annotations

from typing import Any

from posthog_code.demo.github import events
from posthog_code.demo.github.graph import iso, node_id
from posthog_code.demo.github.store import VIEWER, Pull, Store

Json = Any


class Shapes:
    def __init__(self, store: Store, url: str) -> None:
        self._store = store
        self._url = url

    def user(self, login: str) -> dict[str, Json]:
        return {"login": login, "id": sum(login.encode()), "type": "User", "html_url": f"{self._url}/{login}"}

    def repository(self, name: str) -> dict[str, Json]:
        owner, short = name.split("/")
        return {
            "id": sum(name.encode()),
            "node_id": f"R_{owner}.{short}",
            "name": short,
            "full_name": name,
            "owner": self.user(owner),
            "private": True,
            "fork": False,
            "archived": False,
            "html_url": f"{self._url}/{name}",
            "clone_url": f"{self._url}/{name}.git",
            "default_branch": self._store.default_branch(name),
            "allow_merge_commit": True,
            "allow_squash_merge": True,
            "allow_rebase_merge": False,
            "allow_auto_merge": False,
            "delete_branch_on_merge": False,
            "permissions": {"admin": True, "push": True, "pull": True},
        }

    def branches(self, name: str) -> list[dict[str, Json]]:
        lines = self._store.git(name, "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads")
        pairs = [line.split(" ") for line in lines.splitlines()]
        return [{"name": branch, "commit": {"sha": sha}, "protected": branch == "main"} for branch, sha in pairs]

    def short(self, name: str, pull: Pull) -> dict[str, Json]:
        owner = name.split("/")[0]
        repository = self.repository(name)
        base_sha = pull.get("base_sha") or self._store.sha(name, pull["base"])

        def end(branch: str, sha: str) -> dict[str, Json]:
            return {
                "label": f"{owner}:{branch}",
                "ref": branch,
                "sha": sha,
                "user": self.user(owner),
                "repo": repository,
            }

        return {
            "id": pull["number"] * 7919,
            "node_id": node_id(name, pull["number"]),
            "number": pull["number"],
            "state": pull["state"],
            "locked": False,
            "title": pull["title"],
            "body": pull["body"],
            "draft": pull["draft"],
            "user": self.user(pull["author"]),
            "html_url": f"{self._url}/{name}/pull/{pull['number']}",
            "url": f"{self._url}/api/v3/repos/{name}/pulls/{pull['number']}",
            "created_at": iso(pull["created"]),
            "updated_at": iso(pull["updated"]),
            "closed_at": iso(pull["closed_at"]),
            "merged_at": iso(pull["merged_at"]),
            "head": end(pull["head"], pull["heads"][-1]["sha"]),
            "base": end(pull["base"], base_sha),
            "requested_reviewers": [self.user(login) for login in pull["requested"]],
            "requested_teams": [],
            "labels": [],
            "author_association": "OWNER",
            "auto_merge": None,
        }

    def full(self, name: str, pull: Pull) -> dict[str, Json]:
        store, short = self._store, self.short(name, pull)
        base, head = short["base"]["sha"], short["head"]["sha"]
        files, added, removed = store.stat(name, base, head)
        known = events.mergeable(store, name, pull)
        return {
            **short,
            "merged": bool(pull["merged_at"]),
            "merged_by": self.user(VIEWER) if pull["merged_at"] else None,
            "mergeable": None if known == "UNKNOWN" else known == "MERGEABLE",
            "mergeable_state": events.merge_state(store, name, pull).lower(),
            "comments": len(pull["comments"]),
            "review_comments": sum(len(thread["comments"]) for thread in pull["threads"]),
            "commits": int(store.git(name, "rev-list", "--count", f"{base}..{head}") or 0),
            "additions": added,
            "deletions": removed,
            "changed_files": files,
            "maintainer_can_modify": False,
        }

    def files(self, name: str, pull: Pull) -> list[dict[str, Json]]:
        base = pull.get("base_sha") or self._store.sha(name, pull["base"])
        lines = self._store.git(name, "diff", "--name-status", "--no-renames", f"{base}...{pull['heads'][-1]['sha']}")
        words = {"A": "added", "D": "removed", "M": "modified"}
        pairs = [line.split("\t", 1) for line in lines.splitlines()]
        return [{"filename": path, "status": words.get(letter, "changed")} for letter, path in pairs]

    def review(self, review: dict[str, Json]) -> dict[str, Json]:
        return {
            "id": review["id"],
            "user": self.user(review["author"]),
            "state": review["state"],
            "body": "",
            "commit_id": review["sha"],
            "submitted_at": iso(review["at"]),
        }

    def comment(self, thread: dict[str, Json], comment: dict[str, Json]) -> dict[str, Json]:
        first = thread["comments"][0]["id"]
        return {
            "id": comment["id"],
            "in_reply_to_id": None if comment["id"] == first else first,
            "path": thread["path"],
            "line": thread["line"],
            "side": "RIGHT",
            "diff_hunk": thread["hunk"],
            "body": comment["body"],
            "user": self.user(comment["author"]),
            "created_at": iso(comment["at"]),
            "updated_at": iso(comment["at"]),
        }

    def check(self, name: str, run: events.CheckRun) -> dict[str, Json]:
        return {
            "id": run.id,
            "name": run.name,
            "head_sha": run.sha,
            "status": run.status.lower(),
            "conclusion": run.conclusion.lower() if run.conclusion else None,
            "started_at": iso(run.started),
            "completed_at": iso(run.ended) if run.conclusion else None,
            "details_url": f"{self._url}/{name}/actions/job/{run.id}",
            "app": {"slug": "github-actions", "name": "GitHub Actions"},
            "output": {"title": None, "summary": None, "annotations_count": 0},
        }
