"""A token from gh, as a real program: asked with the host, without our token variables, and not for long."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from posthog_code.adapters.forge import tokens


def fake_gh(folder: Path, script: str) -> dict[str, str]:
    program = folder / "gh"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def test_the_host_is_named_and_our_variables_are_not_passed_on(path: Path) -> None:
    env = fake_gh(path, 'echo "$*|$GH_TOKEN$GITHUB_TOKEN$GH_ENTERPRISE_TOKEN"')
    env |= {"GH_TOKEN": "a", "GITHUB_TOKEN": "b", "GH_ENTERPRISE_TOKEN": "c"}
    assert asyncio.run(tokens.gh_token("git.acme.example", env)) == "auth token --hostname git.acme.example|"


def test_not_signed_in(path: Path) -> None:
    assert asyncio.run(tokens.gh_token("github.com", fake_gh(path, "echo no; exit 1"))) == ""


def test_a_gh_that_waits_is_left_behind(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "GH_TIMEOUT", 0.2)
    assert asyncio.run(tokens.gh_token("github.com", fake_gh(path, "exec sleep 30"))) == ""


def test_no_gh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert asyncio.run(tokens.gh_token("github.com", {"PATH": str(tmp_path)})) == ""


def test_starting_costs_no_http_library() -> None:
    code = (
        "import sys, posthog_code.adapters.forge.github, posthog_code.services.pull_requests,"
        " posthog_code.adapters.secrets.keyring_store; print([m for m in ('httpx', 'keyring') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
