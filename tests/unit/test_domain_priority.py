"""How urgent a report is: every factor, their weights, and an order that never wavers."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthog_code.domain.inbox import ErrorSample, Evidence, Report
from posthog_code.domain.priority import (
    DEFAULT_WEIGHTS,
    Facts,
    Nearness,
    Spent,
    closeness,
    critical_path,
    order,
    score,
    weights,
)

NOW = 1_800_000_000.0
DAY = 86_400.0
counts = st.integers(0, 10**9)
moments = st.floats(0, 4e9)
reports = st.builds(
    Report,
    id=st.text("abc0123", min_size=1, max_size=6),
    status=st.sampled_from(["ready", "potential", "", "whatever"]),
    priority=st.sampled_from(["P0", "P1", "P2", "P3", "P4", "", "P9"]),
    already_addressed=st.booleans(),
    signal_count=counts,
    for_me=st.booleans(),
    sources=st.lists(st.sampled_from(["error_tracking", "session_replay", "github", "new_source"]), max_size=3).map(
        tuple
    ),
    created_at=moments,
    updated_at=moments,
)
evidences = st.builds(
    Evidence,
    report_id=st.just("a"),
    errors=st.lists(st.builds(ErrorSample, st.text(max_size=5), place=st.text(max_size=20)), max_size=2).map(tuple),
    paths=st.lists(st.text(max_size=30), max_size=3).map(tuple),
    dollar_value=st.floats(allow_nan=True, allow_infinity=True),
    people=counts,
    events=counts,
    trend=st.floats(allow_nan=True, allow_infinity=True),
)
nearness = st.builds(
    Nearness,
    commits=counts,
    last=moments,
    paths=st.just(("src/a.ts",)),
    tasks=st.lists(st.text(max_size=4), max_size=3).map(tuple),
)
spent = st.builds(Spent, tasks=st.integers(0, 100), turns=counts, tokens=counts)
all_facts = st.builds(Facts, reports, st.none() | evidences, nearness, spent, st.just(NOW))
some_weights = st.fixed_dictionaries({key: st.sampled_from([0.0, 1.0, 12.5, 1000.0]) for key in DEFAULT_WEIGHTS})


def of(**fields: Any) -> Facts:
    return Facts(Report("r", **fields), now=NOW)


def points(facts: Facts, factor: str) -> float:
    return next(one.points for one in score(facts, DEFAULT_WEIGHTS).factors if one.id == factor)


def words(facts: Facts, factor: str) -> str:
    return next(one.value for one in score(facts, DEFAULT_WEIGHTS).factors if one.id == factor)


@given(all_facts, some_weights)
def test_between_0_and_100_and_explained(facts: Facts, weight: dict[str, float]) -> None:
    found = score(facts, weight)
    assert 0 <= found.total <= 100 and math.isfinite(found.total)
    assert found == score(facts, weight)
    shown = {one.id for one in found.factors}
    adding = any(weight[key] > 0 for key in weight if key != "cost")
    assert shown == {key for key, value in weight.items() if value > 0 and adding}
    for one in found.factors:
        assert one.label and one.value
        low, high = (-one.weight, 0) if one.id == "cost" else (0, one.weight)
        assert low - 1e-9 <= one.points <= high + 1e-9
    whole = sum(one.points for one in found.factors)
    assert math.isclose(found.total, max(0.0, whole), abs_tol=1e-3)


@given(all_facts, evidences, counts, some_weights)
def test_more_people_never_lower_it(facts: Facts, evidence: Evidence, more: int, weight: dict[str, float]) -> None:
    before = replace(facts, evidence=evidence)
    after = replace(facts, evidence=replace(evidence, people=evidence.people + more))
    assert score(after, weight).total >= score(before, weight).total


@given(all_facts, evidences, counts, st.floats(0, 1e6), some_weights)
def test_more_of_anything_bad_never_lowers_it(
    facts: Facts, evidence: Evidence, more: int, dollars: float, weight: dict[str, float]
) -> None:
    evidence = replace(evidence, dollar_value=dollars, trend=1.0)
    before = score(replace(facts, evidence=evidence), weight).total
    for worse in (
        replace(evidence, events=evidence.events + more),
        replace(evidence, trend=1.0 + more),
        replace(evidence, dollar_value=dollars + more),
    ):
        assert score(replace(facts, evidence=worse), weight).total >= before
    nearer = replace(facts.nearness, commits=facts.nearness.commits + more)
    assert score(replace(facts, evidence=evidence, nearness=nearer), weight).total >= before
    dearer = replace(facts.spent, turns=facts.spent.turns + more, tasks=max(1, facts.spent.tasks))
    assert score(replace(facts, evidence=evidence, spent=dearer), weight).total <= before


@given(all_facts, st.sampled_from(sorted(DEFAULT_WEIGHTS)))
def test_a_weight_of_zero_removes_a_factor(facts: Facts, factor: str) -> None:
    assert factor not in {one.id for one in score(facts, {**DEFAULT_WEIGHTS, factor: 0.0}).factors}


@given(st.lists(all_facts, max_size=12, unique_by=lambda facts: facts.report.id), st.randoms())
def test_the_order_is_total_and_stable(many: list[Facts], chance: random.Random) -> None:
    scored = [(facts.report, score(facts, DEFAULT_WEIGHTS)) for facts in many]
    first = sorted(scored, key=lambda pair: order(*pair))
    chance.shuffle(scored)
    assert sorted(scored, key=lambda pair: order(*pair)) == first
    assert len({order(*pair) for pair in scored}) == len(scored)


@pytest.mark.parametrize("text", ["", "x", "-1", "nan", "inf", "1e9", "1 0"])
def test_weights_that_are_no_weights_have_their_default(text: str) -> None:
    assert weights({"people": text, "nonsense": "3"}) == dict(DEFAULT_WEIGHTS)


def test_weights_are_brought_to_a_sum_of_100() -> None:
    found = score(of(priority="P0", sources=("error_tracking",)), {**weights({"severity": "100"}), "people": 0.0})
    assert math.isclose(sum(one.weight for one in found.factors if one.id != "cost"), 100)
    alone = dict.fromkeys(DEFAULT_WEIGHTS, 0.0) | {"severity": 3.0}
    assert score(of(priority="P0", sources=("error_tracking",)), alone).total == 100
    assert score(of(priority="P0"), dict.fromkeys(DEFAULT_WEIGHTS, 0.0)).factors == ()


def test_what_is_unknown_gives_nothing_and_says_so() -> None:
    for factor in ("people", "value", "closeness"):
        assert points(of(), factor) == 0 and words(of(), factor) == "not read yet"
    for factor in ("frequency", "trend", "severity", "age"):
        assert points(of(), factor) == 0 and words(of(), factor) == "unknown"
    read = replace(of(), evidence=Evidence("r"))
    assert words(read, "people") == "unknown" and words(read, "value") == "unknown"
    quiet = replace(of(), evidence=Evidence("r", errors=(ErrorSample("f"),)))
    assert words(quiet, "people") == "nobody in 7 days"
    failed = replace(of(), evidence=Evidence("r", errors=(ErrorSample("f"),), problem="The query was too slow."))
    assert words(failed, "people") == "unknown"


def test_facts_in_words() -> None:
    evidence = Evidence("r", people=640, events=18_200, trend=2.1, dollar_value=7400, paths=("src/payments/pay.ts:3",))
    near = Nearness(commits=4, last=NOW - 3 * DAY, paths=("src/payments/pay.ts",), tasks=("x",), known=True)
    report = Report("r", priority="P1", sources=("error_tracking",), for_me=True, created_at=NOW - 5 * DAY)
    facts = Facts(report, evidence, near, Spent(1, 14, 310_000), NOW)
    assert words(facts, "people") == "640 people in 7 days"
    assert words(facts, "frequency") == "18.2k× in 7 days"
    assert words(facts, "trend") == "rising, 2.1× the 3 days before"
    assert words(facts, "severity") == "P1 · error tracking"
    assert words(facts, "value") == "$7,400 · payment path"
    assert (
        words(facts, "closeness")
        == "4 commits of yours to pay.ts, last 3d ago · 1 open task on it · you are a suggested reviewer"
    )
    assert words(facts, "age") == "5d old"
    assert words(facts, "cost") == "14 turns in 1 task, 310k tokens"
    assert points(facts, "cost") < 0


def test_severity_follows_priority_and_what_was_done() -> None:
    levels = [points(of(priority=f"P{n}", sources=("github",)), "severity") for n in range(5)]
    assert levels == sorted(levels, reverse=True) and len(set(levels)) == 5
    assert points(of(priority="P1", already_addressed=True), "severity") < points(of(priority="P3"), "severity")
    assert "dealt with" in words(of(priority="P1", already_addressed=True), "severity")


def test_news_first_and_a_wrong_clock_does_no_harm() -> None:
    ages = [points(of(created_at=NOW - days * DAY), "age") for days in (0, 1, 7, 30, 90)]
    assert ages == sorted(ages, reverse=True) and ages[-1] == 0
    assert points(of(created_at=NOW + DAY), "age") == ages[0]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("src/checkout/Page.tsx", "checkout"),
        ("app/PaymentService.rb", "payment"),
        ("lib/userLogin.py:3", "sign-in"),
        ("internal/billing/invoice.go", "billing"),
        ("src/author/list.ts", ""),
        ("docs/payload.md", ""),
        ("", ""),
    ],
)
def test_paths_that_money_or_access_hang_on(path: str, found: str) -> None:
    assert critical_path([path]) == found


def test_closeness_is_there_whatever_its_weight() -> None:
    assert closeness(of()) == 0
    assert closeness(of(for_me=True)) > 0
    assert closeness(replace(of(), nearness=Nearness(commits=1, known=True))) > 0
    assert words(replace(of(), evidence=Evidence("r"), nearness=Nearness(known=True)), "closeness").startswith(
        "nothing"
    )
