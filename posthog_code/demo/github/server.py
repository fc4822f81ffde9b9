"""The HTTP server: one port for REST, GraphQL, logs and git."""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import sys
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from posthog_code.demo.github import events, joblog, smart_http
from posthog_code.demo.github.graph import Graph
from posthog_code.demo.github.query import execute
from posthog_code.demo.github.rest import Failure, Reply, Rest, signature
from posthog_code.demo.github.store import Store

TOKEN = "ghp_demo"
"""The one token that is taken. It opens nothing but this stand-in."""
_GIT = re.compile(r"/[\w.-]+/[\w.-]+\.git/(info/refs|git-upload-pack|git-receive-pack|HEAD|objects/.*)")


class GitHubServer(ThreadingHTTPServer):
    daemon_threads = True
    # A restart takes over the port of the process before it.
    allow_reuse_address = True

    def __init__(self, store: Store, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.store = store
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.rest = Rest(store, self.url)
        self.graph = Graph(store, self.url)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away in the middle is no news; anything else is a bug and is told."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "GitHub.com"
    sys_version = ""
    server: GitHubServer
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: stdout carries one line for the parent, and nobody reads stderr."""

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        if _GIT.fullmatch(parts.path):
            self._git()
            return
        raw = smart_http.body_of(self)
        if parts.path.startswith("/_logs/"):
            self._log(parts.path, parts.query)
            return
        try:
            reply = self._api(parts.path, dict(parse_qsl(parts.query)), raw)
        except Failure as failure:
            reply = Reply(failure.status, failure.body)
        except Exception as error:  # a bug of the stand-in must look like a server's bug, not like a lost connection
            print(f"{self.command} {self.path}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            reply = Reply(500, {"message": f"{type(error).__name__}: {error}", "status": "500"})
        self._send(reply)

    def _api(self, path: str, query: dict[str, str], raw: bytes) -> Reply:
        if not self.headers.get("User-Agent"):
            raise Failure(
                403, "Request forbidden by administrative rules. Please make sure your request has a User-Agent."
            )
        token = re.sub(r"^(Bearer|token)\s+", "", self.headers.get("Authorization", ""), flags=re.IGNORECASE)
        if token != TOKEN:
            raise Failure(401, "Bad credentials" if token else "Requires authentication")
        try:
            body: Any = json.loads(raw) if raw else {}
        except ValueError:
            raise Failure(400, "Problems parsing JSON") from None
        if not isinstance(body, dict):
            raise Failure(400, "Body should be a JSON object")
        with self.server.store.lock:
            if path in ("/graphql", "/api/graphql"):
                document, variables = str(body.get("query") or ""), body.get("variables") or {}
                name = str(body.get("operationName") or "")
                return Reply(200, execute(document, variables, name, self.server.graph.root))
            if path.startswith("/_demo/"):
                return self._control(path, body)
            return self.server.rest.handle(self.command, path.removeprefix("/api/v3"), query, body)

    def _control(self, path: str, body: dict[str, Any]) -> Reply:
        """Not GitHub: lets the demo world bring a pull request into a wanted state at once."""
        store = self.server.store
        _, _, owner, repository, number = path.split("/", 4)
        name = f"{owner}/{repository}"
        pull = store.pull(name, number)
        if pull is None:
            raise Failure(404, "Not Found")
        if seconds := float(body.get("advance", 0)):
            pull["created"] -= seconds
            for head in pull["heads"]:
                head["at"] -= seconds
            if pull["merged_at"]:
                pull["merged_at"] -= seconds
        events.advance(store, name, pull)
        if body.get("merge") and pull["state"] == "open":
            self.server.rest.merge_now(name, pull, squash=True)
        store.save()
        return Reply(200, {"state": pull["state"], "merged": bool(pull["merged_at"])})

    def _send(self, reply: Reply) -> None:
        data = b"" if reply.body is None else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "X-GitHub-Media-Type": "github.v3; format=json",
            "X-GitHub-Enterprise-Version": "3.19.1",
            "X-OAuth-Scopes": "repo",
            "X-RateLimit-Limit": "5000",
            "X-RateLimit-Remaining": "4989",
            "X-RateLimit-Used": "11",
            "X-RateLimit-Reset": str(int(time.time()) + 3000),
            "X-RateLimit-Resource": "graphql" if self.path.endswith("graphql") else "core",
            **reply.headers,
        }
        for name, value in headers.items():
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if reply.status != 204:
            self.wfile.write(data)

    def _log(self, path: str, query: str) -> None:
        """A signed address: whoever has it may read, and a token does not belong here."""
        _, _, owner, repository, job = path.split("/", 4)
        allowed = dict(parse_qsl(query)).get("sig") == signature(job) and "Authorization" not in self.headers
        with self.server.store.lock:
            found = events.find_check(self.server.store, f"{owner}/{repository}", int(job)) if job.isdigit() else None
        data = joblog.text_of(found[1]).encode() if found and allowed else b"denied"
        self.send_response(200 if found and allowed else 403)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _git(self) -> None:
        """Open to whoever is on this machine; wrong credentials are refused all the same, as a real server would."""
        scheme, _, told = self.headers.get("Authorization", "").partition(" ")
        secret = told
        if scheme.lower() == "basic":
            try:
                secret = base64.b64decode(told).decode().partition(":")[2]
            except ValueError:
                secret = "?"
        if scheme and secret != TOKEN:
            smart_http.body_of(self)
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="GitHub"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        smart_http.answer(self, self.server.store.root)
        if self.path.endswith("git-receive-pack"):
            self._pushed(urlsplit(self.path).path)

    def _pushed(self, path: str) -> None:
        """Checks start with the push, not with the next time somebody looks."""
        name = path.strip("/").split(".git/")[0]
        store = self.server.store
        with store.lock:
            for pull in store.pulls.get(name, {}).values():
                store.observe(name, pull)


def die_with_parent() -> None:
    """End this process when the one that started it is gone, however that went.

    The pipe on stdin tells the same, unless another child of the parent has inherited its other end. (Linux's
    parent-death signal is no substitute: it comes when the starting *thread* ends.)
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def serve(argv: Sequence[str]) -> int:
    """Print one JSON line with the addresses, then serve until stdin closes."""
    parser = argparse.ArgumentParser(prog="posthog-code-demo-github", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder with git/OWNER/NAME.git and the state")
    parser.add_argument("--port", type=int, default=0, help="0 for any free one")
    parser.add_argument("--pace", type=float, default=1.0, help="real seconds for a scripted one; 0: all at once")
    arguments = parser.parse_args(argv)
    die_with_parent()
    try:
        server = GitHubServer(Store(arguments.root, arguments.pace), arguments.port)
    except OSError:
        if not arguments.port:
            raise
        server = GitHubServer(Store(arguments.root, arguments.pace), 0)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    facts = {
        "url": server.url,
        "api": f"{server.url}/api/v3",
        "graphql": f"{server.url}/api/graphql",
        "pid": os.getpid(),
    }
    print(json.dumps(facts), flush=True)
    while sys.stdin.buffer.read(4096):
        pass
    server.shutdown()
    return 0
