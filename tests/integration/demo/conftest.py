from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from demo_client import Client
from product_client import Harbor

from posthog_code.demo.repositories import make_repositories
from posthog_code.demo.world import DemoGitHub, DemoPostHog, WorldFacts, prepare, start_github, start_posthog

NOW = 1_790_000_000.0


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    make_repositories(folder, NOW)
    return folder


@pytest.fixture
def repository(made: Path, tmp_path: Path) -> Callable[[str], Path]:
    """A fresh copy of a sample repository."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(made / name, tmp_path / name))

    return copy


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """Starts agents and ends them afterwards."""
    clients: list[Client] = []

    def begin(cwd: Path, **options: str | bool) -> Client:
        clients.append(Client(cwd, tmp_path / "state", **options))  # type: ignore[arg-type]
        return clients[-1]

    yield begin
    for client in clients:
        if client.process.poll() is None:
            client.process.kill()
            client.process.wait()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> WorldFacts:
    return prepare(tmp_path_factory.mktemp("home"), time.time())


@pytest.fixture(scope="module")
def github(world: WorldFacts) -> Iterator[DemoGitHub]:
    started = start_github(world.home, 0)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def cloud(world: WorldFacts, github: DemoGitHub) -> Iterator[DemoPostHog]:
    started = start_posthog(world.home, 0, seeds=False)
    yield started
    started.stop()


@pytest.fixture
def harbor(cloud: DemoPostHog) -> Iterator[Harbor]:
    """Project Harbor; switches are put back afterwards."""
    yield Harbor(cloud)
    cloud.control("DELETE", "faults")
    cloud.control("POST", "config", {"query_pending_s": 0, "query_slow_s": 0, "mcp_refusals": 0, "older": False})
