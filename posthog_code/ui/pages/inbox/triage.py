"""Putting reports away and back: the menus, the calls, and the way to undo them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from PySide6.QtCore import QObject, QPoint
from PySide6.QtWidgets import QWidget

from posthog_code.domain.errors import Offline, UserError
from posthog_code.domain.inbox import Triage as Known
from posthog_code.domain.inbox_lists import is_open
from posthog_code.domain.state import AppState
from posthog_code.domain.text import plural
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit.popup import MenuItem, PopupList
from posthog_code.ui.models.inbox_list import REASONS, title_of
from posthog_code.ui.pages.inbox.note_sheet import NoteSheet

SNOOZES = {1: "Until there is 1 more signal", 5: "Until there are 5 more", 20: "Until there are 20 more",
           100: "Until there are 100 more"}  # fmt: skip
USUAL_SNOOZE = 5
USUAL_REASON = "other"
_UNDO_S = 10.0
_NOTE = "note"


class Triage(QObject):
    """One for the page. Each deed is told in a toast with Undo; what the server refused is told with its reason."""

    def __init__(self, ctx: UiContext, owner: QWidget) -> None:
        super().__init__(owner)
        self._ctx, self._owner = ctx, owner
        self._number = 0
        self._menu: PopupList | None = None

    def snooze(self, ids: Sequence[str], for_signals: int = USUAL_SNOOZE) -> None:
        self._run("Snoozed", ids, lambda: self._ctx.services.inbox.snooze(tuple(ids), for_signals), undo=True)

    def dismiss(self, ids: Sequence[str], reason: str = USUAL_REASON, note: str = "") -> None:
        self._run("Dismissed", ids, lambda: self._ctx.services.inbox.dismiss(tuple(ids), reason, note), undo=True)

    def restore(self, ids: Sequence[str]) -> None:
        self._run("Restored", ids, lambda: self._ctx.services.inbox.restore(tuple(ids)))

    def _run(self, verb: str, ids: Sequence[str], call: Callable[[], object], *, undo: bool = False) -> None:
        if not ids:
            return
        self._number += 1
        titles = {one: self._title(one) for one in ids}

        def told(outcome: Mapping[str, str] | None) -> None:
            refused = {one: self._reason(one, why) for one, why in (outcome or {}).items() if why}
            done = [one for one in titles if one not in refused]
            if done:
                words = titles[done[0]] if len(done) == 1 else plural(len(done), "report")
                actions = [("Undo", lambda: self.restore(done))] if undo else []
                kind = "info" if undo else "success"
                self._ctx.toasts.show(f"{verb} {words}", "", kind, actions, _UNDO_S if undo else 4.0, "inbox.triage")
            if refused:
                first, why = next(iter(refused.items()))
                more = f" and {plural(len(refused) - 1, 'other report')}" if len(refused) > 1 else ""
                self._ctx.toasts.show(f"{titles.get(first, first)}{more} stayed as it was.", why, "error")

        def failed(error: UserError) -> None:
            words = next(iter(titles.values())) if len(titles) == 1 else plural(len(titles), "report")
            # Reading is tried again by itself, this is not.
            hint = "" if type(error) is Offline else error.hint
            stayed = "stayed as it was." if len(titles) == 1 else "stayed as they were."
            self._ctx.toasts.show(f"{words} {stayed}", f"{error.title} {hint}".strip(), "error")

        name = f"inbox.{verb.lower()} {self._number}"
        self._ctx.actions.start(name, call, on_done=told, on_error=failed)  # type: ignore[arg-type]

    def _reason(self, report_id: str, why: str) -> str:
        """In words of the list, where the server names its states."""
        report = self._ctx.state.inbox.reports.get(report_id)
        if report is not None and report.status == "in_progress" and "transition" in why.lower():
            return "It is being researched. It can be put away when that is done."
        return why

    def _title(self, report_id: str) -> str:
        report = self._ctx.state.inbox.reports.get(report_id)
        return title_of(report) if report else report_id

    # menus

    def snooze_menu(self, anchor: QWidget, ids: Sequence[str], at: QPoint | None = None) -> None:
        items = [MenuItem(str(number), words, "ph.bell-z") for number, words in SNOOZES.items()]
        self._popup("Snooze", items, anchor, at, lambda chosen: self.snooze(ids, int(chosen)))

    def dismiss_menu(self, anchor: QWidget, ids: Sequence[str], at: QPoint | None = None) -> None:
        items = [MenuItem(heading="Why?")]
        items += [MenuItem(reason, words) for reason, words in REASONS.items()]
        items += [MenuItem(), MenuItem(_NOTE, "With a note…", "ph.pencil-simple")]
        self._popup("Dismiss", items, anchor, at, lambda chosen: self._on_reason(chosen, ids))

    def _on_reason(self, chosen: str, ids: Sequence[str]) -> None:
        if chosen != _NOTE:
            self.dismiss(ids, chosen)
            return
        title = self._title(ids[0]) if len(ids) == 1 else plural(len(ids), "report")
        sheet = NoteSheet(self._owner.window(), title)
        sheet.told.connect(lambda reason, note: self.dismiss(ids, reason, note))
        sheet.open()

    def row_menu(self, anchor: QWidget, ids: Sequence[str], at: QPoint) -> None:
        """What can be done with the rows that are selected."""
        deeds: dict[str, Callable[[], object]] = {}
        items = []
        if can_restore(self._ctx.state, ids):
            items.append(MenuItem("restore", "Restore", "ph.arrow-counter-clockwise"))
            deeds["restore"] = lambda: self.restore(ids)
        if can_put_away(self._ctx.state, ids):
            items += [
                MenuItem("snooze", SNOOZES[USUAL_SNOOZE].replace("Until", "Snooze until"), "ph.bell-z", keys="H"),
                MenuItem(heading="Dismiss"),
                *(MenuItem(reason, words, "ph.x") for reason, words in REASONS.items()),
            ]
            deeds["snooze"] = lambda: self.snooze(ids)
        self._popup("Report", items, anchor, at, lambda chosen: deeds.get(chosen, lambda: self.dismiss(ids, chosen))())

    def _popup(
        self,
        name: str,
        items: list[MenuItem],
        anchor: QWidget,
        at: QPoint | None,
        chosen: Callable[[str], object],
    ) -> None:
        if not items:
            return
        menu = PopupList(items, self._owner.window(), name=name)
        menu.chosen.connect(chosen)
        menu.closed.connect(menu.deleteLater)
        self._menu = menu
        menu.popup(anchor, at=at)


def can_restore(state: AppState, ids: Sequence[str]) -> bool:
    """Some of them were put away."""
    return any(not _open(state, one) for one in ids if one in state.inbox.reports)


def can_put_away(state: AppState, ids: Sequence[str]) -> bool:
    """Some of them wait for somebody."""
    return any(_open(state, one) for one in ids if one in state.inbox.reports)


def _open(state: AppState, report_id: str) -> bool:
    return is_open(state.inbox.reports[report_id], state.inbox.triage.get(report_id, Known()))
