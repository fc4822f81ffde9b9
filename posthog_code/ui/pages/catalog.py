"""Names of all settings: what the palette and the search in Settings find."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from posthog_code.ui.models.palette import SettingEntry
from posthog_code.ui.nav import Nav

GENERAL, AGENTS, REPOSITORIES, ACCOUNT, SIGNALS = "general", "agents", "repositories", "account", "signals"
PAGES = {
    GENERAL: ("General", "ph.sliders-horizontal"),
    AGENTS: ("Agents", "ph.robot"),
    REPOSITORIES: ("Repositories", "ph.folder-simple"),
    ACCOUNT: ("Cloud account", "ph.cloud"),
    SIGNALS: ("Signals", "ph.tray"),
}


@dataclass(frozen=True, slots=True)
class Setting:
    id: str
    page: str
    title: str
    detail: str
    words: str = ""
    """Other words that people look for."""


SETTINGS = (
    Setting("theme", GENERAL, "Theme", "Light, dark, or as the system has it", "colour appearance light dark"),
    Setting("text_size", GENERAL, "Text size", "Rows and controls grow with it", "font zoom"),
    Setting("reduced_motion", GENERAL, "Reduced motion", "Nothing slides, turns or fades", "animation"),
    Setting("send_with_enter", GENERAL, "Send with Enter", "Shift+Enter starts a new line; Ctrl+Enter always sends"),
    Setting("color_blind_diffs", GENERAL, "Blue and orange diffs", "In place of green and red", "colour blind"),
    Setting("split_diff", GENERAL, "Diff layout", "One column, or old and new side by side", "unified split"),
    Setting("wrap_diff", GENERAL, "Wrap long lines", "In diffs; without it they scroll sideways"),
    Setting("editor_command", GENERAL, "Editor", "The command that opens a folder or file", "zed code cursor"),
    Setting("run_setup", GENERAL, "Run set-up scripts", "In each new worktree, unless a task says otherwise"),
    Setting("branch_prefix", GENERAL, "Branch prefix", "For repositories that are added from now on"),
    Setting("worktrees_dir", GENERAL, "Worktrees folder", "Where new worktrees are made"),
    Setting("draft_pull_requests", GENERAL, "Draft pull requests", "Create PR opens a draft at first"),
    Setting("github_api_url", GENERAL, "GitHub API", "Only for servers that the remote's address does not tell"),
    Setting("agents", AGENTS, "Installed agents", "What was found on this computer", "claude codex gemini sign in"),
    Setting("default_agent", AGENTS, "Agent for new tasks", "Used unless a task says otherwise"),
    Setting("default_mode", AGENTS, "Mode for new tasks", "What the agent may do before it asks", "permission plan"),
    Setting("custom_agent", AGENTS, "Add a custom agent", "Any program that speaks the Agent Client Protocol"),
    Setting("repositories", REPOSITORIES, "Repositories", "Set-up script, branch prefix", "setup install remove"),
    Setting("posthog_mcp", REPOSITORIES, "PostHog tools for agents", "For each repository, on or off", "mcp server"),
    Setting("require_coverage", REPOSITORIES, "Instrumentation check", "Before a pull request", "coverage qa events"),
    Setting("account", ACCOUNT, "Cloud account", "Sign in to PostHog, or out", "login logout api key oauth region"),
    Setting("organization", ACCOUNT, "Organization", "The one that PostHog works with too"),
    Setting("project", ACCOUNT, "Project", "Its tasks are listed beside your own; remembered for each account"),
    Setting(
        "priority_weights",
        SIGNALS,
        "Weights of the ranking",
        "A factor with twice the number counts twice as much; 0 leaves it out",
        "priority inbox score people severity trend urgent",
    ),
    Setting(
        "code_context",
        SIGNALS,
        "Tell agents about flags and events",
        "What those in the code mean in production, when a task starts from a report",
        "enrichment context",
    ),
    Setting("sources", SIGNALS, "Sources of reports", "Errors, recordings and tickets; chosen in PostHog", "inbox"),
    Setting("cloud_filter", ACCOUNT, "Cloud tasks in the list", "Whose tasks the sidebar shows", "filter mine team"),
)


def setting(setting_id: str) -> Setting:
    return next(item for item in SETTINGS if item.id == setting_id)


def setting_index(nav: Nav) -> list[SettingEntry]:
    """All settings as entries that open their page."""
    return [SettingEntry(s.title, PAGES[s.page][0], partial(nav.open_settings, f"{s.page}/{s.id}")) for s in SETTINGS]


def found(text: str) -> list[Setting]:
    """Settings whose names or words have all words of `text`."""
    words = text.lower().split()
    return [s for s in SETTINGS if all(word in f"{s.title} {s.detail} {s.words}".lower() for word in words)]
