"""The agent's side of ACP: one thread reads, each prompt works in a thread of its own."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from posthog_code.demo.agent import process
from posthog_code.demo.agent.session import Session, list_sessions, load_session, new_session
from posthog_code.demo.agent.turn import Turn
from posthog_code.demo.agent.wire import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    RESOURCE_NOT_FOUND,
    Cancelled,
    JsonObject,
    RpcError,
    Wire,
)

VERSION = "1.0"
COMMANDS = (
    ("review", "Look at the changes as a reviewer would", ""),
    ("test", "Run the tests", "folder"),
    ("explain", "Explain a file", "path"),
    ("fail", "Show what a failure looks like", ""),
    ("long", "Write five thousand lines", ""),
)


def speed() -> float:
    """POSTHOG_CODE_DEMO_SPEED: 1 is a pace to watch, 0 has no delays; what is no number counts as 1."""
    try:
        return max(0.0, float(os.environ.get("POSTHOG_CODE_DEMO_SPEED", "1")))
    except ValueError:
        return 1.0


class Server:
    def __init__(self, wire: Wire, speaks_http: bool = True) -> None:
        """`speaks_http`: MCP servers over HTTP; without it only those that are programs."""
        self._wire = wire
        self._speaks_http = speaks_http
        self._sessions: dict[str, Session] = {}
        self._forms = False
        self._methods: dict[str, Callable[[JsonObject], JsonObject]] = {
            "initialize": self._initialize,
            "authenticate": lambda params: {},
            "session/new": self._new,
            "session/load": self._load,
            "session/resume": self._resume,
            "session/list": lambda params: {"sessions": list_sessions(params.get("cwd"))},
            "session/close": self._close,
            "session/set_mode": self._set_mode,
            "session/set_config_option": self._set_option,
        }

    def handle(self, line: bytes) -> None:
        """One line from the client. What is no JSON object is ignored, as the transport's rules allow."""
        try:
            message = json.loads(line)
        except ValueError:
            return
        if not isinstance(message, dict):
            return
        if "method" not in message:
            self._wire.answered(message)
            return
        method = message["method"]
        params = message["params"] if isinstance(message.get("params"), dict) else {}
        if method == "session/cancel":
            session = self._sessions.get(str(params.get("sessionId")))
            if session is not None:
                session.cancelled.set()
        elif "id" in message and method == "session/prompt":
            self._prompt(message["id"], params)
        elif "id" in message:
            self._answer(message["id"], method, params)

    def stop(self) -> None:
        """End what runs. Turns that still work find the wire shut and get no further."""
        for session in self._sessions.values():
            session.cancelled.set()
        self._wire.shut()
        process.end_all()

    def _answer(self, request_id: object, method: str, params: JsonObject) -> None:
        try:
            handler = self._methods.get(method)
            if handler is None:
                raise RpcError(METHOD_NOT_FOUND, f"Method not found: {method}")
            result = handler(params)
        except RpcError as error:
            self._fail(request_id, error)
            return
        self._wire.send({"id": request_id, "result": result})
        if method in ("session/new", "session/load", "session/resume"):
            self._tell_commands(result.get("sessionId") or str(params.get("sessionId")))

    def _fail(self, request_id: object, error: RpcError) -> None:
        body: JsonObject = {"code": error.code, "message": error.message}
        if error.data is not None:
            body["data"] = error.data
        self._wire.send({"id": request_id, "error": body})

    # -- methods

    def _initialize(self, params: JsonObject) -> JsonObject:
        elicitation = (params.get("clientCapabilities") or {}).get("elicitation")
        self._forms = isinstance(elicitation, dict) and elicitation.get("form") is not None
        return {
            "protocolVersion": 1,
            "agentCapabilities": {
                "loadSession": True,
                "promptCapabilities": {"image": True, "embeddedContext": True},
                "mcpCapabilities": {"http": self._speaks_http, "sse": False},
                "sessionCapabilities": {"list": {}, "resume": {}, "close": {}},
            },
            "agentInfo": {"name": "posthog-code-demo", "title": "Demo agent", "version": VERSION},
            "authMethods": [],
        }

    def _new(self, params: JsonObject) -> JsonObject:
        session = new_session(_folder(params))
        session.servers = _servers(params)
        self._sessions[session.id] = session
        session.save()
        return {"sessionId": session.id, **self._settings(session)}

    def _load(self, params: JsonObject) -> JsonObject:
        session = self._known(params)
        for update in list(session.updates):
            self._wire.notify("session/update", {"sessionId": session.id, "update": update})
        return self._settings(session)

    def _resume(self, params: JsonObject) -> JsonObject:
        return self._settings(self._known(params))

    def _close(self, params: JsonObject) -> JsonObject:
        session = self._live(params)
        session.cancelled.set()
        del self._sessions[session.id]
        return {}

    def _set_mode(self, params: JsonObject) -> JsonObject:
        session = self._live(params)
        session.choose("mode", params.get("modeId"))
        self._tell_options(session, mode_changed=True)
        return {}

    def _set_option(self, params: JsonObject) -> JsonObject:
        session = self._live(params)
        option = str(params.get("configId"))
        session.choose(option, params.get("value"))
        self._tell_options(session, mode_changed=option == "mode")
        return {"configOptions": session.config_options()}

    def _settings(self, session: Session) -> JsonObject:
        return {"modes": session.modes(), "configOptions": session.config_options()}

    def _live(self, params: JsonObject) -> Session:
        session = self._sessions.get(str(params.get("sessionId")))
        if session is None:
            raise RpcError(RESOURCE_NOT_FOUND, f"Resource not found: {params.get('sessionId')}")
        return session

    def _known(self, params: JsonObject) -> Session:
        """A session of this process, or one that an earlier process kept."""
        session_id = str(params.get("sessionId"))
        session = self._sessions.get(session_id) or load_session(session_id)
        if session is None:
            raise RpcError(RESOURCE_NOT_FOUND, f"Resource not found: {session_id}")
        session.cwd = _folder(params)
        session.servers = _servers(params)
        self._sessions[session_id] = session
        return session

    def _tell_options(self, session: Session, mode_changed: bool) -> None:
        Turn(self._wire, session, "", 0, self._forms).tell_options(mode_changed)
        session.save()

    def _tell_commands(self, session_id: str) -> None:
        commands = [
            {"name": name, "description": text, "input": {"hint": hint} if hint else None}
            for name, text, hint in COMMANDS
        ]
        update = {"sessionUpdate": "available_commands_update", "availableCommands": commands}
        self._wire.notify("session/update", {"sessionId": session_id, "update": update})

    # -- turns

    def _prompt(self, request_id: object, params: JsonObject) -> None:
        try:
            session = self._live(params)
            if not session.busy.acquire(blocking=False):
                raise RpcError(INVALID_PARAMS, "a turn is running in this session")
        except RpcError as error:
            self._fail(request_id, error)
            return
        session.cancelled.clear()
        blocks = [block for block in params.get("prompt", ()) if isinstance(block, dict)]
        threading.Thread(target=self._work, args=(request_id, session, blocks), daemon=True).start()

    def _work(self, request_id: object, session: Session, blocks: list[JsonObject]) -> None:
        from posthog_code.demo.agent.scenarios import play

        text = "\n".join(str(block.get("text", "")) for block in blocks if block.get("type") == "text")
        for block in blocks:
            session.keep({"sessionUpdate": "user_message_chunk", "content": block})
        turn = Turn(self._wire, session, text, speed(), self._forms, _linked(blocks))
        before, error = session.used, None
        reason = "end_turn"
        try:
            if not session.title:
                session.title = (text.strip().splitlines() or ["Untitled"])[0][:72]
                session.save()
                turn.update({"sessionUpdate": "session_info_update", "title": session.title}, keep=False)
            play(turn)
        except Cancelled:
            reason = "cancelled"
        except RpcError as raised:
            error = raised
        except Exception as raised:  # a bug of the demo: the client hears of it, as it would of a real agent's
            error = RpcError(INTERNAL_ERROR, f"{type(raised).__name__}: {raised}")
        session.turns += 1
        session.save()
        session.busy.release()
        if error is not None:
            self._fail(request_id, error)
            return
        spent = max(session.used - before, 1)
        usage = {"inputTokens": session.used, "outputTokens": spent, "totalTokens": session.used + spent}
        self._wire.send({"id": request_id, "result": {"stopReason": reason, "usage": usage}})


def _linked(blocks: Sequence[JsonObject]) -> list[str]:
    """Paths of the files that a prompt links to."""
    uris = [urlsplit(str(block.get("uri") or "")) for block in blocks if block.get("type") == "resource_link"]
    return [unquote(uri.path) for uri in uris if uri.scheme == "file"]


def _servers(params: JsonObject) -> tuple[JsonObject, ...]:
    given = params.get("mcpServers")
    return tuple(one for one in given if isinstance(one, dict)) if isinstance(given, list) else ()


def _folder(params: JsonObject) -> Path:
    folder = Path(str(params.get("cwd") or ""))
    if not folder.is_absolute() or not folder.is_dir():
        raise RpcError(INVALID_PARAMS, f"cwd is no absolute folder: {params.get('cwd')}")
    return folder


def serve(argv: Sequence[str] = ()) -> int:
    """Work until stdin closes. Nothing of ours is left running afterwards."""
    if "--version" in argv:
        print(f"posthog-code demo agent {VERSION}")
        return 0
    server = Server(Wire(sys.stdout.buffer, process.leave), speaks_http="--no-http" not in argv)
    for line in sys.stdin.buffer:
        server.handle(line)
    server.stop()
    return 0
