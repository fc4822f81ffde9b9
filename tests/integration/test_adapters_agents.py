"""The catalogue of agents, and what it finds on a machine made for the test."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import pytest

from posthog_code.adapters.agents import make_catalogue
from posthog_code.adapters.agents.detection import search_path
from posthog_code.domain.agent import AgentInfo, AgentStatus


def make_program(folder: Path, name: str, text: str = "exit 0") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    (tmp_path / "agents").mkdir()
    return tmp_path / "home"


def detect(home: Path, chosen: dict[str, str] | None = None, **env: str) -> dict[str, AgentInfo]:
    """By id; only what is in `home` and the system's own folders is on PATH."""
    catalogue = make_catalogue(home.parent / "agents", {"HOME": str(home), "PATH": "/usr/bin:/bin", **env})
    return {info.spec.id: info for info in asyncio.run(catalogue.detect(chosen or {}))}


def test_what_ships_is_sound() -> None:
    catalogue = make_catalogue()
    assert catalogue.problems() == ()
    specs = {spec.id: spec for spec in catalogue.specs()}
    assert list(specs)[:1] == ["claude-code"]
    assert {"claude-code", "codex", "opencode", "gemini", "mistral-vibe", "custom"} <= set(specs)
    assert ("CLAUDE_CODE_ENABLE_TODO_TOOLS", "1") in specs["claude-code"].env
    assert not specs["gemini"].offers_fs
    for spec in specs.values():
        assert len(spec.letter) == 1
        assert not spec.modes or spec.default_mode in dict(spec.modes)
        assert spec.id in ("custom", "demo") or (spec.command and spec.install and spec.homepage)


def test_a_folder_of_ones_own_adds_and_replaces(home: Path) -> None:
    folder = home.parent / "agents"
    (folder / "a.toml").write_text('id = "own"\nname = "Own"\ncommand = ["{python}", "-m", "own"]\nsurprise = 1\n')
    (folder / "b.toml").write_text('id = "gemini"\nname = "Mine"\ncommand = ["gemini"]\n[env]\nA = "b"\n')
    (folder / "c.toml").write_text('id = "own"\nname = "Again"\ncommand = []\n')
    for number, text in enumerate(
        (
            "not toml",
            'id = "UPPER"\nname = "x"\ncommand = []',
            'id = "x"\nname = "x"',
            'id = "x"\nname = "x"\ncommand = "x"',
            'id = "x"\nname = "x"\ncommand = []\nmodes = [1]',
            'id = "x"\nname = "x"\ncommand = []\noffers_fs = "yes"',
            'id = "x"\nname = "x"\ncommand = []\n[env]\nA = 1',
        )
    ):
        (folder / f"wrong{number}.toml").write_text(text)
    (folder / "wrong9.toml").write_bytes(b"\xff\xfe")
    catalogue = make_catalogue(folder)
    specs = {spec.id: spec for spec in catalogue.specs()}
    assert specs["own"].command == (sys.executable, "-m", "own") and specs["own"].letter == "O"
    assert specs["gemini"].name == "Mine" and specs["gemini"].env == (("A", "b"),)
    assert "x" not in specs
    problems = "\n".join(catalogue.problems())
    assert len(catalogue.problems()) == 10
    assert "keys that are not known: surprise" in problems and "another file has the id own" in problems
    assert "`command` must be a list of texts" in problems


def test_nothing_is_installed(home: Path) -> None:
    infos = detect(home)
    assert infos["codex"].status is AgentStatus.NOT_INSTALLED
    assert infos["codex"].reason == "codex-acp was not found on PATH or where installers put it."
    assert "--agent-command" in infos["custom"].reason


