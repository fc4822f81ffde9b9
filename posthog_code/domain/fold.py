"""The fold: a session's frames, in the order in which they were journaled, become a transcript.

Frames are JSON-RPC messages of ACP v1 in both directions ("in" from the agent, "out" to it) and our own notes
(direction "note", methods `_posthog_code/<name>`); the `_posthog/*` names of cloud runs are understood too. Anything
unknown is tolerated: the fold never raises for what an agent sends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from posthog_code.domain import asks, fold_tools
from posthog_code.domain.fold_calls import CallFold
from posthog_code.domain.fold_rows import Rows
from posthog_code.domain.fold_text import TextFold
from posthog_code.domain.fold_turns import TurnFold
from posthog_code.domain.transcript import AgentText, AskItem, Notice, Plan, PlanEntry, Thought, Transcript, UserMessage

_SILENT = frozenset(
    {
        "available_commands_update",
        "current_mode_update",
        "config_option_update",
        "session_info_update",
        "usage_update",
        "status",
    }
)
"""Updates that change what is known of the session, not the conversation."""


class Fold:
    """Folds frames into `transcript`. Each frame costs amortised constant time, whatever came before."""

    def __init__(self, transcript: Transcript | None = None, worktree: str = "") -> None:
        """Go on from `transcript`, or start a new one. `worktree` is the folder that permissions are measured
        against."""
        self.transcript = transcript if transcript is not None else Transcript()
        self.worktree = worktree
        """Absolute path; "" while there is none. What is outside of it is told as such."""
        self._rows = Rows(self.transcript)
        self._texts = TextFold(self._rows)
        self._calls = CallFold(self._rows)
        self._turns = TurnFold(self._rows, self._texts, self._calls)
        self._asks: dict[str, int] = {}
        """Request id to row, of the running turn."""
        self._waiting: dict[str, int] = {}
        """Call id to the row of its permission that nobody answered yet."""
        self._plan: int | None = None
        for index, item in enumerate(self.transcript.items):
            if isinstance(item, AskItem) and item.ask is not None and not item.answer:
                self._asks[item.ask.id] = index
                if item.ask.tool_call_id:
                    self._waiting[item.ask.tool_call_id] = index
            elif isinstance(item, Plan):
                self._plan = index
            elif isinstance(item, UserMessage):
                self._plan = None

    def apply(self, frame: Mapping[str, Any], direction: str, at: float) -> int | None:
        """Fold one frame in, seen at UNIX time `at`; gives the index of the first row that changed, if any did."""
        try:
            self._apply(frame, direction, at)
        except (TypeError, AttributeError, KeyError, ValueError, ArithmeticError, RecursionError) as error:
            # What an agent sends may have any shape: one odd frame costs a row, never the conversation.
            self._notice("warning", "A message of the agent was not understood.", str(error), at, raw=frame)
        return self._rows.take()

    def _apply(self, frame: Mapping[str, Any], direction: str, at: float) -> None:
        method = frame.get("method")
        if not isinstance(method, str):
            self._answer(frame, direction, at)
            return
        params = frame.get("params")
        params = params if isinstance(params, Mapping) else {}
        if method == "session/update":
            update = params.get("update")
            if isinstance(update, Mapping):
                self._update(update, at)
        elif method == "session/prompt":
            self._plan = None
            self._turns.prompt(frame.get("id"), params.get("prompt"), at)
        elif method in asks.ASK_METHODS:
            self._ask(frame, at)
        elif method.startswith("terminal/"):
            self._calls.terminal_request(frame)
        elif method.startswith("_posthog_code/"):
            self._note(method.removeprefix("_posthog_code/"), params, at)
        elif method.startswith(("_posthog/", "__posthog/")):
            self._cloud(method.split("/", 1)[1], params, at)

    def _update(self, update: Mapping[str, Any], at: float) -> None:
        kind = update.get("sessionUpdate")
        if kind == "agent_message_chunk":
            self._text(AgentText, update, at)
        elif kind == "agent_thought_chunk":
            self._text(Thought, update, at)
        elif kind == "tool_call" or kind == "tool_call_update":
            self._tool(update, at, kind == "tool_call")
        elif kind == "user_message_chunk":
            self._turns.echo(fold_tools.text_of(update.get("content")), at)
        elif kind == "agent_message":
            message_id = str(update.get("messageId") or "")
            text = fold_tools.text_of(update.get("content"))
            self._texts.whole(text, message_id, fold_tools.parent_of(update), at)
        elif kind == "plan":
            self._show_plan(update.get("entries"), at)
        elif kind == "error":
            self._notice("error", "The agent reports an error.", str(update.get("message") or ""), at, raw=update)
        elif kind not in _SILENT:
            self._notice("info", f"The agent sent “{kind}”.", "", at, raw=update)

    def _text(self, kind: type[AgentText | Thought], update: Mapping[str, Any], at: float) -> None:
        text = fold_tools.text_of(update.get("content"))
        parent = fold_tools.parent_of(update) if "_meta" in update else ""
        self._texts.chunk(kind, text, update.get("messageId") or "", parent, at)

    def _tool(self, update: Mapping[str, Any], at: float, new: bool) -> None:
        call_id = str(update.get("toolCallId") or "")
        if new or self._calls.find(call_id) is None:
            if not new and not update.get("title") and not update.get("status"):
                return  # an update of a call that the agent does not show
            self._texts.interrupt(fold_tools.parent_of(update), at)
        self._calls.apply(update, at, new)
        if update.get("status") in ("completed", "failed") and self._waiting:
            self._went_on(call_id, at)

    def _show_plan(self, entries: Any, at: float) -> None:
        steps = tuple(
            PlanEntry(str(entry.get("content") or ""), str(entry.get("status") or "pending"))
            for entry in (entries if isinstance(entries, list) else ())
            if isinstance(entry, Mapping)
        )
        if self._plan is None:
            if not steps:
                return
            self._texts.interrupt("", at)
            self._plan = self._rows.add(Plan(key=self._rows.key("p"), at=at, entries=steps))
            self._turns.plan = self._plan
            return
        plan = self.transcript.items[self._plan]
        if isinstance(plan, Plan) and (plan.entries != steps or plan.stopped):
            plan.entries, plan.stopped = steps, False
            self._turns.plan = self._plan
            self._rows.touch(self._plan)

    # ---- permissions and questions

    def _ask(self, frame: Mapping[str, Any], at: float) -> None:
        ask = asks.ask_from_request(frame, self.transcript, at, self.worktree)
        self._texts.interrupt_all(at)
        if ask.id in self._asks:
            # The id is used again: what it named before cannot be answered any more.
            self._set_answer(ask.id, "", "agent", at)
        index = self._rows.add(AskItem(key=self._rows.key("q"), at=at, ask=ask))
        self._asks[ask.id] = index
        if ask.tool_call_id:
            self._waiting[ask.tool_call_id] = index

    def _answer(self, frame: Mapping[str, Any], direction: str, at: float) -> None:
        request_id = str(frame.get("id"))
        result = frame.get("result")
        if direction != "out" and self._turns.answered(frame, at):
            self._cancel_asks(at)
            return
        if direction == "in":
            return
        if request_id in self._asks:
            item = self.transcript.items[self._asks[request_id]]
            ask = item.ask if isinstance(item, AskItem) else None
            words = asks.answer_words(ask, result) if isinstance(result, Mapping) else "cancelled"
            self._set_answer(request_id, words, "", at)
        else:
            self._calls.terminal_answer(frame)

    def _set_answer(self, request_id: str, answer: str, by: str, at: float) -> None:
        index = self._asks.get(request_id)
        if index is None:
            return
        item = self.transcript.items[index]
        if not isinstance(item, AskItem):
            return
        item.answer = asks.option_name(item.ask, answer) if answer else item.answer or "cancelled"
        item.by = by or item.by or "you"
        self._close(item, at)
        if item.ask is not None:
            self._waiting.pop(item.ask.tool_call_id, None)
        self._rows.touch(index)

    def _close(self, item: AskItem, at: float) -> None:
        if item.answered_at:
            return
        item.answered_at = at
        if item.ask is not None and item.ask.tool_call_id:
            self._calls.waited(item.ask.tool_call_id, at - item.at)

    def _cancel_asks(self, at: float) -> None:
        for index in self._asks.values():
            item = self.transcript.items[index]
            if isinstance(item, AskItem) and not item.answer:
                item.answer = "cancelled"
                self._close(item, at)
                self._rows.touch(index)
        self._asks.clear()
        self._waiting.clear()

    def _went_on(self, call_id: str, at: float) -> None:
        """The agent settled a call whose permission nobody gave: the card has nothing left to ask."""
        index = self._waiting.pop(call_id, None)
        item = self.transcript.items[index] if index is not None else None
        if index is not None and isinstance(item, AskItem) and not item.answer:
            item.answer, item.by = "cancelled", "agent"
            self._close(item, at)
            self._rows.touch(index)

    # ---- notes

    def _note(self, name: str, params: Mapping[str, Any], at: float) -> None:
        if name == "prompt":
            self._turns.accepted(params, at)
        elif name == "turn_started":
            self._turns.announced(params, at)
        elif name == "turn_ended":
            self._turns.summed_up(params, at)
            self._cancel_asks(at)
        elif name == "notice":
            actions = params.get("actions") or ()
            self._notice(
                str(params.get("level") or "info"),
                str(params.get("title") or ""),
                str(params.get("text") or ""),
                at,
                actions=tuple(str(action) for action in actions),
            )
        elif name == "answered":
            answer = params.get("answer")
            words = answer if isinstance(answer, str) else ""
            self._set_answer(str(params.get("requestId")), words, str(params.get("by") or ""), at)
        elif name in ("process_exited", "interrupted") and self._turns.broke_off(name, params, at):
            self._cancel_asks(at)

    def _cloud(self, name: str, params: Mapping[str, Any], at: float) -> None:
        """The extension notifications of cloud runs, as far as they belong into the conversation."""
        if name == "turn_complete":
            self._turns.finish(params, at)
            self._cancel_asks(at)
        elif name == "user_message":
            self._turns.prompt(None, params.get("content"), at)
        elif name == "permission_response":
            self._set_answer(str(params.get("requestId")), str(params.get("optionId") or ""), "you", at)
        elif name == "compact_boundary":
            self._notice("info", "The agent compacted its memory.", "", at)
        elif name == "error":
            text = str(params.get("message") or params.get("error") or "")
            self._notice("error", "The cloud run reports an error.", text, at)

    def _notice(
        self,
        level: str,
        title: str,
        text: str,
        at: float,
        *,
        actions: tuple[str, ...] = (),
        raw: Mapping[str, Any] | None = None,
    ) -> None:
        self._texts.interrupt_all(at)
        key = self._rows.key("n")
        shown = fold_tools.dump(raw) if raw is not None else ""
        self._rows.add(Notice(key=key, at=at, level=level, title=title, text=text, actions=actions, raw=shown))
