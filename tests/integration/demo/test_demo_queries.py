"""HogQL as the stand-in PostHog answers it: rightly, or not at all."""

from __future__ import annotations

import sqlite3
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from cloud_client import until
from hypothesis import given
from hypothesis import strategies as st
from product_client import EMPTY, Harbor

from posthog_code.demo.posthog.hogql import HogQLError, compile_query
from posthog_code.demo.posthog.hogql.functions import install
from posthog_code.demo.world import DemoPostHog

WORDS = """
    SELECT DISTINCT FROM events WHERE GROUP BY HAVING ORDER LIMIT AS AND OR NOT IN LIKE BETWEEN IS NULL INTERVAL
    DAY CASE WHEN THEN END count uniq countIf if now toDateTime quantile event timestamp properties.$x properties
    person_id e ( {names} {one} ( ) ( ) , , . * + - = != < 1 0.5 'a' 'it''s' [ ] || UNION ALL WITH -- ;
    """.split()  # noqa: SIM905
BEGINNINGS = ("", "SELECT ", "SELECT count() FROM events WHERE ", "SELECT event FROM events GROUP BY ")


def plant(cloud: DemoPostHog, name: str) -> list[dict[str, Any]]:
    """Known events in the empty project."""
    at = ("2026-05-04T08:00:00Z", "2026-05-04T08:59:59.500Z", "2026-05-04T09:00:00Z", "2026-05-05T00:00:01Z")
    events = [
        {
            "event": name,
            "timestamp": at[k % 4],
            "distinct_id": f"d{k % 3}",
            "person_id": f"p{k % 3}",
            "properties": {
                "n": k,
                "plan": ["free", "pro"][k % 2],
                "$ok": k % 2 == 0,
                "tags": ["a", f"t{k}"],
                "it's": "x",
            },
        }
        for k in range(8)
    ]
    del events[7]["properties"]["plan"]
    assert cloud.control("POST", "event", {"project": EMPTY, "events": events})["events"] == 8
    return events


QUERIES = tomllib.loads(Path(__file__).with_name("demo_queries.toml").read_text(encoding="utf-8"))["query"]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query["sql"][:60])
def test_queries_give_what_clickhouse_would(cloud: DemoPostHog, query: dict[str, Any]) -> None:
    mobile, sql, name = Harbor(cloud, project=EMPTY), query["sql"], "planted"
    if not mobile.rows("SELECT count() FROM events WHERE event = {e}", e=name)[0][0]:
        plant(cloud, name)
    values = {"e": name, "ns": [2, 5], "none": [], "since": "2026-05-04T09:00:00Z"}
    found = mobile.rows(sql, **{key: value for key, value in values.items() if f"{{{key}}}" in sql})
    assert found == query["rows"]


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "SELEC 1",
        "SELECT",
        "SELECT bogus(event) FROM events",
        "SELECT colour FROM events",
        "SELECT 1 FROM sessions",
        "SELECT event, count() FROM events",
        "SELECT event, person_id, count() FROM events GROUP BY event",
        "SELECT * FROM events GROUP BY event",
        "SELECT count() FROM events WHERE count() > 1",
        "SELECT a.event FROM events a JOIN events b ON a.uuid = b.uuid",
        "SELECT row_number() OVER (PARTITION BY event) FROM events",
        "SELECT arrayMap(x -> x, [1])",
        "SELECT {missing}",
        "SELECT now() - 5",
        "SELECT timestamp + timestamp FROM events",
        "SELECT count() FROM events WHERE timestamp > now() - INTERVAL {n} DAY",
        "SELECT count() FROM events WHERE timestamp > 'yesterday evening'",
        "SELECT event FROM events WHERE event IN 'a'",
        "SELECT quantile(event) FROM events",
        "SELECT uniq(event, person_id) FROM events",
        "SELECT event AS a, person_id AS a FROM events",
        "SELECT (SELECT event, uuid FROM events)",
        "SELECT 1; DROP TABLE rows",
        "SELECT 1 FROM rows",
        "SELECT load_extension('x')",
        "SELECT 'unfinished",
    ],
)
def test_what_is_not_understood_is_refused(harbor: Harbor, sql: str) -> None:
    refused = harbor.ask(sql)
    assert refused.status == 400 and refused.body["type"] == "validation_error" and refused.body["detail"], refused.body


@given(st.sampled_from(BEGINNINGS), st.lists(st.sampled_from(WORDS) | st.text(max_size=3), max_size=24))
def test_any_text_is_a_query_or_refused(begin: str, words: list[str]) -> None:
    try:
        made = compile_query(begin + " ".join(words), {"names": ["a"], "one": 1}, EMPTY, "2026-05-04T08:00:00.000000Z")
    except HogQLError:
        return
    connection = sqlite3.connect(":memory:")
    install(connection)
    connection.execute(
        "CREATE TABLE rows (project, uuid, event, timestamp, distinct_id, person_id, properties, stream)"
    )
    try:
        assert connection.execute(made.sql, dict(made.parameters)).fetchall() is not None
    except sqlite3.Error:
        pass  # told as a refusal: the statement is one that SQLite does not take
    finally:
        connection.close()


def test_rows_are_bounded_and_kept_apart_by_project(harbor: Harbor, cloud: DemoPostHog) -> None:
    many = harbor.ask("SELECT event FROM events").body
    assert len(many["results"]) == 100 and many["hasMore"] is True and many["types"] == [["event", "String"]]
    few = harbor.ask("SELECT event FROM events LIMIT 7").body
    assert len(few["results"]) == 7 and few["hasMore"] is True
    assert Harbor(cloud, project=EMPTY).rows("SELECT count() FROM events WHERE event = '$pageview'") == [[0]]
    assert harbor.call("POST", "query/", {"query": {"kind": "TrendsQuery"}}).status == 400
    assert harbor.call("POST", "query/", {}).status == 400


def test_slow_pending_and_overloaded_queries(harbor: Harbor, cloud: DemoPostHog) -> None:
    cloud.control("POST", "config", {"query_pending_s": 0.3})
    query = {"kind": "HogQLQuery", "query": "SELECT 1"}
    begun = harbor.call("POST", "query/", {"query": query, "client_query_id": "mine"})
    assert begun.status == 202 and begun.body["query_status"] | {"complete": False} == begun.body["query_status"]
    done = until(lambda: (found := harbor.call("GET", "query/mine/")).status == 200 and found)
    assert done.body["query_status"]["results"]["results"] == [[1]]
    harbor.call("POST", "query/", {"query": {**query, "query": "SELECT nonsense"}, "client_query_id": "bad"})
    assert until(lambda: (found := harbor.call("GET", "query/bad/")).status != 202 and found).status == 400
    assert harbor.call("GET", "query/unknown/").status == 404
    cloud.control("POST", "config", {"query_pending_s": 0, "query_slow_s": 0.2})
    before = time.monotonic()
    assert harbor.rows("SELECT 1") == [[1]] and time.monotonic() - before >= 0.2
    cloud.control("POST", "faults", {"kind": "throttle", "path": "/query/", "retry_after": 3})
    cloud.control("POST", "faults", {"kind": "status", "path": "/query/", "status": 512})
    limited = harbor.ask("SELECT 1")
    assert limited.status == 429 and limited.headers["Retry-After"] == "3"
    assert harbor.ask("SELECT 1").status == 512 and harbor.ask("SELECT 1").status == 200
