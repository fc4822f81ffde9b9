"""Reports and their evidence as a server may send them: complete, old, new, or garbage."""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from posthog_code.domain import inbox_parse as parse
from posthog_code.domain.inbox import Report, SuggestedReviewer

REPORT: dict[str, Any] = {
    "id": "0199-a",
    "title": "Checkout button\nunresponsive",
    "summary": "Users click it **again** and again.",
    "status": "ready",
    "total_weight": 3.4,
    "signal_count": 9,
    "signals_at_run": 7,
    "created_at": "2026-05-04T09:12:31.482913Z",
    "updated_at": "2026-05-04T10:12:31Z",
    "artefact_count": 4,
    "priority": "P1",
    "actionability": "immediately_actionable",
    "already_addressed": False,
    "is_suggested_reviewer": True,
    "source_products": ["session_replay", "error_tracking", "session_replay"],
    "implementation_pr_url": None,
}
KEYS = st.sampled_from(
    [
        *REPORT,
        "results",
        "signals",
        "signal_id",
        "source_id",
        "source_product",
        "extra",
        "labels",
        "match_metadata",
        "reason",
        "content",
        "type",
        "weight",
        "timestamp",
        "user",
        "github_login",
        "relevant_commits",
        "pull_requests",
        "task_id",
        "outcome",
    ]
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(), max_size=12),
    st.sampled_from(["{", "[1", '{"labels": "[\\"a\\"]"}', "2026-05-04T09:12:31Z", "P0", "\ud800", "[" * 5000]),
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=6),
    max_leaves=25,
)


def test_a_report_of_today() -> None:
    report = parse.report(REPORT)
    assert report.id == "0199-a" and report.title == "Checkout button unresponsive"
    assert (report.status, report.priority, report.actionability) == ("ready", "P1", "immediately_actionable")
    assert (report.weight, report.signal_count, report.signals_at_run, report.artefact_count) == (3.4, 9, 7, 4)
    assert report.for_me and not report.already_addressed
    assert report.sources == ("session_replay", "error_tracking")
    assert report.updated_at == 1_777_889_551.0 and 3599 < report.updated_at - report.created_at < 3600
    assert report.pull_request_url == "" and not report.pull_request_merged


def test_a_report_with_what_newer_servers_add_and_words_that_nobody_knows() -> None:
    report = parse.report(
        REPORT
        | {
            "status": "hibernating",
            "priority": " p7 ",
            "source_products": "replay_vision, logs",
            "implementation_pr_url": "javascript:alert(1)",
            "pull_requests": [{"url": "https://github.com/acme/web/pull/7"}],
            "implementation_pr_merged": True,
            "dismissal_reason": "made_of_cheese",
            "dismissal_note": "n",
        }
    )
    assert (report.status, report.priority) == ("hibernating", "P7")
    assert report.sources == ("replay_vision", "logs")
    assert report.pull_request_url == "https://github.com/acme/web/pull/7" and report.pull_request_merged
    assert (report.dismissal_reason, report.dismissal_note) == ("made_of_cheese", "n")


def test_nothing_gives_an_empty_report_and_lists_leave_it_out() -> None:
    assert parse.report(None) == Report("")
    assert parse.report({"total_weight": float("nan"), "signal_count": -3, "priority": None}) == Report("")
    page = {"count": 4, "results": [REPORT, {"title": "no id"}, 7, REPORT | {"title": "again"}]}
    assert [one.title for one in parse.reports(page)] == ["Checkout button unresponsive"]


def test_signals_of_every_shape() -> None:
    first = {
        "signal_id": "s1",
        "content": "TypeError",
        "source_product": "error_tracking",
        "source_type": "issue_created",
        "source_id": "issue-1",
        "weight": "0.5",
        "timestamp": "2026-05-04T09:12:31Z",
        "extra": json.dumps({"fingerprint": "f", "labels": '["bug", "ui"]'}),
        "match_metadata": {"parent_signal_id": "s0", "reason": "same error"},
    }
    second = {"source_product": "github", "source_id": 12, "extra": {"labels": "bug, ui", "number": 3}}
    found = parse.signals({"report": REPORT, "signals": [first, second, first, {}, "x"]})
    assert [one.id for one in found] == ["s1", "github:12"]
    assert found[0].extra == {"fingerprint": "f", "labels": ["bug", "ui"]}
    assert (found[0].weight, found[0].reason) == (0.5, "same error")
    assert found[1].extra == {"labels": ["bug", "ui"], "number": 3}
    assert parse.signals([first]) == parse.signals({"results": [first]}) == found[:1]
    assert parse.signal({"id": "s", "extra": "no json"}).extra == {}


