"""The keyring: in a thread, never for long, and never in plain text without a word."""

from __future__ import annotations

import asyncio
import threading

import keyring
import keyring.backend
import keyring.backends.fail
import keyring.errors
import pytest

from posthog_code.adapters.secrets.keyring_store import Keyring
from posthog_code.domain.errors import Refused


class Memory(keyring.backend.KeyringBackend):
    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.threads: set[str] = set()

    def get_password(self, service: str, username: str) -> str | None:
        self.threads.add(threading.current_thread().name)
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise keyring.errors.PasswordDeleteError("not there")


class PlaintextKeyring(Memory):
    pass


class Stuck(Memory):
    def __init__(self) -> None:
        super().__init__()
        self.release = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        self.release.wait(10)
        return None


def use(monkeypatch: pytest.MonkeyPatch, backend: keyring.backend.KeyringBackend) -> None:
    monkeypatch.setattr(keyring, "get_keyring", lambda: backend)


def test_kept_and_forgotten_off_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Memory()
    use(monkeypatch, backend)

    async def run() -> None:
        secrets = Keyring()
        assert await secrets.available()
        assert await secrets.get("github:github.com") is None
        await secrets.set("github:github.com", "T")
        assert await secrets.get("github:github.com") == "T"
        await secrets.delete("github:github.com")
        await secrets.delete("github:github.com")
        assert await secrets.get("github:github.com") is None

    asyncio.run(run())
    assert backend.threads == {"keyring"}


@pytest.mark.parametrize("backend", [keyring.backends.fail.Keyring(), PlaintextKeyring()])
def test_without_a_keyring_nothing_is_stored(
    monkeypatch: pytest.MonkeyPatch, backend: keyring.backend.KeyringBackend
) -> None:
    use(monkeypatch, backend)

    async def run() -> None:
        secrets = Keyring()
        assert not await secrets.available()
        assert await secrets.get("x") is None
        with pytest.raises(Refused) as refused:
            await secrets.set("x", "T")
        assert "gh auth login" in refused.value.hint
        await secrets.delete("x")

    asyncio.run(run())


def test_a_keyring_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Stuck()
    use(monkeypatch, backend)
    assert asyncio.run(Keyring(timeout=0.05).get("x")) is None
    backend.release.set()
