"""What the changed code meets in production before it is merged: errors, recordings, flags, and what is missing."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QSizePolicy, QWidget

from posthog_code.domain.code_signals import CodeSignals
from posthog_code.domain.coverage_rules import summary
from posthog_code.domain.text import count, plural
from posthog_code.ui.kit.cards import Icon
from posthog_code.ui.kit.labels import ElidedLabel
from posthog_code.ui.kit.rows import Row, RowList

Line = tuple[str, str, str, str]
"""Icon, its colour, what is so, and more about it."""


def lines(signals: CodeSignals) -> list[Line]:
    """One for each thing that a reviewer should know; nothing when there is nothing to say."""
    facts, found = signals.facts, []
    for error in sorted(facts.errors, key=lambda error: -error.count)[:3]:
        people = f"{count(error.people)} {'person' if error.people == 1 else 'people'}" if error.people else ""
        told = " · ".join(filter(None, (f"{plural(error.count, 'time')} in 7 days", people)))
        found.append(("ph.warning-octagon", "status.failed", error.name, told))
    if facts.recordings:
        sessions = f"{count(facts.recordings)} recorded {'session' if facts.recordings == 1 else 'sessions'}"
        found.append(("ph.video-camera", "status.running", sessions, "ran into an error of this code in 7 days"))
    stale = [row for row in signals.rows if row.kind == "flag" and row.tone == "warn"]
    for row in stale[:2]:
        found.append(("ph.flag", "status.waiting", row.name, f"{row.state} · {row.figure}".strip(" ·")))
    coverage = signals.coverage
    if coverage.places and not coverage.passed:
        # The same sentences as before *Create PR*.
        told, _, missing = summary(coverage).rstrip(".").partition(". ")
        found.append(("ph.activity", "status.waiting", told, missing))
    return found


class ProductionList(RowList):
    """The lines; a press on one shows the Signals tab."""

    opened = Signal()

    def __init__(self, told: list[Line], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        for icon, token, what, more in told:
            row = Row(self, name=f"{what}, {more}")
            row.row.addWidget(Icon(icon, token, row, size=15))
            label = ElidedLabel(what, row)
            label.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
            row.row.addWidget(label)
            row.row.addWidget(ElidedLabel(more, row, font="small", token="text.muted"), 1)
            row.pressed.connect(self.opened)
            self.add(row)
