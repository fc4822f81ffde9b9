"""The signals of the stand-in PostHog over real HTTP: inbox, definitions, captured events, releases, MCP."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from cloud_client import Answer, CloudClient, until
from product_client import EMPTY, Harbor

from posthog_code.demo import inbox, signals
from posthog_code.demo.posthog import history
from posthog_code.demo.repositories import git
from posthog_code.demo.world import VERSION, DemoGitHub, DemoPostHog, WorldFacts, outdated
from posthog_code.demo.world import start_posthog as posthog_of

B2 = signals.DOUBLE_CHARGE

# -- the inbox


def test_the_list_is_filtered_ordered_and_paged(harbor: Harbor, cloud: DemoPostHog) -> None:
    everything = harbor.titles()
    assert len(everything) >= 13 and everything[0] == "Sign-in loops on Safari 18"
    assert "Gateway answers 502 at night" not in everything
    assert "Gateway answers 502 at night" in harbor.titles("status=suppressed")
    assert "Gateway answers 502 at night" in harbor.titles("include_all_statuses=true")
    assert harbor.titles("search=apostrophe") == ["Search finds nothing when the query has an apostrophe"]
    assert set(harbor.titles("priority=P0,P1")) == set(everything[:3])
    assert harbor.titles("source_product=zendesk,github&status=ready&ordering=priority") == everything[:2]
    assert harbor.titles("status=in_progress") == ["Cart badge shows NaN"]
    mira = "0190a000-0000-7000-8000-000000000007"
    assert harbor.titles(f"suggested_reviewers={mira}") == harbor.titles("assignee=me")
    ordered = harbor.call("GET", "signals/reports/?ordering=-signal_count,id").body["results"]
    counts = [row["signal_count"] for row in ordered]
    assert counts == sorted(counts, reverse=True) and counts[0] > counts[-1]
    first = harbor.call("GET", "signals/reports/?limit=5").body
    assert first["count"] == len(everything) and first["previous"] is None
    second = harbor("GET", first["next"]).body
    assert [row["title"] for row in first["results"] + second["results"]] == everything[:10]
    assert harbor.call("GET", "signals/reports/?count_only=true").body == {"count": len(everything)}
    assert harbor.call("GET", "signals/reports/?ordering=color").status == 400
    assert Harbor(cloud, project=EMPTY).titles() == []


def test_evidence_fits_the_code_the_history_and_the_recordings(harbor: Harbor, world: WorldFacts) -> None:
    for row in harbor.call("GET", "signals/reports/?include_all_statuses=true").body["results"]:
        found = harbor.call("GET", f"signals/reports/{row['id']}/signals/").body
        artefacts = harbor.call("GET", f"signals/reports/{row['id']}/artefacts/").body
        assert found["report"]["id"] == row["id"] and len(found["signals"]) == row["signal_count"] > 0
        assert artefacts["count"] == row["artefact_count"] == len(artefacts["results"])
        known = {signal["signal_id"] for signal in found["signals"]}
        assert len(known) == row["signal_count"]
        for artefact in artefacts["results"]:
            content = artefact["content"]
            if artefact["type"] == "signal_finding":
                assert content["signal_id"] in known
                check_places(world, content)
            elif artefact["type"] == "suggested_reviewers":
                assert all(one["user"]["email"].endswith("@harbor.example") and one["reason"] for one in content)
                assert all(one["relevant_commits"][0]["sha"] for one in content), row["title"]
        check_signals(harbor, found["signals"])


def check_places(world: WorldFacts, content: Any) -> None:
    for place in content["relevant_code_paths"]:
        path, line = place.rsplit(":", 1)
        name = "harbor-api" if path.endswith(".py") else "harbor-web"
        assert len((world.repository(name) / path).read_text().splitlines()) >= int(line)
    for sha, why in content["relevant_commit_hashes"].items():
        assert len(sha) == 40 and why


def check_signals(harbor: Harbor, listed: list[Any]) -> None:
    for signal in listed:
        extra = signal["extra"]
        if session := extra.get("session_id"):
            recording = harbor.call("GET", f"session_recordings/{session}/").body
            assert recording["recording_duration"] == extra["session_duration"]
            assert harbor.rows("SELECT count() FROM events WHERE $session_id = {s}", s=session)[0][0] > 1
        elif fingerprint := extra.get("fingerprint"):
            sql = "SELECT count() FROM events WHERE properties.$exception_fingerprint = {f}"
            assert harbor.rows(sql, f=fingerprint)[0][0] > 0
            assert harbor.call("GET", f"error_tracking/issues/{extra['issue_id']}/").body["name"] == extra["name"]


def test_figures_differ_so_that_a_ranking_has_something_to_say(harbor: Harbor) -> None:
    sql = """SELECT properties.$exception_fingerprint AS f, count(), count(DISTINCT person_id),
        countIf(timestamp >= now() - INTERVAL 3 DAY),
        countIf(timestamp < now() - INTERVAL 3 DAY AND timestamp >= now() - INTERVAL 6 DAY)
        FROM events WHERE event = '$exception' AND timestamp >= now() - INTERVAL 7 DAY GROUP BY f"""
    found = {row[0]: row[1:] for row in harbor.rows(sql)}
    assert found["fp-sign-in-loop"][0] > 1000 and found["fp-sign-in-loop"][1] > 400
    charged = harbor.rows(
        "SELECT count(), uniq(person_id) FROM events WHERE properties.$exception_fingerprint IN {f} "
        "AND timestamp >= now() - INTERVAL 7 DAY",
        f=["fp-gateway-timeout", "fp-duplicate-charge", "fp-pay-button"],
    )[0]
    assert 180 < charged[0] < 280 and 70 < charged[1] < 110
    assert found["fp-sign-in-loop"][2] > 1.5 * found["fp-sign-in-loop"][3]
    assert found["fp-uploader"][2] < 1.5 * found["fp-uploader"][3]


def test_what_becomes_of_a_report(harbor: Harbor) -> None:
    report_id = signals.REPORT % "b9"
    done = harbor.move(report_id, state="suppressed", dismissal_reason="wontfix_irrelevant", dismissal_note="Old.")
    assert done.status == 200 and done.body["status"] == "suppressed"
    assert (done.body["dismissal_reason"], done.body["dismissal_note"]) == ("wontfix_irrelevant", "Old.")
    again = harbor.move(report_id, state="suppressed")
    assert again.status == 409 and "suppressed" in again.body["error"]
    restored = harbor.move(report_id, state="potential").body
    assert restored["status"] == "ready" and restored["dismissal_reason"] is None
    assert harbor.move(report_id, state="resolved").body["status"] == "resolved"
    assert harbor.move(report_id, state="suppressed").status == 409
    assert harbor.move(report_id, state="potential").body["status"] == "ready"
    assert harbor.move(signals.REPORT % "bc", state="resolved").status == 409
    for body in (
        {},
        {"state": "ready"},
        {"state": "suppressed", "dismissal_reason": "because"},
        {"state": "suppressed", "dismissal_note": "x" * 4001},
        {"state": "potential", "snooze_for": 0},
        {"state": "potential", "snooze_for": 100_001},
    ):
        refused = harbor.move(report_id, **body)
        assert refused.status == 400 and refused.body["type"] == "validation_error", body
    assert harbor.move("01990000-0000-7000-8000-00000000ffff", state="resolved").status == 404


def test_a_snoozed_report_comes_back_with_enough_signals(harbor: Harbor, cloud: DemoPostHog) -> None:
    report_id = signals.REPORT % "b4"
    assert harbor.move(report_id, state="potential", snooze_for=2).body["status"] == "potential"
    assert harbor.move(report_id, state="potential", snooze_for=3).status == 409
    cloud.control("POST", "signals/signal", {"report": report_id, "content": "once more"})
    assert harbor.report(report_id)["status"] == "potential"
    cloud.control("POST", "signals/signal", {"report": report_id, "content": "and again"})
    assert harbor.report(report_id)["status"] == "ready"


def test_many_at_once_and_older_servers(harbor: Harbor, cloud: DemoPostHog) -> None:
    ids = [signals.REPORT % "ba", signals.REPORT % "b7", signals.REPORT % "bc", "nobody"]
    harbor.move(ids[1], state="suppressed")
    wish = {"ids": ids, "state": "suppressed", "dismissal_reason": "other"}
    done = harbor.call("POST", "signals/reports/bulk-state/", wish).body
    assert [row["outcome"] for row in done["results"]] == ["transitioned", "skipped", "transitioned", "not_found"]
    assert done["transitioned_count"] == 2
    assert harbor.call("POST", "signals/reports/bulk-state/", {"ids": [], "state": "resolved"}).status == 400
    cloud.control("POST", "config", {"older": True})
    assert harbor.call("POST", "signals/reports/bulk-state/", wish).status == 404
    assert harbor.move(ids[0], state="resolved").status == 400
    assert "dismissal_reason" not in harbor.report(ids[0])
    assert harbor.move(ids[0], state="potential").body["status"] == "ready"


def test_what_a_person_did_is_kept(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "github").mkdir(parents=True)
    first = posthog_of(home, 0, seeds=False)
    Harbor(first).move(B2, state="suppressed", dismissal_reason="other")
    events = Harbor(first).rows("SELECT count() FROM events WHERE timestamp < now() - INTERVAL 1 HOUR")
    first.stop()
    second = posthog_of(home, 0, seeds=False)
    try:
        assert Harbor(second).report(B2)["dismissal_reason"] == "other"
        later = Harbor(second).rows("SELECT count() FROM events WHERE timestamp < now() - INTERVAL 1 HOUR")
        assert later[0][0] >= events[0][0]
    finally:
        second.stop()
    silent = posthog_of(tmp_path / "home", 0, seeds=False, signals=False)
    silent.stop()


def test_configuration_and_people(harbor: Harbor) -> None:
    assert harbor.call("GET", "signals/processing/").body == {"paused_until": None}
    harbor.call("PUT", "signals/processing/pause/", {"timestamp": "2026-12-01T00:00:00Z"})
    assert harbor.call("GET", "signals/processing/").body["paused_until"]
    assert harbor.call("DELETE", "signals/processing/pause/").body == {"paused_until": None}
    assert harbor.call("POST", "signals/config/", {"default_autostart_priority": "P1"}).status == 200
    assert harbor.call("GET", "signals/config/").body["default_autostart_priority"] == "P1"
    sources = harbor.call("GET", "signals/source_configs/").body
    changed = harbor.call("PATCH", f"signals/source_configs/{sources[0]['id']}/", {"enabled": False})
    assert changed.body["enabled"] is False
    twice = {"source_product": "error_tracking", "source_type": "issue_created"}
    assert harbor.call("POST", "signals/source_configs/", twice).body["code"] == "unique"
    people = harbor.call("GET", "signals/reports/available_reviewers/?query=raman").body
    assert [row["github_login"] for row in people.values()] == ["priya-raman"]
    body = {"content": [{"github_login": "priya-raman"}]}
    assert harbor.call("PUT", f"signals/reports/{signals.REPORT % 'b5'}/reviewers/", body).status == 200
    assert harbor.call("POST", f"signals/reports/{B2}/reingest/").body["report_id"] == B2


def test_tasks_of_a_report(harbor: Harbor) -> None:
    new = {"title": "Fix it", "description": "Fix it", "signal_report": B2, "origin_product": "signal_report"}
    task = harbor("POST", harbor.tasks, new).body
    listed = harbor.call("GET", f"signals/reports/{B2}/tasks/?relationship=implementation").body["results"]
    assert [row["task_id"] for row in listed] == [task["id"]]
    assert harbor.titles(f"task_id={task['id']}") == ["Customers are charged twice after a timeout"]


# -- definitions


def test_definitions(harbor: Harbor, cloud: DemoPostHog) -> None:
    flags = {row["key"]: row for row in harbor.call("GET", "feature_flags/?limit=500").body["results"]}
    assert set(flags) == {flag.key for flag in signals.FLAGS}
    assert flags["old-cart"]["filters"]["groups"] == [{"properties": [], "rollout_percentage": 100.0}]
    assert flags["pay-sheet-mobile"]["filters"]["groups"][0]["properties"][0]["value"] == ["Mobile"]
    assert len(flags["new-search"]["filters"]["multivariate"]["variants"]) == 2
    one = harbor.call("GET", "feature_flags/?key=old-cart").body["results"]
    assert [row["id"] for row in one] == [4102] and harbor.call("GET", "feature_flags/4102/").status == 200
    experiments = {
        row["feature_flag_key"]: row["end_date"] for row in harbor.call("GET", "experiments/").body["results"]
    }
    assert experiments["express-checkout"] is None and experiments["new-search"]
    page = harbor.call("GET", "event_definitions/?search=QUOTE&limit=1").body
    assert page["count"] == 2 and page["results"][0]["name"] == "quote_created" and page["next"]
    quote = harbor("GET", page["next"]).body["results"][0]
    assert (
        quote["name"] == "quote_requested"
        and quote["last_seen_at"] < harbor.rows("SELECT now() - INTERVAL 5 DAY")[0][0]
    )
    assert harbor.call("GET", "").body["api_token"] == "phc_demo"
    assert Harbor(cloud, project=EMPTY).call("GET", "").body["api_token"] != "phc_demo"
    session = next(inbox.recordings()).id
    exports = harbor.call("GET", f"exports/?session_recording_id={session}&export_format=video/mp4").body["results"]
    assert exports[0]["has_content"]
    assert b"ftyp" in harbor.call("GET", f"exports/{exports[0]['id']}/content/").data
    assert harbor.call("GET", "session_recordings/nothing/").status == 404
    assert Harbor(cloud, project=EMPTY).call("GET", "feature_flags/").body["count"] == 0


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ("task:read", "signals/reports/"),
        ("feature_flag:read", "feature_flags/"),
        ("event_definition:read", "event_definitions/"),
        ("session_recording:read", "session_recordings/x/"),
        ("error_tracking:read", "error_tracking/issues/x/"),
        ("query:read", "query/x/"),
    ],
)
def test_a_missing_scope_is_named(harbor: Harbor, cloud: DemoPostHog, scope: str, path: str) -> None:
    token = cloud.control("POST", "tokens/issue", {"scope": "user:read"})["access_token"]
    refused = Harbor(cloud, token).call("GET", path)
    assert refused.status == 403 and f"'{scope}'" in refused.body["detail"]


# -- what is sent


def captured(fingerprint: str, **more: Any) -> dict[str, Any]:
    frames = [{"source": "src/cart/cartStore.ts", "line": 9, "in_app": True}]
    thrown = {"type": "RangeError", "value": "quantity", "stacktrace": {"type": "resolved", "frames": frames}}
    properties = {"$exception_list": [thrown], "$exception_fingerprint": fingerprint}
    return {"api_key": "phc_demo", "event": "$exception", "distinct_id": "d", "properties": properties, **more}


def test_a_captured_error_becomes_a_report(harbor: Harbor) -> None:
    sent = harbor("POST", "/i/v0/e/", captured("fp-new"), Authorization="")
    assert sent.status == 200
    assert harbor.rows("SELECT count() FROM events WHERE properties.$exception_fingerprint = 'fp-new'") == [[1]]
    report = until(lambda: harbor.call("GET", "signals/reports/?search=RangeError").body["results"])[0]
    assert report["status"] == "ready" and report["source_products"] == ["error_tracking"]
    artefacts = harbor.call("GET", f"signals/reports/{report['id']}/artefacts/").body["results"]
    paths = [one["content"]["relevant_code_paths"] for one in artefacts if one["type"] == "signal_finding"]
    assert paths == [["src/cart/cartStore.ts:9"]]
    harbor("POST", "/batch/", {"api_key": "phc_demo", "batch": [captured("fp-new")]}, Authorization="")
    until(lambda: harbor.report(report["id"])["signal_count"] == 2)
    assert len(harbor.titles("search=RangeError")) == 1


def test_what_is_no_event_is_refused(harbor: Harbor) -> None:
    assert harbor("POST", "/i/v0/e/", {**captured("x"), "api_key": "phc_other"}, Authorization="").status == 401
    for broken in ({"event": ""}, {"distinct_id": ""}, {"timestamp": "soon"}):
        assert harbor("POST", "/i/v0/e/", captured("fp-broken", **broken), Authorization="").status == 400
    assert harbor("POST", "/i/v0/e/", b"{", Content_Type="text/plain").status == 400
    assert harbor("GET", "/i/v0/e/").status == 405


def test_a_report_appears(harbor: Harbor, cloud: DemoPostHog) -> None:
    made = cloud.control("POST", "signals/report", {"title": "Out of the blue", "priority": "P1"})
    assert harbor.titles("search=blue") == ["Out of the blue"] and harbor.report(made["id"])["signal_count"] == 1


# -- the product goes by what is on main


def merge(world: WorldFacts, github: DemoGitHub, branch: str, path: str) -> int:
    """A merged pull request of harbor-web that touches a file."""
    folder = world.repository("harbor-web")
    git(folder, "checkout", "-q", "-B", branch, "origin/main")
    (folder / path).write_text((folder / path).read_text() + "// mended\n")
    git(folder, "commit", "-qam", f"Mend {path}")
    git(folder, "push", "-q", "origin", branch)
    client = CloudClient(DemoPostHog(github.process, github.api), github.token)
    new = {"title": f"Mend {path}", "head": branch, "base": "main", "body": ""}
    number = json.loads(client("POST", "/repos/harbor/harbor-web/pulls", new, User_Agent="test").data)["number"]
    github.merge("harbor-web", number)
    return int(number)


def test_errors_become_rare_once_the_fix_is_on_main(
    world: WorldFacts, github: DemoGitHub, harbor: Harbor, cloud: DemoPostHog
) -> None:
    def lately(fingerprint: str, hours: int) -> int:
        sql = f"SELECT count() FROM events WHERE timestamp >= now() - INTERVAL {hours} HOUR"
        return int(harbor.rows(f"{sql} AND properties.$exception_fingerprint = {{f}}", f=fingerprint)[0][0])

    with pytest.raises(OSError):
        cloud.control("POST", "release", {"repository": "harbor-docs", "hours": 8})
    loops, timeouts, uploads = lately("fp-sign-in-loop", 6), lately("fp-gateway-timeout", 18), lately("fp-uploader", 24)
    assert loops > 30 and timeouts > 9 and uploads
    merge(world, github, "fix/sign-in", "src/auth/signIn.ts")
    assert lately("fp-sign-in-loop", 6) >= 0.9 * loops, "it was merged just now"
    told = cloud.control("POST", "release", {"repository": "harbor/harbor-web", "hours": 8})
    assert told["paths"] == ["src/auth/signIn.ts"]
    assert lately("fp-sign-in-loop", 6) < 0.2 * loops
    # The same when it is GitHub that tells of an earlier merge. What the fix does not touch goes on as before.
    number = merge(world, github, "fix/submit", signals.SUBMIT.path)
    retried = "SELECT count() FROM events WHERE event = 'payment_retried'"
    assert harbor.rows(retried) == [[0]] and lately("fp-gateway-timeout", 18) >= 0.9 * timeouts
    github.advance("harbor-web", number, 20 * 3600)
    assert lately("fp-gateway-timeout", 18) < 0.3 * timeouts
    assert harbor.rows(retried)[0][0] > 0 and lately("fp-uploader", 24) >= uploads - 1


def test_the_history_is_the_same_in_one_piece_or_in_many() -> None:
    anchor, hour = 1_790_000_000.0, 3600.0
    source = next(one for one in history.sources() if one.stream.id == "fp-gateway-timeout")
    start, end, released = anchor - 40 * hour, anchor + 5 * hour, anchor - 9 * hour
    whole = set(history.rows(source, anchor, start, end, released))
    cuts = [start, anchor - 23.3 * hour, anchor - 9.01 * hour, anchor - 2.5 * hour, anchor, end]
    parts = [set(history.rows(source, anchor, a, b, released)) for a, b in itertools.pairwise(cuts)]
    assert whole == set().union(*parts) and len(whole) == sum(map(len, parts)) > 20


# -- MCP


def rpc(client: CloudClient, method: str, **params: Any) -> Answer:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return client("POST", "/mcp", body, Accept="application/json, text/event-stream", x_posthog_project_id="20101")


def test_mcp(harbor: Harbor, cloud: DemoPostHog) -> None:
    begun = rpc(harbor, "initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={"name": "t"})
    assert begun.body["result"]["protocolVersion"] == "2025-06-18" and begun.headers["Mcp-Session-Id"]
    told = harbor("POST", "/mcp", {"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert told.status == 202
    names = [tool["name"] for tool in rpc(harbor, "tools/list").body["result"]["tools"]]
    assert names == ["feature-flag-get-all", "list-errors", "query-run"]
    flags = rpc(harbor, "tools/call", name="feature-flag-get-all", arguments={}).body["result"]
    assert not flags["isError"] and "checkout-retry-v2" in flags["content"][0]["text"]
    errors = json.loads(
        rpc(harbor, "tools/call", name="list-errors", arguments={}).body["result"]["content"][0]["text"]
    )
    assert errors[0]["occurrences"] >= errors[1]["occurrences"] and "src/" in json.dumps(errors)
    wrong = rpc(harbor, "tools/call", name="query-run", arguments={"query": "SELECT x"}).body["result"]
    assert wrong["isError"] and "validation_error" in wrong["content"][0]["text"]
    assert rpc(harbor, "nonsense").body["error"]["code"] == -32601
    streamed = harbor("POST", "/mcp", {"jsonrpc": "2.0", "id": 2, "method": "ping"}, Accept="text/event-stream")
    assert streamed.data.startswith(b"event: message\ndata: ")
    assert rpc(CloudClient(cloud, "phx_wrong"), "ping").status == 401
    assert harbor("GET", "/mcp").status == 405
    cloud.control("POST", "config", {"mcp_refusals": 1})
    refused = rpc(harbor, "tools/call", name="list-errors", arguments={})
    assert refused.status == 200 and "authentication_failed" in refused.body["result"]["content"][0]["text"]
    assert not rpc(harbor, "tools/call", name="list-errors", arguments={}).body["result"]["isError"]


def test_a_world_of_an_older_program_is_known(world: WorldFacts, tmp_path: Path) -> None:
    assert not outdated(world.home) and not outdated(tmp_path)
    shutil.copy(world.home / "world.json", tmp_path)
    made = json.loads((tmp_path / "world.json").read_text())
    (tmp_path / "world.json").write_text(json.dumps({**made, "version": VERSION - 1}))
    assert outdated(tmp_path)
