"""What can be done from the conversation: answers, the actions of cards, and the commands of the palette."""

from __future__ import annotations

import functools
from collections.abc import Callable

import shiboken6
from PySide6.QtWidgets import QWidget

from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import RequestId
from posthog_code.domain.transcript import TurnFooter
from posthog_code.ui.commands import Command, CommandRegistry
from posthog_code.ui.panels.conversation.restore import restore_turn
from posthog_code.ui.panels.conversation.view_state import ViewState


class Deeds:
    """Starts the actions that rows ask for."""

    def __init__(
        self,
        view: ViewState,
        copy_details: Callable[[str], None],
        answer_failed: Callable[[], None],
        window: Callable[[], QWidget],
    ) -> None:
        self._view = view
        self._window = window
        self._copy_details = copy_details
        self._answer_failed = answer_failed

    def act(self, action: str, key: str) -> None:
        """The action of a notice's or the set-up card's button; `key` is the card's row."""
        task_id, ctx = self._view.task_id, self._view.ctx
        if task_id is None:
            return
        services = ctx.services
        doing = {
            "retry_turn": lambda: services.sessions.retry_turn(task_id),
            "continue_turn": lambda: services.sessions.continue_turn(task_id),
            "retry_setup": lambda: services.tasks.retry_setup(task_id),
            "start_without": lambda: services.tasks.continue_without_setup(task_id),
            "cancel_setup": lambda: services.tasks.cancel_setup(task_id),
        }
        if action in doing:
            ctx.actions.start(f"{action}:{task_id}", doing[action])
        elif action == "show_logs":
            ctx.nav.open_task(task_id, "logs")
        elif action in ("choose_agent", "sign_in"):
            ctx.nav.open_settings("agents")
        elif action == "restore":
            items = self._view.transcript.items
            footer = next((item for item in items if isinstance(item, TurnFooter) and item.key == key), None)
            if footer is not None:
                restore_turn(ctx, task_id, footer.turn, self._window())
        elif action == "copy_details":
            self._copy_details(key)

    def answer(self, request_id: str, option_id: str) -> None:
        task_id, ctx = self._view.task_id, self._view.ctx
        if task_id is not None:
            sessions = ctx.services.sessions
            ctx.actions.start(
                f"answer:{task_id}:{request_id}",
                lambda: sessions.answer(task_id, RequestId(request_id), option_id),
                on_error=self._failed,
            )

    def answer_question(self, request_id: str, content: dict[str, object] | None) -> None:
        task_id, ctx = self._view.task_id, self._view.ctx
        if task_id is not None:
            sessions = ctx.services.sessions
            ctx.actions.start(
                f"answer:{task_id}:{request_id}",
                lambda: sessions.answer_question(task_id, RequestId(request_id), content),
                on_error=self._failed,
            )

    def _failed(self, error: UserError) -> None:
        self._view.ctx.toasts.show(error.title, error.hint, "error")
        owner = getattr(self._answer_failed, "__self__", None)
        if owner is None or shiboken6.isValid(owner):
            self._answer_failed()


def register_commands(
    commands: CommandRegistry,
    owner: QWidget,
    *,
    find: Callable[[], object],
    latest: Callable[[], object],
    stop: Callable[[], object],
    restore: Callable[[], object],
    may_restore: Callable[[], bool],
    answer: Callable[[int], object],
    waits: Callable[[], bool],
) -> None:
    """The conversation's commands; they go with `owner`."""

    def shown() -> bool:
        return shiboken6.isValid(owner) and owner.isVisible()

    group = "Conversation"
    for command in (
        Command("conversation.find", "Find in the conversation", find, (), shown, group, "ph.magnifying-glass"),
        Command("conversation.latest", "Jump to the latest", latest, (), shown, group, "ph.arrow-down"),
        Command(
            "conversation.restore",
            "Restore the files to before the last turn",
            restore,
            (),
            functools.partial(_both, shown, may_restore),
            group,
            "ph.arrow-counter-clockwise",
        ),
        Command("conversation.stop", "Stop the agent", stop, (), shown, group, "ph.stop-fill"),
    ):
        commands.register(command, owner)
    for number in range(1, 10):
        run = functools.partial(answer, number)
        enabled = functools.partial(_both, shown, waits)
        title = f"Answer with option {number}"
        commands.register(
            Command(f"conversation.answer.{number}", title, run, (f"Alt+{number}",), enabled, group, hidden=True), owner
        )


def _both(first: Callable[[], bool], second: Callable[[], bool]) -> bool:
    return first() and second()
