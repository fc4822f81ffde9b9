"""Flags, experiments, events and answers to queries as a server may send them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthog_code.domain import product_parse as parse
from posthog_code.domain.product import Variant

KEYS = st.sampled_from(
    [
        "id",
        "key",
        "name",
        "active",
        "filters",
        "groups",
        "rollout_percentage",
        "properties",
        "multivariate",
        "variants",
        "payloads",
        "deleted",
        "created_at",
        "feature_flag",
        "feature_flag_key",
        "start_date",
        "end_date",
        "archived",
        "conclusion",
        "tags",
        "verified",
        "hidden",
        "last_seen_at",
        "results",
        "columns",
        "hasMore",
        "query_status",
        "complete",
        "distinct_ids",
        "holdout_groups",
        "is_remote_configuration",
    ]
)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(), max_size=8))
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=25,
)


def group(percent: Any = None, *properties: str) -> dict[str, Any]:
    return {"rollout_percentage": percent, "properties": [{"key": key} for key in properties]}


def flag(**filters: Any) -> dict[str, Any]:
    return {"id": 3, "key": "new-cart", "name": "Cart", "active": True, "filters": filters, "deleted": False}


@pytest.mark.parametrize(
    ("groups", "rollout", "conditional"),
    [
        ([group(100)], 100.0, False),
        ([group(None)], 100.0, False),
        ([group(25, "email"), group(10)], 10.0, True),
        ([group(100, "email")], None, True),
        ([group("30")], 30.0, False),
        ([group(400)], 100.0, False),
        ([group(0)], 0.0, False),
        ([], None, False),
        ("garbage", None, False),
        ([None, 7], None, False),
    ],
)
def test_rollout_is_that_of_the_first_group_without_conditions(
    groups: Any, rollout: float | None, conditional: bool
) -> None:
    found = parse.flag(flag(groups=groups))
    assert (found.rollout, found.conditional) == (rollout, conditional)


def test_kinds_of_flags() -> None:
    variants = [{"key": "control", "rollout_percentage": 50}, {"key": "test", "rollout_percentage": "50"}, {}, None]
    several = parse.flag(flag(multivariate={"variants": variants}, payloads={"test": "1"}))
    assert several.kind == "multivariate"
    assert several.variants == (Variant("control", 50.0), Variant("test", 50.0))
    assert parse.flag(flag(payloads={"true": "{}"})).kind == "remote_config"
    assert parse.flag(flag(payloads={"true": "{}"}) | {"is_remote_configuration": False}).kind == "boolean"
    assert parse.flag(flag() | {"is_remote_configuration": True}).kind == "remote_config"
    assert parse.flag(flag(multivariate=None, payloads={})).kind == "boolean"


def test_people_kept_out_of_an_experiment_make_a_flag_conditional() -> None:
    assert parse.flag(flag(groups=[group(100)], holdout_groups=[{"rollout_percentage": 5}])).conditional
    assert not parse.flag(flag(groups=[group(100)], super_groups=[], holdout_groups=None)).conditional


def test_deleted_flags_and_those_without_a_key_are_left_out() -> None:
    listed = [flag(), flag() | {"key": "old", "deleted": True}, {"id": 9}, "x", flag() | {"name": "twice"}]
    assert [(one.key, one.name) for one in parse.flags({"results": listed})] == [("new-cart", "Cart")]
    assert parse.flag({"key": "k", "active": None}).active
    assert not parse.flag({"key": "k", "active": False}).active


def test_experiments() -> None:
    raw = {
        "id": 4,
        "name": "Cart test",
        "start_date": "2026-05-01T00:00:00Z",
        "end_date": None,
        "feature_flag": {"key": "new-cart"},
        "archived": False,
        "conclusion": "won",
    }
    found = parse.experiments([raw, {"id": 0}, raw | {"id": 5, "deleted": True}, 1])
    assert [(one.id, one.flag_key, one.ended_at, one.conclusion) for one in found] == [(4, "new-cart", 0.0, "won")]
    assert found[0].started_at > 0


def test_event_definitions() -> None:
    raw = {
        "id": "e1",
        "name": "signed_up",
        "verified": True,
        "tags": ["growth"],
        "last_seen_at": "2026-05-04T08:00:00Z",
    }
    (found,) = parse.events({"results": [raw, {"id": "e2"}, raw]})
    assert (found.id, found.verified, found.hidden, found.tags, found.defined) == ("e1", True, False, ("growth",), True)
    assert found.last_seen > 0 and found.volume == 0


def test_people_by_the_best_name_that_is_known() -> None:
    assert parse.person({"name": "Ada", "distinct_ids": ["d"]}) == "Ada"
    assert parse.person({"properties": {"email": "ada@example.com"}}) == "ada@example.com"
    assert parse.person({"distinct_ids": ["d1", "d2"]}) == "d1"
    assert parse.person(None) == ""


def test_a_table_of_rows_that_fit() -> None:
    body = {"results": [["a", 1], ["b"], None, ["c", None]], "columns": ["event", "volume"], "hasMore": True}
    assert parse.table(body) == (("event", "volume"), (("a", 1), ("c", None)), True)
    assert parse.table({"query_status": {"complete": True, "results": body}}) == parse.table(body)
    assert parse.table({"results": [[1], [1, 2]]}) == ((), ((1,), (1, 2)), False)
    assert parse.table({"query_status": {"complete": False, "results": None}}) is None


@given(JSON)
def test_any_json_is_taken(value: Any) -> None:
    for one in parse.flags(value):
        assert one.key and not one.deleted
        assert one.rollout is None or 0 <= one.rollout <= 100
    assert all(one.id for one in parse.experiments(value))
    assert all(one.name for one in parse.events(value))
    parse.person(value)
    found = parse.table(value)
    if found is not None and found[0]:
        assert all(len(row) == len(found[0]) for row in found[1])


@given(st.dictionaries(KEYS, JSON, max_size=12))
def test_any_object_with_known_keys_is_taken(value: dict[str, Any]) -> None:
    parse.flag(value)
    parse.flag({"key": "k", "filters": value})
    parse.experiment(value)
    parse.event(value)
    parse.person(value)
    parse.table(value)
