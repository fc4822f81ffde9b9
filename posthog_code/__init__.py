"""PostHog Code: one git worktree, one agent session and one window per task."""

__version__ = "0.1.0"
