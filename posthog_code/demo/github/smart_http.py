"""git over HTTP by `git http-backend`: real fetches and pushes to the bare repositories."""

from __future__ import annotations

import os
import subprocess
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit

from posthog_code.demo.repositories import git_environment


def body_of(handler: BaseHTTPRequestHandler) -> bytes:
    """The request's body, sent with its length or in chunks (git does so for big pushes)."""
    if handler.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    parts = []
    while size := int(handler.rfile.readline().split(b";")[0] or b"0", 16):
        parts.append(handler.rfile.read(size))
        handler.rfile.readline()
    handler.rfile.readline()
    return b"".join(parts)


def answer(handler: BaseHTTPRequestHandler, root: Path) -> None:
    """Run the CGI program for this request and pass on what it says."""
    parts = urlsplit(handler.path)
    environment = {
        **git_environment(),
        "GIT_PROJECT_ROOT": str(root / "git"),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": parts.path,
        "QUERY_STRING": parts.query,
        "REQUEST_METHOD": handler.command,
        "CONTENT_TYPE": handler.headers.get("Content-Type", ""),
        "HTTP_CONTENT_ENCODING": handler.headers.get("Content-Encoding", ""),
        "GIT_PROTOCOL": handler.headers.get("Git-Protocol", ""),
        "REMOTE_ADDR": handler.client_address[0],
        "REMOTE_USER": "mira-okafor",
        "PATH": os.environ.get("PATH", os.defpath),
    }
    done = subprocess.run(
        ["git", "http-backend"], input=body_of(handler), capture_output=True, env=environment, check=False
    )
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if ": " in line)
    status = int(headers.pop("Status", "200").split()[0]) if done.stdout else 500
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
