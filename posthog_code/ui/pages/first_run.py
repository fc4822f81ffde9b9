"""What a first start shows besides adding a repository: the agents of this computer."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from posthog_code.domain.agent import AgentInfo, AgentStatus
from posthog_code.ui import platform
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.cards import Card, Icon
from posthog_code.ui.kit.labels import AgentTile, ElidedLabel, Label
from posthog_code.ui.models.agents import STATUS_WORDS
from posthog_code.ui.pages.settings.rows import add_row, clear_rows
from posthog_code.ui.theme import theme

_SHOWN = 5


class FirstRun(QWidget):
    """The agents that were found, those that can be used first, and the way to try without any."""

    def __init__(self, ctx: UiContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._ctx = ctx
        self._shown: tuple[AgentInfo, ...] | None = None
        self._check = Button("Check again", self, kind="ghost", icon="ph.arrow-clockwise", size="sm")
        self._check.clicked.connect(self._on_check)
        head = QHBoxLayout()
        head.setContentsMargins(0, 24, 0, 8)
        head.addWidget(Label("Agents on this computer", self, font="heading"), 1)
        head.addWidget(self._check)
        self.card = Card(self, fill="surface.panel")
        hint = Label(
            "Just looking? Run posthog-code demo: a sample repository with tasks. No account, no network.",
            self,
            font="small",
            token="text.muted",
            wrap=True,
        )
        hint.setContentsMargins(2, 12, 0, 0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self.card)
        column.addWidget(hint)

    def refresh(self) -> None:
        agents = self._ctx.state.agents
        if agents == self._shown:
            return
        self._shown = agents
        clear_rows(self.card)
        order = (AgentStatus.READY, AgentStatus.SIGNED_OUT, AgentStatus.NOT_INSTALLED)
        for info in sorted(agents, key=lambda info: order.index(info.status))[:_SHOWN]:
            add_row(self.card, self._row(info))
        if not agents:
            waiting = Label("Looking for agents…", self.card, token="text.muted")
            waiting.setContentsMargins(14, 14, 14, 14)
            add_row(self.card, waiting)

    def _row(self, info: AgentInfo) -> QWidget:
        row = QWidget(self.card)
        row.setAccessibleName(info.spec.name)
        line = QHBoxLayout(row)
        line.setContentsMargins(14, 6, 12, 6)
        line.setSpacing(8)
        tile = AgentTile(info.spec.letter, row, size=20)
        tile.setToolTip(info.spec.name)
        line.addWidget(tile)
        line.addSpacing(2)
        line.addWidget(Label(info.spec.name, row, font="bodyStrong"))
        detail = info.version or (info.spec.install if info.status is AgentStatus.NOT_INSTALLED else "")
        line.addWidget(ElidedLabel(detail, row, font="small", token="text.muted", mode="middle"), 1)
        word, mark, token = STATUS_WORDS[info.status]
        if mark:
            line.addWidget(Icon(mark, token, row))
        line.addWidget(Label(word, row, font="small", token=token))
        wanted = info.spec.install if info.status is AgentStatus.NOT_INSTALLED else info.spec.sign_in
        if wanted and info.status is not AgentStatus.READY:
            copy = Button("Copy", row, icon="ph.copy", size="sm")
            copy.setToolTip(wanted)
            copy.setAccessibleName(f"Copy: {wanted}")
            copy.clicked.connect(lambda _on=False, text=wanted: self._on_copy(text))
            line.addWidget(copy)
        row.setMinimumHeight(theme().px(44))
        return row

    def _on_copy(self, text: str) -> None:
        platform.copy_text(text)
        self._ctx.toasts.show("Copied", text, kind="success", timeout=4.0)

    def _on_check(self) -> None:
        self._ctx.actions.start("agents.detect", self._ctx.services.agents.detect, busy=self._check)
