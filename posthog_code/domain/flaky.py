"""Tests that failed and passed without a change to them, as conversations tell it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

from posthog_code.domain.ids import RepositoryId, TaskId
from posthog_code.domain.redact import redact
from posthog_code.domain.test_results import TestRun, is_test_command, parts_of, read_run
from posthog_code.domain.text import one_line, plural
from posthog_code.domain.transcript import Item, ToolCall

ENOUGH = 3
"""Tasks in which a test must have been seen before it is told."""
_WRITES = ("edit", "delete", "move")
_HARMLESS = re.compile(
    r"^\s*(cd|ls|cat|head|tail|less|grep|rg|ag|find|fd|pwd|echo|sleep|true|wc|which|env|date|sort|uniq|diff|time|tree|"
    r"git\s+(status|diff|log|show|blame|branch|rev-parse|ls-files))\b(?!.*(\s-delete\b|\s-exec\b))"
)
_NOWHERE = re.compile(r"[12&]?>>?\s*(&[12]|/dev/null)")
"""Redirections that write no file."""
_SCRIPT = re.compile(r"\s*((npm|pnpm|yarn|bun)(\s+run)?\s+test\S*|make\s+\S*test\S*)(\s+[\w./:=-]+)*\s*")
_UPDATES = re.compile(r"--(snapshot-)?update|\s-u(\s|$)|--fix\b")
"""Options with which a test run writes files."""
_WORDS = (".md", ".mdx", ".txt", ".rst", ".log")
"""Files whose change changes no test."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One test that failed and passed in one task, with nothing changed between."""

    test: str
    framework: str
    task_id: TaskId
    failed_at: float
    passed_at: float
    failed_turn: int = 0
    passed_turn: int = 0
    reason: str = ""
    """The first line of why it failed, as far as the runner tells."""


@dataclass(frozen=True, slots=True)
class FlakyTest:
    id: str
    """Stable for a test of a repository."""
    test: str
    framework: str
    repository: str
    """`owner/name`, or the repository's name here."""
    sightings: tuple[Sighting, ...]
    """Oldest first."""

    @property
    def tasks(self) -> tuple[TaskId, ...]:
        return tuple(dict.fromkeys(one.task_id for one in self.sightings))


@dataclass(slots=True)
class _Open:
    """A test that failed, as long as nothing that it depends on is changed."""

    at: float
    turn: int
    command: str
    framework: str
    reason: str


@dataclass(slots=True)
class _Reading:
    task_id: TaskId
    open: dict[str, _Open] = field(default_factory=dict)
    found: dict[str, Sighting] = field(default_factory=dict)

    def ran(self, call: ToolCall, run: TestRun) -> None:
        command = " ".join(call.command.split())
        for test, failed in tuple(self.open.items()):
            if run.framework == failed.framework and run.passes(test, command == failed.command):
                sighting = Sighting(
                    test, failed.framework, self.task_id, failed.at, call.at, failed.turn, call.turn, failed.reason
                )
                self.found.setdefault(test, sighting)
                del self.open[test]
        for test, reason in run.failed.items():
            self.open.setdefault(test, _Open(call.at, call.turn, command, run.framework, reason))


def sightings(task_id: TaskId, items: Iterable[Item]) -> tuple[Sighting, ...]:
    """From the rows of one conversation, each test once.

    Anything that may have changed files ends what was open: an edit, or a command that is neither known to be harmless
    nor a test run. What a person changed between two turns no row tells: `failed_turn` and `passed_turn` say where to
    look.
    """
    reading = _Reading(task_id)
    for item in items:
        if not isinstance(item, ToolCall):
            continue
        if item.kind in _WRITES or item.diffs:
            if _changes_code(item):
                reading.open.clear()
        elif item.command:
            _command(reading, item)
    return tuple(reading.found.values())


def _changes_code(call: ToolCall) -> bool:
    paths = [*call.paths, *(diff.path for diff in call.diffs)]
    return not paths or not all(path.lower().endswith(_WORDS) for path in paths)


def _command(reading: _Reading, call: ToolCall) -> None:
    run = read_run(call.command, call.output) if call.output else None
    only_tests = _only_tests(call.command)
    if run is None:
        if not only_tests and not _is_harmless(call.command):
            reading.open.clear()
        return
    if not only_tests and not _is_script(call.command):
        # What else the line did may have repaired the test (or broken it): the result counts from here on only.
        reading.open.clear()
    reading.ran(call, run)


def _only_tests(command: str) -> bool:
    """Every part of the line is a test run or harmless, and nothing is written."""
    if ">" in _NOWHERE.sub("", command) or _UPDATES.search(command):
        return False
    parts = parts_of(command)
    return any(map(is_test_command, parts)) and all(is_test_command(part) or _HARMLESS.match(part) for part in parts)


def _is_harmless(command: str) -> bool:
    return ">" not in _NOWHERE.sub("", command) and all(_HARMLESS.match(part) for part in parts_of(command))


def _is_script(command: str) -> bool:
    """The project's own way to run its tests, and nothing beside it."""
    return all(_SCRIPT.fullmatch(part) or _HARMLESS.match(part) for part in parts_of(command))


def gathered(repositories: Iterable[tuple[RepositoryId, str, Iterable[Sighting]]]) -> tuple[FlakyTest, ...]:
    """(repository, its name, sightings in its tasks) as tests, the ones seen in most tasks first."""
    found = []
    for repository_id, name, seen in repositories:
        by_test: dict[tuple[str, str], list[Sighting]] = {}
        for one in seen:
            by_test.setdefault((one.framework, one.test), []).append(one)
        for (framework, test), ones in by_test.items():
            ordered = tuple(sorted(ones, key=lambda one: one.failed_at))
            found.append(FlakyTest(_id(repository_id, framework, test), test, framework, name, ordered))
    return tuple(sorted(found, key=lambda one: (-len(one.tasks), -one.sightings[-1].passed_at, one.test)))


def _id(repository_id: RepositoryId, framework: str, test: str) -> str:
    return blake2b(f"{repository_id}\n{framework}\n{test}".encode(errors="replace"), digest_size=6).hexdigest()


def flaky_fingerprint(test: FlakyTest, project_id: int) -> str:
    """The same wherever the program runs: it hangs on the repository's name, not on this machine's id of it."""
    digest = blake2b(f"{test.framework}\n{test.test}".encode(errors="replace"), digest_size=8).hexdigest()
    return f"flaky:{project_id}:{test.repository}:{digest}"


def flaky_title(test: FlakyTest) -> str:
    return f"Flaky test: {one_line(test.test, 160)}"


def flaky_text(test: FlakyTest) -> str:
    """Markdown."""
    reasons = list(dict.fromkeys(one.reason for one in test.sightings if one.reason))[:3]
    lines = [
        f"The test `{test.test}` of {test.repository} ({test.framework}) failed and passed without a change to the "
        f"code between, in {plural(len(test.tasks), 'task')}.",
        # What a test prints may be anything, and this leaves the machine.
        *(f"- It failed with: {one_line(redact(reason), 300)}" for reason in reasons),
    ]
    return "\n".join(lines)
