"""A stand-in for PostHog's cloud on loopback: accounts, tasks, runs that really work, live streams and artifacts.

It answers what this app asks and no more, in PostHog's shapes. A run's sandbox is a clone of a demo repository in which
the demo agent works; what it says becomes the run's log and stream. After each turn, and when it is closed, a run keeps
a checkpoint (`git_checkpoint`) with two artifacts, both base64 text: a pack of the checkpoint commit with all that the
remote does not have, and git's index file.

Its product tells signals (demo/signals.py): an inbox, flags, events with a history of 30 days that goes on, HogQL over
them, captured events, and a small MCP server. What is merged into main of the demo's GitHub makes errors rare.

Tests switch it below /__demo/ (control.py): tasks that appear, faults, the journal of requests, configuration, tokens.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """Serve until stdin closes or the parent dies; gives the exit code."""
    from posthog_code.demo.posthog.server import serve

    return serve(argv)
