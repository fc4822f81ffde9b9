"""Facts of the cloud: tolerant parsers, repositories, filters, words, and which frames are news."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posthog_code.adapters.posthog.errors import http_error
from posthog_code.adapters.posthog.hosts import origin_of, region_of
from posthog_code.adapters.posthog.redact import redact
from posthog_code.adapters.posthog.sse import SseParser
from posthog_code.adapters.storage.codec import decode, encode
from posthog_code.domain import cloud_entries, cloud_lists, cloud_parse
from posthog_code.domain.cloud import Account, CloudRunInfo, CloudTask, CloudUser
from posthog_code.domain.cloud_lists import CloudFilter, CloudWord
from posthog_code.domain.errors import InvalidInput, UserError
from posthog_code.domain.ids import RepositoryId
from posthog_code.domain.session import SessionPhase
from posthog_code.domain.task import Repository

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
TASK_KEYS = (
    "id",
    "repository",
    "repositories",
    "latest_run",
    "created_by",
    "created_at",
    "title",
    "signal_report",
    "internal",
)
RUN_KEYS = ("id", "status", "output", "state", "artifacts", "updated_at", "branch", "error_message", "environment")


@given(st.dictionaries(st.sampled_from(TASK_KEYS), JSON | st.dictionaries(st.sampled_from(RUN_KEYS), JSON)))
@settings(max_examples=150, deadline=None)
def test_any_task_parses_and_keeps_through_the_database(data: dict[str, Any]) -> None:
    task = cloud_parse.task(data, 5)
    assert task.repository == task.repository.lower()
    assert decode(CloudTask, encode(task)) == task
    cloud_lists.word(task)
    cloud_lists.mark(task)


@given(JSON)
@settings(max_examples=100, deadline=None)
def test_any_answer_is_an_account_or_an_error(data: Any) -> None:
    account = cloud_parse.account(data, Account(host="https://x.example"), [3])
    assert decode(Account, encode(account)) == account
    for status in (400, 401, 403, 404, 409, 429, 500):
        assert isinstance(http_error(status, {}, data, now=0.0, host="x"), UserError)


def test_unknown_words_stay_and_secrets_do_not() -> None:
    run = cloud_parse.run({"id": "r", "status": "hibernating", "state": {"sandbox_connect_token": "s", "mode": "x"}})
    assert run.status == "hibernating" and run.state == {"mode": "x"}
    assert cloud_lists.word(CloudTask("t", run=run)) is CloudWord.UNKNOWN


def repository(url: str, number: int = 1) -> Repository:
    return Repository(RepositoryId(f"R{number}"), "/r", "r", "main", remote_url=url)


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/Acme/Web.git",
        "https://ada:secret@github.com/acme/web/",
        "http://www.github.com/acme//web",
        "git@github.com:acme/web.git",
        "ssh://git@ssh.github.com:443/ACME/web.git",
        "git://github.com/acme/web",
        "github.com:acme/web",
        "git+ssh://git@github.com/acme/web",
    ],
)
def test_every_form_of_a_remote(url: str) -> None:
    assert cloud_lists.local_repository("acme/web", [repository(url)]) == "R1"


@pytest.mark.parametrize(
    "url", ["", "/srv/acme/web", "C:\\acme\\web", "file:///acme/web", "https://github.com/acme/website", "web.git"]
)
def test_what_is_another_repository(url: str) -> None:
    assert cloud_lists.local_repository("acme/web", [repository(url)]) is None


def test_github_goes_before_another_host() -> None:
    known = [repository("https://git.example/acme/web", 1), repository("git@github.com:acme/web", 2)]
    assert cloud_lists.local_repository("ACME/web", known) == "R2"
    assert cloud_lists.local_repository("acme/web", known[:1]) == "R1"


@given(st.text(max_size=40))
@settings(max_examples=200, deadline=None)
def test_no_remote_is_too_odd(url: str) -> None:
    host, name = cloud_lists.remote_name(url)
    assert bool(host) == bool(name)


ME = CloudUser(7, "u7")


def test_filters_search_and_news() -> None:
    run = CloudRunInfo("r1", status="in_progress", updated_at=5.0)
    mine = CloudTask("a", title="Fix login", creator=ME, updated_at=2.0, run=run)
    theirs = CloudTask("b", title="Docs", creator=CloudUser(8), updated_at=3.0)
    nobody = CloudTask("c", title="Spike", origin="signal_report", updated_at=1.0)
    hidden = CloudTask("d", internal=True)
    first = cloud_lists.merged({}, [mine, theirs, nobody, hidden], ME, first=True)

    def ids(which: CloudFilter, words: str = "") -> list[str]:
        return [task.id for task in cloud_lists.shown(first, which, ME, words)]

    assert ids(CloudFilter.ALL) == ["b", "a", "c"]
    assert (ids(CloudFilter.MINE), ids(CloudFilter.TEAM)) == (["a"], ["b"])
    assert (ids(CloudFilter.UNASSIGNED), ids(CloudFilter.SIGNALS)) == (["c"], ["c"])
    assert ids(CloudFilter.ALL, "login FIX") == ["a"]
    assert not any(cloud_lists.is_unread(task) for task in first.values())
    done = replace(mine, run=replace(run, status="completed", updated_at=9.0))
    second = cloud_lists.merged(first, [done, theirs, CloudTask("e", creator=CloudUser(8))], ME, first=False)
    assert {key for key, task in second.items() if cloud_lists.is_unread(task)} == {"a", "e"}
    assert second["b"] is first["b"] and "c" not in second
    stale = cloud_lists.merged(second, [mine], ME, first=False)
    assert stale["a"].run == done.run  # the stream knew more than the list


def test_words_in_their_order() -> None:
    def word(status: str, phase: SessionPhase | None = None, environment: str = "cloud") -> CloudWord:
        return cloud_lists.word(CloudTask("t", run=CloudRunInfo("r", status=status, environment=environment)), phase)

    assert cloud_lists.word(CloudTask("t")) is CloudWord.NEW
    assert word("failed", SessionPhase.WAITING) is CloudWord.FAILED
    assert word("in_progress", SessionPhase.WAITING) is CloudWord.WAITING
    assert word("in_progress", environment="local") is CloudWord.LOCAL
    assert word("queued") is CloudWord.STARTING
    assert word("in_progress", SessionPhase.READY) is CloudWord.READY
    assert word("in_progress") is CloudWord.WORKING


def frame(name: str) -> dict[str, Any]:
    return {"method": "_posthog/console", "params": {"message": name}}


def words(text: str, kind: str = "agent_message_chunk") -> dict[str, Any]:
    update = {"sessionUpdate": kind, "content": {"type": "text", "text": text}}
    return {"method": "session/update", "params": {"update": update}}


@given(
    st.lists(st.sampled_from("abcabc.,;"), max_size=40),
    st.integers(0, 40),
    st.integers(0, 40),
)
@settings(max_examples=300, deadline=None)
def test_log_and_stream_make_one_conversation(story: list[str], lag: int, begins: int) -> None:
    """Letters are frames (some the same), marks are pieces of a message. Storage may lag, the stream lack a beginning,
    as long as between them they have everything."""
    streamed = [frame(one) if one.isalpha() else words(one) for one in story]
    stored: list[dict[str, Any]] = []
    cut = max(0, len(story) - lag)
    text = ""
    for one in story[:cut]:
        if one.isalpha():
            if text:
                stored.append(words(text, "agent_message"))
            text = ""
            stored.append(frame(one))
        else:
            text += one
    begins = min(begins, cut - len(text))
    while begins and not story[begins - 1].isalpha():
        begins -= 1  # a buffer that begins within a message is repaired later
    tail = streamed[begins:]
    shown = stored + [tail[i] for i in cloud_entries.news(stored, tail)]
    if lag == 0 or begins == 0:
        said = "".join(filter(None, map(cloud_entries.said_by_agent, shown)))
        assert said == "".join(one for one in story if not one.isalpha())
        count = sum(1 for one in shown if cloud_entries.said_by_agent(one) is None)
        assert count == sum(1 for one in story if one.isalpha())


@given(st.lists(st.text(max_size=20), min_size=1, max_size=8), st.integers(1, 9), st.sampled_from(["\n", "\r\n", "\r"]))
@settings(max_examples=150, deadline=None)
def test_events_survive_any_cut(texts: list[str], step: int, end: str) -> None:
    parts = [f"id: {n}{end}data: {json.dumps(text, ensure_ascii=False)}{end}{end}" for n, text in enumerate(texts)]
    raw = "".join(parts).encode("utf-8", "surrogatepass")
    parser = SseParser()
    events = [event for at in range(0, len(raw), step) for event in parser.feed(raw[at : at + step])]
    events += parser.feed(b"\n") if end == "\r" else []
    assert [(event.id, event.data) for event in events if not event.broken] == [
        (str(n), text) for n, text in enumerate(texts)
    ]


def test_odd_lines_of_a_stream() -> None:
    parser = SseParser(line_limit=100)
    events = parser.feed(
        b': hello\n\xef\xbb\xbfdata\n\nevent: end\ndata: {\ndata: "a": 1}\n\ndata: nope\n\nretry: 5\n\n'
    )
    assert [(e.name, e.data, e.broken) for e in events][:3] == [
        ("keepalive", None, ""),
        ("end", {"a": 1}, ""),
        ("", None, "nope"),
    ]
    huge = parser.feed(b"data: " + b"x" * 5000) + parser.feed(b"y" * 5000 + b'\n\ndata: "next"\n\n')
    assert huge[0].broken and huge[1].data == "next"


def test_secrets_are_cut_out() -> None:
    said = "pha_abcdef123 phr_abcdef phx_abc_def phs_abcd phe_abcd eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.sig"
    said += " Bearer xyz code=1a2b"
    hidden = redact(said)
    for secret in ("abcdef", "abc_def", "abcd", "eyJhIjoxfQ", "xyz", "1a2b"):
        assert secret not in hidden
    assert redact("a phrase about phantoms") == "a phrase about phantoms"


@pytest.mark.parametrize(
    ("words_", "origin"),
    [
        ("us", "https://us.posthog.com"),
        ("EU", "https://eu.posthog.com"),
        ("https://app.posthog.com/project/1", "https://us.posthog.com"),
        ("posthog.example.org///", "https://posthog.example.org"),
        ("http://localhost:8010/", "http://localhost:8010"),
        ("https://p.example:443/x", "https://p.example"),
    ],
)
def test_hosts(words_: str, origin: str) -> None:
    assert origin_of(words_) == origin
    assert region_of(origin) in ("us", "eu", "")


@pytest.mark.parametrize("bad", ["", "http://p.example", "ftp://p.example", "https://", "a b", "https://x:99999"])
def test_no_host(bad: str) -> None:
    with pytest.raises(InvalidInput):
        origin_of(bad)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://mira:ghp_secret@github.com/acme/web.git", "https://github.com/acme/web.git"),
        ("https://x-access-token:a@b@git.example:8443/acme/web?token=secret", "https://git.example:8443/acme/web"),
        ("https://github.com/acme/web", "https://github.com/acme/web"),
        ("git@github.com:acme/web.git", "git@github.com:acme/web.git"),
        ("ssh://git@github.com/acme/web.git", "ssh://git@github.com/acme/web.git"),
        ("https://[bad/acme", ""),
        ("/srv/git/web.git", "/srv/git/web.git"),
    ],
)
def test_others_see_a_remote_without_the_token_in_it(url: str, shown: str) -> None:
    assert cloud_lists.without_credentials(url) == shown
