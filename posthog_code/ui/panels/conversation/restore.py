"""Restoring the files to before a turn: asked first only where the person's own edits would go."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from posthog_code.domain.ids import TaskId
from posthog_code.ui.context import UiContext
from posthog_code.ui.shell.confirm import ConfirmSheet

_UNDO_SECONDS = 10.0


def restore_turn(ctx: UiContext, task_id: TaskId, number: int, window: QWidget) -> None:
    """Puts the files back as they were before the turn `number`, and offers Undo."""
    restore = ctx.services.restore

    def undo(commit: str) -> None:
        ctx.actions.start(f"restore:{task_id}", lambda: restore.undo(task_id, commit))

    def restored(commit: str) -> None:
        ctx.toasts.show(
            f"Restored the files to before turn {number}.",
            "The conversation and the commits stay.",
            actions=[("Undo", lambda: undo(commit))],
            timeout=_UNDO_SECONDS,
        )

    def run() -> None:
        ctx.actions.start(f"restore:{task_id}", lambda: restore.before_turn(task_id, number), on_done=restored)

    def looked(paths: tuple[str, ...]) -> None:
        if not paths:
            run()
            return
        have = "has edits of yours" if len(paths) == 1 else "have edits of yours"
        files = "1 file" if len(paths) == 1 else f"{len(paths)} files"
        sheet = ConfirmSheet(
            window,
            title=f"Restore the files to before turn {number}?",
            text=f"{files} {have} that no turn made. They are put aside with everything else; Undo brings them back.",
            items=paths,
            safe="Keep them",
            danger="Restore",
        )
        sheet.confirmed.connect(run)
        sheet.open()

    ctx.actions.start(f"restore:look:{task_id}", lambda: restore.own_edits(task_id), on_done=looked)
