"""What is said where no report is listed, and the way on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from posthog_code.domain.inbox import Inbox
from posthog_code.domain.text import one_line, plural
from posthog_code.ui.models.inbox_list import TABS

CLEAR, RETRY, ALL, SOURCES = "clear", "retry", "all", "sources"
_LABELS = {CLEAR: "Show all of them", RETRY: "Try again", ALL: "Show all", SOURCES: "Choose sources"}


class Nothing(NamedTuple):
    icon: str
    title: str
    text: str
    deed: str = ""
    """clear, retry, all or sources; "" when there is nothing to do."""

    @property
    def label(self) -> str:
        return _LABELS.get(self.deed, "")


def why_nothing(inbox: Inbox, tab: str, counts: Mapping[str, int], filtered: bool, search: str = "") -> Nothing:
    """`counts` are reports by tab without a filter; `filtered` says that there is one, `search` which words."""
    if filtered and counts[tab]:
        one = counts[tab] == 1
        words = f"{plural(counts[tab], 'report')} in {TABS[tab]} {'is' if one else 'are'} filtered out."
        title = f"No report matches {one_line(search, 60)}." if search else "No report is from these sources."
        return Nothing("ph.funnel-simple", title, words, CLEAR)
    if not inbox.fetched_at and inbox.error:
        return Nothing("ph.cloud-slash", inbox.error, inbox.hint, RETRY)
    if tab == "for_you" and counts["all"]:
        one = counts["all"] == 1
        words = f"{plural(counts['all'], 'report')} of the project {'waits' if one else 'wait'} in All."
        return Nothing("ph.tray", "Nothing here is close to your work.", words, ALL)
    if tab == "snoozed":
        return Nothing("ph.bell-z", "Nothing is snoozed.", "A snoozed report comes back with more signals.")
    if tab == "dismissed":
        return Nothing("ph.archive-box", "Nothing is dismissed.", "Dismissed reports can be restored from here.")
    words = "New reports appear here when errors, recordings or flags point at your code."
    return Nothing("ph.tray", "Nothing needs fixing.", words, SOURCES)
