"""The Pull request panel: state, checks, reviews and threads of a task's pull request."""

from posthog_code.ui.panels.pull_request.panel import PullRequestPanel

__all__ = ["PullRequestPanel"]
