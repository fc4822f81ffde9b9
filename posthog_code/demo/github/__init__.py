"""A stand-in for GitHub on loopback: REST, GraphQL and git over HTTP, with scripted checks and reviewers.

It answers what this app asks and no more, in GitHub's shapes; bare repositories under its root are real.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """Serve until stdin closes or the parent dies; gives the exit code."""
    from posthog_code.demo.github.server import serve

    return serve(argv)
