"""The screens of the inbox, and what New task takes from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from posthog_code.app.studio import Studio
from posthog_code.domain.inbox import Inbox
from posthog_code.domain.state import AppState
from posthog_code.ui.pages.inbox.page import InboxPage
from posthog_code.ui.pages.new_task import NewTaskPage

CHARGED = "Customers are charged twice"


async def _ready(studio: Studio) -> None:
    """Reports are listed and weighed, as after a few seconds in an open window."""
    services = studio.container.services
    await studio.until(lambda: studio.context.state.account.signed_in)
    if not studio.context.state.inbox.fetched_at:
        await services.inbox.refresh()
        await services.inbox.weigh()


def _count(studio: Studio) -> None:
    studio.window.sidebar.show_inbox_count(len(studio.container.services.inbox.ranked("for_you")), 0)


async def _open(studio: Studio) -> InboxPage:
    await _ready(studio)
    _count(studio)
    known = studio.context.state.inbox.reports.values()
    chosen = next((report.id for report in known if report.title.startswith(CHARGED)), "")
    studio.context.nav.open_inbox(chosen)
    page = studio.window.page("inbox")
    assert isinstance(page, InboxPage)
    return page


async def inbox(studio: Studio) -> None:
    page = await _open(studio)
    await studio.until(lambda: page.detail.body.code.code is not None)


async def inbox_list(studio: Studio) -> None:
    page = await _open(studio)
    page.set_tab("all")
    page.close_report()


async def inbox_empty(studio: Studio) -> None:
    await _ready(studio)

    def nothing(state: AppState) -> AppState:
        return replace(state, inbox=Inbox(project_id=state.inbox.project_id, fetched_at=studio.context.now()))

    studio.pretend(nothing)
    studio.context.nav.open_inbox()


async def inbox_offline(studio: Studio) -> None:
    await _ready(studio)
    _count(studio)

    def offline(state: AppState) -> AppState:
        at = studio.context.now() - 240
        return replace(state, inbox=replace(state.inbox, error="127.0.0.1 does not answer.", fetched_at=at))

    studio.pretend(offline)
    studio.context.nav.open_inbox()


async def new_task_suggestions(studio: Studio) -> None:
    await _ready(studio)
    _count(studio)
    studio.context.nav.open_new_task()
    page = studio.window.page("new_task")
    assert isinstance(page, NewTaskPage)
    page.refresh()
    await studio.until(lambda: page.signals.isVisible())


async def settings_signals(studio: Studio) -> None:
    studio.context.nav.open_settings("signals")


INBOX_SCREENS: dict[str, Callable[[Studio], Awaitable[None]]] = {
    "inbox": inbox,
    "inbox-list": inbox_list,
    "inbox-empty": inbox_empty,
    "inbox-offline": inbox_offline,
    "new-task-suggestions": new_task_suggestions,
    "settings-signals": settings_signals,
}
