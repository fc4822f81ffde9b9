"""All keys that work on the screen, by what they do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from posthog_code.ui.commands import Command
from posthog_code.ui.kit.chips import KeyCap
from posthog_code.ui.kit.labels import ElidedLabel, Label
from posthog_code.ui.kit.overlay import Sheet
from posthog_code.ui.kit.scroll import ScrollArea
from posthog_code.ui.theme import theme

KeyRow = tuple[str, str]
"""Keys as QKeySequence strings, several after one another with a space between them, and what they do."""
Section = tuple[str, list[KeyRow]]

_MAX_HEIGHT = 520
_GROUPS = {"": "Anywhere", "Task": "This task"}


def command_sections(commands: Iterable[Command]) -> list[Section]:
    """Commands that have keys and can be run now, by their group; of a numbered row only the first is listed."""
    sections: dict[str, list[KeyRow]] = {}
    for command in commands:
        if not command.keys or not command.enabled():
            continue
        stem, keys, title = command.id.rstrip("0123456789"), command.keys[0], command.title
        if stem != command.id:
            if not command.id.endswith("1"):
                continue
            keys, title = f"{keys}…9", title.replace("1", "1 to 9")
        sections.setdefault(_GROUPS.get(command.group, command.group), []).append((keys, title))
    return list(sections.items())


class KeyList(Sheet):
    """A dialog to look at; Esc or F1 closes it."""

    def __init__(self, window: QWidget, sections: Sequence[Section]) -> None:
        super().__init__(window, "Keys of this screen", width="lg")
        self.setObjectName("keyList")
        self.sections = list(sections)
        body = QWidget(self)
        columns = QHBoxLayout(body)
        columns.setContentsMargins(0, 0, 10, 0)
        columns.setSpacing(28)
        for side in _halves(self.sections):
            column = QVBoxLayout()
            column.setSpacing(0)
            for title, rows in side:
                column.addWidget(Label(title, body, font="captionStrong", token="text.muted"))
                column.addSpacing(4)
                column.addLayout(_rows(rows, body))
                column.addSpacing(14)
            column.addStretch(1)
            columns.addLayout(column, 1)
        scroll = ScrollArea(body, self, name="Keys")
        scroll.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        room = window.height() - 140
        scroll.setFixedHeight(max(160, min(body.sizeHint().height() + 4, theme().px(_MAX_HEIGHT), room)))
        self.body.addWidget(scroll)
        self.set_first_focus(scroll)


def _rows(rows: Sequence[KeyRow], parent: QWidget) -> QGridLayout:
    grid = QGridLayout()
    grid.setHorizontalSpacing(10)
    grid.setVerticalSpacing(0)
    grid.setColumnStretch(0, 1)
    for number, (keys, title) in enumerate(rows):
        grid.setRowMinimumHeight(number, theme().px(26))
        grid.addWidget(ElidedLabel(title, parent), number, 0)
        caps = QHBoxLayout()
        caps.setSpacing(6)
        for key in keys.split():
            caps.addWidget(KeyCap(key, parent))
        grid.addLayout(caps, number, 1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return grid


def _halves(sections: Sequence[Section]) -> tuple[list[Section], list[Section]]:
    """Two columns of about the same height, in reading order."""
    heights = [len(rows) + 2 for _, rows in sections]
    at = min(range(len(sections) + 1), key=lambda cut: abs(sum(heights[:cut]) - sum(heights[cut:])))
    return list(sections[:at]), list(sections[at:])
