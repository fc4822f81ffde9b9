"""Which changed entry points should tell the product something, and whether they do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from posthog_code.domain.changed_lines import FileChange, Lines
from posthog_code.domain.code_calls import sending_functions, sent_through
from posthog_code.domain.code_join import is_test
from posthog_code.domain.code_use import CodeUse, EntryKind, EntryPoint, FileUses, UseKind
from posthog_code.domain.coverage import Coverage, Place
from posthog_code.domain.text import plural

EVENT, ERROR_CAPTURE, FLAG = "event", "error capture", "flag"
SIBLINGS_NEEDED = 3
"""Routes that must be looked at before their habit is called one."""
SIBLINGS_READ = 100
_NAMED_BY_FOLDER = frozenset({"route", "index", "page", "views", "view", "handler", "controller", "+server", "urls"})
_WORDS = {
    EntryKind.ROUTE: "route",
    EntryKind.HANDLER: "handler",
    EntryKind.JOB: "job",
    EntryKind.ACTION: "action",
    EntryKind.ERROR_PATH: "error path",
}


@dataclass(frozen=True, slots=True)
class Changed:
    """The new side of a change. What is not known may be left out."""

    changes: Mapping[str, FileChange]
    files: Mapping[str, FileUses]
    texts: Mapping[str, str] = field(default_factory=dict)
    """Whole files, to follow calls inside of them."""
    siblings: Mapping[str, FileUses] = field(default_factory=dict)
    """Files that the task did not change and that have routes of the same kind."""


def coverage(changed: Changed) -> Coverage:
    """An entry point with changed lines of its own wants an event; an error path wants an error capture, or an event
    that tells of it; a route wants a flag where most other routes check one. What is sent by wrappers counts, and what
    functions of the same file send that the body calls. Tests are left out."""
    places: list[Place] = []
    unread: list[str] = []
    with_flags = routes_check_flags(changed)
    for path in sorted(changed.files):
        uses = changed.files[path]
        change = changed.changes.get(path)
        if change is None or is_test(path):
            continue
        if uses.problem:
            unread.append(f"{path}: {uses.problem}")
        entries = changed_entries(uses.entries, change)
        if not entries:
            continue
        lines = changed.texts.get(path, "").splitlines()
        functions = sending_functions(lines, uses.uses)
        for entry in entries:
            sent = _sent(entry, uses.uses) + sent_through(lines, entry.line, entry.end_line, functions)
            sent = tuple(dict.fromkeys(sent))
            places.append(Place(entry, sent, _missing(entry, sent, with_flags)))
    return Coverage(tuple(places), tuple(unread))


def changed_entries(entries: Iterable[EntryPoint], change: FileChange) -> tuple[EntryPoint, ...]:
    """Those whose own lines changed, in the order of their lines. What is inside another entry point is that one's own;
    error paths stand beside the entry point that they are in, not in its place."""
    ordered = sorted(entries, key=lambda entry: (entry.line, -entry.end_line))
    found = []
    for entry in ordered:
        inside = [
            (other.line, other.end_line)
            for other in ordered
            if other is not entry and other.kind is not EntryKind.ERROR_PATH and _within(other, entry)
        ]
        spans = _without((entry.line, entry.end_line), inside)
        if any(change.touches(first, last) for first, last in spans):
            found.append(entry)
    return tuple(found)


def routes_check_flags(changed: Changed) -> bool:
    """Whether most routes that the task left alone check a flag."""
    checked = total = 0
    for path, uses in (*changed.siblings.items(), *changed.files.items()):
        change = changed.changes.get(path)
        touched = set(changed_entries(uses.entries, change)) if change is not None else set()
        for entry in uses.entries:
            if entry.kind is EntryKind.ROUTE and entry not in touched and not is_test(path):
                total += 1
                checked += any(use.kind is UseKind.FLAG for use in _sent(entry, uses.uses))
    return total >= SIBLINGS_NEEDED and checked * 2 > total


def sibling_paths(known: Iterable[str], changed: Iterable[str]) -> tuple[str, ...]:
    """Unchanged files that are likely to have routes like those of the changed ones: of the same folder, and of the
    same name in folders beside it where files are named by their role (`api/*/route.ts`)."""
    mine = set(changed)
    folders = {PurePosixPath(path).parent for path in mine}
    roles = {
        (place.parent.parent, place.name)
        for place in map(PurePosixPath, mine)
        if place.name.split(".", 1)[0] in _NAMED_BY_FOLDER
    }
    found = []
    for path in known:
        place = PurePosixPath(path)
        if path in mine or is_test(path):
            continue
        if place.parent in folders or any(name == place.name and top in place.parents for top, name in roles):
            found.append(path)
    return tuple(sorted(found)[:SIBLINGS_READ])


def place_name(place: Place) -> str:
    """ "webhook handler" or "POST /pay route": what a person calls an entry point."""
    name, word = place.entry.name.strip(), _WORDS[place.entry.kind]
    return name if word in name.lower() else f"{name} {word}".strip()


def place_line(place: Place) -> str:
    """One line about a place that misses something."""
    wanted = " and ".join(_article(one) for one in place.missing)
    return f"{place.entry.path}:{place.entry.line}  {place_name(place)}  needs {wanted}"


def summary(found: Coverage) -> str:
    """The check in one or two sentences; "" when no entry point changed."""
    if not found.places:
        return ""
    total = len(found.places)
    verb = "sends" if 1 in (total, found.covered) else "send"
    text = f"{found.covered} of {plural(total, 'changed path')} {verb} an event."
    missing = [place_name(place) for place in found.places if not place.covered]
    if missing:
        text += f" Missing: {', '.join(missing[:3])}" + (f" and {len(missing) - 3} more." if len(missing) > 3 else ".")
    return text


def _missing(entry: EntryPoint, sent: tuple[CodeUse, ...], with_flags: bool) -> tuple[str, ...]:
    kinds = {use.kind for use in sent}
    if entry.kind is EntryKind.ERROR_PATH:
        return () if kinds & {UseKind.ERROR, UseKind.EVENT} else (ERROR_CAPTURE,)
    missing = () if UseKind.EVENT in kinds else (EVENT,)
    if with_flags and entry.kind is EntryKind.ROUTE and UseKind.FLAG not in kinds:
        return (*missing, FLAG)
    return missing


def _sent(entry: EntryPoint, uses: Iterable[CodeUse]) -> tuple[CodeUse, ...]:
    return tuple(use for use in uses if entry.line <= use.line <= entry.end_line)


def _within(inner: EntryPoint, outer: EntryPoint) -> bool:
    same = (inner.line, inner.end_line) == (outer.line, outer.end_line)
    return not same and outer.line <= inner.line and inner.end_line <= outer.end_line


def _without(span: tuple[int, int], holes: Iterable[tuple[int, int]]) -> Lines:
    """What is left of a span of lines."""
    left = []
    first, last = span
    for start, end in sorted(holes):
        if start > first:
            left.append((first, start - 1))
        first = max(first, end + 1)
    if first <= last:
        left.append((first, last))
    return tuple(left)


def _article(thing: str) -> str:
    return f"an {thing}" if thing[0] in "aeiou" else f"a {thing}"
