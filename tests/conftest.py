"""Every test runs offscreen, without the person's git settings, tokens or data folder."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["QT_SCALE_FACTOR"] = "1"
# As in the program: Python collects on whichever thread allocates, and a widget must not die on a worker.
gc.disable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """What a test leaves is collected on the main thread: the young after each test, all of it after each file."""
    yield
    gc.disable()  # the program's own loop switches it on again when it ends
    last = nextitem is None or nextitem.path != item.path
    gc.collect(2 if last else 1)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    home = tmp_path_factory.mktemp("home")
    for name in (
        "GITHUB_TOKEN",
        "GH_TOKEN",
        "GH_ENTERPRISE_TOKEN",
        "GITHUB_API_URL",
        "POSTHOG_API_KEY",
        "POSTHOG_HOST",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GH_CONFIG_DIR", str(home / "gh"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    monkeypatch.setenv("POSTHOG_CODE_HOME", str(home / "posthog-code"))
    monkeypatch.setenv("POSTHOG_CODE_DEMO_SPEED", "0")
    monkeypatch.setenv("POSTHOG_CODE_DEMO_STATE", str(home / "demo-state"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    yield


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    from tests.helpers import make_repository

    return make_repository(tmp_path / "repo")
