"""A door to PostHog's MCP server on this machine: whoever comes through it needs no credential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from posthog_code.domain.errors import UserError


class McpTokens(Protocol):
    """Credentials of the account that is signed in. Raises NotSignedIn or Offline."""

    async def token(self) -> str: ...

    async def instead_of(self, refused: str) -> str:
        """Another one after the server refused this one; however many ask, it is renewed once."""


@dataclass(frozen=True, slots=True)
class McpWay:
    """Where requests go."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """What every request has besides its credential."""


class McpGuest(Protocol):
    """Whom a door is for: one session of an agent."""

    async def way(self) -> McpWay:
        """Asked for each request. Raises UserError in words for the agent when it may not go there (any more)."""

    async def token(self) -> str: ...

    async def instead_of(self, refused: str) -> str: ...

    def called(self, tool: str, outcome: str, seconds: float) -> None:
        """A tool call is over: ok, error (the tool's own), or why there is no answer."""

    def reached(self) -> None:
        """The server answered."""

    def failed(self, error: UserError) -> None:
        """It did not, or not to us."""


class McpProxy(Protocol):
    """Listens on the loopback interface while there is a door."""

    async def open(self, guest: McpGuest) -> str:
        """The URL of a new door, with a secret in it. Raises OSError when nothing can listen here."""

    def shut(self, url: str) -> None:
        """Nobody comes through any more; what is under way is broken off. An unknown URL is no error."""

    async def probe(self, guest: McpGuest) -> None:
        """Say hello to the server as an agent would, and tell the guest what came of it. Never raises UserError."""

    async def close(self) -> None:
        """Shut every door; returns when nothing of it is left."""
