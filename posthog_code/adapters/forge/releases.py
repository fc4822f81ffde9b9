"""Whether a merged change is out: deployments and releases that contain its commit."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from posthog_code.adapters.forge.reading import seconds
from posthog_code.ports.forge import Landing

Contains = Callable[[str, str], Awaitable[bool]]
"""Whether the second one (a commit or a tag) has the first commit in its history."""
COMPARED = 4
"""Commits and tags that are compared at one look."""
_DONE = frozenset({"SUCCESS", "INACTIVE"})
"""A deployment that a newer one took over from is inactive: it was there."""
_PRODUCTION = re.compile(r"prod|live", re.I)
_REHEARSAL = re.compile(r"preview|staging|stage|review|dev|test|qa|sandbox|pages|\bpr[-_ ]?\d", re.I)


async def landing(data: Mapping[str, Any], contains: Contains) -> Landing:
    """From the answer to `Landing`; parts that the token may not see are missing from it."""
    node = _mapping(data.get("node"))
    repository = _mapping(data.get("repository"))
    commit = str(_mapping(node.get("mergeCommit")).get("oid") or "")
    merged_at = seconds(node.get("mergedAt"))
    deployed = list(_deployments(repository))
    released = list(_releases(repository))
    candidates = [(at, name, "deployment") for at, name in deployed] + [(at, name, "tag") for at, name in released]
    known = Landing(commit, merged_at, deploys=bool(deployed or released))
    if not commit:
        return known
    answers: dict[str, bool] = {commit: True}
    # The first one after the merge: what came later contains it as well.
    for at, name, kind in sorted(one for one in candidates if one[0] >= merged_at):
        if name not in answers:
            if len(answers) > COMPARED:
                break
            answers[name] = await contains(commit, name)
        if answers[name]:
            return Landing(commit, merged_at, at, kind, True)
    return known


def _deployments(repository: Mapping[str, Any]) -> Iterator[tuple[float, str]]:
    """(time, commit) of what went to production; where nothing is called so, to whatever is no rehearsal."""
    nodes = list(_nodes(repository, "deployments"))
    names = {str(node.get("environment") or "") for node in nodes}
    production = {name for name in names if _PRODUCTION.search(name)}
    wanted = production or {name for name in names if not _REHEARSAL.search(name)}
    for node in nodes:
        status = _mapping(node.get("latestStatus"))
        state = str(status.get("state") or "")
        if node.get("environment") in wanted and state in _DONE and node.get("commitOid"):
            at = seconds(status.get("createdAt")) if state == "SUCCESS" else seconds(node.get("createdAt"))
            yield at, str(node["commitOid"])


def _releases(repository: Mapping[str, Any]) -> Iterator[tuple[float, str]]:
    for node in _nodes(repository, "releases"):
        at = seconds(node.get("publishedAt"))
        if at and node.get("tagName") and not node.get("isDraft") and not node.get("isPrerelease"):
            yield at, str(node["tagName"])


def _nodes(parent: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    nodes = _mapping(parent.get(name)).get("nodes")
    yield from (node for node in (nodes if isinstance(nodes, list) else ()) if isinstance(node, Mapping))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
