"""The demo agent: speaks ACP v1 over stdio and really works in the session's folder, by script instead of by model."""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str] = ()) -> int:
    """Serve ACP on stdin and stdout until stdin closes; gives the exit code."""
    from posthog_code.demo.agent.server import serve

    return serve(argv)
