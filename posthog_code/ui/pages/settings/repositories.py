"""Settings › Repositories."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QFocusEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import RepositoryId
from posthog_code.domain.task import Repository
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.cards import Card, Icon
from posthog_code.ui.kit.inputs import TextField
from posthog_code.ui.kit.labels import ElidedLabel, Label
from posthog_code.ui.kit.toggles import Switch
from posthog_code.ui.pages.add_repository import AddRepository
from posthog_code.ui.pages.settings.rows import SettingRow, SettingsColumn, add_row
from posthog_code.ui.theme import notifier, theme

_SAVE_AFTER_MS = 800
_TOOLS = "PostHog tools for agents"
_CHECK = "Instrumentation check"


class RepositorySettings(SettingsColumn):
    """One card a repository; a script or prefix is saved when it is left, or a moment after the last key."""

    def __init__(self, ctx: UiContext, parent: QWidget | None = None) -> None:
        super().__init__("Repositories", "Where tasks start. Taking one off the list touches nothing on disk", parent)
        self._ctx = ctx
        self.cards: dict[RepositoryId, RepositoryCard] = {}
        self.column.addSpacing(16)
        self.adder = AddRepository(ctx, self, cancellable=False)
        self.column.addWidget(self.adder)
        self._list = QVBoxLayout()
        self._list.setContentsMargins(0, 16, 0, 0)
        self._list.setSpacing(12)
        self.column.addLayout(self._list)
        self.finish()
        self.refresh()

    def showEvent(self, event: QShowEvent) -> None:
        """What the cards say of PostHog's tools is as old as the last call of an agent: it is looked at anew."""
        super().showEvent(event)
        state = self._ctx.state
        if state.account.signed_in and any(one.posthog_mcp for one in state.repositories.values()):
            self._ctx.actions.start("mcp.check", self._ctx.services.mcp.check)

    def refresh(self) -> None:
        repositories = self._ctx.state.repositories
        for gone in [key for key in self.cards if key not in repositories]:
            card = self.cards.pop(gone)
            card.hide()
            card.deleteLater()
        for repository in sorted(repositories.values(), key=lambda r: (r.added_at, r.name)):
            if repository.id in self.cards:
                self.cards[repository.id].refresh(repository)
            else:
                new = RepositoryCard(self._ctx, repository, self)
                self.cards[repository.id] = new
                self._list.addWidget(new)


