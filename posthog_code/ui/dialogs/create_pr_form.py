"""The fields of *Create PR*."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from posthog_code.domain.publishing import NewPullRequest, PullRequestProposal
from posthog_code.domain.text import plural
from posthog_code.ui.dialogs.text_area import TextArea
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.cards import Banner, Icon
from posthog_code.ui.kit.chips import Chip
from posthog_code.ui.kit.inputs import TextField
from posthog_code.ui.kit.labels import ElidedLabel, Label
from posthog_code.ui.kit.menu_rows import MenuItem
from posthog_code.ui.kit.popup import PopupList
from posthog_code.ui.theme import theme

PATHS_SHOWN = 8
_FILTER_FROM = 8


class CreatePrForm(QWidget):
    """From where to where, what is not committed, title, description, commit message."""

    changed = Signal()
    resized = Signal()
    """It wants another height."""

    def __init__(self, proposal: PullRequestProposal, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._proposal = proposal
        self._branches: tuple[str, ...] = ()
        self._popup: PopupList | None = None
        self.draft = proposal.new.draft
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(self._line())
        self.warning: Banner | None = None
        if proposal.warning:
            column.addSpacing(2)
            self.warning = Banner(proposal.warning, self, tone="waiting", icon="ph.warning")
            column.addWidget(self.warning)
        self.paths = Label("", self, font="codeSmall", token="text.secondary", wrap=False, selectable=True)
        self.paths.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.paths.hide()
        if proposal.uncommitted:
            column.addSpacing(2)
            column.addWidget(self._banner())
            column.addWidget(self.paths)
        column.addSpacing(6)
        column.addLayout(self._caption("Title"))
        self.title = TextField(proposal.new.title, self, name="Title", placeholder="What this change does")
        self.title.textChanged.connect(self._title_changed)
        column.addWidget(self.title)
        column.addSpacing(6)
        note = (
            f"from {proposal.template}" if proposal.template else "drafted from the task" if proposal.new.body else ""
        )
        column.addLayout(self._caption("Description", note))
        self.description = TextArea("Description", self, lines=8, placeholder="Why, and what changes for others")
        self.description.setText(proposal.new.body)
        self.description.changed.connect(self.changed)
        column.addWidget(self.description)
        self.commit: TextField | None = None
        if proposal.uncommitted:
            column.addSpacing(6)
            column.addLayout(self._caption("Commit message", f"for {plural(len(proposal.uncommitted), 'file')}"))
            self.commit = TextField(proposal.new.commit_message, self, name="Commit message")
            self.commit.textChanged.connect(self.changed)
            column.addWidget(self.commit)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)

    def value(self) -> NewPullRequest:
        return replace(
            self._proposal.new,
            title=self.title.text(),
            body=self.description.text(),
            base=self.base.text(),
            draft=self.draft,
            commit_message=self.commit.text() if self.commit is not None else self._proposal.new.commit_message,
        )

    def editors(self) -> tuple[QWidget, ...]:
        """The widgets that text is typed into."""
        commit = (self.commit.edit,) if self.commit is not None else ()
        return (self.title.edit, self.description.edit, *commit)

    def set_branches(self, names: tuple[str, ...]) -> None:
        """Branches that can be the base."""
        self._branches = tuple(name for name in names if name != self._proposal.branch)

    def check(self) -> bool:
        """Whether it can be sent; marks what is missing."""
        if self.title.text().strip():
            return True
        self.title.set_error("Say in a few words what the change does.")
        self.title.setFocus(Qt.FocusReason.OtherFocusReason)
        self.resized.emit()
        return False

    def _title_changed(self) -> None:
        if self.title.text().strip() and self.title.message.isVisibleTo(self):
            self.title.set_error("")
            self.resized.emit()
        self.changed.emit()

    def _line(self) -> QHBoxLayout:
        proposal = self._proposal
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(Chip(proposal.branch, self, icon="ph.git-branch", mono=True, name="Branch", interactive=False))
        row.addWidget(Icon("ph.arrow-right", "text.muted", self, size=14))
        self.base = Chip(proposal.new.base, self, icon="ph.git-branch", mono=True, name="Base", caret=True)
        self.base.clicked.connect(self._choose_base)
        row.addWidget(self.base)
        row.addStretch(1)
        self.counts = QWidget(self)
        counts = QHBoxLayout(self.counts)
        counts.setContentsMargins(0, 0, 0, 0)
        counts.setSpacing(6)
        counts.addWidget(ElidedLabel(plural(proposal.files, "file"), self.counts, font="small", token="text.muted"))
        for text, token in ((f"+{proposal.added:,}", "diff.add.text"), (f"−{proposal.removed:,}", "diff.del.text")):
            counts.addWidget(ElidedLabel(text, self.counts, token=token, tabular=True))
        row.addWidget(self.counts)
        return row

    def _banner(self) -> Banner:
        paths = self._proposal.uncommitted
        one = len(paths) == 1
        words = f"{plural(len(paths), 'file')} {'is' if one else 'are'} not committed. "
        words += f"{'It' if one else 'They'} will be committed and pushed first."
        banner = Banner(words, self, tone="waiting", icon="ph.git-commit")
        self.show_paths = Button("Show", banner, kind="ghost", size="sm")
        self.show_paths.clicked.connect(self._toggle_paths)
        banner.row.addWidget(self.show_paths)
        shown = "\n".join(paths[:PATHS_SHOWN])
        more = len(paths) - PATHS_SHOWN
        self.paths.setText(shown + (f"\nand {plural(more, 'more file')}" if more > 0 else ""))
        self.paths.setContentsMargins(34, 4, 8, 4)
        self.paths.setMinimumWidth(10)
        return banner

    def _toggle_paths(self) -> None:
        on = self.paths.isHidden()
        self.paths.setVisible(on)
        self.show_paths.setText("Hide" if on else "Show")
        self.resized.emit()

    def _caption(self, text: str, note: str = "") -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(Label(text, self, font="smallStrong"))
        row.addWidget(ElidedLabel(note, self, font="small", token="text.muted", mode="middle"), 1)
        return row

    def _choose_base(self) -> None:
        names = self._branches or (self.base.text(),)
        popup = PopupList((), self.window(), filterable=len(names) >= _FILTER_FROM, name="Base branch")
        popup.set_items([MenuItem(name, name, checked=name == self.base.text()) for name in names], self.base.text())
        popup.chosen.connect(self._base_chosen)
        popup.closed.connect(popup.deleteLater)
        popup.popup(self.base)

    def _base_chosen(self, name: str) -> None:
        self.base.setText(name)
        # The counts are known for the proposed base only.
        self.counts.setVisible(name == self._proposal.new.base)
        self.changed.emit()

    def sizeHint(self) -> QSize:
        return QSize(theme().size("layout.dialog.md") - 40, super().sizeHint().height())
