"""Cloud tasks beside local ones: which repository they belong to, what they are doing, which of them to show."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from urllib.parse import unquote, urlsplit

from posthog_code.domain.cloud import NOT_STARTED, TERMINAL, CloudTask, CloudUser
from posthog_code.domain.ids import RepositoryId
from posthog_code.domain.session import SessionPhase
from posthog_code.domain.task import Repository

_SCP = re.compile(r"^(?:[^@/\s]+@)?(\[[^\]]+\]|[^:/\s]+):(?!//)(.+)$")
_GITHUB = frozenset({"github.com", "www.github.com", "ssh.github.com"})
_SIGNALS = frozenset({"signal_report", "signals_scout", "signals_chat", "error_tracking", "eval_clusters"})


class CloudFilter(StrEnum):
    ALL = "all"
    MINE = "mine"
    TEAM = "team"
    UNASSIGNED = "unassigned"
    SIGNALS = "signals"


class CloudWord(StrEnum):
    """What a cloud task is doing, in the order in which a person wants to know of it."""

    WAITING = "waiting"
    FAILED = "failed"
    WORKING = "working"
    READY = "ready"
    """The run is up and waits for the next message."""
    STARTING = "starting"
    LOCAL = "local"
    """Its agent runs on somebody's machine."""
    DONE = "done"
    CANCELLED = "cancelled"
    NEW = "new"
    """It never ran."""
    UNKNOWN = "unknown"


def remote_name(url: str) -> tuple[str, str]:
    """Host and `owner/name` of a git remote, in lower case, of any form (https, ssh, git, scp-like); two empty words
    for a path on this machine."""
    url = url.strip()
    if "://" in url:
        try:
            parts = urlsplit(url)
            host, path = parts.hostname or "", unquote(parts.path)
        except ValueError:
            return "", ""
        if parts.scheme == "file":
            return "", ""
    elif (match := _SCP.match(url)) and not re.match(r"^[A-Za-z]:[\\/]", url):
        host, path = match[1], match[2]
    else:
        return "", ""
    path = path.strip().strip("/")
    path = path[:-4] if path.lower().endswith(".git") else path
    path = re.sub(r"/{2,}", "/", path).strip("/").lower()
    return (host.lower(), path) if host and "/" in path else ("", "")


def without_credentials(url: str) -> str:
    """A git remote as others may see it: people keep tokens in theirs. "" when it cannot be told apart."""
    if not url.lower().startswith(("http://", "https://")):
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def local_repository(repository: str, known: Iterable[Repository]) -> RepositoryId | None:
    """The local repository whose remote is a cloud task's `owner/name`. One on github.com goes before one elsewhere."""
    wanted = repository.strip().strip("/").lower().removesuffix(".git")
    if "/" not in wanted:
        return None
    other: RepositoryId | None = None
    for one in known:
        host, name = remote_name(one.remote_url)
        if name != wanted:
            continue
        if host in _GITHUB:
            return one.id
        other = other or one.id
    return other


def matches(task: CloudTask, which: CloudFilter, me: CloudUser) -> bool:
    if which is CloudFilter.ALL:
        return True
    if which is CloudFilter.MINE:
        return is_mine(task, me)
    if which is CloudFilter.TEAM:
        return has_creator(task) and not is_mine(task, me)
    if which is CloudFilter.UNASSIGNED:
        return not has_creator(task)
    return task.origin in _SIGNALS or bool(task.report_id)


def is_mine(task: CloudTask, me: CloudUser) -> bool:
    creator = task.creator
    return bool((me.id and creator.id == me.id) or (me.uuid and creator.uuid == me.uuid))


def has_creator(task: CloudTask) -> bool:
    return bool(task.creator.id or task.creator.uuid or task.creator.email)


def shown(tasks: Mapping[str, CloudTask], which: CloudFilter, me: CloudUser, words: str = "") -> list[CloudTask]:
    """The tasks that a filter and a search leave, newest activity first. All words must be somewhere in it."""
    wanted = words.lower().split()
    found = [
        task
        for task in tasks.values()
        if not task.archived and not task.internal and matches(task, which, me) and _has(task, wanted)
    ]
    return sorted(found, key=lambda task: (task.updated_at, task.id), reverse=True)


def _has(task: CloudTask, wanted: list[str]) -> bool:
    if not wanted:
        return True
    run = task.run
    text = " ".join(
        (
            task.title,
            task.slug,
            task.repository,
            task.description,
            task.creator.name,
            task.creator.email,
            run.branch if run else "",
        )
    ).lower()
    return all(word in text for word in wanted)


def by_repository(tasks: Iterable[CloudTask], known: Iterable[Repository]) -> dict[RepositoryId | str, list[CloudTask]]:
    """Grouped by local repository where there is one, else by `owner/name` ("" for none), in the given order."""
    repositories = tuple(known)
    found: dict[RepositoryId | str, list[CloudTask]] = {}
    keys: dict[str, RepositoryId | str] = {}
    for task in tasks:
        if task.repository not in keys:
            keys[task.repository] = local_repository(task.repository, repositories) or task.repository
        found.setdefault(keys[task.repository], []).append(task)
    return found


def word(task: CloudTask, phase: SessionPhase | None = None) -> CloudWord:
    """What the task is doing. `phase` is that of its watched session, which knows more than the list does: it is
    believed over "in progress", but never over a run that has ended."""
    run = task.run
    if run is None:
        return CloudWord.NEW
    if run.status == "failed":
        return CloudWord.FAILED
    if run.status == "cancelled":
        return CloudWord.CANCELLED
    if run.status == "completed":
        return CloudWord.DONE
    if phase is SessionPhase.WAITING or (task.waiting and phase is None):
        return CloudWord.WAITING
    if run.environment == "local":
        return CloudWord.LOCAL
    if run.status in NOT_STARTED:
        return CloudWord.STARTING
    if run.status != "in_progress":
        return CloudWord.UNKNOWN
    if phase is SessionPhase.READY:
        return CloudWord.READY
    return CloudWord.STARTING if phase is SessionPhase.STARTING else CloudWord.WORKING


def goes_on(task: CloudTask) -> bool:
    """Whether its agent is at work in the cloud."""
    return task.run is not None and task.run.status == "in_progress" and task.run.environment != "local"


def mark(task: CloudTask) -> str:
    """What is news about a task: another run, its end, its pull request."""
    run = task.run
    if run is None:
        return "-"
    return f"{run.id} {run.status if run.status in TERMINAL else 'open'} {run.pr_url}".strip()


def is_unread(task: CloudTask) -> bool:
    return task.seen != mark(task)


def merged(
    old: Mapping[str, CloudTask], fetched: Iterable[CloudTask], me: CloudUser, first: bool
) -> dict[str, CloudTask]:
    """The new list with what the person has seen carried over.

    Of the `first` list everything counts as seen, and so does what the person made; any other new task is unread.
    Tasks that are not in the new list are gone.
    """
    from dataclasses import replace

    found: dict[str, CloudTask] = {}
    for task in fetched:
        before = old.get(task.id)
        if before is not None:
            kept = before.seen
            # The list may be older than what the stream told of a run.
            if before.run is not None and task.run is not None and before.run.id == task.run.id:
                newer = before.run.updated_at > task.run.updated_at
                task = replace(task, run=before.run) if newer else task
            task = replace(task, seen=kept, waiting=before.waiting)
        else:
            task = replace(task, seen=mark(task) if first or is_mine(task, me) else "")
        found[task.id] = before if before == task and before is not None else task
    return found
