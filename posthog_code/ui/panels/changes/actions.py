"""What a person does in the Changes panel, as actions on the services."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath

from PySide6.QtCore import QObject

from posthog_code.domain.changes import ChangedFile
from posthog_code.domain.diff_index import DiffIndex, Hunk
from posthog_code.domain.errors import UserError
from posthog_code.domain.hunk import patch_for_file, patch_for_hunk
from posthog_code.domain.ids import CommentId, TaskId
from posthog_code.domain.review import Comment
from posthog_code.domain.text import plural
from posthog_code.ui.context import UiContext
from posthog_code.ui.diff.comments import CommentDraft
from posthog_code.ui.platform import open_in_editor

UNDO_S = 10.0


class ReviewActions(QObject):
    """Starts the services' coroutines for one task at a time."""

    def __init__(self, ctx: UiContext, parent: QObject) -> None:
        super().__init__(parent)
        self._ctx = ctx
        self._count = 0
        self.task_id: TaskId | None = None

    def _name(self, verb: str) -> str:
        """A name of its own for actions of which several may run."""
        self._count += 1
        return f"{verb}-{self.task_id}-{self._count}"

    # ---- comments

    def write(self, draft: CommentDraft, send_now: bool) -> None:
        task_id, reviews = self.task_id, self._ctx.services.reviews
        if task_id is None:
            return

        async def run() -> bool | None:
            comment_id = await reviews.add(
                task_id,
                path=draft.path,
                side=draft.side,
                start=draft.start,
                end=draft.end,
                code=draft.code,
                text=draft.text,
            )
            return await reviews.send(task_id, only=(comment_id,)) if send_now else None

        self._ctx.actions.start(self._name("comment"), run, on_done=self._sent)

    def edit(self, comment_id: CommentId, text: str) -> None:
        reviews = self._ctx.services.reviews
        self._ctx.actions.start(self._name("comment-edit"), lambda: reviews.edit(comment_id, text))

    def resolve(self, comment_id: CommentId) -> None:
        task_id, reviews = self.task_id, self._ctx.services.reviews
        if task_id is not None:
            self._ctx.actions.start(self._name("comment-resolve"), lambda: reviews.resolve(task_id, comment_id))

    def discard(self, ids: tuple[CommentId, ...] | None) -> None:
        """Drop pending comments, all of them for None; a toast brings them back."""
        task_id, reviews = self.task_id, self._ctx.services.reviews
        if task_id is None:
            return

        def gone(comments: tuple[Comment, ...]) -> None:
            if comments:
                undo = self._undo("comment-undo", lambda: reviews.put_back(task_id, comments))
                title = f"Discarded {plural(len(comments), 'comment')}."
                self._ctx.toasts.show(title, actions=[("Undo", undo)], timeout=UNDO_S)

        self._ctx.actions.start(self._name("comment-discard"), lambda: reviews.discard(task_id, ids), on_done=gone)

    def send(self, note: str, busy: object) -> None:
        task_id, reviews = self.task_id, self._ctx.services.reviews
        if task_id is not None:
            name = f"review-send-{task_id}"
            self._ctx.actions.start(name, lambda: reviews.send(task_id, note), on_done=self._sent, busy=busy)

    def _sent(self, now: bool | None) -> None:
        if now is not None:
            title = "Sent to the agent." if now else "Queued. The agent gets it after this turn."
            self._ctx.toasts.show(title, kind="success" if now else "info")

    # ---- files

    def set_viewed(self, path: str, fingerprint: str | None) -> None:
        task_id, reviews = self.task_id, self._ctx.services.reviews
        if task_id is not None:
            self._ctx.actions.start(self._name("viewed"), lambda: reviews.set_viewed(task_id, path, fingerprint))

    def revert_hunk(self, index: DiffIndex, hunk: Hunk) -> None:
        path = index.files[hunk.file].path
        self._revert(patch_for_hunk(index, hunk), f"1 hunk in {PurePosixPath(path).name}")

    def revert_file(self, index: DiffIndex, number: int) -> None:
        path = index.files[number].path
        hunks = sum(1 for _ in index.hunks(number))
        self._revert(patch_for_file(index, number), f"{plural(hunks, 'hunk')} in {PurePosixPath(path).name}")

    def _revert(self, patch: bytes, what: str) -> None:
        task_id, changes = self.task_id, self._ctx.services.changes
        if task_id is None or not patch:
            return

        def reverted(token: str) -> None:
            undo = self._undo("revert-undo", lambda: changes.undo_revert(task_id, token))
            self._ctx.toasts.show(f"Reverted {what}.", actions=[("Undo", undo)], timeout=UNDO_S)

        name = f"revert-{task_id}"
        self._ctx.actions.start(name, lambda: changes.revert(task_id, patch, f"Revert {what}"), on_done=reverted)

    def _undo(self, verb: str, make: Callable[[], object]) -> Callable[[], object]:
        name = self._name(verb)
        return lambda: self._ctx.actions.start(name, make)  # type: ignore[arg-type]

    def open_file(self, path: str) -> None:
        """Open a file of the worktree in the editor."""
        task = self._ctx.state.tasks.get(self.task_id) if self.task_id else None
        if task is None or not task.path:
            return
        try:
            open_in_editor(self._ctx.state.settings.editor_command, str(Path(task.path) / path))
        except UserError as error:
            self._ctx.toasts.show(error.title, error.hint, "error")

    def save_drafts(self, key: str, text: str) -> bool:
        """False when an earlier save still runs; try again then."""
        tasks = self._ctx.services.tasks
        return self._ctx.actions.start(f"draft-{key}", lambda: tasks.save_draft(key, text))

    def set_layout(self, *, split: bool | None = None, wrap: bool | None = None) -> None:
        fields = {k: v for k, v in (("split_diff", split), ("wrap_diff", wrap)) if v is not None}
        self._ctx.actions.start("changes-layout", lambda: self._ctx.services.settings.set(**fields))


def fingerprint_of(files: tuple[ChangedFile, ...], path: str) -> str:
    return next((file.fingerprint or f"{file.added}+{file.removed}" for file in files if file.path == path), "")
