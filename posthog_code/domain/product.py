"""Flags, events and experiments as the product knows them, and figures of how they are used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Variant:
    key: str
    rollout: float = 0.0
    """Percent."""


@dataclass(frozen=True, slots=True)
class Flag:
    id: int
    key: str
    name: str = ""
    active: bool = True
    kind: str = "boolean"
    """boolean, multivariate or remote_config."""
    rollout: float | None = None
    """Percent of the first unconditional group; None when every group has conditions."""
    conditional: bool = False
    """Some group has conditions."""
    variants: tuple[Variant, ...] = ()
    created_at: float = 0.0
    deleted: bool = False
    evaluations: int = 0
    """Of the last seven days; 0 also when unknown."""


@dataclass(frozen=True, slots=True)
class Experiment:
    id: int
    name: str = ""
    flag_key: str = ""
    started_at: float = 0.0
    ended_at: float = 0.0
    archived: bool = False
    conclusion: str = ""


@dataclass(frozen=True, slots=True)
class EventFacts:
    """An event definition with figures of the last 30 days."""

    name: str
    id: str = ""
    description: str = ""
    verified: bool = False
    hidden: bool = False
    tags: tuple[str, ...] = ()
    volume: int = 0
    week: int = 0
    """Volume of the last seven days."""
    people: int = 0
    last_seen: float = 0.0
    defined: bool = True
    """False: the project has no event of this name."""


@dataclass(frozen=True, slots=True)
class CodeError:
    """An error of the last seven days whose stack passes a file."""

    fingerprint: str
    name: str
    path: str
    line: int
    count: int = 0
    people: int = 0
    last_seen: float = 0.0
    issue_id: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class ProductFacts:
    """What the project says about names found in code."""

    flags: Mapping[str, Flag] = field(default_factory=dict)
    experiments: Mapping[str, Experiment] = field(default_factory=dict)
    """By the key of their flag."""
    events: Mapping[str, EventFacts] = field(default_factory=dict)
    errors: tuple[CodeError, ...] = ()
    recordings: int = 0
    """Recorded sessions of the last seven days in which an error of the code occurred."""
    problem: str = ""
    """What could not be read, in one sentence ("" when all of it was)."""
    partial: bool = False
    """Definitions are there, figures are not (slow, limited, or not allowed)."""
    unknown: frozenset[str] = frozenset()
    """Kinds that nothing is known of, since they were not or could not be read: flag, event, experiment, error."""
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    """Keys of flags that this project does not have to the name of another project that does."""
    fetched_at: float = 0.0
