"""Answers to what a cloud run asks: each is given once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from posthog_code.domain.cloud_errors import OutcomeUnknown
from posthog_code.domain.cloud_facts import CloudFacts, OpenAsk, answer_params, question_params
from posthog_code.domain.errors import NotFound, Refused
from posthog_code.domain.ids import RequestId
from posthog_code.services.cloud_link import Link
from posthog_code.services.cloud_stream import CloudStream

_ON_ITS_WAY = 0.5
"""Seconds in which the address of an answer follows the question in the same stream."""
_LAST_OF_IT = 2.0
"""Seconds for what a slow stream tells behind that."""
_JOIN_WAIT = 30.0
"""Seconds for the stream to tell again what it has kept."""

_TOLD = (Link.LIVE, Link.LOST, Link.GONE, Link.OVER)
"""What the stream has kept is told, or will not be."""


class Asked(Protocol):
    """What answering needs of the session that was asked."""

    stream: CloudStream

    @property
    def facts(self) -> CloudFacts: ...

    @property
    def link_state(self) -> Link: ...

    def touch(self) -> None: ...

    async def rejoin(self) -> None: ...

    async def until(self, condition: Callable[[], Any], seconds: float) -> bool: ...

    async def command(self, method: str, params: Mapping[str, Any], command_id: str = "") -> Mapping[str, Any]: ...


class Answers:
    def __init__(self, session: Asked, patience: float) -> None:
        """`patience`: seconds to wait for an answer that nobody confirmed to show in the stream."""
        self._session, self._patience = session, patience
        self._answering: set[RequestId] = set()

    async def permission(self, request_id: RequestId, option_id: str, by: str = "you") -> None:
        """Answer a permission, once. Raises NotFound when it is over, also when somebody else answered it."""
        one = self._ask(request_id)
        if option_id not in {option.id for option in one.ask.options}:
            raise Refused("This answer is not one of those offered.")
        await self._reply(request_id, one, lambda: answer_params(one, option_id), option_id, by)

    async def question(self, request_id: RequestId, content: Mapping[str, Any] | None) -> None:
        one = self._ask(request_id)
        words = "" if content is None else ", ".join(str(value) for value in content.values())
        await self._reply(request_id, one, lambda: question_params(one, content), words, "you")

    def _ask(self, request_id: RequestId) -> OpenAsk:
        one = self._session.facts.asks.get(request_id)
        if one is None:
            raise NotFound("This question is over.", "The agent does not wait for it any more.")
        return one

    async def _reply(self, request_id: RequestId, one: OpenAsk, params: Any, words: str, by: str) -> None:
        if request_id in self._answering:
            return
        self._answering.add(request_id)
        try:
            await self._find_reply(one)
            if not await self._send_reply(request_id, params()):
                raise NotFound("This question is over.", "It was answered elsewhere, or the agent went on.")
        finally:
            self._answering.discard(request_id)
        self._session.stream.note("answered", requestId=request_id, answer=words, by=by)
        self._session.facts.close(request_id)
        self._session.touch()

    async def _send_reply(self, request_id: RequestId, params: dict[str, Any]) -> bool:
        """False when the agent does not wait for it. The server takes one answer for each id."""
        unsure = False
        while True:
            try:
                await self._session.command("permission_response", params)
                return True
            except Refused:
                self._session.facts.close(request_id)
                self._session.touch()
                # After an answer that got lost, "nobody waits for it" means that it arrived.
                return unsure
            except OutcomeUnknown:
                if unsure:
                    raise
                unsure = True
                if await self._session.until(lambda: request_id not in self._session.facts.asks, self._patience):
                    return True

    async def _find_reply(self, one: OpenAsk) -> None:
        """The address of the answer comes by the stream only: look it up in what the stream has kept."""
        session = self._session
        if one.reply_to:
            return
        if not await session.until(lambda: self._reply_of(one), _ON_ITS_WAY):
            await session.rejoin()
            await session.until(lambda: self._reply_of(one) or session.link_state in _TOLD, _JOIN_WAIT)
            await session.until(lambda: self._reply_of(one), _LAST_OF_IT)
        if not self._reply_of(one):
            self._ask(one.ask.id)
            raise Refused(
                "This can only be answered where it was seen live.",
                "Answer it in PostHog, or stop the turn and say what to do.",
            )
        one.reply_to = self._reply_of(one)

    def _reply_of(self, one: OpenAsk) -> str:
        known = self._session.facts.asks.get(one.ask.id)
        return known.reply_to if known is not None else ""
