"""Entries of the catalogue: TOML files, read and checked."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posthog_code.domain.agent import AgentSpec

_ID = re.compile(r"[a-z0-9][a-z0-9._-]*")
_SYSTEM = {"win32": "windows", "darwin": "darwin"}.get(sys.platform, "linux")
_TEXTS = ("name", "letter", "install", "sign_in", "default_mode", "homepage")
_LISTS = ("command", "alternatives", "version_command", "signed_in_files", "signed_in_env")
_FLAGS = ("offers_fs", "offers_terminal", "version_from_package")
_OTHERS = ("id", "order", "commands", "env", "modes", "needs")


class EntryError(Exception):
    """A file that is no entry; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Need:
    """Another program, without which an agent works only partly."""

    program: str
    install: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    spec: AgentSpec
    alternatives: tuple[str, ...] = ()
    """Other names of the program."""
    version_from_package: bool = False
    needs: tuple[Need, ...] = ()
    """Those of this system."""
    order: int = 50


def read_entry(path: Path) -> tuple[Entry, tuple[str, ...]]:
    """An entry and remarks about it (keys that are not known). Raises EntryError."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EntryError(f"it cannot be read: {error}") from error
    unknown = sorted(set(data) - {*_TEXTS, *_LISTS, *_FLAGS, *_OTHERS})
    remarks = (f"keys that are not known: {', '.join(unknown)}",) if unknown else ()
    return parse_entry(data), remarks


def parse_entry(data: Mapping[str, Any]) -> Entry:
    """Raises EntryError for a value of the wrong kind or a missing one."""
    agent_id = data.get("id")
    if not isinstance(agent_id, str) or not _ID.fullmatch(agent_id):
        raise EntryError("`id` must be a word of small letters, digits, dots, dashes and underscores")
    texts = {key: _text(data, key) for key in _TEXTS}
    lists = {key: _words(data, key) for key in _LISTS}
    flags = {key: _flag(data, key) for key in _FLAGS}
    if not texts["name"]:
        raise EntryError("`name` is missing")
    commands = _table(data, "commands")
    command = _words(commands, _SYSTEM) if _SYSTEM in commands else lists["command"]
    if "command" not in data and not commands:
        raise EntryError("`command` is missing")
    env = _table(data, "env")
    for name, value in env.items():
        if not isinstance(value, str):
            raise EntryError(f"`env.{name}` must be a text")
    order = data.get("order", 50)
    if not isinstance(order, int):
        raise EntryError("`order` must be a number")
    spec = AgentSpec(
        id=agent_id,
        name=texts["name"],
        letter=texts["letter"][:1] or texts["name"][:1].upper(),
        command=_filled(command),
        version_command=_filled(lists["version_command"]),
        install=texts["install"],
        sign_in=texts["sign_in"],
        signed_in_files=lists["signed_in_files"],
        signed_in_env=lists["signed_in_env"],
        env=tuple((name, str(value)) for name, value in env.items()),
        offers_fs=flags["offers_fs"],
        offers_terminal=flags["offers_terminal"],
        modes=_modes(data),
        default_mode=texts["default_mode"],
        homepage=texts["homepage"],
    )
    return Entry(spec, lists["alternatives"], flags["version_from_package"], _needs(data), order)


def _filled(words: tuple[str, ...]) -> tuple[str, ...]:
    """`{python}` is the interpreter that runs this app: agents of ours are Python modules."""
    return tuple(word.replace("{python}", sys.executable) for word in words)


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key, "")
    if not isinstance(value, str):
        raise EntryError(f"`{key}` must be a text")
    return value


def _words(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = data.get(key, [])
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise EntryError(f"`{key}` must be a list of texts")
    return tuple(value)


def _flag(data: Mapping[str, Any], key: str) -> bool:
    value = data.get(key, False)
    if not isinstance(value, bool):
        raise EntryError(f"`{key}` must be true or false")
    return value


def _table(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key, {})
    if not isinstance(value, dict):
        raise EntryError(f"`{key}` must be a table")
    return value


def _tables(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = data.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise EntryError(f"`{key}` must be a list of tables")
    return value


def _modes(data: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    modes = [(_text(mode, "id"), _text(mode, "name")) for mode in _tables(data, "modes")]
    if any(not mode_id for mode_id, _ in modes):
        raise EntryError("each of `modes` must have an `id`")
    return tuple((mode_id, name or mode_id) for mode_id, name in modes)


def _needs(data: Mapping[str, Any]) -> tuple[Need, ...]:
    needs = [n for n in _tables(data, "needs") if _text(n, "os") in ("", _SYSTEM)]
    return tuple(Need(_text(n, "program"), _text(n, "install")) for n in needs if _text(n, "program"))
