"""Flags, experiments, event definitions, recordings and answers to queries as the server sends them: anything may be
missing, null, of another type or unknown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from posthog_code.domain.cloud_parse import mapping, number, objects, seconds, text
from posthog_code.domain.inbox_parse import decoded, names, real, words
from posthog_code.domain.product import EventFacts, Experiment, Flag, Variant
from posthog_code.domain.text import one_line


def flag(value: Any) -> Flag:
    """A flag; its key is "" when there is none."""
    data = mapping(value)
    filters = mapping(decoded(data.get("filters")))
    groups = objects(filters.get("groups"))
    variants = tuple(
        Variant(text(one.get("key")), _percent(one.get("rollout_percentage"), 0.0))
        for one in objects(mapping(filters.get("multivariate")).get("variants"))
        if text(one.get("key"))
    )
    return Flag(
        id=number(data.get("id")),
        key=text(data.get("key")),
        name=one_line(text(data.get("name")), 300),
        active=data.get("active") is not False,
        kind=_kind(data, filters, variants),
        rollout=_rollout(data, groups),
        conditional=any(_has_conditions(one) for one in groups) or bool(_held_back(filters)),
        variants=variants,
        created_at=seconds(data.get("created_at")),
        deleted=data.get("deleted") is True,
    )


def flags(values: Any) -> tuple[Flag, ...]:
    """Those with a key, each once, without deleted ones."""
    found: dict[str, Flag] = {}
    for one in objects(values):
        parsed = flag(one)
        if parsed.key and not parsed.deleted:
            found.setdefault(parsed.key, parsed)
    return tuple(found.values())


def experiment(value: Any) -> Experiment:
    data = mapping(value)
    return Experiment(
        id=number(data.get("id")),
        name=one_line(text(data.get("name")), 300),
        flag_key=text(data.get("feature_flag_key")) or text(mapping(data.get("feature_flag")).get("key")),
        started_at=seconds(data.get("start_date")),
        ended_at=seconds(data.get("end_date")),
        archived=data.get("archived") is True,
        conclusion=one_line(text(data.get("conclusion")), 300),
    )


def experiments(values: Any) -> tuple[Experiment, ...]:
    """Those with an id, each once, without deleted ones."""
    found: dict[int, Experiment] = {}
    for one in objects(values):
        parsed = experiment(one)
        if parsed.id and one.get("deleted") is not True:
            found.setdefault(parsed.id, parsed)
    return tuple(found.values())


def event(value: Any) -> EventFacts:
    """What the definition says; the figures come from queries. The name is "" when there is none."""
    data = mapping(value)
    return EventFacts(
        name=text(data.get("name")),
        id=text(data.get("id")),
        description=words(data.get("description")),
        verified=data.get("verified") is True,
        hidden=data.get("hidden") is True,
        tags=names(data.get("tags")),
        last_seen=seconds(data.get("last_seen_at")),
    )


def events(values: Any) -> tuple[EventFacts, ...]:
    """Those with a name, each once."""
    found: dict[str, EventFacts] = {}
    for one in objects(values):
        parsed = event(one)
        if parsed.name:
            found.setdefault(parsed.name, parsed)
    return tuple(found.values())


def person(value: Any) -> str:
    """What somebody is called: the name, else the e-mail address, else an id; "" when nothing is known."""
    data = mapping(value)
    properties = mapping(data.get("properties"))
    known = data.get("distinct_ids")
    ids = known if isinstance(known, list) else ()
    tried = (data.get("name"), properties.get("name"), properties.get("email"), *ids[:1], data.get("uuid"))
    return next(filter(None, (one_line(text(one), 120) for one in tried)), "")


def table(body: Any) -> tuple[tuple[str, ...], tuple[tuple[Any, ...], ...], bool] | None:
    """Columns, rows and whether there are more, of the answer to a query; None when it has no result (yet).

    Rows that do not fit the columns are left out: what their cells mean cannot be known."""
    data = mapping(body)
    if not isinstance(data.get("results"), list):
        data = mapping(mapping(data.get("query_status")).get("results"))
    results = data.get("results")
    if not isinstance(results, list):
        return None
    named = data.get("columns")
    columns = tuple(text(one) for one in named) if isinstance(named, list) else ()
    rows = tuple(tuple(row) for row in results if isinstance(row, list) and (not columns or len(row) == len(columns)))
    return columns, rows, data.get("hasMore") is True


# -- parts of these --------------------------------------------------------------------------------------------


def _kind(data: Mapping[str, Any], filters: Mapping[str, Any], variants: tuple[Variant, ...]) -> str:
    if variants:
        return "multivariate"
    told = data.get("is_remote_configuration")
    if isinstance(told, bool):
        return "remote_config" if told else "boolean"
    return "remote_config" if mapping(decoded(filters.get("payloads"))) else "boolean"


def _rollout(data: Mapping[str, Any], groups: tuple[Mapping[str, Any], ...]) -> float | None:
    """A group without a percentage is everyone that it fits."""
    for group in groups:
        if not _has_conditions(group):
            return _percent(group.get("rollout_percentage"), 100.0)
    if not groups and data.get("rollout_percentage") is not None:
        return _percent(data.get("rollout_percentage"), 0.0)
    return None


def _has_conditions(group: Mapping[str, Any]) -> bool:
    return bool(group.get("properties"))


def _held_back(filters: Mapping[str, Any]) -> Any:
    """Groups besides the usual ones: people that are kept out of an experiment, or that asked for early access."""
    return objects(filters.get("holdout_groups")) or objects(filters.get("super_groups"))


def _percent(value: Any, default: float) -> float:
    return default if value is None else min(max(real(value), 0.0), 100.0)
