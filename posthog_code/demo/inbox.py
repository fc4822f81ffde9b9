"""The reports of a new demo world, read from resources/demo/inbox.toml, and the lines of sample files they point at."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from posthog_code.demo.repositories import sample_text
from posthog_code.demo.signals import ERRORS, REPORT, DemoError, Place
from posthog_code.resources import resources_dir

_SESSION = "0199c000-0000-7000-8000-%04d0000%s"


@dataclass(frozen=True, slots=True)
class DemoRecording:
    id: str
    """Of the session."""
    person: str
    """The first four characters of the person's id."""
    what: str
    duration: int
    marks: tuple[int, ...]
    """Seconds at which the problem shows."""
    hours: float
    """How long ago it began."""
    path: str
    """Of the page."""
    error: str
    """Fingerprint of what is thrown at each mark; "" for rage clicks."""
    report: str

    @property
    def distinct_id(self) -> str:
        return f"{self.person}0000-0000-4000-8000-{self.person}00000000"


def report_rows() -> list[Mapping[str, Any]]:
    """The entries of the file, with full ids."""
    return [{**row, "id": REPORT % row["id"]} for row in _file()]


@cache
def _file() -> tuple[Mapping[str, Any], ...]:
    text = (resources_dir() / "demo" / "inbox.toml").read_text(encoding="utf-8")
    return tuple(tomllib.loads(text)["report"])


def recordings() -> Iterator[DemoRecording]:
    number = 0
    for row in report_rows():
        for person, what, duration, marks, hours, path, error in (*row.get("recordings", ()), *_further(row)):
            number += 1
            session = _SESSION % (number, person)
            yield DemoRecording(session, person, what, duration, tuple(marks), hours, path, error, row["id"])


def _further(row: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Recordings that only differ in who and when."""
    for number in range(row.get("more_recordings", 0)):
        told = row["recordings"][number % len(row["recordings"])]
        person = f"{(0x1D37 * (number + 3) + 0x9F1) & 0xFFFF:04x}"
        marks = [mark + 3 * number for mark in told[3]]
        yield (person, row["more_what"], told[2] + 11 * number, marks, told[4] + 14 * (number + 1), *told[5:])


def error(fingerprint: str) -> DemoError:
    """Raises KeyError."""
    return _errors()[fingerprint]


@cache
def _errors() -> Mapping[str, DemoError]:
    return {one.fingerprint: one for one in ERRORS}


def place_of(repository: str, told: str) -> Place:
    """A place from "path | text"; the API's paths are told apart by their folder."""
    path, _, text = told.partition(" | ")
    return Place("harbor-api" if path.endswith(".py") else repository, path, text)


@cache
def line_of(place: Place) -> int:
    """Where the text stands, from 1. Raises ValueError when the sample has changed and lacks it."""
    for number, line in enumerate(sample_text(place.repository, place.path).splitlines(), 1):
        if place.text in line:
            return number
    raise ValueError(f"{place.path} of {place.repository} has no line with {place.text!r}")
