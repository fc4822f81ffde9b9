"""The stand-ins with one machine beside them, for tests of hand-overs and runners."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from posthog_code.app.container import Container
from posthog_code.demo.world import DemoGitHub, DemoPostHog, WorldFacts, prepare, start_github, start_posthog
from posthog_code.domain.cloud import CloudRunInfo
from posthog_code.domain.ids import TaskId
from posthog_code.domain.transcript import AgentText, ToolCall, Transcript, UserMessage
from posthog_code.ports.cloud import Cloud
from tests.helpers import DEMO_AGENT, git

NAME = "harbor-api"
NOW = 1_790_000_000.0


@dataclass
class World:
    facts: WorldFacts
    github: DemoGitHub
    posthog: DemoPostHog

    @property
    def repository(self) -> Path:
        return self.facts.repository(NAME)

    def appear(self, prompt: str, **fields: Any) -> dict[str, Any]:
        """A task that somebody made elsewhere, at rest."""
        told = {"title": prompt[:60], "prompt": prompt, "repository": f"harbor/{NAME}", "speed": 0.0, **fields}
        task = self.posthog.appear(**told)
        deadline = time.monotonic() + 30
        while not self.posthog.ready():
            assert time.monotonic() < deadline, "the stand-in's run did not come to rest"
            time.sleep(0.05)
        return task

    def sandbox(self, run_id: str) -> Path:
        return Path(self.posthog.control("GET", f"runs/{run_id}")["sandbox"])

    def config(self, **values: Any) -> None:
        self.posthog.control("POST", "config", values)

    def calls(self, part: str) -> list[dict[str, Any]]:
        rows = self.posthog.control("GET", "journal")["requests"]
        return [row for row in rows if part in row["path"]]


@contextmanager
def world_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    facts = prepare(folder, NOW)
    for repository in facts.repositories:
        git(repository, "config", "user.name", "Mira Okafor")
    github = start_github(folder, pace=0)
    try:
        posthog = start_posthog(folder, pace=0, seeds=False)
        try:
            monkeypatch.setenv("POSTHOG_API_KEY", posthog.token)
            monkeypatch.setenv("POSTHOG_HOST", posthog.url)
            monkeypatch.setenv("GITHUB_TOKEN", github.token)
            monkeypatch.setenv("POSTHOG_CODE_DEMO_STATE", str(facts.agent_state))
            posthog.control("POST", "config", {"close_grace_s": 0.2})
            yield World(facts, github, posthog)
        finally:
            posthog.stop()
    finally:
        github.stop()


async def ready(container: Container, world: World) -> Cloud:
    """Signed in, with the repository in the list."""
    services = container.services
    await services.settings.set(github_api_url=world.github.api, default_mode="auto")
    await services.repositories.add(world.repository)
    await services.account.restore()
    return services.account.cloud()


async def settled(container: Container, task_id: TaskId) -> None:
    await asyncio.wait_for(container.services.tasks.wait_for_setup(task_id), 60)


async def run_of(cloud: Cloud, task_id: str) -> CloudRunInfo:
    run = (await cloud.task(task_id)).run
    assert run is not None
    return run


def told(transcript: Transcript) -> tuple[list[str], list[str], list[str]]:
    """(what people said, what agents said, ids of tool calls), each as often as it is shown."""
    said = [item.text.strip() for item in transcript.items if isinstance(item, UserMessage)]
    answers = [item.text.strip() for item in transcript.items if isinstance(item, AgentText) and item.text.strip()]
    return said, answers, [item.call_id for item in transcript.items if isinstance(item, ToolCall)]


AGENT = {"agent_id": "custom", "agent_command": DEMO_AGENT}
