"""The Pull request panel. Everything in it is drawn from the state; only what is opened and current is its own."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QHideEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from posthog_code.domain.check_rollup import is_open
from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.pull_request import Check, CheckState, PullRequest, ReviewThread
from posthog_code.domain.state import Topic
from posthog_code.domain.task import StepState
from posthog_code.ui import platform
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit.scroll import ScrollArea
from posthog_code.ui.panels.pull_request.checks import CheckRow, check_key
from posthog_code.ui.panels.pull_request.content import Content, FootBar
from posthog_code.ui.panels.pull_request.reviews import ThreadCard
from posthog_code.ui.panels.pull_request.sending import Following, Sender
from posthog_code.ui.panels.pull_request.sign_in import SignInCard
from posthog_code.ui.panels.pull_request.words import PULL_REQUEST_KEYS
from posthog_code.ui.theme import notifier

_KINDS = ("pull_request", "publish", "task", "changes", "code_signals")


class PullRequestPanel(QWidget):
    """State, checks, reviews and threads of a task's pull request; reads it only while it is in view."""

    KEYS = PULL_REQUEST_KEYS

    def __init__(self, ctx: UiContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._ctx = ctx
        self._task_id: TaskId | None = None
        self._following = Following(ctx)
        self.destroyed.connect(self._following.stop)
        self._stale = True
        self._opened: dict[str, str | None] = {}
        self._closed: set[str] = set()
        """Failed checks that were folded by hand; the first one opens by itself."""
        self._unfolded = False
        self._current = ""
        self._keyring: bool | None = None
        self._sender = Sender(ctx, self)
        self._shown: object = None
        self.content: Content | None = None
        self.area = ScrollArea(None, self, name="Pull request")
        self.foot = FootBar(self)
        self.foot.browse.connect(self._browse_pull)
        self.foot.refresh.connect(self._refresh)
        self.foot.push.connect(self._push)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.area, 1)
        column.addWidget(self.foot)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setObjectName("pullRequest")
        self.setAccessibleName("Pull request")
        ctx.bridge.changed.connect(self._on_changed)
        notifier().changed.connect(self._look_changed)

    # -- what is shown -------------------------------------------------------------------------------------------

    def set_task(self, task_id: TaskId | None) -> None:
        if task_id != self._task_id:
            self._task_id = task_id
            self._opened, self._closed, self._unfolded, self._current = {}, set(), False, ""
            self._shown = None
            self._mark()
            self._watch()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._watch()
        if self._stale:
            self._render()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._watch()

    def pull(self) -> PullRequest | None:
        return self._ctx.state.pull_requests.get(self._task_id) if self._task_id is not None else None

    def _watch(self) -> None:
        """Follow the task in view, and none while the panel is hidden."""
        seen = self.isVisible() and self._task_id in self._ctx.state.tasks
        self._following.follow(self._task_id if seen else None)

    def _on_changed(self, topics: frozenset[Topic]) -> None:
        if any(topic.id == self._task_id and topic.kind in _KINDS for topic in topics):
            self._mark()

    def _look_changed(self) -> None:
        """Heights follow the text size: build it again."""
        self._shown = None
        self._mark()

    def _mark(self) -> None:
        self._stale = True
        if self.isVisible():
            self._render()

    def _render(self) -> None:
        """Build the content again if anything of what it is made from differs; keeps the place and the focus."""
        self._stale = False
        task_id = self._task_id
        if task_id is None or task_id not in self._ctx.state.tasks:
            self._shown = None
            self._put(None)
            self.foot.set_pull(None, 0.0)
            return
        self._open_first_failure()
        pulls = self._ctx.services.pull_requests
        state = self._ctx.state
        steps, pull = state.publishing.get(task_id, ()), self.pull()
        problem = pulls.problem(task_id)
        creating = pulls.creating(task_id) or any(step.state is StepState.RUNNING for step in steps)
        now = self._ctx.now()
        stat = state.tasks[task_id].stat
        made_from = (
            task_id, pull, steps, problem, pulls.loaded(task_id), creating, dict(self._opened),
            self._unfolded, int(now // 60), stat, self._keyring, pulls.unpushed(task_id),
            state.code_signals.get(task_id),
        )  # fmt: skip
        if made_from == self._shown:
            return
        card = self.content.sign_in if self.content is not None else None
        typed = card.field.text() if card is not None else ""
        self._shown = made_from
        place = self.area.verticalScrollBar().value()
        content = Content(
            task=state.tasks[task_id],
            pull=pull,
            steps=steps,
            creating=creating,
            problem=problem,
            loaded=pulls.loaded(task_id),
            opened=self._opened,
            unfolded=self._unfolded,
            now=now,
            signals=state.code_signals.get(task_id),
        )
        self._connect(content)
        had_focus = self.content is not None and self.content.isAncestorOf(self.focusWidget() or self)
        self._put(content)
        self.area.verticalScrollBar().setValue(place)
        if content.sign_in is not None:
            self._prepare_sign_in(content.sign_in, typed)
        elif had_focus:
            self.setFocus(Qt.FocusReason.OtherFocusReason)
        unpushed = pulls.unpushed(task_id)
        self.foot.set_pull(pull, now)
        self.foot.set_unpushed(unpushed.files, unpushed.commits, pull is not None and pulls.creating(task_id))
        self._mark_current()

    def _put(self, content: Content | None) -> None:
        old = self.area.takeWidget()
        if old is not None:
            # Not at once: the change may come from a press on something inside it.
            old.hide()
            old.deleteLater()
        self.content = content
        if content is not None:
            self.area.setWidget(content)

    def _connect(self, content: Content) -> None:
        content.wanted.connect(self._create)
        content.retry.connect(self._retry)
        content.dismiss.connect(self._dismiss)
        content.refresh.connect(self._refresh)
        if content.checks is not None:
            content.checks.send.connect(self._send_check)
            content.checks.browse.connect(self._browse)
            content.checks.toggled.connect(self._toggle)
            content.checks.unfold.connect(self._unfold)
        content.send_all.connect(self._send_all)
        content.show_signals.connect(self._show_signals)
        for card in content.threads:
            card.send.connect(self._send_thread)
            card.browse.connect(self._browse)
            card.show_diff.connect(self._show_diff)

    # -- checks --------------------------------------------------------------------------------------------------

    def _open_first_failure(self) -> None:
        pull = self.pull()
        failed = [c for c in pull.checks if c.state is CheckState.FAILED] if pull else []
        keys = {check_key(check) for check in (pull.checks if pull else ())}
        for key in [key for key in self._opened if key not in keys]:
            del self._opened[key]
        jobs = [check for check in failed if check.is_job and check_key(check) not in self._closed]
        if jobs and not any(check_key(check) in self._opened for check in failed):
            self._open(jobs[0])

    def _toggle(self, key: str) -> None:
        pull = self.pull()
        check = next((c for c in pull.checks if check_key(c) == key), None) if pull else None
        if check is None:
            return
        if key in self._opened:
            del self._opened[key]
            self._closed.add(key)
        elif check.is_job and check.state is not CheckState.RUNNING:
            self._closed.discard(key)
            self._open(check)
        elif check.url:
            self._browse(check.url)
        self._current = f"check:{key}"
        self._mark()

    def _open(self, check: Check) -> None:
        task_id, key = self._task_id, check_key(check)
        if task_id is None:
            return
        self._opened[key] = None
        pulls = self._ctx.services.pull_requests

        async def read() -> tuple[str, str]:
            try:
                return key, await pulls.check_log(task_id, check)
            except UserError:
                return key, ""

        self._ctx.actions.start(f"check-log {task_id} {key} {check.id}", read, on_done=self._log_read)

    def _log_read(self, result: tuple[str, str]) -> None:
        key, text = result
        if key in self._opened:
            self._opened[key] = text
            self._mark()

    def _unfold(self) -> None:
        self._unfolded = True
        self._mark()

    def _send_check(self, check: Check) -> None:
        self._send_checks([check])

    def _send_all(self) -> None:
        pull = self.pull()
        if pull is not None:
            self._send_checks([check for check in pull.checks if check.state is CheckState.FAILED])

    def _send_checks(self, checks: Sequence[Check]) -> None:
        if self._task_id is not None:
            self._sender.checks(self._task_id, checks)

    def _send_thread(self, thread: ReviewThread) -> None:
        if self._task_id is not None:
            self._sender.review_thread(self._task_id, thread)

    # -- pull request --------------------------------------------------------------------------------------------

    def _create(self, draft: bool) -> None:
        if self._task_id is None:
            return
        from posthog_code.ui.dialogs.create_pr import CreatePrDialog

        dialog = CreatePrDialog(self._ctx, self._task_id, self.window())
        if draft:
            dialog.set_draft(True)
        dialog.open()

    def _retry(self) -> None:
        """Go on with what was typed; without it the dialog asks again."""
        task_id, pulls = self._task_id, self._ctx.services.pull_requests
        pull = self.pull()
        if pull is not None and is_open(pull):
            self._push()
            return
        typed = pulls.form(task_id) if task_id is not None else None
        if task_id is None or typed is None:
            self._create(False)
            return
        self._ctx.actions.start(f"create-pr {task_id}", lambda: pulls.create(task_id, typed), on_error=self._told)

    def _push(self) -> None:
        task_id, pulls = self._task_id, self._ctx.services.pull_requests
        if task_id is not None:
            self._ctx.actions.start(f"push {task_id}", lambda: pulls.push(task_id), on_error=self._told)

    def _dismiss(self) -> None:
        task_id, pulls = self._task_id, self._ctx.services.pull_requests
        if task_id is not None:
            self._ctx.actions.start(f"dismiss-pr {task_id}", lambda: pulls.dismiss_failure(task_id))

    def _refresh(self) -> None:
        task_id, pulls = self._task_id, self._ctx.services.pull_requests
        if task_id is not None:
            self._ctx.actions.start(
                f"refresh-pr {task_id}", lambda: pulls.refresh(task_id), on_error=self._told, busy=self.foot.set_busy
            )

    def _told(self, error: UserError) -> None:
        """Most failures are in the panel already: as the problem, or on the step that failed."""
        task_id = self._task_id
        steps = self._ctx.state.publishing.get(task_id, ()) if task_id is not None else ()
        failed = any(step.state is StepState.FAILED for step in steps)
        if not failed and (task_id is None or self._ctx.services.pull_requests.problem(task_id) is None):
            self._ctx.toasts.show(error.title, error.hint, kind="error")
        self._mark()

    def _browse_pull(self) -> None:
        pull = self.pull()
        if pull is not None:
            self._browse(pull.url)

    def _browse(self, url: str) -> None:
        if url.startswith(("https://", "http://")):
            platform.open_url(url)

    def _show_signals(self) -> None:
        if self._task_id is not None:
            self._ctx.nav.open_task(self._task_id, "signals")

    def _show_diff(self, thread: ReviewThread) -> None:
        if self._task_id is not None:
            self._ctx.nav.open_file(self._task_id, thread.path, thread.line)

    # -- signing in ----------------------------------------------------------------------------------------------

    def _prepare_sign_in(self, card: SignInCard, typed: str) -> None:
        card.field.setText(typed)
        card.submitted.connect(self._sign_in)
        card.again.connect(self._refresh)
        if self._keyring is None:
            pulls = self._ctx.services.pull_requests
            self._ctx.actions.start("keyring", pulls.can_store_token, on_done=self._keyring_known)
        else:
            card.set_keyring(self._keyring)

    def _keyring_known(self, there: bool) -> None:
        self._keyring = there
        if self.content is not None and self.content.sign_in is not None:
            self.content.sign_in.set_keyring(there)

    def _sign_in(self, token: str) -> None:
        task_id, pulls = self._task_id, self._ctx.services.pull_requests
        card = self.content.sign_in if self.content is not None else None
        if task_id is not None and card is not None:
            self._ctx.actions.start(
                "sign-in",
                lambda: pulls.sign_in(task_id, token),
                on_done=self._signed_in,
                on_error=card.set_error,
                busy=card,
            )

    def _signed_in(self, login: str) -> None:
        self._ctx.toasts.show("Signed in to GitHub", f"as {login}" if login else "", kind="success", timeout=4.0)
        if self.content is not None and self.content.sign_in is not None:
            self.content.sign_in.field.setText("")
        self._refresh()

    # -- keys ----------------------------------------------------------------------------------------------------

    def _stops(self) -> list[tuple[str, CheckRow | ThreadCard]]:
        return self.content.stops() if self.content is not None else []

    def _mark_current(self) -> None:
        for key, widget in self._stops():
            widget.set_current(key == self._current)

    def _step(self, by: int) -> None:
        stops = self._stops()
        if not stops:
            return
        keys = [key for key, _ in stops]
        at = keys.index(self._current) if self._current in keys else (-1 if by > 0 else len(keys))
        at = max(0, min(at + by, len(keys) - 1))
        self._current = keys[at]
        self._mark_current()
        self.setAccessibleDescription(stops[at][1].accessibleName())
        self.area.ensureWidgetVisible(stops[at][1], 0, 24)

    def _current_widget(self) -> CheckRow | ThreadCard | None:
        return next((widget for key, widget in self._stops() if key == self._current), None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, plain = event.key(), event.modifiers() == Qt.KeyboardModifier.NoModifier
        widget = self._current_widget()
        if plain and key in (Qt.Key.Key_J, Qt.Key.Key_Down):
            self._step(1)
        elif plain and key in (Qt.Key.Key_K, Qt.Key.Key_Up):
            self._step(-1)
        elif plain and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and isinstance(widget, CheckRow):
            self._toggle(check_key(widget.check))
        elif plain and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and isinstance(widget, ThreadCard):
            self._browse(widget.thread_shown.url)
        elif plain and key == Qt.Key.Key_F:
            self._send_current(widget)
        elif plain and key == Qt.Key.Key_B:
            url = widget.check.url if isinstance(widget, CheckRow) else ""
            self._browse(url) if url else self._browse_pull()
        else:
            super().keyPressEvent(event)

    def _send_current(self, widget: CheckRow | ThreadCard | None) -> None:
        if isinstance(widget, ThreadCard):
            self._send_thread(widget.thread_shown)
        elif isinstance(widget, CheckRow) and widget.check.state is CheckState.FAILED:
            self._send_check(widget.check)
        elif widget is None:
            self._send_all()
