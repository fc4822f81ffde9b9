"""The repository of a report that is not on this machine is cloned and added to the list."""

from __future__ import annotations

from pathlib import Path

import pytest

from posthog_code.domain.errors import UserError
from tests.helpers import git, make_repository, run, running


def test_a_clone_is_made_once_and_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = make_repository(tmp_path / "origin" / "harbor-shop.git")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "2")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.file://{tmp_path}/origin/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://github.com/harbor/")
    monkeypatch.setenv("GIT_CONFIG_KEY_1", "protocol.file.allow")
    monkeypatch.setenv("GIT_CONFIG_VALUE_1", "always")
    folder = tmp_path / "here" / "harbor-shop"

    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            first = await services.handover.clone("harbor/harbor-shop", folder)
            assert git(folder, "rev-parse", "HEAD") == git(origin, "rev-parse", "HEAD")
            assert services.store.state.repositories[first].path == str(folder)
            assert await services.handover.clone("harbor/harbor-shop", folder) == first, "it is there already"
            with pytest.raises(UserError):
                await services.handover.clone("harbor/no-such", tmp_path / "here" / "other")
            assert list(services.store.state.repositories) == [first]

    run(scenario())
