"""A small client of the stand-in PostHog: urllib for calls, a socket for streams."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from posthog_code.demo.world import DemoPostHog


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any, **named: Any) -> None:
        return None


@dataclass
class Answer:
    status: int
    body: Any
    headers: Any
    data: bytes


class CloudClient:
    def __init__(self, cloud: DemoPostHog, token: str = "phx_demo") -> None:
        self.cloud = cloud
        self.token = token
        self.tasks = f"/api/projects/{cloud.project}/tasks/"
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect())

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        told = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        told = {name: value for name, value in told.items() if value}
        url = path if path.startswith("http") else self.cloud.url + path
        request = urllib.request.Request(url, data=data, headers=told, method=method)
        try:
            with self._opener.open(request, timeout=30) as answer:
                return self._answer(answer.status, answer.read(), answer.headers)
        except urllib.error.HTTPError as error:
            with error:
                return self._answer(error.code, error.read(), error.headers)

    def _answer(self, status: int, data: bytes, headers: Any) -> Answer:
        body = json.loads(data) if data and headers.get("Content-Type") == "application/json" else None
        return Answer(status, body, headers, data)

    # -- runs

    def start(self, prompt: str, repository: str = "harbor/harbor-api", **fields: Any) -> CloudRun:
        task = self("POST", self.tasks, {"title": prompt[:60], "description": prompt, "repository": repository}).body
        body = {"environment": "cloud", "mode": "interactive", "branch": "main", **fields}
        made = self("POST", f"{self.tasks}{task['id']}/runs/", body)
        assert made.status == 201, made
        run = CloudRun(self, task["id"], made.body["id"])
        started = self("POST", f"{run.path}start/", {"pending_user_message": prompt})
        assert started.status == 200, started
        return run


class CloudRun:
    def __init__(self, client: CloudClient, task_id: str, run_id: str) -> None:
        self.client = client
        self.task_id = task_id
        self.id = run_id
        self.path = f"{client.tasks}{task_id}/runs/{run_id}/"

    def row(self) -> Any:
        return self.client("GET", self.path).body

    def stored(self, **query: str) -> list[Any]:
        found = self.client("GET", f"{self.path}session_logs/?{urllib.parse.urlencode(query)}")
        assert isinstance(found.body, list)
        return found.body

    def engine(self) -> Any:
        return self.client.cloud.control("GET", f"runs/{self.id}")

    def command(self, method: str, **params: Any) -> Answer:
        body = {"jsonrpc": "2.0", "id": f"t-{method}", "method": method, "params": params}
        return self.client("POST", f"{self.path}command/", body)

    def idle(self, turns: int = 1) -> None:
        """Wait until so many turns are over and the last checkpoint is there."""
        kinds = "_posthog/turn_complete"
        until(lambda: len(self.stored(event_types=kinds)) >= turns and self.engine()["state"] != "turn")

    def ask(self) -> Any:
        """The open permission request, as the stream tells it."""
        request_id = until(lambda: self.engine()["asks"])[0]
        for event in self.stream(stop=lambda event: event.body.get("requestId") == request_id):
            if event.body.get("requestId") == request_id:
                return event.body
        raise AssertionError("it was never told")

    def stream(
        self,
        last: str = "",
        query: str = "",
        stop: Callable[[Event], bool] = lambda event: False,
        limit: float = 15.0,
    ) -> list[Event]:
        """Events until `stop`, the end of the stream, or a broken connection."""
        host = self.client.cloud.url.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=limit)
        headers = {"Authorization": f"Bearer {self.client.token}", "Accept": "text/event-stream"}
        if last:
            headers["Last-Event-ID"] = last
        connection.request("GET", f"{self.path}stream/{query}", headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200, (answer.status, answer.read())
        events: list[Event] = []
        fields: dict[str, str] = {}
        try:
            for line in _lines(answer):
                name, _, value = line.decode().partition(": ")
                if name:
                    fields[name] = value
                    continue
                try:
                    body = json.loads(fields.get("data", "{}"))
                except ValueError:
                    body = {"malformed": fields["data"]}
                events.append(Event(fields.get("id", ""), fields.get("event", ""), body))
                fields = {}
                if stop(events[-1]):
                    break
        except (http.client.HTTPException, ConnectionError):
            events.append(Event("", "broken", {}))
        finally:
            connection.close()
        return events


def _lines(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """Raises for a body that was cut short, which `readline` would not tell."""
    held = b""
    while data := answer.read1(65_536):
        *lines, held = (held + data).split(b"\n")
        yield from lines


@dataclass(frozen=True)
class Event:
    id: str
    event: str
    body: Any

    @property
    def kind(self) -> str:
        """As the log's filters name it."""
        frame = self.body.get("notification") or {}
        update = (frame.get("params") or {}).get("update") or {}
        return str(update.get("sessionUpdate") or frame.get("method") or self.body.get("type") or self.event)


def until(wanted: Callable[[], Any], seconds: float = 30.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = wanted()
        if found:
            return found
        time.sleep(0.03)
    raise AssertionError("it never happened")
