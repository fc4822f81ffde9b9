"""Opening what a link names."""

from __future__ import annotations

from posthog_code.domain.errors import InvalidInput, NotSignedIn, UserError
from posthog_code.domain.ids import TaskId
from posthog_code.ui.context import UiContext


def open_link(ctx: UiContext, text: str) -> None:
    """Show what a posthog-code:// address names; "" does nothing. What is wrong with it becomes a notification."""
    if not text:
        return
    # Imported here: few starts are asked to open a link.
    from posthog_code.domain import deep_links
    from posthog_code.domain.deep_links import InboxLink

    try:
        link = deep_links.parse(text)
    except InvalidInput as error:
        ctx.toasts.show(error.title, f"{error.hint}\n{error.detail}", "error")
        return
    if isinstance(link, InboxLink):
        ctx.toasts.show("Reports cannot be opened here yet.", f"Open report {link.report_id} in PostHog.", "info")
    else:
        open_cloud_task(ctx, link.task_id, link.run_id)


def open_cloud_task(ctx: UiContext, task_id: str, run_id: str = "", tab: str = "") -> None:
    """Show a cloud task, at once when it is one of ours already."""

    def show(ours: TaskId) -> None:
        ctx.nav.open_task(ours, tab)

    def failed(error: UserError) -> None:
        if isinstance(error, NotSignedIn):
            sign_in = ("Sign in", lambda: ctx.nav.open_settings("account"))
            ctx.toasts.show(error.title, "The task is in PostHog's cloud.", "error", [sign_in], timeout=15.0)
        else:
            ctx.toasts.show(error.title, error.hint, "error")

    ctx.actions.start(
        f"cloud.open {task_id}", lambda: ctx.services.cloud.open(task_id, run_id), on_done=show, on_error=failed
    )
