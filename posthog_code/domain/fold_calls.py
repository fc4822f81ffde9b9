"""Tool calls: their frames become one row each, with the output of terminals that we run for the agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from posthog_code.domain import fold_tools as tools
from posthog_code.domain.fold_rows import Rows
from posthog_code.domain.transcript import OUTPUT_LIMIT, ToolCall

_SETTLED = ("completed", "failed", "stopped")


class CallFold:
    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._index: dict[str, int] = {}
        self._running: set[int] = set()
        self._streamed: set[int] = set()
        """Calls whose output comes in pieces or from a terminal: other text does not replace it."""
        self._titled: set[int] = set()
        """Calls whose command is known from their words only, which may still grow."""
        self._pending: dict[str, int] = {}
        """Length of the output not yet joined, by call id."""
        self._terminals: dict[str, int] = {}
        self._terminal_requests: dict[str, tuple[str, str]] = {}
        """Id of a terminal/* request of the agent to its method and terminal."""
        for index, item in enumerate(rows.transcript.items):
            if isinstance(item, ToolCall):
                self._index[item.call_id] = index
                if item.status not in _SETTLED:
                    self._running.add(index)

    def find(self, call_id: str) -> int | None:
        return self._index.get(call_id)

    def apply(self, update: Mapping[str, Any], at: float, new: bool) -> int:
        """A `tool_call` (new) or `tool_call_update`; gives the call's row."""
        call_id = str(update.get("toolCallId") or "")
        index = self._index.get(call_id)
        if index is not None and new and self._reused(index):
            index = None
        if index is None:
            index = self._add(call_id, update, at)
        else:
            self._rows.touch(index)
        call = self._rows.transcript.items[index]
        assert isinstance(call, ToolCall)
        self._merge(call, index, update)
        self._advance(call, index, update, at)
        return index

    def terminal_request(self, frame: Mapping[str, Any]) -> None:
        params = frame.get("params")
        terminal = str(params.get("terminalId") or "") if isinstance(params, Mapping) else ""
        self._terminal_requests[str(frame.get("id"))] = (str(frame.get("method")), terminal)

    def terminal_answer(self, frame: Mapping[str, Any]) -> None:
        """Our answer to terminal/output holds the whole output so far."""
        method, terminal = self._terminal_requests.pop(str(frame.get("id")), ("", ""))
        result = frame.get("result")
        if not isinstance(result, Mapping) or method not in ("terminal/output", "terminal/wait_for_exit"):
            return
        index = self._terminals.get(terminal)
        if index is None:
            return
        call = self._rows.transcript.items[index]
        assert isinstance(call, ToolCall)
        if method == "terminal/output" and isinstance(result.get("output"), str):
            call.output, call.output_cut = tools.kept(result["output"])
            self._streamed.add(index)
        ended = result.get("exitStatus") if method == "terminal/output" else result
        if isinstance(ended, Mapping) and isinstance(ended.get("exitCode"), int):
            call.exit_code = ended["exitCode"]
        self._rows.touch(index)

    def waited(self, call_id: str, seconds: float) -> None:
        """The person took that long to answer whether the call may run."""
        index = self._index.get(call_id)
        call = self._rows.transcript.items[index] if index is not None else None
        if index is not None and isinstance(call, ToolCall):
            call.waited += max(0.0, seconds)
            self._rows.touch(index)

    def stop_all(self, at: float) -> None:
        """The turn is over: nothing runs any more."""
        for index in sorted(self._running):
            call = self._rows.transcript.items[index]
            assert isinstance(call, ToolCall)
            call.status, call.ended_at = "stopped", at
            self._rows.touch(index)
        self._running.clear()
        self._terminals.clear()
        self._terminal_requests.clear()

    def _reused(self, index: int) -> bool:
        """Whether an id names a second call by now: some agents count from one in each turn."""
        call = self._rows.transcript.items[index]
        assert isinstance(call, ToolCall)
        return call.status in _SETTLED and call.turn != self._rows.transcript.turn

    def _add(self, call_id: str, update: Mapping[str, Any], at: float) -> int:
        call = ToolCall(
            key=self._rows.key("c"),
            at=at,
            call_id=call_id,
            kind="",
            parent_id=tools.parent_of(update),
            turn=self._rows.transcript.turn,
        )
        index = self._rows.add(call)
        self._index[call_id] = index
        self._running.add(index)
        return index

    def _merge(self, call: ToolCall, index: int, update: Mapping[str, Any]) -> None:
        if isinstance(update.get("title"), str) and update["title"]:
            call.title = update["title"]
        raw = update.get("rawInput")
        if raw:
            call.raw_input = tools.dump(raw)
            command = tools.command_of(raw)
            if command:
                call.command = command
                self._titled.discard(index)
        content = update.get("content")
        call.diffs = tools.diffs_of(content) or call.diffs
        call.paths = tools.paths_of(update, call.diffs) or call.paths
        call.parent_id = call.parent_id or tools.parent_of(update)
        kind = update.get("kind")
        if isinstance(kind, str) and kind:
            call.kind = kind
        elif call.kind in ("", "other") and not kind:
            call.kind = tools.guess_kind(call.title, call.command, call.diffs)
        for terminal in tools.terminals_of(content):
            self._terminals[terminal] = index
        self._take_output(call, index, update)
        if call.kind == "execute" and (not call.command or index in self._titled):
            command = tools.command_from_words(call.title) or ("" if "rawInput" in update else call.title)
            if command and not call.raw_input:
                call.command = command
                self._titled.add(index)

    def _take_output(self, call: ToolCall, index: int, update: Mapping[str, Any]) -> None:
        delta = tools.output_delta_of(update)
        if delta:
            if index not in self._streamed:
                self._streamed.add(index)
                call.output = ""
            call.parts.append(delta)
            length = self._pending.get(call.call_id, 0) + len(delta)
            if length > OUTPUT_LIMIT:
                _ = call.output  # reading joins and cuts, so that a flood does not pile up
                length = 0
            self._pending[call.call_id] = length
        elif index in self._streamed:
            # Pieces may have been lost before the call was announced; the whole text comes at its end.
            whole = tools.whole_output_of(update.get("rawOutput")) if update.get("status") in _SETTLED else ""
            if len(whole) >= len(call.output):
                call.output, call.output_cut = tools.kept(whole) if whole else (call.output, call.output_cut)
        else:
            text = tools.output_of(update.get("content"))
            if not text and not call.output and not call.diffs:
                text = tools.raw_output_text(update.get("rawOutput"))
            if text and not (text.startswith("{") and update.get("status") == "in_progress"):
                # Kimi streams the call's arguments as text before the call runs.
                call.output, call.output_cut = tools.kept(text)
        code = tools.exit_code_of(update)
        if code is not None:
            call.exit_code = code

    def _advance(self, call: ToolCall, index: int, update: Mapping[str, Any], at: float) -> None:
        status = update.get("status")
        if not isinstance(status, str) or not status:
            return
        if call.status in _SETTLED and status not in _SETTLED:
            return
        call.status = "stopped" if status in ("cancelled", "canceled") else status
        if call.status in _SETTLED:
            call.ended_at = call.ended_at or at
            self._running.discard(index)
            self._pending.pop(call.call_id, None)
        else:
            self._running.add(index)
