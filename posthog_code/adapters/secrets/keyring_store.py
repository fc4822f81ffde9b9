"""The OS keyring, asked in a thread and never for long: it may have to unlock, or wait for a bus that is not there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from posthog_code.domain.errors import Refused

SERVICE = "posthog-code"
T = TypeVar("T")
_WAY_ON = "Set GITHUB_TOKEN for the app, or sign in with `gh auth login`: both are used without a keyring."


class _NoKeyring(Exception):
    """No backend that can keep a secret, or one that does not answer."""


class Keyring:
    """Implements ports.forge.Secrets."""

    def __init__(self, service: str = SERVICE, timeout: float = 5.0) -> None:
        """`timeout` in seconds; setting may ask the person to unlock the keyring and gets twelve times that."""
        self._service = service
        self._timeout = timeout

    async def get(self, name: str) -> str | None:
        """None when it is not there, or no keyring can be asked (then nothing was ever stored)."""

        def read() -> str | None:
            return _backend().get_password(self._service, name)

        try:
            return await self._ask(read, self._timeout)
        except _NoKeyring:
            return None

    async def set(self, name: str, value: str) -> None:
        def write() -> None:
            _backend().set_password(self._service, name, value)

        try:
            await self._ask(write, self._timeout * 12)
        except _NoKeyring as error:
            raise Refused("This machine has no keyring to keep the token in.", _WAY_ON, str(error)) from error

    async def delete(self, name: str) -> None:
        """Nothing happens when it was not there."""

        def drop() -> None:
            import keyring.errors

            try:
                _backend().delete_password(self._service, name)
            except keyring.errors.PasswordDeleteError:
                pass

        try:
            await self._ask(drop, self._timeout)
        except _NoKeyring:
            pass

    async def available(self) -> bool:
        try:
            await self._ask(_backend, self._timeout)
        except _NoKeyring:
            return False
        return True

    async def _ask(self, call: Callable[[], T], timeout: float) -> T:
        """Run `call` in a daemon thread, so that a keyring that hangs cannot keep the app from ending."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            if answer.done():
                return
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(result)  # type: ignore[arg-type]

        def work() -> None:
            result: T | None = None
            failure: BaseException | None = None
            try:
                result = call()
            except Exception as error:
                failure = _NoKeyring(f"{type(error).__name__}: {error}")
            try:
                loop.call_soon_threadsafe(settle, result, failure)
            except RuntimeError:
                pass  # the loop is closed: nobody waits any more

        threading.Thread(target=work, name="keyring", daemon=True).start()
        try:
            return await asyncio.wait_for(answer, timeout)
        except TimeoutError as error:
            raise _NoKeyring(f"The keyring did not answer within {timeout:g} s.") from error


class _Backend:
    """The part of keyring's API that is used, typed."""

    def __init__(self) -> None:
        import keyring
        import keyring.backends.fail
        import keyring.backends.null

        backend = keyring.get_keyring()
        if isinstance(backend, keyring.backends.fail.Keyring | keyring.backends.null.Keyring):
            raise _NoKeyring("No recommended backend was available.")
        if any("plaintext" in type(one).__name__.lower() for one in (backend, *getattr(backend, "backends", ()))):
            raise _NoKeyring("The only keyring here keeps its secrets in plain text.")
        self._keyring = backend

    def get_password(self, service: str, name: str) -> str | None:
        return self._keyring.get_password(service, name)

    def set_password(self, service: str, name: str, value: str) -> None:
        self._keyring.set_password(service, name, value)

    def delete_password(self, service: str, name: str) -> None:
        self._keyring.delete_password(service, name)


def _backend() -> _Backend:
    return _Backend()