def test_programs_are_found_where_installers_put_them(home: Path) -> None:
    vibe = make_program(home / ".local" / "bin", "vibe-acp", "echo vibe 3.0.2")
    make_program(home / ".nvm" / "versions" / "node" / "v9.1.0" / "bin", "gemini")
    gemini = make_program(home / ".nvm" / "versions" / "node" / "v20.1.0" / "bin", "gemini", "echo 0.61.0")
    (home / ".npmrc").write_text("a=b\nprefix = ${HOME}/npm\n")
    opencode = make_program(home / "npm" / "bin", "opencode", '[ "$1" = --version ] && echo "v1.18.33-beta (x)"')
    package = home / "npm" / "lib" / "node_modules" / "@zed-industries" / "codex-acp"
    program = make_program(package / "bin", "codex-acp.js")
    (package / "package.json").write_text(json.dumps({"name": "codex-acp", "version": "0.16.0"}))
    (home / "npm" / "bin" / "codex-acp").symlink_to(program)
    make_program(home / "npm" / "bin", "claude-code-acp")
    infos = detect(home, OPENAI_API_KEY="k")
    found = {name: (infos[name].path, infos[name].version) for name in ("mistral-vibe", "gemini", "opencode", "codex")}
    assert found == {
        "mistral-vibe": (str(vibe), "3.0.2"),
        "gemini": (str(gemini), "0.61.0"),
        "opencode": (str(opencode), "1.18.33-beta"),
        "codex": (str(home / "npm" / "bin" / "codex-acp"), "0.16.0"),
    }
    assert infos["claude-code"].path.endswith("claude-code-acp")
    assert infos["codex"].status is infos["opencode"].status is AgentStatus.READY


def test_signs_of_a_sign_in(home: Path) -> None:
    make_program(home / "bin", "vibe-acp")
    info = detect(home)["mistral-vibe"]
    assert info.status is AgentStatus.SIGNED_OUT and "MISTRAL_API_KEY" in info.reason
    assert detect(home, MISTRAL_API_KEY="k")["mistral-vibe"].status is AgentStatus.READY
    (home / "vibe").mkdir()
    (home / "vibe" / ".env").write_text("")
    assert detect(home, VIBE_HOME=str(home / "vibe"))["mistral-vibe"].status is AgentStatus.READY
    (home / ".vibe").mkdir()
    (home / ".vibe" / ".env").write_text("")
    assert detect(home)["mistral-vibe"].status is AgentStatus.READY


def test_a_chosen_program_counts_alone(home: Path) -> None:
    make_program(home / "bin", "gemini")
    mine = make_program(home / "elsewhere", "my gemini", "echo 9.9")
    assert detect(home, {"gemini": "~/elsewhere/my gemini"})["gemini"].path == str(mine)
    missing = detect(home, {"gemini": "/no/such"})["gemini"]
    assert missing.status is AgentStatus.NOT_INSTALLED and "/no/such is not there" in missing.reason


def test_a_version_that_never_comes_is_not_waited_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("posthog_code.adapters.agents.detection.VERSION_SECONDS", 0.2)
    make_program(home / "bin", "vibe-acp", "sleep 60 & wait")
    make_program(home / "bin", "opencode", "sleep 60")
    began = time.monotonic()
    assert detect(home)["mistral-vibe"].version == ""
    assert time.monotonic() - began < 3


def test_what_else_is_needed_is_said(home: Path) -> None:
    make_program(home / "bin", "needy")
    (home.parent / "agents" / "n.toml").write_text(
        'id = "needy"\nname = "N"\ncommand = ["needy"]\n'
        'needs = [{program = "no-such-tool", install = "get it"}, {program = "other", os = "plan9"}]\n'
    )
    assert detect(home)["needy"].reason == "no-such-tool is missing, so it works only partly. Install it: get it"


def test_the_search_path_keeps_the_persons_order(home: Path) -> None:
    folders = search_path({"HOME": str(home), "PATH": "/b:/a:/b", "NPM_CONFIG_PREFIX": "/npm"}).split(os.pathsep)
    assert folders[:3] == ["/b", "/a", "/npm/bin"] and f"{home}/.local/bin" in folders