def test_artefacts_that_say_nothing_are_left_out() -> None:
    listed = [
        {"id": "1", "type": "priority_judgment", "content": {"priority": "P1"}, "created_at": "2026-05-04T09:12:31Z"},
        {"id": "2", "type": "video_segment", "content": {}},
        {"id": "3", "type": "", "content": {"a": 1}},
        {"type": "note", "content": "A note"},
        {"id": "5", "type": "signal_finding", "content": '{"signal_id": "s1"}'},
        "garbage",
    ]
    found = parse.artefacts({"count": 6, "results": listed})
    assert [(one.type, one.content) for one in found] == [
        ("priority_judgment", {"priority": "P1"}),
        ("note", "A note"),
        ("signal_finding", {"signal_id": "s1"}),
    ]
    assert all(one.id for one in found) and found[0].created_at > 0


def test_reviewers_of_an_artefact_and_of_the_list() -> None:
    content = [
        {
            "github_login": "octocat",
            "github_name": "Octo",
            "relevant_commits": [{"sha": "abc", "url": "https://x", "reason": "wrote it"}, {"sha": None}],
            "user": {"id": 1, "uuid": "u1", "first_name": "Ada", "last_name": "L"},
        },
        {"github_login": "hubot", "user": None, "reason": "owns it"},
        {"user": {}},
    ]
    assert parse.suggested_reviewers(content) == (
        SuggestedReviewer("Ada L", "octocat", "u1", "wrote it", ("abc",)),
        SuggestedReviewer("hubot", "hubot", "", "owns it"),
    )
    keyed = {"u1": {"name": "Ada L", "email": "ada@example.com", "github_login": "octocat"}, "u2": {}, "u3": None}
    assert parse.available_reviewers(keyed) == (SuggestedReviewer("Ada L", "octocat", "u1"),)
    assert parse.available_reviewers([{"email": "b@example.com", "uuid": "u4"}]) == (
        SuggestedReviewer("b@example.com", "", "u4"),
    )


def test_tasks_of_a_report_are_those_that_implement_it() -> None:
    listed = [
        {"task_id": "t1", "relationship": "implementation"},
        {"task_id": "t2", "relationship": "research"},
        {"task_id": "t1", "relationship": "implementation"},
        {"task": "t3"},
        {},
    ]
    assert parse.report_tasks({"results": listed}) == ("t1", "t3")


def test_outcomes_of_a_bulk_change() -> None:
    listed = [
        {"id": "a", "outcome": "transitioned", "status": "suppressed"},
        {"id": "b", "outcome": "skipped", "status": "suppressed"},
        {"id": "c", "outcome": "skipped", "status": "ready"},
        {"id": "d", "outcome": "not_found"},
        {"id": "e", "outcome": "failed", "detail": "locked"},
        {"outcome": "failed"},
    ]
    outcomes = parse.bulk_outcomes({"results": listed}, "suppressed")
    assert outcomes["a"] == outcomes["b"] == ""
    assert "ready" in outcomes["c"] and outcomes["d"] and outcomes["e"] == "locked"
    assert set(outcomes) == set("abcde")


@given(JSON)
def test_any_json_is_taken(value: Any) -> None:
    report = parse.report(value)
    assert math.isfinite(report.weight) and report.signal_count >= 0
    assert all(one.id for one in parse.reports(value))
    for signal in parse.signals(value):
        assert signal.id and isinstance(signal.extra, dict) and math.isfinite(signal.weight)
        signal.content.encode()
    assert all(one.type and one.id for one in parse.artefacts(value))
    assert all(one.name for one in (*parse.suggested_reviewers(value), *parse.available_reviewers(value)))
    assert all(parse.report_tasks(value))
    assert all(isinstance(one, str) for one in parse.bulk_outcomes(value, "suppressed").values())


@given(st.dictionaries(KEYS, JSON, max_size=12))
def test_any_object_with_known_keys_is_taken(value: dict[str, Any]) -> None:
    parse.report(value)
    parse.signals({"signals": [value]})
    parse.artefacts([value])
    parse.suggested_reviewers([value])
    parse.available_reviewers({"u": value})
    parse.bulk_outcomes({"results": [value]}, "ready")
