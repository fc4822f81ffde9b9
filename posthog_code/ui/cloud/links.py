"""Opening what a link names."""

from __future__ import annotations

from posthog_code.domain.errors import InvalidInput, NotFound, NotSignedIn, UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.inbox import Report
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
        open_report(ctx, link.report_id)
    else:
        open_cloud_task(ctx, link.task_id, link.run_id)


def open_report(ctx: UiContext, report_id: str) -> None:
    """Show a report once it was found; what is in view stays when there is no such report."""

    def show(report: Report) -> None:
        ctx.nav.open_inbox(report.id)

    def failed(error: UserError) -> None:
        if isinstance(error, NotSignedIn):
            sign_in = ("Sign in", lambda: ctx.nav.open_settings("account"))
            ctx.toasts.show(error.title, "The report is in PostHog.", "error", [sign_in], timeout=15.0)
        elif isinstance(error, NotFound):
            ctx.toasts.show("This report is not in your project.", "Choose its project in the settings.", "error")
        else:
            ctx.toasts.show(error.title, error.hint, "error")

    ctx.actions.start(
        f"inbox.open {report_id}", lambda: ctx.services.inbox.find(report_id), on_done=show, on_error=failed
    )


def open_cloud_task(ctx: UiContext, task_id: str, run_id: str = "", tab: str = "conversation") -> None:
    """Show a cloud task, at once when it is one of ours already. Where only one tab has room, its conversation is in
    front: that is where it asks."""

    def show(ours: TaskId) -> None:
        ctx.nav.open_task(ours, tab)

    def failed(error: UserError) -> None:
        if isinstance(error, NotSignedIn):
            sign_in = ("Sign in", lambda: ctx.nav.open_settings("account"))
            ctx.toasts.show(error.title, "The task is in PostHog's cloud.", "error", [sign_in], timeout=15.0)
        elif isinstance(error, NotFound):
            ctx.toasts.show("This cloud task is not there, or not yours to see.", error.hint, "error")
        else:
            ctx.toasts.show(error.title, error.hint, "error")

    ctx.actions.start(
        f"cloud.open {task_id}", lambda: ctx.services.cloud.open(task_id, run_id), on_done=show, on_error=failed
    )


def sources_url(ctx: UiContext) -> str:
    """The page where a person chooses what reports are made of."""
    account = ctx.state.account
    return f"{account.host.rstrip('/')}/project/{account.project_id}/inbox"
