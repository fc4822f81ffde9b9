"""A frame in one line, for the log."""

from __future__ import annotations

from typing import Any

from posthog_code.domain.logs import LogSource

_QUIET = {"agent_message_chunk", "agent_thought_chunk", "user_message_chunk", "usage_update"}


Described = tuple[LogSource, str, str]
"""Source, one line of text, level."""


class FrameLines:
    """Describes the frames of one session; remembers what its tool calls are called."""

    def __init__(self) -> None:
        self._titles: dict[str, str] = {}

    def describe(self, frame: dict[str, Any], direction: str) -> Described | None:
        """None for what would only be noise (the chunks of a streamed text)."""
        params = frame.get("params")
        params = params if isinstance(params, dict) else {}
        method = frame.get("method")
        if method == "session/update":
            return self._update(params.get("update"))
        if method == "session/request_permission":
            call = params.get("toolCall")
            title = _text(call, "title") or self._titles.get(_text(call, "toolCallId"), "")
            return LogSource.AGENT, f"asks permission  {title}".rstrip(), "warning"
        if isinstance(method, str) and method.startswith("_posthog_code/"):
            return _note(method.removeprefix("_posthog_code/"), params)
        if isinstance(method, str):
            arrow = "" if direction == "out" else "← "
            return LogSource.AGENT, f"{arrow}{method}{_brief(params)}", "info"
        if "error" in frame:
            error = frame["error"] if isinstance(frame["error"], dict) else {}
            return LogSource.AGENT, f"error {error.get('code', '')}  {error.get('message', '')}".rstrip(), "error"
        result = frame.get("result")
        reason = result.get("stopReason") if isinstance(result, dict) else None
        return LogSource.AGENT, f"result  {reason}" if reason else f"result of {frame.get('id')}", "info"

    def _update(self, update: Any) -> Described | None:
        if not isinstance(update, dict):
            return LogSource.AGENT, "update without content", "warning"
        kind = str(update.get("sessionUpdate"))
        if kind in _QUIET:
            return None
        if kind in ("tool_call", "tool_call_update"):
            return self._call(update, kind)
        if kind == "plan":
            entries = update.get("entries")
            return LogSource.AGENT, f"plan  {len(entries) if isinstance(entries, list) else 0} entries", "info"
        return LogSource.AGENT, kind.replace("_", " "), "info"

    def _call(self, update: dict[str, Any], kind: str) -> Described | None:
        call_id, title = _text(update, "toolCallId"), _text(update, "title")
        title = self._titles[call_id] = title or self._titles.get(call_id, "")
        if kind == "tool_call":
            return LogSource.TOOLS, f"{update.get('kind') or 'tool'}  {title}".rstrip(), "info"
        status = update.get("status")
        if status not in ("completed", "failed"):
            return None
        return LogSource.TOOLS, f"{status}  {title}".rstrip(), "error" if status == "failed" else "info"


def _note(name: str, params: dict[str, Any]) -> tuple[LogSource, str, str]:
    if name == "process_exited":
        code = params.get("code")
        return (
            LogSource.AGENT,
            f"process exited  code={code}  {params.get('reason', '')}".rstrip(),
            ("error" if code else "info"),
        )
    if name == "checkpoint":
        return LogSource.GIT, f"checkpoint  turn {params.get('turn')}  {str(params.get('commit', ''))[:8]}", "info"
    level = str(params.get("level", "info")) if name == "notice" else "info"
    detail = "  ".join(f"{k}={v}" for k, v in params.items() if isinstance(v, (str, int)) and k != "text" and v != "")
    return LogSource.AGENT, f"{name.replace('_', ' ')}  {detail}"[:400].rstrip(), level


def _brief(params: dict[str, Any]) -> str:
    parts = [f"{key}={params[key]}" for key in ("cwd", "modeId", "configId", "value", "modelId") if key in params]
    return "  " + "  ".join(parts) if parts else ""


def _text(holder: Any, key: str) -> str:
    value = holder.get(key) if isinstance(holder, dict) else None
    return value if isinstance(value, str) else ""
