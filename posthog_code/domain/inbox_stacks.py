"""Where an error was raised, from the list of exceptions of an event."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from posthog_code.domain.cloud_parse import mapping, number, text
from posthog_code.domain.text import one_line

_FOREIGN = (
    "node_modules/",
    "site-packages/",
    "dist-packages/",
    "/gems/",
    "vendor/",
    "<anonymous>",
    "node:",
    "webpack/",
)


def name_of(types: Any, exceptions: Any) -> str:
    """The error's type, with what it says when that is short; "" when nothing tells."""
    first = next(_exceptions(exceptions), {})
    listed = types if isinstance(types, (list, tuple)) else [types]
    name = one_line(text(first.get("type")) or next(filter(None, map(text, listed)), ""), 120)
    value = one_line(text(first.get("value")), 80)
    return f"{name}: {value}" if name and value else name or value


def place_of(exceptions: Any) -> str:
    """`path:line` of the innermost frame of the program's own code, else "".

    Frames stand in the order of the calls, the one that raised last."""
    outer = ""
    for one in _exceptions(exceptions):
        frames = mapping(one.get("stacktrace")).get("frames")
        for frame in reversed(frames) if isinstance(frames, (list, tuple)) else ():
            path = _path(mapping(frame))
            if path and mapping(frame).get("in_app") is not False and not any(word in path for word in _FOREIGN):
                return path
            outer = outer or (path if path and mapping(frame).get("in_app") is True else "")
    return outer


def _exceptions(exceptions: Any) -> Iterator[Mapping[str, Any]]:
    for one in exceptions if isinstance(exceptions, (list, tuple)) else ():
        if isinstance(one, Mapping):
            yield one


def _path(frame: Mapping[str, Any]) -> str:
    path = one_line(text(frame.get("source")) or text(frame.get("filename")) or text(frame.get("abs_path")), 300)
    if path.startswith(("http://", "https://")) and path.endswith("/"):
        return ""  # the page itself: its inline script
    if "://" in path:
        # Bundlers put the files of the program behind a scheme of their own: webpack://name/./src/x.ts
        rest = path.partition("://")[2]
        path = rest.partition("/")[2] if path.startswith(("http", "webpack", "app")) else rest
    path = path.partition("?")[0]
    while path.startswith(("./", "../", "/", "~/")):
        path = path.partition("/")[2]
    line = number(frame.get("line")) or number(frame.get("lineno"))
    return f"{path}:{line}" if path and line > 0 else path
