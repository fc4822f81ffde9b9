"""What the changed code means in production: uses on changed lines, joined with what the product knows of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from posthog_code.domain.changed_lines import FileChange
from posthog_code.domain.code_signals import SignalRow
from posthog_code.domain.code_use import CodeUse, FileUses, UseKind
from posthog_code.domain.product import CodeError, EventFacts, Experiment, Flag, ProductFacts
from posthog_code.domain.product_state import (
    REMOVED,
    Standing,
    error_state,
    event_state,
    experiment_state,
    flag_state,
    missing_state,
    reference_time,
    removed_state,
)

ORDER = ("flag", "event", "experiment", "error")
ERRORS_SHOWN = 20
_TEST_FOLDERS = frozenset({"test", "tests", "__tests__", "spec", "specs", "e2e", "cypress", "__mocks__", "fixtures"})
_TOLD = frozenset({UseKind.EVENT, UseKind.FLAG})


@dataclass(frozen=True, slots=True)
class ChangedCode:
    """The changed files of a task, read on both sides."""

    changes: Mapping[str, FileChange]
    new: Mapping[str, FileUses]
    """By path on the new side."""
    old: Mapping[str, FileUses]
    """By path on the new side too: what the file was before."""


@dataclass(frozen=True, slots=True)
class Links:
    """Pages of the project."""

    flag: Callable[[Flag | str], str]
    event: Callable[[EventFacts], str]
    experiment: Callable[[Experiment], str]
    error: Callable[[str], str]


def is_test(path: str) -> bool:
    """Whether a file is a test: nothing of it happens in production."""
    place = PurePosixPath(path)
    if any(part.lower() in _TEST_FOLDERS for part in place.parts[:-1]):
        return True
    name = place.name.lower()
    stem = name.split(".", 1)[0]
    return (
        ".test." in name
        or ".spec." in name
        or ".stories." in name
        or stem.startswith("test_")
        or stem.endswith(("_test", "_spec"))
        or stem == "conftest"
    )


def uses_on_changed_lines(code: ChangedCode) -> tuple[CodeUse, ...]:
    """Uses of the new side that the task wrote or changed, in the order of path and line."""
    found = [
        use
        for path, uses in code.new.items()
        if not is_test(path) and (change := code.changes.get(path)) is not None
        for use in uses.uses
        if change.adds(use.line, use.end_line)
    ]
    return tuple(sorted(found, key=lambda use: (use.path, use.line)))


def uses_taken_out(code: ChangedCode) -> tuple[CodeUse, ...]:
    """Flags and events on removed lines of the old side that no changed file uses any more."""
    kept = {(use.kind, use.name) for uses in code.new.values() for use in uses.uses}
    found = [
        use
        for path, uses in code.old.items()
        if not is_test(path) and (change := code.changes.get(path)) is not None
        for use in uses.uses
        if use.kind in _TOLD
        and use.name
        and (use.kind, use.name) not in kept
        and change.removes(use.line, use.end_line)
    ]
    return tuple(sorted(found, key=lambda use: (use.path, use.line)))


def names_of(uses: Iterable[CodeUse], kind: UseKind) -> tuple[str, ...]:
    """Distinct literal names, in the order in which they come."""
    return tuple(dict.fromkeys(use.name for use in uses if use.kind is kind and use.name and not use.dynamic))


def join(
    code: ChangedCode, facts: ProductFacts | None, now: float, links: Links | None = None
) -> tuple[SignalRow, ...]:
    """The rows of *In the changed code*: flags, events, experiments, errors, each by path and line.

    `facts` is None while nobody is signed in, or the product has not answered: then rows tell what the code says and
    have no state. `now` is UNIX time in seconds."""
    rows = _Rows(code, facts, now, links)
    for uses, removed in ((uses_on_changed_lines(code), False), (uses_taken_out(code), True)):
        for group in _grouped(uses):
            rows.use(group, removed)
    rows.errors()
    return tuple(sorted(rows.found, key=lambda row: (ORDER.index(row.kind), row.removed, row.path, row.line, row.name)))


class _Rows:
    def __init__(self, code: ChangedCode, facts: ProductFacts | None, now: float, links: Links | None) -> None:
        self._code, self._facts, self._links = code, facts, links
        self._now = reference_time(now, facts) if facts is not None else now
        self._before = {(use.kind, use.name) for uses in code.old.values() for use in uses.uses}
        self._experiments: set[int] = set()
        self.found: list[SignalRow] = []

    def use(self, group: Sequence[CodeUse], removed: bool) -> None:
        """One flag or event in one file."""
        first = group[0]
        kind = "flag" if first.kind is UseKind.FLAG else "event"
        standing, url = self._flag(first) if kind == "flag" else self._event(first)
        if removed:
            standing = removed_state(kind, first.name, standing)
        self._add(kind, first.name, first.path, first.line, standing, url, group, removed)
        if kind == "flag" and not removed and self._facts is not None:
            experiment = self._facts.experiments.get(first.name)
            if experiment is not None and not experiment.archived and experiment.id not in self._experiments:
                self._experiments.add(experiment.id)
                page = self._links.experiment(experiment) if self._links else ""
                words = experiment_state(experiment, self._now)
                self._add("experiment", experiment.name or first.name, first.path, first.line, words, page)

    def errors(self) -> None:
        facts = self._facts
        # Production runs what the task started from.
        changes = {change.old_path: change for change in self._code.changes.values() if change.old_path}
        for error in facts.errors[:ERRORS_SHOWN] if facts is not None else ():
            change = changes.get(error.path)
            if change is None:
                continue
            line = change.new_line(error.line) if error.line else 1
            words = error_state(error, self._now, changed=bool(error.line) and _is_changed(change, error))
            page = error.url or (self._links.error(error.issue_id) if self._links and error.issue_id else "")
            self._add("error", error.name, change.path, line, words, page)

    def _flag(self, use: CodeUse) -> tuple[Standing, str]:
        facts = self._facts
        if facts is None or "flag" in facts.unknown:
            return Standing(), ""
        flag = facts.flags.get(use.name)
        if flag is None:
            page = self._links.flag(use.name) if self._links else ""
            elsewhere = facts.elsewhere.get(use.name, "")
            return missing_state("flag", use.name, new=self._is_new(use), elsewhere=elsewhere), page
        experiment = facts.experiments.get(use.name)
        if experiment is not None and experiment.archived:
            experiment = None
        return flag_state(flag, experiment, self._now), self._links.flag(flag) if self._links else ""

    def _event(self, use: CodeUse) -> tuple[Standing, str]:
        facts = self._facts
        if facts is None or "event" in facts.unknown or (event := facts.events.get(use.name)) is None:
            return Standing(), ""
        if not event.defined:
            return missing_state("event", use.name, new=self._is_new(use)), ""
        return event_state(event, partial=facts.partial), self._links.event(event) if self._links else ""

    def _is_new(self, use: CodeUse) -> bool:
        return (use.kind, use.name) not in self._before

    def _add(
        self,
        kind: str,
        name: str,
        path: str,
        line: int,
        standing: Standing,
        url: str,
        group: Sequence[CodeUse] = (),
        removed: bool = False,
    ) -> None:
        row = SignalRow(
            kind=kind,
            name=name,
            path=path,
            line=line,
            figure=standing.figure,
            state=standing.state or (REMOVED if removed else ""),
            tone=standing.tone,
            detail=" · ".join(filter(None, (standing.detail, _in_code(group)))),
            url=url,
            removed=removed,
            ask=standing.ask,
        )
        self.found.append(row)


def _grouped(uses: Iterable[CodeUse]) -> list[list[CodeUse]]:
    """Uses with a name that a row can have, together by kind, name and file."""
    groups: dict[tuple[UseKind, str, str], list[CodeUse]] = {}
    for use in uses:
        if use.kind in _TOLD and use.name and not use.dynamic:
            groups.setdefault((use.kind, use.name, use.path), []).append(use)
    return list(groups.values())


def _in_code(group: Sequence[CodeUse]) -> str:
    """What the code says that the row does not: variants, properties, wrappers, further lines."""
    parts = []
    variants = tuple(dict.fromkeys(use.variant for use in group if use.variant))
    if variants:
        parts.append("compared with " + ", ".join(variants))
    properties = tuple(dict.fromkeys(name for use in group for name in use.properties))
    if properties:
        parts.append("properties " + ", ".join(properties[:8]) + (" …" if len(properties) > 8 else ""))
    via = next((use.via for use in group if use.via), "")
    if via:
        parts.append(f"through {via}")
    lines = sorted({use.line for use in group})[1:]
    if lines:
        parts.append(f"also line{'s' if len(lines) > 1 else ''} " + ", ".join(map(str, lines[:8])))
    return " · ".join(parts)


def _is_changed(change: FileChange, error: CodeError) -> bool:
    return change.removes(error.line) or change.adds(change.new_line(error.line))
