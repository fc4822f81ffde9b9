"""Tabs, search, and what a fresh list changes of what was known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthog_code.domain import inbox_lists
from posthog_code.domain.cloud import CloudList, CloudTask
from posthog_code.domain.ids import RepositoryId, SessionId, TaskId
from posthog_code.domain.inbox import DISMISSED, RESOLVED, Evidence, Inbox, Report, SuggestedReviewer, Triage
from posthog_code.domain.inbox_lists import Tab
from posthog_code.domain.state import AppState
from posthog_code.domain.task import Repository, Task, TaskPhase, Workspace

HERE = Repository(RepositoryId("w"), "/r/web", "web", "main", remote_url="git@github.com:Acme/Web.git")
statuses = st.sampled_from(["potential", "ready", "in_progress", "failed", DISMISSED, RESOLVED, "new_word"])
some_reports = st.builds(Report, id=st.sampled_from("abcdef"), status=statuses, signal_count=st.integers(0, 20))
triages = st.builds(
    Triage,
    seen_at=st.sampled_from([0.0, 5.0]),
    dismissed_signals=st.integers(0, 20),
    snoozed_signals=st.integers(0, 20),
)


def by_id(*reports: Report) -> Mapping[str, Report]:
    return {one.id: one for one in reports}


@given(some_reports, triages)
def test_a_report_is_in_one_tab(report: Report, triage: Triage) -> None:
    tabs = [tab for tab in (Tab.ALL, Tab.SNOOZED, Tab.DISMISSED) if inbox_lists.in_tab(report, triage, tab)]
    assert len(tabs) == (0 if report.status == RESOLVED else 1)
    assert inbox_lists.in_tab(report, triage, Tab.FOR_YOU, for_you=True) == (tabs == [Tab.ALL])
    assert not inbox_lists.in_tab(report, triage, Tab.FOR_YOU)
    if inbox_lists.is_unread(report, triage):
        assert tabs == [Tab.ALL]


@given(st.lists(some_reports), st.dictionaries(st.sampled_from("abcdef"), triages))
def test_what_is_put_back_is_open_and_unread(reports: list[Report], triage: dict[str, Triage]) -> None:
    listed = by_id(*reports)
    after = inbox_lists.noticed(listed, triage)
    assert inbox_lists.noticed(listed, after) is after
    for key, report in listed.items():
        if key in triage and after[key] is not triage[key]:
            assert inbox_lists.is_unread(report, after[key])


def test_a_dismissed_report_does_not_come_back_unchanged() -> None:
    report = Report("a", status="ready", signal_count=5)
    known = inbox_lists.dismissed(report, Triage(seen_at=1.0))
    assert inbox_lists.is_dismissed(report, known) and not inbox_lists.is_open(report, known)
    assert inbox_lists.noticed(by_id(report), {"a": known})["a"] is known
    more = replace(report, signal_count=6)
    back = inbox_lists.noticed(by_id(more), {"a": known})["a"]
    assert inbox_lists.is_open(more, back) and inbox_lists.is_unread(more, back)
    # The server still has it dismissed: new signals or not.
    assert inbox_lists.noticed(by_id(replace(more, status=DISMISSED)), {"a": known})["a"] is known
    empty = Report("b", status="ready")
    assert inbox_lists.is_dismissed(empty, inbox_lists.dismissed(empty, Triage()))


def test_a_snoozed_report_is_back_with_its_signals() -> None:
    report = Report("a", status="potential", signal_count=9)
    known = inbox_lists.snoozed(report, Triage(seen_at=1.0), 5)
    assert inbox_lists.is_snoozed(replace(report, signal_count=13), known)
    back = replace(report, signal_count=14)
    assert not inbox_lists.is_snoozed(back, known)
    again = inbox_lists.noticed(by_id(back), {"a": known})["a"]
    assert inbox_lists.is_unread(back, again) and again.snoozed_signals == 0
    assert inbox_lists.is_open(report, inbox_lists.restored(known))


def test_for_you() -> None:
    ready = Report("a", status="ready", actionability="immediately_actionable")
    there = Evidence("a", repository="acme/web")
    assert inbox_lists.is_for_you(ready, there, 0.0, [HERE])
    assert inbox_lists.is_for_you(replace(ready, status="potential", for_me=True), None, 0.0, [])
    assert inbox_lists.is_for_you(replace(ready, status="potential"), None, 0.1, [])
    reviewed = replace(there, reviewers=(SuggestedReviewer("Priya"),))
    nots = [
        (replace(ready, status="in_progress"), there, [HERE], False),
        (replace(ready, actionability="requires_human_input"), there, [HERE], False),
        (replace(ready, already_addressed=True), there, [HERE], False),
        (replace(ready, pull_request_url="https://github.com/acme/web/pull/1"), there, [HERE], False),
        (ready, reviewed, [HERE], False),
        (ready, there, [HERE], True),
        (ready, there, [], False),
        (ready, None, [HERE], False),
        (ready, replace(there, repository=""), [HERE], False),
    ]
    for report, evidence, known, taken in nots:
        assert not inbox_lists.is_for_you(report, evidence, 0.0, known, taken=taken)


@pytest.mark.parametrize(
    ("search", "sources", "repository", "found"),
    [
        ("", (), "", True),
        ("safari LOOP", (), "", True),
        ("loop chrome", (), "", False),
        ("signin.ts", (), "", True),
        ("0199ab", (), "", True),
        ("", ("error_tracking", "github"), "", True),
        ("", ("zendesk",), "", False),
        ("", (), "acme/web", True),
        ("", (), "Web", True),
        ("", (), "api", False),
    ],
)
def test_search_and_filters(search: str, sources: tuple[str, ...], repository: str, found: bool) -> None:
    report = Report("0199ab", title="Sign-in loops", summary="on Safari 18", sources=("error_tracking",))
    evidence = Evidence("0199ab", repository="acme/web", paths=("src/auth/signIn.ts:3",))
    assert inbox_lists.matches(report, evidence, search, sources, repository) is found


def test_a_list_that_is_the_same_is_the_same() -> None:
    old = by_id(Report("a", title="A"), Report("b"))
    assert inbox_lists.merged(old, [Report("a", title="A"), Report("b")]) is old
    news = inbox_lists.merged(old, [Report("a", title="A"), Report("b", title="B")])
    assert news["a"] is old["a"] and news["b"].title == "B"
    assert set(inbox_lists.merged(old, [Report("b")])) == {"b"}


def test_what_is_being_told_goes_before_an_older_answer() -> None:
    old = by_id(Report("a", status=DISMISSED), Report("gone", status="potential"))
    found = inbox_lists.merged(old, [Report("a", status="ready")], kept=("a", "gone"))
    assert found["a"].status == DISMISSED and "gone" in found


def test_dismissed_ones_stay_while_nobody_asks_for_them() -> None:
    old = by_id(Report("a", status=DISMISSED), Report("b", status="ready"))
    assert set(inbox_lists.merged(old, [], dismissed_too=False)) == {"a"}
    assert set(inbox_lists.merged(old, [], dismissed_too=True)) == set()


def test_at_most_forty_evidences() -> None:
    listed = by_id(*(Report(f"r{n}") for n in range(60)))
    known = {f"r{n}": Evidence(f"r{n}", fetched_at=float(n)) for n in range(45)}
    found = inbox_lists.with_evidence(
        known, [Evidence("r50", fetched_at=99.0), Evidence("gone", fetched_at=99.0)], listed
    )
    assert len(found) == 40 and "r50" in found and "gone" not in found and "r0" not in found
    kept = inbox_lists.with_evidence(known, [], listed, wanted=("r0",), worked_on=("r1", "r2"))
    assert {"r0", "r1", "r2", "r44"} <= kept.keys() and not {"r3", "r4", "r7"} & kept.keys()


def test_triage_does_not_grow_for_ever() -> None:
    many = {f"r{n}": Triage(seen_at=1.0) for n in range(inbox_lists.KEPT_TRIAGE)}
    many["r0"] = Triage(seen_at=1.0, dismissed_signals=3)
    found = inbox_lists.with_triage(many, "new", Triage(seen_at=2.0))
    assert len(found) == inbox_lists.KEPT_TRIAGE and "r0" in found and "new" in found and "r1" not in found


def test_the_tasks_of_a_report() -> None:
    def task(task_id: str, at: float, **fields: object) -> Task:
        made = Task(TaskId(task_id), RepositoryId("w"), "T", "P", Workspace.WORKTREE, "x", SessionId(task_id), at, at)
        return replace(made, **fields)  # type: ignore[arg-type]

    tasks = [
        task("own", 1.0, report_id="a"),
        task("linked", 2.0),
        task("cloud", 3.0, cloud_task_id="c1"),
        task("gone", 4.0, report_id="a", phase=TaskPhase.DELETED),
        task("other", 5.0, report_id="b"),
    ]
    state = AppState(
        tasks={one.id: one for one in tasks},
        cloud=CloudList({"c1": CloudTask("c1", report_id="a"), "c2": CloudTask("c2", report_id="a", created_at=9.0)}),
        inbox=Inbox(triage={"a": Triage(task_ids=(TaskId("linked"), TaskId("never")))}),
    )
    assert inbox_lists.tasks_of(state, "a") == ("cloud", "linked", "own")
