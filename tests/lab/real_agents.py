"""Real coding agents with a scripted model: where they are, and how they are set up to stay at home.

POSTHOG_CODE_LAB          folder with model_server.py; otherwise `shared/tools` beside the checkout
POSTHOG_CODE_LAB_AGENTS   npm prefixes in which agents are installed, separated as in PATH; codex-acp is installed into
                          the user's cache folder when it is in none of them and npm is there
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
CODEX = "@zed-industries/codex-acp@0.16.0"
_ARCH = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
PROGRAMS = {
    # The native program itself: its launcher is a Node script that would add a process.
    "codex": f"@zed-industries/codex-acp-linux-{_ARCH}/bin/codex-acp",
    "claude-code": "@agentclientprotocol/claude-agent-acp/dist/index.js",
    "opencode": "opencode-ai/bin/opencode.exe",
    "gemini": "@google/gemini-cli/bundle/gemini.js",
}
CONFIG = """\
model = "gpt-5.5"
model_provider = "local"
check_for_update_on_startup = false
approval_policy = "on-request"
sandbox_mode = "read-only"
[analytics]
enabled = false
[feedback]
enabled = false
[model_providers.local]
name = "local"
base_url = "{url}/v1"
env_key = "LOCAL_MODEL_KEY"
wire_api = "responses"
"""
OPENCODE = {
    "autoupdate": False,
    "share": "disabled",
    "enabled_providers": ["local"],
    "model": "local/scripted",
    "small_model": "local/scripted",
    "permission": {"edit": "ask", "bash": "ask"},
    "provider": {
        "local": {
            "npm": "@ai-sdk/openai-compatible",
            "name": "Local",
            "options": {"baseURL": "{url}/v1", "apiKey": "test"},
            "models": {"scripted": {"name": "Scripted", "tool_call": True, "reasoning": True}},
        }
    },
}
GEMINI = {
    "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}},
    "privacy": {"usageStatisticsEnabled": False},
    "telemetry": {"enabled": False},
    "general": {"disableAutoUpdate": True, "enableAutoUpdate": False},
}


@cache
def model_server() -> ModuleType:
    """The module of the scripted model server; skips the test without it."""
    folder = Path(os.environ.get("POSTHOG_CODE_LAB") or ROOT.parent / "shared" / "tools")
    path = folder / "model_server.py"
    if not path.is_file():
        pytest.skip(f"there is no {path}")
    spec = importlib.util.spec_from_file_location("lab_model_server", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = written
    return module


_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "posthog-code-tests" / "agents"
"""Found when the tests are collected: each test then has a home of its own."""


def _cache_folder() -> Path:
    return _CACHE


@cache
def program(agent_id: str) -> str:
    """The agent's program; skips the test when it is not installed and cannot be."""
    prefixes = [Path(p) for p in os.environ.get("POSTHOG_CODE_LAB_AGENTS", "").split(os.pathsep) if p]
    for prefix in [*prefixes, _cache_folder()]:
        path = prefix / "node_modules" / PROGRAMS[agent_id]
        if path.is_file():
            return str(path)
    npm = shutil.which("npm")
    if agent_id == "codex" and npm:
        folder = _cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [npm, "install", "--prefix", str(folder), CODEX], capture_output=True, text=True, timeout=300
        )
        path = folder / "node_modules" / PROGRAMS[agent_id]
        if path.is_file():
            return str(path)
        pytest.skip(f"npm could not install {CODEX}: {done.stderr[-300:]}")
    pytest.skip(f"{agent_id} is not installed")


def command(agent_id: str) -> tuple[str, ...]:
    path = program(agent_id)
    node = shutil.which("node")
    if path.endswith(".js") and not node:
        pytest.skip("there is no node")
    if agent_id == "codex" and not shutil.which("bwrap"):
        pytest.skip("codex needs bubblewrap")
    rest = {"opencode": ("acp",), "gemini": ("--acp",)}.get(agent_id, ())
    return (str(node), path, *rest) if path.endswith(".js") else (path, *rest)


def environment(agent_id: str, home: Path, url: str) -> dict[str, str]:
    """A home of its own and nothing of the person's environment, so that no real key is ever used."""
    home.mkdir(parents=True, exist_ok=True)
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
    if agent_id == "codex":
        (home / ".codex").mkdir(exist_ok=True)
        (home / ".codex" / "config.toml").write_text(CONFIG.format(url=url))
        # It puts no sandbox helper under the temporary folder, where this home is: so that one is elsewhere.
        (home / "tmp").mkdir(exist_ok=True)
        env["TMPDIR"] = str(home / "tmp")
        return {**env, "CODEX_HOME": str(home / ".codex"), "LOCAL_MODEL_KEY": "test", "NO_BROWSER": "1"}
    if agent_id == "opencode":
        return {
            **env,
            "OPENCODE_CONFIG_CONTENT": json.dumps(OPENCODE).replace("{url}", url),
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
            "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
        }
    if agent_id == "gemini":
        (home / ".gemini").mkdir(exist_ok=True)
        (home / ".gemini" / "settings.json").write_text(json.dumps(GEMINI))
        return {**env, "GOOGLE_GEMINI_BASE_URL": url, "GEMINI_API_KEY": "test"}
    return {
        **env,
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": "test",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_ENABLE_TODO_TOOLS": "1",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_TELEMETRY": "1",
        "ENABLE_TOOL_SEARCH": "false",
    }
