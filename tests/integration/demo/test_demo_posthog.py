"""The stand-in PostHog over real HTTP: sign-in, account, tasks, artifacts, faults, and its life as a process."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cloud_client import Answer, CloudClient, CloudRun, until

from posthog_code.demo.world import DemoGitHub, DemoPostHog, WorldFacts

REDIRECT = "http://127.0.0.1:8237/callback"
VERIFIER = "v" * 43
FORM = "application/x-www-form-urlencoded"
SCOPES = "user:read project:read task:read"


@pytest.fixture
def client(cloud: DemoPostHog) -> Iterator[CloudClient]:
    yield CloudClient(cloud)
    cloud.control("DELETE", "faults")
    cloud.control("POST", "config", {"refresh_grace_s": 120, "access_lifetime_s": 3600, "github_authorization": "bot"})


# -- sign-in


def challenge(verifier: str = VERIFIER) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def register(client: CloudClient) -> str:
    body = {"client_name": "A desk", "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none"}
    made = client("POST", "/oauth/register/", body)
    assert made.status == 201
    return str(made.body["client_id"])


def authorize(client: CloudClient, client_id: str, **more: str) -> Answer:
    query = {"client_id": client_id, "redirect_uri": REDIRECT, "response_type": "code", "scope": SCOPES, "state": "s1"}
    query |= {"code_challenge": challenge(), "code_challenge_method": "S256", **more}
    return client("GET", f"/oauth/authorize/?{urllib.parse.urlencode(query)}", Authorization="")


def back(answer: Answer) -> dict[str, str]:
    assert answer.status == 302 and answer.headers["Location"].startswith(f"{REDIRECT}?")
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(answer.headers["Location"]).query))


def exchange(client: CloudClient, client_id: str, code: str, verifier: str = VERIFIER) -> Answer:
    body = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "client_id": client_id}
    return client("POST", "/oauth/token/", {**body, "code_verifier": verifier}, Authorization="")


def refresh(client: CloudClient, client_id: str, token: str) -> Answer:
    body = {"grant_type": "refresh_token", "refresh_token": token, "client_id": client_id}
    return client("POST", "/oauth/token/", body, Authorization="")


def test_sign_in_by_the_consent_page(client: CloudClient) -> None:
    facts = client("GET", "/.well-known/oauth-authorization-server").body
    assert facts["code_challenge_methods_supported"] == ["S256"]
    assert facts["token_endpoint"] == f"{client.cloud.url}/oauth/token/"
    client_id = register(client)
    page = authorize(client, client_id)
    assert page.status == 200 and b"A desk" in page.data and b"Harbor Mobile" in page.data
    form = {"client_id": client_id, "redirect_uri": REDIRECT, "response_type": "code", "scope": SCOPES, "state": "s1"}
    form |= {"code_challenge": challenge(), "code_challenge_method": "S256", "decision": "approve"}
    form[f"project_{client.cloud.project}"] = "1"
    data = urllib.parse.urlencode(form).encode()
    answer = back(client("POST", "/oauth/approve/", data, Authorization="", Content_Type=FORM))
    assert answer["state"] == "s1"
    tokens = exchange(client, client_id, answer["code"]).body
    assert tokens["expires_in"] == 3600 and tokens["scope"] == SCOPES
    assert tokens["access_token"].startswith("pha_") and tokens["refresh_token"].startswith("phr_")
    assert tokens["scoped_teams"] == [client.cloud.project]
    signed_in = CloudClient(client.cloud, tokens["access_token"])
    assert signed_in("GET", "/api/users/@me/").body["email"] == "mira@harbor.example"
    assert signed_in("GET", "/api/projects/20102/").status == 403
    refused = signed_in("POST", signed_in.tasks, {"description": "x"})
    assert refused.status == 403 and "'task:write'" in refused.body["detail"]
    assert refused.body["code"] == "permission_denied"


def test_denied_and_wrong_requests(client: CloudClient) -> None:
    client_id = register(client)
    form = {"client_id": client_id, "redirect_uri": REDIRECT, "response_type": "code", "decision": "deny"}
    form |= {"code_challenge": challenge(), "code_challenge_method": "S256"}
    data = urllib.parse.urlencode(form).encode()
    assert back(client("POST", "/oauth/approve/", data, Content_Type=FORM)) == {"error": "access_denied"}
    assert back(authorize(client, client_id, auto="1", scope="*"))["error"] == "invalid_scope"
    assert back(authorize(client, client_id, code_challenge_method="plain"))["error"] == "invalid_request"
    assert authorize(client, client_id, redirect_uri="http://127.0.0.1:9/callback").status == 400
    for name, uri in (("PostHog desk", REDIRECT), ("desk", "http://example.com/"), ("desk", "javascript:alert(1)")):
        assert client("POST", "/oauth/register/", {"client_name": name, "redirect_uris": [uri]}).status == 400
    code = back(authorize(client, client_id, auto="1"))["code"]
    assert exchange(client, client_id, code, "w" * 43).body["error"] == "invalid_grant"
    assert exchange(client, "nobody", code).status == 401


def test_refresh_tokens_rotate_and_reuse_ends_the_family(client: CloudClient) -> None:
    client_id = register(client)
    first = exchange(client, client_id, back(authorize(client, client_id, auto="1"))["code"]).body
    second = refresh(client, client_id, first["refresh_token"]).body
    assert second["refresh_token"] != first["refresh_token"]
    assert refresh(client, client_id, first["refresh_token"]).status == 200
    client.cloud.control("POST", "config", {"refresh_grace_s": 0})
    assert refresh(client, client_id, first["refresh_token"]).body["error"] == "invalid_grant"
    assert refresh(client, client_id, second["refresh_token"]).body["error"] == "invalid_grant"
    assert CloudClient(client.cloud, second["access_token"])("GET", "/api/users/@me/").status == 401


def test_expiry_and_revocation(client: CloudClient) -> None:
    client_id = register(client)
    client.cloud.control("POST", "config", {"access_lifetime_s": 0})
    tokens = exchange(client, client_id, back(authorize(client, client_id, auto="1"))["code"]).body
    late = CloudClient(client.cloud, tokens["access_token"])("GET", "/api/users/@me/")
    assert late.status == 401 and late.body["code"] == "authentication_failed" and "WWW-Authenticate" in late.headers
    data = urllib.parse.urlencode({"token": tokens["refresh_token"], "client_id": client_id}).encode()
    assert client("POST", "/oauth/revoke/", data, Content_Type=FORM).status == 200
    assert refresh(client, client_id, tokens["refresh_token"]).body["error"] == "invalid_grant"
    assert client("GET", "/api/users/@me/", Authorization="").body["code"] == "not_authenticated"


# -- account and tasks


def test_account_integrations_and_environments(client: CloudClient) -> None:
    project = client.cloud.project
    me = client("GET", "/api/users/@me/").body
    assert me["team"]["id"] == project and len(me["organization"]["teams"]) == 2
    assert client("PATCH", "/api/users/@me/", {"set_current_team": 20102}).body["team"]["id"] == 20102
    client("PATCH", "/api/users/@me/", {"set_current_team": project})
    assert client("GET", f"/api/projects/{project}/desktop/access/").body == {"allowed": True, "reason": None}
    base = f"/api/environments/{project}/integrations/"
    assert client("GET", base).body["results"][0]["kind"] == "github"
    repos = client("GET", f"{base}55/github_repos/?search=api").body
    assert [row["full_name"] for row in repos["repositories"]] == ["harbor/harbor-api"] and not repos["has_more"]
    branches = client("GET", f"{base}55/github_branches/?repo=harbor/harbor-api").body
    assert branches["default_branch"] == "main" and "main" in branches["branches"]
    environments = f"/api/projects/{project}/sandbox_environments/"
    made = client("POST", environments, {"name": "Node", "environment_variables": {"NPM_TOKEN": "x"}})
    assert made.status == 201 and made.body["has_environment_variables"] and "environment_variables" not in made.body
    wrong = client("POST", environments, {"name": "Node", "environment_variables": {"LD_PRELOAD": "x"}})
    assert wrong.status == 400 and wrong.body["attr"] == "environment_variables"
    assert client("DELETE", f"{environments}{made.body['id']}/").status == 204
    assert client("GET", environments).body["count"] == 0


def test_tasks(client: CloudClient) -> None:
    made = [client("POST", client.tasks, {"description": f"Number {number}\nmore"}).body for number in range(5)]
    assert made[0]["title"] == "Number 0" and made[0]["created_by"]["id"] == 7
    page = client("GET", f"{client.tasks}?limit=2&search=number").body
    assert page["count"] >= 5 and len(page["results"]) == 2 and page["previous"] is None
    later = client("GET", page["next"]).body
    assert not {row["id"] for row in page["results"]} & {row["id"] for row in later["results"]}
    path = f"{client.tasks}{made[0]['id']}/"
    renamed = client("PATCH", path, {"title": "By hand", "title_manually_set": True}).body
    assert renamed["title"] == "By hand" and renamed["updated_at"] > made[0]["updated_at"]
    assert client("PATCH", path, {"title": "By machine"}).body["title"] == "By hand"
    assert client("PATCH", path, {"archived": True}).body["archived_at"]
    assert made[0]["id"] not in [row["id"] for row in client("GET", f"{client.tasks}?limit=100").body["results"]]
    summary = client("POST", f"{client.tasks}summaries/", {"ids": [made[1]["id"]]}).body["results"]
    assert [row["id"] for row in summary] == [made[1]["id"]] and summary[0]["latest_run"] is None
    wrong = client("POST", client.tasks, {"description": "x", "repository": "nonsense"})
    assert (wrong.status, wrong.body["attr"], wrong.body["type"]) == (400, "repository", "validation_error")
    assert client("DELETE", path).status == 204
    assert client("GET", path).body == {
        "type": "invalid_request",
        "code": "not_found",
        "detail": "Not found.",
        "attr": None,
    }
    assert client("GET", path[:-1]).status == 301
    assert client("POST", client.tasks, b"{broken").body["code"] == "parse_error"


def test_runs_that_cannot_start(client: CloudClient) -> None:
    task = client("POST", client.tasks, {"description": "x", "repository": "harbor/harbor-api"}).body
    runs = f"{client.tasks}{task['id']}/runs/"
    assert client("POST", runs, {"environment": "cloud", "model": "demo-large"}).body["attr"] == "runtime_adapter"
    client.cloud.control("POST", "config", {"github_authorization": "none"})
    refused = client("POST", runs, {"environment": "cloud", "pr_authorship_mode": "user"})
    assert refused.status == 400 and refused.body["code"] == "github_authorization_required"
    started = client("POST", "/api/users/@me/integrations/github/start/", {"team_id": client.cloud.project}).body
    assert b"GitHub is connected" in client("GET", started["install_url"], Authorization="").data
    connected = client("POST", runs, {"environment": "cloud", "pr_authorship_mode": "user"})
    assert connected.body["state"]["pr_authorship_mode"] == "user"
    client.cloud.control("POST", "config", {"github_authorization": "bot"})
    run = CloudRun(client, task["id"], client("POST", runs, {"environment": "cloud", "mode": "interactive"}).body["id"])
    assert run.row()["status"] == "queued"
    early = run.command("user_message", content="x")
    assert (early.status, early.body["error"]) == (400, "No active sandbox for this task run")
    lost = client("POST", f"{run.path}start/", {"pending_user_artifact_ids": ["nothing"]})
    assert lost.status == 400 and lost.body["missing_artifact_ids"] == ["nothing"]
    body = {"resume_from_run_id": "nobody"}
    assert client("POST", f"{client.tasks}{task['id']}/run/", body).body == {"detail": "Invalid resume_from_run_id"}


# -- artifacts


def test_uploads(client: CloudClient) -> None:
    task = client("POST", client.tasks, {"description": "x", "repository": "harbor/harbor-api"}).body
    run_row = client("POST", f"{client.tasks}{task['id']}/runs/", {"environment": "cloud", "mode": "interactive"}).body
    data = bytes(range(256)) + b"\r\n--not the fence\r\n"
    for base in (
        f"{client.tasks}{task['id']}/staged_artifacts/",
        f"{client.tasks}{task['id']}/runs/{run_row['id']}/artifacts/",
    ):
        facts = {
            "name": "p.png",
            "type": "user_attachment",
            "source": "x",
            "size": len(data),
            "content_type": "image/png",
        }
        prepared = client("POST", f"{base}prepare_upload/", {"artifacts": [facts]}).body["artifacts"][0]
        wanted = {key: prepared[key] for key in ("id", "name", "type", "source", "content_type", "storage_path")}
        early = client("POST", f"{base}finalize_upload/", {"artifacts": [wanted]})
        assert early.body == {"error": "Artifact upload not found in object storage"}
        assert upload(client, prepared, data).status == 204
        assert upload(client, prepared, data, Authorization="Bearer phx_demo").status == 400
        final = client("POST", f"{base}finalize_upload/", {"artifacts": [wanted]}).body["artifacts"]
        assert [(row["id"], row["size"]) for row in final] == [(prepared["id"], len(data))]
    path = f"{client.tasks}{task['id']}/runs/{run_row['id']}/artifacts/"
    where = {"storage_path": prepared["storage_path"]}
    assert client("POST", f"{path}download/", where).data == data
    signed = client("POST", f"{path}presign/", where).body
    assert client("GET", signed["url"], Authorization="").data == data
    assert client("GET", signed["url"].replace("signature=", "signature=0"), Authorization="").status == 403
    assert client("POST", f"{path}download/", {"storage_path": "elsewhere"}).status == 404
    inline = {"name": "n.txt", "type": "context", "content": "aGk=", "content_encoding": "base64"}
    manifest = client("POST", path, {"artifacts": [inline]}).body["artifacts"]
    assert client("POST", f"{path}download/", {"storage_path": manifest[-1]["storage_path"]}).data == b"hi"


def upload(client: CloudClient, prepared: Any, data: bytes, Authorization: str = "") -> Answer:
    fence = "f3nce"
    parts = [
        f'--{fence}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in prepared["presigned_post"]["fields"].items()
    ]
    head = 'Content-Disposition: form-data; name="file"; filename="p"\r\nContent-Type: image/png'
    parts.append(f"--{fence}\r\n{head}\r\n\r\n".encode() + data + f"\r\n--{fence}--\r\n".encode())
    kind = f"multipart/form-data; boundary={fence}"
    url = prepared["presigned_post"]["url"]
    return client("POST", url, b"".join(parts), Authorization=Authorization, Content_Type=kind)


# -- faults


def test_faults_of_calls(client: CloudClient) -> None:
    def fault(**rule: Any) -> None:
        client.cloud.control("POST", "faults", {"path": "/tasks/$", **rule})

    fault(kind="html", status=502)
    page = client("GET", client.tasks)
    assert (page.status, page.headers["Content-Type"]) == (502, "text/html; charset=utf-8")
    fault(kind="throttle", retry_after=3)
    assert client("GET", client.tasks).headers["Retry-After"] == "3"
    fault(kind="throttle", retry_after=None)
    slow = client("GET", client.tasks)
    assert slow.status == 429 and slow.headers["Retry-After"] is None
    fault(kind="drop")
    with pytest.raises((OSError, ConnectionError)):
        client("GET", client.tasks)
    fault(kind="truncate")
    with pytest.raises(Exception, match="IncompleteRead"):
        client("GET", client.tasks)
    count = client("GET", client.tasks).body["count"]
    fault(kind="504", method="POST")
    assert client("POST", client.tasks, {"description": "took effect"}).status == 504
    fault(kind="status", status=503, method="POST", body={"error": "no"})
    assert client("POST", client.tasks, {"description": "did not"}).body == {"error": "no"}
    assert client("GET", client.tasks).body["count"] == count + 1
    assert [rule["times"] for rule in client.cloud.control("GET", "faults")["faults"]] == [0] * 7


def test_faults_of_streams(client: CloudClient) -> None:
    task = client("POST", client.tasks, {"description": "x", "repository": "harbor/harbor-api"}).body
    row = client("POST", f"{client.tasks}{task['id']}/runs/", {"environment": "cloud", "mode": "interactive"}).body
    run = CloudRun(client, task["id"], row["id"])
    for number in range(6):
        frame = {"method": "_posthog/console", "params": {"message": f"{number} ü\u2028"}}
        client.cloud.control("POST", f"runs/{run.id}/emit", {"notification": frame})
    newest = run.engine()["last_event"]
    whole = run.stream(stop=lambda event: event.id == newest)
    ids = [event.id for event in whole]
    assert len(ids) == 6

    def read(**rule: Any) -> list[str]:
        client.cloud.control("POST", "faults", {"path": "/stream/", "after_events": 2, **rule})
        events = run.stream(stop=lambda event: event.id == newest or event.event in ("end", "error"))
        return [event.id or event.event or "malformed" for event in events]

    assert read(kind="drop") == [*ids[:2], "broken"]
    assert read(kind="drop", mid_frame=True) == [*ids[:2], "broken"]
    assert read(kind="eof") == ids[:2]
    assert read(kind="rotate") == [*ids[:2], "end"]
    assert read(kind="error", text="Stream read timeout") == [*ids[:2], "error"]
    assert read(kind="malformed") == [*ids[:2], "malformed", *ids[2:]]
    assert read(kind="duplicate") == [*ids[:2], ids[2], *ids[2:]]
    assert read(kind="reorder") == [*ids[:2], ids[3], ids[2], *ids[4:]]
    assert read(kind="split") == ids
    client.cloud.control("POST", "config", {"sse_ascii": False})
    raw = run.stream(stop=lambda event: event.id == newest)
    assert [event.body for event in raw] == [event.body for event in whole]
    client.cloud.control("POST", "config", {"sse_ascii": True})
    assert read(kind="stall", seconds=0.1) == ids
    assert run.stream(last=ids[3], stop=lambda event: event.id == newest)[0].id == ids[4]
    client.cloud.control("POST", "config", {"keepalive_s": 0.05})
    assert run.stream(query="?start=latest", stop=lambda event: event.event == "keepalive")[0].event == "keepalive"
    client.cloud.control("POST", "config", {"keepalive_s": 20, "stream_max_s": 0})
    assert run.stream(query="?start=latest")[-1].body == {"type": "rotated"}
    client.cloud.control("POST", "config", {"stream_max_s": 900})
    assert client("GET", f"{run.path}stream/", Accept="application/json").status == 406
    assert client("GET", f"{run.path}stream_token/").body["stream_base_url"] is None


def test_older_servers_and_runs_without_a_stream(client: CloudClient) -> None:
    task = client("POST", client.tasks, {"description": "x", "repository": "harbor/harbor-api"}).body
    row = client("POST", f"{client.tasks}{task['id']}/runs/", {"environment": "local"}).body
    run = CloudRun(client, task["id"], row["id"])
    begun = time.monotonic()
    client.cloud.control("POST", "config", {"stream_wait_s": 0.3})
    assert [event.event for event in run.stream()] == ["error"] and time.monotonic() - begun > 0.3
    client.cloud.control("POST", "config", {"stream_wait_s": 0, "older": True})
    try:
        assert run.stream()[-1].body == {"error": "Stream not available"}
        client.cloud.control("POST", f"runs/{run.id}/emit", {"notification": {"method": "_posthog/console"}})
        client.cloud.control("POST", f"runs/{run.id}/finish", {"status": "failed", "error_message": "no"})
        assert [event.kind for event in run.stream()] == ["_posthog/console", "task_run_state"]
        assert client("POST", f"{run.path}cancel/").status == client("GET", f"{run.path}stream_token/").status == 404
        client.cloud.control("POST", "config", {"stored_skew_ms": 7})
        client.cloud.control("POST", f"runs/{run.id}/emit", {"notification": {"method": "_posthog/console"}})
        streamed, stored = run.stream()[-1].body, run.stored()[-1]
        assert streamed["notification"] == stored["notification"] and streamed["timestamp"] != stored["timestamp"]
        assert run.stored(after=streamed["timestamp"]) == [stored]
    finally:
        client.cloud.control("POST", "config", {"stream_wait_s": 120, "older": False, "stored_skew_ms": 0})


def test_the_journal_has_counts_and_no_secrets(client: CloudClient) -> None:
    client.cloud.control("DELETE", "journal")
    client_id = register(client)
    tokens = exchange(client, client_id, back(authorize(client, client_id, auto="1"))["code"]).body
    CloudClient(client.cloud, tokens["access_token"])("GET", client.tasks)
    told = client.cloud.control("GET", "journal?path=tasks")
    assert [row["status"] for row in told["requests"]] == [200] and told["counts"]["requests"] == 4
    text = json.dumps(client.cloud.control("GET", "journal"))
    for secret in ("pha_", "phr_", "phx_", VERIFIER):
        assert secret not in text


# -- the process


def test_state_survives_a_kill_in_the_middle_of_a_turn(github: DemoGitHub, world: WorldFacts, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "posthog_code.demo.posthog", "--root", str(tmp_path), "--pace", "0", "--empty"]
    command += ["--github", github.url]

    def begin() -> DemoPostHog:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout is not None
        return DemoPostHog(process, json.loads(process.stdout.readline())["url"])

    cloud = begin()
    client = CloudClient(cloud)
    fields = {"runtime_adapter": "claude", "model": "demo-large", "initial_permission_mode": "default"}
    run = client.start("Upgrade the webhooks.", **fields)
    ask = run.ask()
    stored = run.stored()
    cloud.process.kill()
    cloud.stop()
    client.cloud = cloud = begin()
    try:
        assert [entry["timestamp"] for entry in run.stored()][: len(stored)] == [entry["timestamp"] for entry in stored]
        again = until(lambda: [one for one in run.engine()["asks"] if one != ask["requestId"]])
        assert run.command("permission_response", requestId=ask["requestId"], optionId="allow").body["error"]
        assert run.command("permission_response", requestId=again[0], optionId="reject").body["result"]
        run.idle(2)
        ids = [event.id for event in run.stream(stop=lambda event: event.id == run.engine()["last_event"])]
        assert len(ids) == len(set(ids))
    finally:
        cloud.stop()


def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen([sys.executable, '-m', 'posthog_code.demo.posthog', '--root', sys.argv[1]],"
        " stdin=subprocess.PIPE)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(json.loads(parent.stdout.readline())["pid"])
    parent.kill()
    parent.wait()
    parent.stdout.close()

    def gone() -> bool:
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return True
        state = Path(f"/proc/{child}/stat")
        return state.exists() and state.read_text().split()[2] == "Z"

    until(gone, 10)


def test_a_new_world_has_tasks_in_every_state(github: DemoGitHub, world: WorldFacts) -> None:
    seeded = world.home / "posthog-seeded"
    command = [sys.executable, "-m", "posthog_code.demo.posthog", "--root", str(seeded), "--pace", "0"]
    process = subprocess.Popen([*command, "--github", github.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    cloud = DemoPostHog(process, json.loads(process.stdout.readline())["url"])
    try:
        client = CloudClient(cloud)
        assert client("GET", client.tasks).body["count"] == 8
        until(cloud.ready, 60)
        rows = {row["title"]: row for row in client("GET", client.tasks).body["results"]}
        states = sorted(row["latest_run"]["status"] if row["latest_run"] else "" for row in rows.values())
        assert states == ["", "completed", "completed", "failed", "failed", "in_progress", "in_progress", "queued"]
        nightly = rows["Nightly job fails on DST change"]
        assert (nightly["origin_product"], nightly["created_by"]["last_name"]) == ("slack", "Kovač")
        run = CloudRun(client, nightly["id"], nightly["latest_run"]["id"])
        ask = run.ask()
        assert ask["toolCall"]["kind"] == "execute"
        assert run.command("permission_response", requestId=ask["requestId"], optionId="allow").body["result"]
        run.idle()
        assert run.row()["output"]["head_branch"] == "posthog-code/nightly-job-fails-on-dst-change"
        assert "pr_url" in rows["Describe the audit log export"]["latest_run"]["output"]
        assert rows["TypeError in the cart badge"]["created_by"] is None
    finally:
        os.kill(process.pid, signal.SIGTERM)
        cloud.stop()
