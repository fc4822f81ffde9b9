"""Evidence made of signals, research and rows, whatever these hold."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posthog_code.domain.inbox import Artefact, Report, ReportSignal
from posthog_code.domain.inbox_evidence import (
    DAYS,
    ERRORS_QUERY,
    FINGERPRINTS,
    KEPT_SIGNALS,
    PATHS,
    SESSIONS,
    Figures,
    bare_path,
    fingerprints,
    gather,
    session_ids,
    trend,
)
from posthog_code.domain.inbox_stacks import name_of, place_of

NOW = 1_800_000_000.0
DAY = 86_400.0
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
things = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner), max_leaves=8
)
KEYS = st.sampled_from(
    [
        "fingerprint",
        "session_id",
        "start_time",
        "session_duration",
        "flag",
        "people",
        "html_url",
        "issue_id",
        "distinct_id",
    ]
)
signals = st.builds(
    ReportSignal,
    id=st.text(max_size=4),
    content=st.text(max_size=40),
    source_product=st.text(max_size=4),
    source_type=st.sampled_from(["session_problem", "issue_created", ""]),
    source_id=st.text(max_size=4),
    at=st.floats(0, 4e9),
    extra=st.dictionaries(KEYS, things),
)
TYPES = st.sampled_from(
    [
        "repo_selection",
        "priority_judgment",
        "signal_finding",
        "suggested_reviewers",
        "video_segment",
        "code_reference",
        "x",
    ]
)
CONTENT = st.sampled_from(
    ["repository", "dollar_value", "explanation", "relevant_code_paths", "relevant_commit_hashes", "path", "session_id"]
)
artefacts = st.builds(
    Artefact, st.text(max_size=4), TYPES, things | st.dictionaries(CONTENT, things), st.floats(0, 4e9)
)
rows = st.dictionaries(
    st.sampled_from(
        ["fingerprint", "occurrences", "people", "exceptions", "types", "d0", "d3", "session_id", "began", "ended"]
    ),
    things,
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(signals, max_size=6),
    st.lists(artefacts, max_size=6),
    st.lists(rows, max_size=4),
    st.lists(rows, max_size=4),
    st.lists(st.text(max_size=6), max_size=4),
)
def test_whatever_comes_in(
    some: list[ReportSignal], research: list[Artefact], errors: list[Any], sessions: list[Any], keys: list[str]
) -> None:
    figures = Figures(errors, errors[0] if errors else None, sessions)
    found = gather(Report("a", updated_at=5.0), some, research, figures, flag_keys=keys, now=NOW)
    assert found.report_id == "a" and found.of == 5.0 and found.fetched_at == NOW
    assert found.people >= 0 and found.dollar_value >= 0 and math.isfinite(found.dollar_value)
    assert found.trend >= 0 and math.isfinite(found.trend)
    assert len(found.paths) <= PATHS and len(found.recordings) <= SESSIONS and len(found.errors) <= FINGERPRINTS
    assert found == gather(Report("a", updated_at=5.0), some, research, figures, flag_keys=keys, now=NOW)
    for recording in found.recordings:
        assert recording.duration >= 0 and all(0 <= mark < DAY for mark in recording.marks)
    for error in found.errors:
        assert error.count >= 0 and len(error.series) in (0, DAYS)


def test_questions_are_bounded() -> None:
    many = [ReportSignal(str(n), extra={"fingerprint": f"f{n}", "session_id": f"s{n}"}) for n in range(500)]
    assert len(fingerprints(many)) == FINGERPRINTS and len(session_ids(many, [])) == SESSIONS
    assert len(gather(Report("a"), many, []).signals) == KEPT_SIGNALS
    assert "LIMIT" in ERRORS_QUERY and "INTERVAL 7 DAY" in ERRORS_QUERY and "{fingerprints}" in ERRORS_QUERY


def exceptions(*frames: dict[str, Any], **more: Any) -> str:
    return json.dumps([{"type": "Timeout", "value": "10 s", "stacktrace": {"frames": list(frames)}} | more])


def test_errors_with_figures() -> None:
    some = [
        ReportSignal(
            "1", content="Timeout in pay\nmore", source_id="issue-1", at=NOW - 9 * DAY, extra={"fingerprint": "f"}
        ),
        ReportSignal("2", extra={"fingerprint": "g"}, content="Other"),
    ]
    row = {
        "fingerprint": "f", "issue_id": "i9", "types": "[]", "occurrences": 21, "people": 12,
        "exceptions": exceptions({"source": "webpack://shop/./src/pay.ts", "line": 24, "in_app": True}),
        "first_seen": NOW - 6.9 * DAY, "last_seen": NOW - 60, **{f"d{n}": 6 - n for n in range(7)},
    }  # fmt: skip
    found = gather(
        Report("a"), some, [], Figures([row, {"fingerprint": "stranger"}], {"people": 15, "occurrences": 22}), now=NOW
    )
    first, second = found.errors
    assert (first.name, first.place, first.issue_id) == ("Timeout: 10 s", "src/pay.ts:24", "i9")
    assert first.series == (0, 1, 2, 3, 4, 5, 6) and first.first_seen == NOW - 9 * DAY
    assert second.name == "Other" and second.count == 0
    assert found.people == 15 and found.events == 22 and found.trend == 15 / 6
    assert found.paths == ("src/pay.ts:24",)


def test_recordings() -> None:
    extra = {"session_id": "s", "segment_title": "Taps Pay", "session_duration": "138", "distinct_id": "p1"}
    some = [
        ReportSignal("1", extra={**extra, "start_time": "00:42"}),
        ReportSignal("2", extra={**extra, "start_time": 51}),
        ReportSignal("3", source_type="session_problem", source_id="t", content="Leaves"),
    ]
    segment = Artefact("a", "video_segment", {"session_id": "u", "content": "Waits", "start_time": "1:00:02"})
    row = {"session_id": "t", "person": "p2", "began": NOW - 100, "ended": NOW - 10, "rage_clicks": 2, "errors": 1}
    found = {
        one.session_id: one for one in gather(Report("a"), some, [segment], Figures(sessions=[row]), now=NOW).recordings
    }
    assert found["s"].marks == (42.0, 51.0) and found["s"].duration == 138 and found["s"].what == "Taps Pay"
    assert found["t"].duration == 90 and found["t"].person == "p2" and found["t"].what == "Leaves"
    assert found["u"].marks == (3602.0,) and found["u"].what == "Waits"


def test_research() -> None:
    research = [
        Artefact("1", "repo_selection", {"repository": "https://github.com/Acme/Web.git"}, 1.0),
        Artefact("2", "priority_judgment", {"explanation": "Many", "dollar_value": "7400"}, 1.0),
        Artefact("3", "priority_judgment", {"explanation": "Fewer"}, 2.0),
        Artefact(
            "4",
            "signal_finding",
            {"relevant_code_paths": ["src/a.ts:3", "src/b.ts"], "relevant_commit_hashes": {"abc": "did"}},
        ),
        Artefact("5", "signal_finding", {"relevant_code_paths": ["src/a.ts:3", ""]}),
        Artefact("6", "actionability_judgment", {"explanation": "One line", "choice": "x"}),
        Artefact("7", "suggested_reviewers", [{"github_login": "priya"}]),
        Artefact("8", "note", "free text"),
    ]
    found = gather(Report("a"), [], research)
    assert (
        found.repository == "acme/web" and found.paths == ("src/a.ts:3", "src/b.ts") and found.commits == {"abc": "did"}
    )
    assert found.priority_reason == "Fewer" and found.dollar_value == 7400 and found.actionability_reason == "One line"
    assert found.reviewers[0].login == "priya" and len(found.artefacts) == len(research)


def test_what_a_server_makes_up_is_bounded() -> None:
    extra = {"fingerprint": "f", "huge": "x" * 1_000_000, **{f"k{number}": "y" * 300 for number in range(500)}}
    row = {"fingerprint": "f", "occurrences": 10**400, "people": "12", "d0": 10**400, "d4": 1, "first_seen": 1e300}
    found = gather(Report("a"), [ReportSignal("s", extra=extra)], [], Figures([row], {"people": 10**400}), now=NOW)
    assert len(str(found.signals[0].extra)) < 6_000 and found.signals[0].extra["fingerprint"] == "f"
    assert found.errors[0].people == 12 and math.isfinite(found.trend) and found.errors[0].first_seen < 2.5e11


def test_the_repository_of_an_issue() -> None:
    some = [ReportSignal("1", source_product="github", extra={"html_url": "https://github.com/Acme/Api/issues/9"})]
    assert gather(Report("a"), some, []).repository == "acme/api"
    assert gather(Report("a"), [ReportSignal("1", extra={"html_url": "https://evil.example/a/b"})], []).repository == ""


def test_flags_that_texts_name() -> None:
    keys = ("checkout-retry-v2", "search", "old-cart", "retry")
    report = Report("a", summary="Since checkout-retry-v2 is on, a search fails; old-cart-2 too. See `retry`.")
    assert gather(report, [], [], flag_keys=keys).flags == ("checkout-retry-v2", "retry")
    assert gather(Report("a"), [ReportSignal("1", extra={"feature_flag": "x"})], []).flags == ("x",)


@pytest.mark.parametrize(
    ("series", "found"),
    [
        ([0, 1, 1, 1, 2, 2, 2], 2.0),
        ([5, 0, 0, 0, 0, 0, 0], 0.0),
        ([0, 0, 0, 0, 1, 1, 1], 4.0),
        ([0, 1, 1, 1, 0, 0, 0], 0.25),
        ([1, 2], 0.0),
        ([], 0.0),
    ],
)
def test_trend(series: list[int], found: float) -> None:
    assert trend(series) == found


def test_the_trend_of_signals_when_there_are_no_figures() -> None:
    times = [5, 4, 1, 1, 0.5, 0.2]
    some = [ReportSignal(str(n), at=NOW - days * DAY) for n, days in enumerate(times)]
    assert gather(Report("a"), some, [], now=NOW).trend == 2.0
    assert gather(Report("a"), some[:2], [], now=NOW).trend == 0.0


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("src/a.ts:3", "src/a.ts"),
        ("./src/a.ts:3:14", "src/a.ts"),
        ("/app/src/a.py", "app/src/a.py"),
        ("webpack:///src/a.ts", "src/a.ts"),
        ("..\\src\\a.rb", "src/a.rb"),
        ("../..", ".."),
        ("", ""),
    ],
)
def test_bare_paths(path: str, found: str) -> None:
    assert bare_path(path) == found


def test_places_of_stacks() -> None:
    own = {"source": "src/a.ts", "line": 4, "in_app": True}
    library = {"filename": "node_modules/x/y.js", "lineno": 9}
    assert place_of(json.loads(exceptions(own, library))) == "src/a.ts:4"
    assert place_of(json.loads(exceptions({**own, "in_app": False}, library))) == ""
    page = {"filename": "https://shop.example/assets/main.js?v=3", "lineno": 1}
    assert place_of(json.loads(exceptions(page))) == "assets/main.js:1"
    assert place_of(json.loads(exceptions({"source": "https://shop.example/", "line": 2}))) == ""
    assert place_of("nonsense") == "" and place_of([{"stacktrace": None}, None]) == ""
    assert name_of('["E"]', []) == '["E"]' and name_of(["E"], []) == "E" and name_of(None, None) == ""
