"""What the panel shows for one state: built at once, replaced when the state is another one."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from posthog_code.domain.check_rollup import blockers, checks_tile, is_open, merge_tile, review_tile
from posthog_code.domain.code_signals import CodeSignals
from posthog_code.domain.errors import NotSignedIn, UserError
from posthog_code.domain.pull_request import CheckState, PullRequest
from posthog_code.domain.task import Step, StepState, Task
from posthog_code.domain.text import plural
from posthog_code.ui.dialogs.publish_steps import StepsView
from posthog_code.ui.kit.buttons import Button, IconButton
from posthog_code.ui.kit.cards import Banner, Card, CardHead, Icon, Surface
from posthog_code.ui.kit.chips import Badge
from posthog_code.ui.kit.empty import EmptyState, Skeleton
from posthog_code.ui.kit.labels import ElidedLabel, Label
from posthog_code.ui.kit.rows import SectionHead
from posthog_code.ui.panels.pull_request import production
from posthog_code.ui.panels.pull_request.checks import CheckRow, ChecksList, check_key
from posthog_code.ui.panels.pull_request.parts import Counts, TileRow
from posthog_code.ui.panels.pull_request.reviews import ResolvedList, ReviewsList, ThreadCard
from posthog_code.ui.panels.pull_request.sign_in import SignInCard
from posthog_code.ui.panels.pull_request.words import STATE_BADGES, ago, clock, opened
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.glyphs import Glyph

SIDE = 16
SHORT_NAME = 16
"""Letters up to which the name of a base branch is never shortened."""


class Content(QWidget):
    wanted = Signal(bool)
    """A pull request is wanted; whether as a draft."""
    retry = Signal()
    dismiss = Signal()
    refresh = Signal()
    send_all = Signal()
    show_signals = Signal()

    def __init__(
        self,
        *,
        task: Task,
        pull: PullRequest | None,
        steps: tuple[Step, ...],
        creating: bool,
        problem: UserError | None,
        loaded: bool,
        opened: dict[str, str | None],
        unfolded: bool,
        now: float,
        signals: CodeSignals | None = None,
    ) -> None:
        super().__init__()
        self._task, self._now = task, now
        self.checks: ChecksList | None = None
        self.threads: list[ThreadCard] = []
        self.sign_in: SignInCard | None = None
        self.steps: StepsView | None = None
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(SIDE, 14, SIDE, 20)
        self.column.setSpacing(8)
        if steps:
            self._add_steps(steps, creating, opening=pull is None)
        if pull is not None:
            self._add_trouble(pull, problem)
            self._add_head(pull)
            self._add_checks(pull, opened, unfolded)
            if signals is not None and is_open(pull):
                self._add_production(signals)
            self._add_reviews(pull)
            self._add_threads(pull)
            self.column.addStretch(1)
        elif steps:
            self.column.addStretch(1)
        elif isinstance(problem, NotSignedIn):
            self._add_sign_in(problem)
            self.column.addStretch(1)
        elif problem is not None:
            self._add_problem(problem)
        elif not loaded:
            self.column.addWidget(Skeleton(self, rows=6))
            self.column.addStretch(1)
        else:
            self._add_nothing()

    def stops(self) -> list[tuple[str, CheckRow | ThreadCard]]:
        """Everything that J and K go through, with a key that outlives this content: checks, then open threads."""
        rows = self.checks.rows if self.checks is not None else []
        found: list[tuple[str, CheckRow | ThreadCard]] = [(f"check:{check_key(row.check)}", row) for row in rows]
        return found + [(f"thread:{card.thread_shown.id}", card) for card in self.threads]

    # -- without a pull request ----------------------------------------------------------------------------------

    def _add_nothing(self) -> None:
        files, branch = self._task.stat.files, self._task.branch
        text = f"{plural(files, 'file')} {'is' if files == 1 else 'are'} ready on {branch}." if files else ""
        if not files:
            text = f"Nothing has changed on {branch} yet." if branch else "The checkout is on no branch."
        # Commits that were there before may still go out, so the way stays open without being the next step.
        kind = "primary" if files else "default"
        empty = EmptyState(
            "ph.git-pull-request",
            "No pull request.",
            text,
            (("Create PR", self._create_ready, kind), ("Draft", self._create_draft)),
            self,
        )
        self.column.addWidget(empty, 1)

    def _add_problem(self, problem: UserError) -> None:
        actions = (("Try again", self.refresh.emit), ("Create PR", self._create_ready))
        icon = "ph.cloud-slash" if problem.code == "offline" else "ph.git-pull-request"
        self.column.addWidget(EmptyState(icon, problem.title, problem.hint, actions, self), 1)

    def _add_sign_in(self, problem: UserError) -> None:
        self.sign_in = SignInCard(problem, self)
        self.column.addWidget(self.sign_in)

    def _add_steps(self, steps: tuple[Step, ...], creating: bool, opening: bool) -> None:
        failed = any(step.state is StepState.FAILED for step in steps)
        stuck = not creating and not failed
        card = Card(self, tone="failed" if failed or stuck else "")
        if failed or stuck:
            title = "The pull request was not created" if opening else "The changes were not pushed"
        else:
            title = "Creating the pull request" if opening else "Pushing"
        head = CardHead(title, card, glyph=Glyph.FAILED if failed or stuck else Glyph.RUNNING, tone=card.tone)
        if failed or stuck:
            again = Button("Try again", head, icon="ph.arrow-clockwise", size="sm")
            again.clicked.connect(self.retry)
            edit = Button("Edit", head, kind="ghost", size="sm")
            edit.clicked.connect(self._create_ready)
            edit.setVisible(opening)
            close = IconButton("ph.x", "Dismiss", head, size="sm")
            close.clicked.connect(self.dismiss)
            for button in (again, edit, close):
                head.row.addWidget(button)
        card.body.addWidget(head)
        self.steps = StepsView(card)
        self.steps.set_steps(steps)
        self.steps.setContentsMargins(12, 10, 12, 12)
        card.body.addWidget(self.steps)
        card.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.column.addWidget(card)

    # -- with one ------------------------------------------------------------------------------------------------

    def _add_trouble(self, pull: PullRequest, problem: UserError | None) -> None:
        """The last known state is below; this says why it is not newer."""
        if not pull.stale:
            return
        since = f"Checks are as of {clock(pull.fetched_at)}."
        if isinstance(problem, NotSignedIn):
            banner = Banner(f"{problem.title} {since}", self, tone="waiting", icon="ph.key")
            sign_in = Button("Sign in", banner, size="sm")
            sign_in.clicked.connect(self._show_sign_in)
            banner.row.addWidget(sign_in)
            self.column.addWidget(banner)
            self._add_sign_in(problem)
            if self.sign_in is not None:
                self.sign_in.hide()
            return
        banner = Banner(f"{pull.stale} {since}", self, tone="waiting", icon="ph.cloud-slash")
        again = Button("Try again", banner, kind="ghost", size="sm")
        again.clicked.connect(self.refresh)
        banner.row.addWidget(again)
        self.column.addWidget(banner)

    def _add_head(self, pull: PullRequest) -> None:
        first = QHBoxLayout()
        first.setSpacing(8)
        title = ElidedLabel(pull.title, self, font="title")
        title.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        first.addWidget(title)
        number = ElidedLabel(f"#{pull.number}", self, font="title", token="text.muted")
        number.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        first.addWidget(number)
        first.addStretch(1)
        words, tone, icon = STATE_BADGES[pull.state]
        first.addWidget(Badge(words, tone, self, icon=icon))
        self.column.addLayout(first)
        self.column.addSpacing(-5)
        self.column.addLayout(self._meta(pull))
        self.column.addSpacing(4)
        tiles = (checks_tile(pull, self._now), review_tile(pull), merge_tile(pull))
        self.column.addWidget(TileRow(tiles, self))

    def _meta(self, pull: PullRequest) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(6)
        head = ElidedLabel(pull.head, self, font="codeSmall", token="text.muted", mode="middle")
        head.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        row.addWidget(head)
        row.addWidget(Icon("ph.arrow-right", "text.muted", self, size=12))
        base = self._muted(pull.base, "codeSmall")
        if len(pull.base) > SHORT_NAME:
            base.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        row.addWidget(base)
        if pull.commits:
            row.addWidget(self._muted("·"))
            row.addWidget(self._muted(plural(pull.commits, "commit")))
        row.addWidget(self._muted("·"))
        row.addWidget(Counts(pull.added, pull.removed, self))
        if who := opened(pull, self._now):
            row.addWidget(self._muted("·"))
            # The first to be shortened where there is little room.
            by = self._muted(who)
            by.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            row.addWidget(by, 1)
        else:
            row.addStretch(1)
        return row

    def _muted(self, text: str, font: str = "small") -> ElidedLabel:
        label = ElidedLabel(text, self, font=font, token="text.muted", tabular=font == "small")
        label.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        return label

    def _add_checks(self, pull: PullRequest, opened: dict[str, str | None], unfolded: bool) -> None:
        failed = sum(check.state is CheckState.FAILED for check in pull.checks)
        note = f"{pull.passed} of {len(pull.checks)} passed" if pull.checks else ""
        head = SectionHead("Checks", note, self)
        if failed:
            words = "Send all failures to agent" if failed > 1 else "Send the failure to agent"
            send = Button(words, head, kind="ghost", size="sm")
            send.clicked.connect(self.send_all)
            head.row.addWidget(send)
        self.column.addWidget(head)
        if pull.checks:
            self.checks = ChecksList(pull, self._now, opened, unfolded, self)
            self.column.addWidget(self.checks)
        hints = []
        if not pull.checks:
            hints.append(checks_tile(pull, self._now).title + ".")
        if not pull.checks_known and not pull.cut:
            hints.append("Checks of other apps are not visible to this token.")
        if pull.cut:
            hints.append(pull.cut)
        if hints:
            self.column.addWidget(Label(" ".join(hints), self, font="small", token="text.muted", wrap=True))

    def _add_production(self, signals: CodeSignals) -> None:
        told = production.lines(signals)
        if told:
            self.column.addWidget(SectionHead("In production", "what the changed code meets today", self))
            rows = production.ProductionList(told, self)
            rows.opened.connect(self.show_signals)
            self.column.addWidget(rows)

    def _add_reviews(self, pull: PullRequest) -> None:
        self.column.addWidget(SectionHead("Reviews", "" if pull.reviews else "none yet", self))
        if pull.reviews:
            self.column.addWidget(ReviewsList(pull.reviews, self._now, self))

    def _add_threads(self, pull: PullRequest) -> None:
        waiting = [thread for thread in pull.threads if not thread.resolved]
        resolved = [thread for thread in pull.threads if thread.resolved]
        if not pull.threads:
            return
        self.column.addWidget(SectionHead("Threads", f"{len(waiting)} open, {len(resolved)} resolved", self))
        for thread in waiting:
            card = ThreadCard(thread, self._now, self)
            self.threads.append(card)
            self.column.addWidget(card)
        if resolved:
            self.column.addWidget(ResolvedList(resolved, self))

    def _show_sign_in(self) -> None:
        if self.sign_in is not None:
            self.sign_in.show()
            self.sign_in.field.setFocus(Qt.FocusReason.OtherFocusReason)

    def _create_ready(self) -> None:
        self.wanted.emit(False)

    def _create_draft(self) -> None:
        self.wanted.emit(True)


class FootBar(Surface):
    """What blocks it, how fresh it is, what is not pushed yet, and the way to the browser."""

    browse = Signal()
    refresh = Signal()
    push = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("surface.panel", parent, edge="top")
        self.icon = Icon("ph.lock-simple", "text.muted", self, size=15)
        self.words = ElidedLabel("", self, token="text.secondary")
        self.age = ElidedLabel("", self, font="small", token="text.muted", tabular=True)
        self.again = IconButton("ph.arrows-clockwise", "Refresh", self)
        self.again.clicked.connect(self.refresh)
        self.out = Button("Open on GitHub", self, icon="ph.arrow-square-out", keys="B")
        self.out.clicked.connect(self.browse)
        self.send = Button("Push", self, icon="ph.arrow-line-up")
        self.send.clicked.connect(self.push)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 0, 12, 0)
        row.setSpacing(8)
        row.addWidget(self.icon)
        row.addWidget(self.words, 1)
        row.addWidget(self.age)
        row.addWidget(self.again)
        row.addWidget(self.out)
        row.addWidget(self.send)
        self.setFixedHeight(theme().size("layout.reviewBar"))
        self.hide()

    def set_busy(self, on: bool) -> None:
        self.again.set_loading(on)

    def set_unpushed(self, files: int, commits: int, busy: bool) -> None:
        """Offer to push; while it goes on the button says so."""
        if files:
            self.send.setText(f"Commit and push {plural(files, 'file')}")
        elif commits:
            self.send.setText(f"Push {plural(commits, 'commit')}")
        self.send.setVisible(bool(files or commits or busy))
        self.send.set_loading(busy, "Pushing…")

    def set_pull(self, pull: PullRequest | None, now: float) -> None:
        self.setVisible(pull is not None)
        if pull is None:
            return
        words = blockers(pull) if is_open(pull) else merge_tile(pull).title
        self.icon.setVisible(bool(words))
        self.icon.set_icon("ph.lock-simple" if is_open(pull) else "ph.git-merge")
        self.words.setText(words or ("Nothing blocks it" if merge_tile(pull).text == "Ready to merge" else ""))
        self.age.setText(f"read {ago(now - pull.fetched_at)}" if pull.fetched_at else "")
