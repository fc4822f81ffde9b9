"""A PostHog small enough to be wrong on purpose: one project, scripted runs, and any fault on any request."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "phx_test_key_0001"
Frame = dict[str, Any]


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


@dataclass
class Fault:
    method: str
    path: str
    status: int = 0
    """0 closes the connection without an answer."""
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 1
    after: bool = False
    """The request takes effect; only its answer is replaced."""


@dataclass
class RunData:
    id: str
    task: str
    status: str = "in_progress"
    events: list[tuple[str, Any]] = field(default_factory=list)
    stored: list[Any] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    complete: bool = False
    first_kept: int = 0
    """Older events are not in the stream any more."""
    updated: float = 1_777_885_985.0
    pending: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    text: list[str] = field(default_factory=list)

    def wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class CloudServer:
    def __init__(self) -> None:
        self.tasks: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, RunData] = {}
        self.requests: list[tuple[str, str]] = []
        self.commands: list[dict[str, Any]] = []
        """Those that took effect."""
        self.faults: list[Fault] = []
        self.stream_faults: list[dict[str, Any]] = []
        """One is taken by each connection to a stream."""
        self.last_ids: list[str] = []
        self.answering = True
        self.auto_turn = True
        self.token_ok = True
        self.refreshes = 0
        self.refresh_token = "phr_first0000"
        self.access = {"pha_first0000"}
        self.number = 0
        self.url = ""
        self._server: asyncio.Server | None = None
        self._busy: set[asyncio.Task[Any]] = set()

    # -- the world ---------------------------------------------------------------------------------------------

    def add(self, task_id: str = "t1", run_id: str = "r1", **fields: Any) -> RunData:
        self.tasks[task_id] = {
            "id": task_id,
            "slug": task_id.upper(),
            "title": f"Task {task_id}",
            "description": "Do it",
            "repository": "acme/web",
            "origin_product": "user_created",
            "created_at": iso(1_777_000_000),
            "updated_at": iso(1_777_000_000),
            "created_by": {"id": 7, "uuid": "u7", "first_name": "Ada"},
            "latest": run_id,
        } | fields
        run = RunData(run_id, task_id)
        self.runs[run_id] = run
        return run

    def emit(self, run: RunData, frame: Frame) -> None:
        """A frame: into the stream at once, into the log with pieces of messages merged."""
        self.number += 1
        at = 1_777_885_985.0 + self.number / 10
        entry = {"type": "notification", "timestamp": iso(at), "notification": frame}
        self.publish(run, entry)
        update = (frame.get("params") or {}).get("update") or {}
        if update.get("sessionUpdate") == "agent_message_chunk":
            run.text.append(update["content"]["text"])
            return
        self.flush(run, at)
        run.stored.append(entry)

    def flush(self, run: RunData, at: float = 1_777_885_985.0) -> None:
        if run.text:
            update = {"sessionUpdate": "agent_message", "content": {"type": "text", "text": "".join(run.text)}}
            note = {"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": "s", "update": update}}
            run.stored.append({"type": "notification", "timestamp": iso(at), "notification": note})
            run.text.clear()

    def publish(self, run: RunData, event: Any) -> None:
        run.events.append((f"{1_777_885_985_000 + len(run.events)}-0", event))
        run.wake()

    def say(self, run: RunData, *pieces: str) -> None:
        for piece in pieces:
            self.emit(run, update(sessionUpdate="agent_message_chunk", content={"type": "text", "text": piece}))

    def call(self, run: RunData, call_id: str) -> None:
        self.emit(
            run,
            update(
                sessionUpdate="tool_call", toolCallId=call_id, title=f"Read {call_id}", kind="read", status="pending"
            ),
        )
        self.emit(run, update(sessionUpdate="tool_call_update", toolCallId=call_id, status="completed"))

    def begin(self, run: RunData, prompt: str = "Do it") -> None:
        started = {"sessionId": "s", "runId": run.id, "taskId": run.task}
        self.emit(run, {"jsonrpc": "2.0", "method": "_posthog/run_started", "params": started})
        self.prompt(run, prompt)

    def prompt(self, run: RunData, text: str) -> None:
        self.number += 1
        params = {"sessionId": "s", "prompt": [{"type": "text", "text": text}]}
        self.emit(run, {"jsonrpc": "2.0", "id": self.number, "method": "session/prompt", "params": params})

    def turn_over(self, run: RunData, reason: str = "end_turn") -> None:
        params = {"sessionId": "s", "stopReason": reason}
        self.emit(run, {"jsonrpc": "2.0", "method": "_posthog/turn_complete", "params": params})

    def ask(self, run: RunData, request_id: str, call_id: str, live: bool = True) -> None:
        options = [
            {"optionId": "allow", "name": "Allow", "kind": "allow_once"},
            {"optionId": "reject", "name": "Reject", "kind": "reject_once"},
        ]
        call = {"toolCallId": call_id, "title": f"Edit {call_id}", "kind": "edit"}
        self.number += 1
        run.pending[request_id] = self.number
        params = {"sessionId": "s", "toolCall": call, "options": options}
        frame = {"jsonrpc": "2.0", "id": self.number, "method": "session/request_permission", "params": params}
        self.emit(run, frame)
        if live:
            self.publish(
                run, {"type": "permission_request", "requestId": request_id, "toolCall": call, "options": options}
            )

    def finish(self, run: RunData, status: str = "completed", complete: bool = True) -> None:
        run.status, run.updated = status, run.updated + 1
        self.flush(run)
        self.publish(
            run, {"type": "task_run_state", "run_id": run.id, "status": status, "updated_at": iso(run.updated)}
        )
        run.complete = complete
        run.wake()

    def frames(self, run: RunData) -> list[Frame]:
        """What happened, as it was streamed."""
        return [e["notification"] for _, e in run.events if isinstance(e, dict) and "notification" in e]

    # -- HTTP --------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._client, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._busy):
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)

    def cut_all(self) -> None:
        for task in tuple(self._busy):
            task.cancel()

    def count(self, method: str, path: str) -> int:
        return sum(1 for m, p in self.requests if m == method and re.search(path, p))

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._busy.add(task)
        try:
            while await self._one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError, ValueError):
            pass
        finally:
            self._busy.discard(task)
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        line = (await reader.readline()).decode()
        if not line:
            return False
        method, target, _ = line.split(" ", 2)
        headers = {}
        while (raw := (await reader.readline()).decode().strip()) != "":
            name, _, value = raw.partition(":")
            headers[name.lower()] = value.strip()
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        path = urlsplit(target).path
        query = {k: v[0] for k, v in parse_qs(urlsplit(target).query).items()}
        self.requests.append((method, path))
        if not self.answering:
            return False
        data = json.loads(body) if body[:1] in (b"{", b"[") else {k: v[0] for k, v in parse_qs(body.decode()).items()}
        fault = next((f for f in self.faults if f.times and f.method == method and re.search(f.path, path)), None)
        if fault is not None:
            fault.times -= 1
            if fault.after:
                await self._answer(method, path, query, data, headers)
            if not fault.status:
                return False
            return await _write(writer, fault.status, fault.body, fault.headers)
        if path.endswith("/stream/") and self._allowed(headers):
            await self._stream(writer, self.runs[path.split("/")[-3]], headers)
            return False
        status, answer, more = await self._answer(method, path, query, data, headers)
        payload = b"" if answer is None else json.dumps(answer).encode()
        return await _write(writer, status, payload, {"Content-Type": "application/json", **more})

    def _allowed(self, headers: dict[str, str]) -> bool:
        token = headers.get("authorization", "").removeprefix("Bearer ")
        return token == KEY or token in self.access

    async def _answer(
        self, method: str, path: str, query: dict[str, str], data: Any, headers: dict[str, str]
    ) -> tuple[int, Any, dict[str, str]]:
        if path == "/oauth/token/":
            return self._token(data)
        if path == "/oauth/revoke/":
            return 200, {}, {}
        if path == "/oauth/register/":
            return 201, {"client_id": "client-1", **data}, {}
        if not self._allowed(headers):
            error = {"type": "authentication_error", "code": "authentication_failed", "detail": "Invalid access token."}
            return 401, error, {}
        if path == "/api/users/@me/":
            teams = [{"id": 1, "name": "Web"}, {"id": 2, "name": "Mobile"}]
            organization = {"id": "o1", "name": "Acme", "teams": teams}
            me = {"id": 7, "uuid": "u7", "first_name": "Ada", "email": "ada@example.com", "organization": organization}
            return 200, {**me, "team": {"id": 1, "name": "Web"}, "organizations": [{"id": "o1", "name": "Acme"}]}, {}
        match = re.fullmatch(r"/api/projects/(\d+)/tasks/(.*)", path)
        if match is None:
            return (200, {"results": []}, {}) if "integrations" in path else (404, {"detail": "Not found."}, {})
        return await self._tasks(method, match[2].strip("/").split("/"), query, data)

    def _token(self, data: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        if data.get("grant_type") == "refresh_token":
            if data.get("refresh_token") != self.refresh_token:
                return 400, {"error": "invalid_grant", "error_description": "rotated"}, {}
            self.refreshes += 1
            self.refresh_token = f"phr_rotated{self.refreshes:04}"
        token = f"pha_token{self.refreshes:04}"
        self.access.add(token)
        grant = {"access_token": token, "refresh_token": self.refresh_token, "expires_in": 3600, "scope": "task:read"}
        return 200, {**grant, "scoped_teams": [1, 2]}, {}

    async def _tasks(
        self, method: str, parts: list[str], query: dict[str, str], data: Any
    ) -> tuple[int, Any, dict[str, str]]:
        missing = (404, {"type": "invalid_request", "code": "not_found", "detail": "Not found."}, {})
        if parts == [""]:
            if method == "POST":
                task_id = f"new{len(self.tasks)}"
                self.tasks[task_id] = {"id": task_id, "title": "New", **data, "latest": ""}
                return 201, self._task(task_id), {}
            return 200, {"count": len(self.tasks), "next": None, "results": [self._task(t) for t in self.tasks]}, {}
        task_id = parts[0]
        if task_id not in self.tasks:
            return missing
        if len(parts) == 1:
            if method == "DELETE":
                del self.tasks[task_id]
                return 204, None, {}
            return 200, self._task(task_id), {}
        if parts[1] == "run" or parts[1:] == ["runs"]:
            run = RunData(f"r{len(self.runs) + 1}", task_id)
            run.state = {"pending_user_message": data.get("pending_user_message", "")}
            self.runs[run.id] = run
            self.tasks[task_id]["latest"] = run.id
            if parts[1] == "runs":
                run.status = "queued"
                return 201, self._run(run), {}
            self.commands.append({"method": "run", "params": data})
            self.begin(run, data.get("pending_user_message") or "Do it")
            self.say(run, "Going on.")
            self.turn_over(run)
            return 200, self._task(task_id), {}
        run = self.runs.get(parts[2])  # type: ignore[assignment]
        if run is None:
            return missing
        rest = parts[3] if len(parts) > 3 else ""
        if rest == "session_logs":
            start, limit = int(query.get("offset", 0)), int(query.get("limit", 1000))
            page = run.stored[start : start + limit]
            return (
                200,
                page,
                {
                    "X-Has-More": str(start + len(page) < len(run.stored)).lower(),
                    "X-Total-Count": str(len(run.stored)),
                },
            )
        if rest == "command":
            return self._command(run, data)
        if rest == "start":
            run.status = "in_progress"
            self.commands.append({"method": "start", "params": data})
            return 200, self._task(task_id), {}
        if rest == "stream_token" or rest == "cancel":
            return missing
        return 200, self._run(run), {}

    def _command(self, run: RunData, data: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        method, params = data["method"], data.get("params") or {}
        if run.status in ("completed", "failed", "cancelled"):
            return 409, {"error": "Task run workflow has ended"}, {}
        if method == "permission_response":
            if params["requestId"] not in run.pending:
                error = {"code": -32000, "message": f"No pending permission for {params['requestId']}"}
                return 200, {"jsonrpc": "2.0", "id": data.get("id"), "error": error}, {}
            rpc = run.pending.pop(params["requestId"])
            outcome = {"outcome": "selected", "optionId": params["optionId"]}
            self.emit(run, {"jsonrpc": "2.0", "id": rpc, "result": {"outcome": outcome}})
        self.commands.append(data)
        if method == "user_message" and self.auto_turn:
            self.prompt(run, params.get("content", ""))
            self.say(run, "Got: ", params.get("content", ""))
            self.turn_over(run)
        return 200, {"jsonrpc": "2.0", "id": data.get("id"), "result": {"queued": True}}, {}

    def _task(self, task_id: str) -> dict[str, Any]:
        task = dict(self.tasks[task_id])
        run = self.runs.get(task.pop("latest", ""))
        return {**task, "latest_run": self._run(run) if run else None}

    def _run(self, run: RunData) -> dict[str, Any]:
        return {
            "id": run.id,
            "task": run.task,
            "status": run.status,
            "environment": "cloud",
            "state": run.state,
            "updated_at": iso(run.updated),
            "error_message": run.error,
        }

    # -- the stream --------------------------------------------------------------------------------------------

    async def _stream(self, writer: asyncio.StreamWriter, run: RunData, headers: dict[str, str]) -> None:
        fault = self.stream_faults.pop(0) if self.stream_faults else {}
        self.last_ids.append(headers.get("last-event-id", ""))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        position = run.first_kept
        if wanted := headers.get("last-event-id"):
            known = [i for i, (event_id, _) in enumerate(run.events) if event_id == wanted]
            position = max(run.first_kept, known[0] + 1 if known else run.first_kept)
        sent, held = 0, b""
        end = "\r\n" if fault.get("kind") == "crlf" else "\n"
        while True:
            while position < len(run.events):
                event_id, event = run.events[position]
                position += 1
                raw = f"id: {event_id}{end}data: {json.dumps(event, ensure_ascii=False)}{end}{end}".encode()
                kind = fault.get("kind") if sent == fault.get("after", 3) else ""
                sent += 1
                if kind == "cut":
                    writer.write(raw[: len(raw) // 2])
                    await writer.drain()
                    return
                if kind == "close":
                    return
                if kind == "rotate":
                    writer.write(b'event: end\ndata: {"type":"rotated"}\n\n')
                    await writer.drain()
                    return
                if kind == "error":
                    writer.write(b'event: error\ndata: {"error":"Stream read error"}\n\n')
                    await writer.drain()
                    return
                if kind == "broken":
                    # This event is spoiled on its way; the id comes with the next one.
                    writer.write(b'data: {"type":"notification","timest\n\n')
                    continue
                if kind == "swap" and position < len(run.events):
                    held = raw
                    continue
                if fault.get("kind") == "split":
                    for at in range(0, len(raw), 5):
                        writer.write(raw[at : at + 5])
                        await writer.drain()
                else:
                    writer.write(raw + held + (raw if kind == "twice" else b""))
                    held = b""
            await writer.drain()
            if run.complete:
                writer.write(b'event: stream-end\ndata: {"status":"complete"}\n\n')
                await writer.drain()
                return
            changed = run.changed
            try:
                await asyncio.wait_for(changed.wait(), 0.5)
            except TimeoutError:
                writer.write(b'event: keepalive\ndata: {"type":"keepalive"}\n\n')


def update(**fields: Any) -> Frame:
    return {"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": "s", "update": fields}}


async def _write(writer: asyncio.StreamWriter, status: int, body: bytes, headers: dict[str, str]) -> bool:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in headers.items())]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
    await writer.drain()
    return True


@asynccontextmanager
async def cloud_server() -> AsyncIterator[CloudServer]:
    server = CloudServer()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