class RepositoryCard(Card):
    """A repository's name, script and prefix."""

    def __init__(self, ctx: UiContext, repository: Repository, parent: QWidget) -> None:
        super().__init__(parent, fill="surface.panel")
        self.setAccessibleName(repository.name)
        self._ctx, self._id = ctx, repository.id
        head = QWidget(self)
        row = QHBoxLayout(head)
        row.setContentsMargins(14, 8, 8, 8)
        row.setSpacing(8)
        self._name = Label(repository.name, head, font="bodyStrong")
        self._path = ElidedLabel(repository.path, head, font="small", token="text.muted", mode="middle")
        self._remove = Button("Remove", head, kind="ghost", size="sm")
        self._remove.clicked.connect(self._on_remove)
        row.addWidget(Icon("ph.folder-simple", "text.muted", head))
        row.addWidget(self._name)
        row.addWidget(self._path, 1)
        row.addWidget(self._remove)
        add_row(self, head)
        self._error = Label("", self, font="small", token="status.failed", wrap=True)
        self._error.setContentsMargins(14, 0, 14, 8)
        self._error.hide()
        self.body.addWidget(self._error)
        add_row(self, self._script_part(repository))
        self.prefix = TextField(repository.branch_prefix, self, name="Branch prefix", mono=True)
        self.prefix.setFixedWidth(220)
        add_row(self, SettingRow("Branch prefix", "Names of new branches begin with it", self.prefix, self))
        add_row(self, self._tools_part(repository))
        self.check = Switch(_CHECK, self)
        self.check.setChecked(repository.require_coverage)
        self.check.clicked.connect(self._on_check)
        words = "A pull request needs changed routes, handlers and jobs to send an event"
        add_row(self, SettingRow(_CHECK, words, self.check, self))
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_SAVE_AFTER_MS)
        self._later.timeout.connect(self.save)
        self.script.textChanged.connect(self._later.start)
        self.prefix.textChanged.connect(self._on_text)
        self.prefix.edit.editingFinished.connect(self.save)

    def _script_part(self, repository: Repository) -> QWidget:
        part = QWidget(self)
        column = QVBoxLayout(part)
        column.setContentsMargins(14, 8, 14, 12)
        column.setSpacing(4)
        column.addWidget(Label("Set-up script", part))
        words = "Shell commands that run in each new worktree, before the agent starts"
        column.addWidget(Label(words, part, font="small", token="text.muted"))
        column.addSpacing(4)
        self.script = _ScriptEdit(part)
        self.script.setPlainText(repository.setup_script)
        self.script.left = self.save
        box = Card(part, fill="surface.inset")
        box.body.addWidget(self.script)
        column.addWidget(box)
        return part

    def _tools_part(self, repository: Repository) -> QWidget:
        control = QWidget(self)
        row = QHBoxLayout(control)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        self.tools_word = Label("", control, font="small")
        self.tools = Switch(_TOOLS, control)
        self.tools.clicked.connect(self._on_tools)
        row.addWidget(self.tools_word)
        row.addWidget(self.tools)
        self.tools_row = SettingRow(_TOOLS, "", control, self)
        self._show_tools(repository)
        return self.tools_row

    def _show_tools(self, repository: Repository) -> None:
        found = self._ctx.services.mcp.state(repository.id)
        self.tools.setChecked(repository.posthog_mcp)
        self.tools_word.setText(found.word)
        self.tools_word.set_token("text.muted" if found.tone == "neutral" else f"status.{found.tone}")
        self.tools_row.detail.setText(found.detail)
        self.tools_row.detail.setVisible(bool(found.detail))
        self.tools.setAccessibleDescription(f"{found.word}. {found.detail}")

    def refresh(self, repository: Repository) -> None:
        self._show_tools(repository)
        self.check.setChecked(repository.require_coverage)
        self._name.setText(repository.name)
        self._path.setText(repository.path)
        if not self.script.hasFocus() and self.script.toPlainText() != repository.setup_script:
            self.script.setPlainText(repository.setup_script)
        if not self.prefix.edit.hasFocus():
            self.prefix.setText(repository.branch_prefix)

    def save(self) -> None:
        self._later.stop()
        repository = self._ctx.state.repositories.get(self._id)
        if repository is None:
            return
        fields = {}
        if self.script.toPlainText().strip() != repository.setup_script:
            fields["setup_script"] = self.script.toPlainText().strip()
        if self.prefix.text().strip() != repository.branch_prefix:
            fields["branch_prefix"] = self.prefix.text().strip()
        if fields:
            self.prefix.set_error("")
            started = self._ctx.actions.start(
                f"repository.update {self._id}",
                lambda: self._ctx.services.repositories.update(self._id, **fields),
                on_error=self._on_refused,
            )
            if not started:
                self._later.start()

    def _on_tools(self, on: bool) -> None:
        self._ctx.actions.start(
            f"repository.tools {self._id}",
            lambda: self._ctx.services.repositories.update(self._id, posthog_mcp=on),
            on_error=self._on_not_done,
            busy=self.tools,
        )

    def _on_check(self, on: bool) -> None:
        self._ctx.actions.start(
            f"repository.check {self._id}",
            lambda: self._ctx.services.repositories.update(self._id, require_coverage=on),
            on_error=self._on_not_done,
            busy=self.check,
        )

    def _on_text(self, _text: str) -> None:
        self._later.start()

    def _on_refused(self, error: UserError) -> None:
        self.prefix.set_error(f"{error.title} {error.hint}".strip())

    def _on_remove(self) -> None:
        self._ctx.actions.start(
            f"repository.remove {self._id}",
            lambda: self._ctx.services.repositories.remove(self._id),
            on_error=self._on_not_done,
            busy=self._remove,
        )

    def _on_not_done(self, error: UserError) -> None:
        self._error.setText(f"{error.title} {error.hint}".strip())
        self._error.show()

    def hideEvent(self, event: object) -> None:
        if self._later.isActive():
            self.save()


class _ScriptEdit(QPlainTextEdit):
    """A few lines of shell; tells when it is left."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.left = _nothing
        self.setAccessibleName("Set-up script")
        self.setPlaceholderText("pnpm install")
        self.setTabChangesFocus(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        notifier().changed.connect(self._dress)
        self._dress()

    def _dress(self) -> None:
        look = theme()
        self.setFont(look.font("code"))
        self.document().setDocumentMargin(8)
        self.setFixedHeight(look.line("code") * 3 + 20)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.left()


def _nothing() -> None:
    return None
