"""The HTTP server: one port for the API, OAuth, object storage and the switches for tests."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from posthog_code.demo.github.server import die_with_parent
from posthog_code.demo.github.smart_http import body_of
from posthog_code.demo.posthog.account import Account
from posthog_code.demo.posthog.artifacts import Artifacts
from posthog_code.demo.posthog.cloud import Cloud
from posthog_code.demo.posthog.control import Control
from posthog_code.demo.posthog.faults import Dropped, Faults, Journal, StreamFault, replaced
from posthog_code.demo.posthog.forge import Forge
from posthog_code.demo.posthog.mcp import Mcp
from posthog_code.demo.posthog.oauth import OAuth
from posthog_code.demo.posthog.product import Product
from posthog_code.demo.posthog.runs import Runs
from posthog_code.demo.posthog.seeds import Seeder
from posthog_code.demo.posthog.store import Store
from posthog_code.demo.posthog.tasks import Tasks
from posthog_code.demo.posthog.wire import Failure, Json, Object, Reply, Request, invalid, missing
from posthog_code.demo.world import child_command


class PostHogServer(ThreadingHTTPServer):
    daemon_threads = True
    # A restart takes over the port of the process before it.
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, cloud: Cloud, product: Product, port: int, with_seeds: bool) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        cloud.url = self.url
        self.cloud = cloud
        self.faults = Faults()
        self.journal = Journal()
        self.seeder = Seeder(cloud, with_seeds)
        self.oauth = OAuth(cloud.store)
        self.account = Account(cloud)
        self.product = product
        self.tasks = Tasks(cloud)
        self.runs = Runs(cloud)
        self.artifacts = Artifacts(cloud)
        self.mcp = Mcp(cloud.store, self.oauth, product.queries)
        self.control = Control(cloud, self.oauth, self.faults, self.journal, self.seeder, product)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away in the middle is no news; anything else is a bug and is told."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def route(self, request: Request) -> Reply:
        """Raises Failure."""
        path = request.path
        if path.startswith("/storage/"):
            return self.artifacts.storage(request)
        reply = self.oauth.handle(request) or self.account.in_browser(request)
        reply = reply or self.product.capture.handle(request) or self.mcp.handle(request)
        if reply is not None:
            return reply
        if not path.startswith("/api/"):
            raise missing()
        if not path.endswith("/") and not path.endswith("/logs"):
            # What a client that forgets the slash would get: a POST becomes a GET.
            return Reply(301, headers={"Location": f"{path}/"})
        self.oauth.authenticate(request)
        parts = path.removeprefix("/api/").strip("/").split("/")
        if parts[0] not in ("projects", "environments") or len(parts) < 2:
            return self.account.user_level(request, parts)
        project = self.account.project(request, parts[1])
        rest = parts[2:]
        if rest[:1] != ["tasks"]:
            found = self.account.project_level(request, project, rest) or self.product.handle(request, project, rest)
        elif len(rest) < 3:
            found = self.tasks.handle(request, project, rest[1:])
        else:
            found = None
            if rest[2] in ("run", "runs"):
                found = self.runs.handle(request, project, rest[1], rest[2:])
            if found is None:
                found = self.artifacts.handle(request, project, rest[1], rest[2:])
        if found is None:
            raise missing()
        return found


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "posthog"
    sys_version = ""
    server: PostHogServer
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: stdout carries one line for the parent, and nobody reads stderr."""

    def _answer(self) -> None:
        begun = time.monotonic()
        request, problem = self._request()
        if request.path.startswith("/__demo/"):
            self._send(self._guarded(request, problem, control=True))
            return
        row = self.server.journal.begin(request)
        try:
            rule = self.server.faults.take(request, stream=False)
            if rule is not None:
                row["faults"].append(rule["kind"])
            reply = self._with_fault(request, problem, rule)
            row["status"] = reply.status
            row.update({key: value for key, value in request.facts.items() if key != "projects"})
            if reply.stream is not None:
                self._stream(request, reply, row)
            else:
                self._send(reply, truncate=rule is not None and rule["kind"] == "truncate")
        except Dropped:
            row["status"] = row["status"] or 0
            row.update({key: value for key, value in request.facts.items() if key != "projects"})
            self._hang_up()
        finally:
            row["ms"] = int((time.monotonic() - begun) * 1000)

    def _request(self) -> tuple[Request, Failure | None]:
        parts = urlsplit(self.path)
        raw = body_of(self)
        body: Json = {}
        problem = None
        kind = self.headers.get("Content-Type", "")
        if raw and "json" in kind:
            try:
                body = json.loads(raw)
            except ValueError:
                problem = invalid("JSON parse error", None, "parse_error")
        elif raw and "x-www-form-urlencoded" in kind:
            body = dict(parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True))
        if not isinstance(body, dict):
            body, problem = {}, invalid("Invalid data. Expected a dictionary.")
        base = f"http://{self.headers.get('Host') or self.server.url.removeprefix('http://')}"
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        return Request(self.command, parts.path, query, cast(Mapping[str, str], self.headers), raw, body, base), problem

    def _with_fault(self, request: Request, problem: Failure | None, rule: Object | None) -> Reply:
        if rule is None or rule["kind"] == "truncate":
            return self._guarded(request, problem)
        if rule["kind"] == "delay":
            time.sleep(float(rule.get("seconds", 1)))
            return self._guarded(request, problem)
        # With "after" only the answer is lost: the request has done its work.
        return replaced(rule, self._guarded(request, problem) if rule.get("after") else Reply())

    def _guarded(self, request: Request, problem: Failure | None, control: bool = False) -> Reply:
        try:
            if problem is not None:
                raise problem
            if control:
                return self.server.control.handle(request, request.path.strip("/").split("/")[1:])
            return self.server.route(request)
        except Failure as failure:
            return failure.reply
        except Exception as error:  # a bug of the stand-in must look like a server's bug, not like a lost connection
            print(f"{request.method} {request.path}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            detail = f"{type(error).__name__}: {error}"
            return Reply(500, {"type": "server_error", "code": "error", "detail": detail, "attr": None})

    def _send(self, reply: Reply, truncate: bool = False) -> None:
        data = reply.data
        if data is None:
            data = b"" if reply.body is None else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Type", reply.kind)
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if truncate:
            self.wfile.write(data[: len(data) // 2])
            self._hang_up()
        elif reply.status != 204:
            self.wfile.write(data)

    def _stream(self, request: Request, reply: Reply, row: Object) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        rule = self.server.faults.take(request, stream=True)
        fault = StreamFault(rule, self._chunk) if rule is not None else None
        if rule is not None:
            row["faults"].append(rule["kind"])
        try:
            if reply.stream is not None:
                reply.stream(fault.write if fault is not None else self._chunk)
        except Dropped:
            if fault is None or not fault.ended:
                raise
        except ConnectionError:
            row["sse"]["end"] = "client"
            self.close_connection = True
            return
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, data: bytes) -> None:
        if not data:
            return
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()

    def _hang_up(self) -> None:
        """The connection ends without a proper end of the answer."""
        self.close_connection = True
        try:
            self.wfile.flush()
            self.connection.shutdown(2)
        except OSError:
            pass


def serve(argv: Sequence[str]) -> int:
    """Print one JSON line with the addresses, then serve until stdin closes."""
    parser = argparse.ArgumentParser(prog="posthog-code-demo-posthog", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder for the state")
    parser.add_argument("--port", type=int, default=0, help="0 for any free one")
    parser.add_argument("--pace", type=float, default=1.0, help="real seconds for a scripted one; 0: all at once")
    parser.add_argument("--github", default="", help="origin of the demo GitHub, which holds the repositories")
    parser.add_argument("--agent-state", type=Path, help="where the agent keeps conversations")
    parser.add_argument("--repositories", type=Path, help="folder with the bare repositories: what is on main is live")
    parser.add_argument("--empty", action="store_true", help="a new world begins without tasks")
    parser.add_argument("--quiet", action="store_true", help="its product tells nothing: no reports, no events")
    arguments = parser.parse_args(argv)
    die_with_parent()
    state = arguments.agent_state or arguments.root / "agent-sessions"
    cloud = Cloud(Store(arguments.root), Forge(arguments.github), child_command("agent"), state, arguments.pace)
    product = Product(cloud.store, arguments.repositories, not arguments.quiet)
    try:
        server = PostHogServer(cloud, product, arguments.port, not arguments.empty)
    except OSError:
        if not arguments.port:
            raise
        server = PostHogServer(cloud, product, 0, not arguments.empty)
    server.seeder.begin()
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    print(json.dumps({"url": server.url, "pid": os.getpid()}), flush=True)
    while sys.stdin.buffer.read(4096):
        pass
    cloud.stop()
    server.shutdown()
    product.close()
    return 0
