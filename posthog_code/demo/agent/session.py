"""Sessions: their options, and their conversations on disk so that a later process can go on."""

from __future__ import annotations

import json
import os
import re
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from posthog_code.demo.agent.wire import INVALID_PARAMS, JsonObject, RpcError

MODES = (
    ("plan", "Plan", "Looks and plans, changes nothing"),
    ("ask", "Ask", "Asks before each edit and each command"),
    ("acceptEdits", "Accept edits", "Edits freely, asks before each command"),
    ("auto", "Auto", "Asks nothing"),
)
MODELS = (("demo-large", "Demo Large", "Thinks aloud"), ("demo-small", "Demo Small", "Says less"))
EFFORTS = (("low", "Low", ""), ("medium", "Medium", ""), ("high", "High", ""))
DEFAULTS = {"mode": "ask", "model": "demo-large", "effort": "medium"}
CHOICES = {"mode": MODES, "model": MODELS, "effort": EFFORTS}
NAMES = {"mode": ("Mode", "mode"), "model": ("Model", "model"), "effort": ("Effort", "thought_level")}
CONTEXT_SIZE = 200_000


def state_folder() -> Path:
    """Where conversations are kept: POSTHOG_CODE_DEMO_STATE, else a private folder among the temporary files."""
    told = os.environ.get("POSTHOG_CODE_DEMO_STATE")
    if told:
        return Path(told)
    return Path(tempfile.gettempdir()) / f"posthog-code-demo-{os.getuid() if hasattr(os, 'getuid') else 'user'}"


@dataclass(slots=True)
class Session:
    id: str
    cwd: Path
    options: dict[str, str] = field(default_factory=lambda: dict(DEFAULTS))
    title: str = ""
    updated_at: float = 0.0
    used: int = 4_200
    """Tokens in the context, as a real agent would count them."""
    turns: int = 0
    scene: str = ""
    """Name of the scripted scenario that the conversation is in, "" for none."""
    scene_turns: tuple[int, ...] = ()
    """Turns of the scenario that were played."""
    allowed: set[str] = field(default_factory=set)
    """Kinds of action that the person allowed for the whole session."""
    marks: set[str] = field(default_factory=set)
    """What happened once and shall not happen again, such as a scripted crash."""
    left: JsonObject = field(default_factory=dict)
    """What a turn that did not get to its end leaves to do, as its scenario wrote it down."""
    updates: list[JsonObject] = field(default_factory=list)
    servers: tuple[JsonObject, ...] = ()
    """MCP servers that the client gave, as ACP writes them; never kept, since their addresses are secrets."""
    cancelled: threading.Event = field(default_factory=threading.Event)
    busy: threading.Lock = field(default_factory=threading.Lock)

    def modes(self) -> JsonObject:
        available = [{"id": key, "name": name, "description": text} for key, name, text in MODES]
        return {"currentModeId": self.options["mode"], "availableModes": available}

    def config_options(self) -> list[JsonObject]:
        return [
            {
                "id": key,
                "name": NAMES[key][0],
                "category": NAMES[key][1],
                "type": "select",
                "currentValue": self.options[key],
                "options": [{"value": value, "name": name, "description": text} for value, name, text in choices],
            }
            for key, choices in CHOICES.items()
        ]

    def choose(self, option: str, value: Any) -> None:
        """Raises RpcError for an option or a value that does not exist."""
        if value not in [key for key, *_ in CHOICES.get(option, ())]:
            raise RpcError(INVALID_PARAMS, f"no such value of {option}: {value}")
        self.options[option] = str(value)

    def keep(self, update: JsonObject) -> None:
        """Remember one update at once: the process may be gone in the next moment."""
        self.updates.append(update)
        self._append({"update": update})

    def save(self) -> None:
        """Append the newest head. A reader takes the last whole one, so a torn line costs nothing else."""
        self.updated_at = time.time()
        head = {
            "id": self.id,
            "cwd": str(self.cwd),
            "options": self.options,
            "title": self.title,
            "updatedAt": self.updated_at,
            "used": self.used,
            "turns": self.turns,
            "scene": self.scene,
            "sceneTurns": list(self.scene_turns),
            "allowed": sorted(self.allowed),
            "marks": sorted(self.marks),
            "left": self.left,
        }
        self._append({"head": head})

    def _append(self, entry: JsonObject) -> None:
        folder = state_folder()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (folder / f"{self.id}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def new_session(cwd: Path) -> Session:
    return Session(id=f"demo-{uuid.uuid4()}", cwd=cwd)


def load_session(session_id: str) -> Session | None:
    """A kept conversation; None if there is none of that id."""
    if not re.fullmatch(r"[\w-]{1,100}", session_id):
        return None
    try:
        text = (state_folder() / f"{session_id}.jsonl").read_text(encoding="utf-8")
    except OSError:
        return None
    session: Session | None = None
    updates: list[JsonObject] = []
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if "update" in entry:
            updates.append(entry["update"])
        elif "head" in entry:
            session = _from_head(entry["head"])
    if session is not None:
        session.updates = updates
    return session


def list_sessions(cwd: str | None) -> list[JsonObject]:
    found = []
    for path in state_folder().glob("*.jsonl"):
        session = load_session(path.stem)
        if session is not None and (not cwd or str(session.cwd) == cwd):
            found.append(session)
    found.sort(key=lambda session: -session.updated_at)
    return [
        {"sessionId": session.id, "cwd": str(session.cwd), "title": session.title, "updatedAt": iso(session.updated_at)}
        for session in found
    ]


def iso(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def _from_head(head: JsonObject) -> Session:
    return Session(
        id=head["id"],
        cwd=Path(head["cwd"]),
        options={**DEFAULTS, **head["options"]},
        title=head["title"],
        updated_at=head["updatedAt"],
        used=head["used"],
        turns=head["turns"],
        scene=head["scene"],
        scene_turns=tuple(head["sceneTurns"]),
        allowed=set(head["allowed"]),
        marks=set(head["marks"]),
        left=dict(head.get("left") or {}),
    )
