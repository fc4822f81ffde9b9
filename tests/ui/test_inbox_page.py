"""The inbox in the window: list, report, keys, triage, starting tasks, small windows, faults."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from posthog_code.domain.cloud import Account
from posthog_code.domain.errors import NotFound, NotSignedIn, Offline, UserError
from posthog_code.domain.ids import RepositoryId, TaskId
from posthog_code.domain.inbox import Artefact, Evidence, Report, ReportSignal, Triage
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import TaskPhase
from posthog_code.ui.cloud.links import open_link
from posthog_code.ui.kit.popup import PopupList
from posthog_code.ui.models import inbox_list, inbox_log
from posthog_code.ui.nav import INBOX, NEW_TASK, Place
from posthog_code.ui.pages.inbox import code_place
from posthog_code.ui.pages.inbox.detail import likely_place
from posthog_code.ui.pages.inbox.evidence_rows import EvidenceRow, clock_words
from posthog_code.ui.pages.inbox.meta import FactorRow, points_words
from posthog_code.ui.pages.inbox.missing import MissingRepository
from posthog_code.ui.pages.inbox.note_sheet import NoteSheet
from posthog_code.ui.pages.inbox.page import InboxPage
from posthog_code.ui.pages.inbox.watching import begin_inbox
from posthog_code.ui.shell.main_window import MainWindow
from posthog_code.ui.shell.panels import Panels
from posthog_code.ui.theme.glyphs import Glyph
from tests.ui.inbox_world import (
    CHARGED,
    FLAG,
    GONE,
    ORDERS,
    SEARCH,
    SIGN_IN,
    SNOOZED,
    evidence_of,
    inbox,
    inbox_context,
    inbox_state,
    report,
    reports,
)
from tests.ui.shell_world import NOW, ToastNotes
from tests.ui.test_palette import FakePanel


@pytest.fixture
def open_inbox(qtbot, monkeypatch):
    async def no_code(folder: str, path: str, line: int) -> None:
        return None

    monkeypatch.setattr(code_place, "read_place", no_code)
    windows = []

    def make(state: AppState | None = None, size: tuple[int, int] = (1440, 900), report_id: str = "") -> InboxPage:
        ctx = inbox_context(state)
        window = MainWindow(ctx, Panels({"conversation": FakePanel}))
        window.resize(*size)
        qtbot.addWidget(window)
        windows.append(window)
        notes = ToastNotes()
        ctx.toasts.attach(notes)
        with qtbot.waitExposed(window):
            window.show()
        ctx.nav.open_inbox(report_id)
        page = window.page(INBOX)
        page.window_, page.ctx, page.toasts, page.calls = window, ctx, notes.shown, ctx.services.called
        return page

    yield make
    for window in windows:
        window._ctx.bridge.close()


def titles(page: InboxPage) -> list[str]:
    return [row.title for row in page.column.list.rows]


def ids(page: InboxPage) -> list[str]:
    return [row.id for row in page.column.list.rows]


def key(page: InboxPage, *keys: str) -> None:
    for one in keys:
        QTest.keySequence(page.column.list, one)


def menu(page: InboxPage) -> PopupList:
    shown = [one for one in page.window().findChildren(PopupList) if one.isVisible()]
    assert len(shown) == 1
    return shown[0]


def choose(page: InboxPage, item: str) -> None:
    menu(page).chosen.emit(item)
    for one in page.window().findChildren(PopupList):
        one.close_popup()


# -- rows and words


def test_rows_say_what_a_report_amounts_to():
    state = inbox_state()
    rows = {one.id: inbox_list.report_row(state, one, None, NOW) for one in reports()}
    charged = rows[CHARGED]
    assert charged.priority == 1 and charged.unread and charged.age == "3h" and charged.task is None
    assert [figure.spoken for figure in charged.figures] == ["214 errors", "87 people", "2 recordings"]
    assert charged.place == "src/payments · harbor-web"
    assert charged.spoken.startswith("Customers are charged twice after a timeout, P1 fix this week, unread, ready to")
    assert "src/payments, harbor-web" in charged.spoken and charged.spoken.endswith("3h ago")
    assert not rows[SEARCH].unread and rows[GONE].quiet and rows[SNOOZED].quiet
    flag = rows[FLAG]
    assert flag.priority == 4 and [f.text for f in flag.figures] == ["9 signals"]
    assert flag.place == "Errors", "what it was found by, while nothing tells where it is"


def test_words_for_what_no_server_should_send():
    odd = Report("r", title="a\nb\u202ec", status="brand_new", priority="P12", sources=("new_thing", "error_tracking"))
    state = inbox_state(inbox(odd))
    row = inbox_list.report_row(state, odd, None, NOW)
    assert row.priority == 4 and "\u202e" not in row.title and "\n" not in row.title
    assert inbox_list.state_words(odd) == ("brand_new", Glyph.UNKNOWN)
    assert inbox_list.found_by(odd) == "New thing and errors"
    assert inbox_list.priority_words(odd) == ("Not judged", "yet")
    assert inbox_list.path_and_line("src/a.ts:24") == ("src/a.ts", 24)
    assert inbox_list.path_and_line("src/a.ts") == ("src/a.ts", 0) and inbox_list.path_and_line("C:x") == ("C:x", 0)
    assert inbox_list.folder_of(Evidence("r", paths=("README.md:3",))) == "README.md"
    assert likely_place(evidence_of()[CHARGED]) == "src/payments/submitPayment.ts:26", "the line an error tells"
    assert likely_place(Evidence("r")) == ""
    assert [points_words(n) for n in (17.6, 0.2, -3.7)] == ["+18", "0", "−4"]
    assert [clock_words(n) for n in (0, 138, 3725)] == ["", "2:18", "1:02:05"]


def test_the_log_of_the_research_leaves_out_what_it_cannot_read():
    lines = inbox_log.research(evidence_of()[CHARGED])
    assert [line.title for line in lines] == ["Finding", "Priority", "Signal from Zendesk tickets"]
    assert lines[1].text == "P1: People pay twice."
    odd = Evidence("r", artefacts=(Artefact("a", "note", "words"), Artefact("b", "", {}), Artefact("c", "x", [1, {}])))
    assert [line.text for line in inbox_log.research(odd)] == ["words"]
    told = inbox_log.tickets(evidence_of()[CHARGED])
    assert [ticket.quote for ticket in told] == [True, False] and told[1].url == "", "no link but a web page"
    assert inbox_log.tickets(Evidence("r", signals=(ReportSignal("s", "", "zendesk"),))) == []


def test_lines_of_the_checkout(tmp_path: Path):
    folder = tmp_path / "repo"
    (folder / "src").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("secret")
    (tmp_path / "outside.ts").write_text("secret")
    (folder / "src" / "a.ts").write_text("".join(f"line({n});\n" for n in range(1, 21)))
    (folder / "src" / "link.ts").symlink_to(tmp_path / "outside.ts")
    (folder / "src" / "bin.ts").write_bytes(b"\0\1")
    os.mkfifo(folder / "src" / "pipe.ts")
    found = code_place.lines_at(folder, "src/a.ts", 10)
    assert found is not None and (found.first, found.mark, len(found.lines)) == (8, 10, 6)
    assert found.lines[2] == "line(10);" and len(found.runs) == 6
    moved = code_place.lines_at(folder, "src/a.ts", 999)
    assert moved is not None and (moved.first, moved.mark) == (1, 0), "the file has changed since"
    for path in ("../outside.ts", "/etc/passwd", "src/link.ts", "src/bin.ts", "src/pipe.ts", "src", "none", "a\0b",
                 ".git/config"):  # fmt: skip
        assert code_place.lines_at(folder, path, 1) is None, path


# -- the list


def test_the_list_follows_the_score_and_the_first_report_is_shown(open_inbox):
    page = open_inbox()
    assert ids(page) == [SIGN_IN, CHARGED, SEARCH]
    assert page.detail.isVisible() and page.detail.title.text() == "Sign-in loops on Safari 18"
    assert page.calls("inbox.evidence") == [(SIGN_IN,)]
    items = {item.id: item.note for item in page.column.tabs._items}
    assert items == {"for_you": "3", "all": "5", "snoozed": "1", "dismissed": "1"}
    view = page.column.list
    assert QAccessible.queryAccessibleInterface(view).role() == QAccessible.Role.List
    assert view.accessibleName() == "Reports"
    index = view.model().index(0)
    assert index.data(Qt.ItemDataRole.AccessibleTextRole).startswith("Sign-in loops on Safari 18, P0 fix now")
    assert index.data(Qt.ItemDataRole.ToolTipRole).startswith("Score ")
    page.set_tab("all")
    assert set(ids(page)) == {SIGN_IN, CHARGED, SEARCH, ORDERS, FLAG}
    page.set_tab("snoozed")
    assert ids(page) == [SNOOZED] and page.detail.restore.isVisible() and not page.detail.snooze.isVisible()


def test_search_filter_and_order(open_inbox, qtbot):
    page = open_inbox()
    key(page, "/")
    assert QApplication.focusWidget() is page.search.edit
    QTest.keyClicks(page.search.edit, "charged payments")
    qtbot.waitUntil(lambda: ids(page) == [CHARGED], timeout=10_000)
    QTest.keyClick(page.search.edit, Qt.Key.Key_Down)
    assert QApplication.focusWidget() is page.column.list
    page.search.setText("nothing like it")
    qtbot.waitUntil(lambda: page.column.empty.isVisible(), timeout=10_000)
    assert page.column.empty.title.text() == "No report matches nothing like it."
    page.clear_filters()
    assert len(ids(page)) == 3
    page.set_sources(["session_replay"])
    assert ids(page) == [CHARGED, SEARCH] and "Recordings" in page.column.filter.accessibleName()
    page.set_sources([])
    page.set_sort("newest")
    assert ids(page) == [SIGN_IN, CHARGED, SEARCH]
    page.set_tab("all")
    page.set_sort("people")
    assert ids(page)[:3] == [SIGN_IN, ORDERS, CHARGED]


def test_keys_go_through_the_list(open_inbox):
    page = open_inbox()
    key(page, "J", "J", "J")
    assert page.column.list.current() == SEARCH and page.detail.report_id == SEARCH
    key(page, "K")
    assert page.detail.report_id == CHARGED
    QTest.keyClick(page.column.list, Qt.Key.Key_Home)
    assert page.detail.report_id == SIGN_IN
    key(page, "G")
    assert page.detail.report_id == SIGN_IN, "letters that mean nothing do nothing"


def test_a_report_is_read_after_it_was_in_view(open_inbox, qtbot):
    page = open_inbox()
    assert page.calls("mark_seen") == []
    page.detail._seen.setInterval(5)
    key(page, "J")
    qtbot.waitUntil(lambda: page.calls("mark_seen") == [(CHARGED,)], timeout=10_000)
    page.ctx.bridge.flush()
    assert not next(row for row in page.column.list.rows if row.id == CHARGED).unread


# -- the report


def test_a_report_in_full(open_inbox):
    page = open_inbox(report_id=CHARGED)
    detail, meta = page.detail, page.detail.meta
    rows = [row.accessibleName() for row in detail.body.findChildren(EvidenceRow) if row.isVisible()]
    assert rows[0] == "GatewayTimeout in submitPayment, src/payments/submitPayment.ts:26, 171 events, 80 people"
    assert "Recording: Person 4f1c, taps Pay three times, 2:18, 3 marks" in rows
    assert any(row.startswith("Zendesk tickets, The first try") for row in rows)
    next(row for row in detail.body.findChildren(EvidenceRow) if row.url.endswith("/r/1")).click()
    assert page.ctx.services.urls == ["https://eu.posthog.com/r/1"]
    factors = [row.accessibleName() for row in meta.findChildren(FactorRow)]
    assert "People affected: 87 people in 7 days, +11 of 22 points" in factors
    names = [one.accessibleName() for one in meta.findChildren(object) if hasattr(one, "accessibleName")]
    assert "Priya Raman, wrote 68 % of submitPayment.ts" in names and "Flag: checkout-retry-v2" in names
    assert "Ready to start" in names and "P1, fix this week" in names
    detail.body.log.fold.click()
    assert detail.body.log.opened
    detail.open_in_posthog()
    assert page.ctx.services.urls[-1].endswith(f"/inbox/{CHARGED}")


def test_the_score_follows_the_weights(open_inbox):
    page = open_inbox(report_id=CHARGED)
    before = len(page.detail.meta.findChildren(FactorRow))
    weights = {"people": "0", "severity": "100"}
    store = page.ctx.services.store
    store.change(lambda s: replace(s, settings=replace(s.settings, priority_weights=weights)), Topic("settings"))
    page.ctx.bridge.flush()
    QApplication.sendPostedEvents(None, 52)  # widgets that were taken off
    rows = [row.accessibleName() for row in page.detail.meta.findChildren(FactorRow) if row.isVisible()]
    assert len(rows) <= before and not any(row.startswith("People") for row in rows)


def test_evidence_that_could_not_be_read_is_said(open_inbox):
    known = evidence_of()[CHARGED]
    partly = inbox(evidence={CHARGED: replace(known, problem="Recordings could not be read.")})
    page = open_inbox(inbox_state(partly), report_id=CHARGED)
    assert page.detail.body.problem.isVisible() and "Recordings" in page.detail.body.problem.label.text()
    page.ctx.services.inbox.error = Offline("eu.posthog.com does not answer.", "It is tried again.")
    page.column.list.select(SIGN_IN)
    assert page.detail.body.problem.isVisible(), "nothing is known of it"
    assert "does not answer" in page.detail.body.problem.label.text()
    assert page.toasts == []


def test_a_proof_is_shown_on_the_report(open_inbox):
    proof = "Errors fell from 171 to 3 a week."
    solved = report(CHARGED, "Charged twice", "P1", 10, status="resolved")
    page = open_inbox(inbox_state(inbox(solved, triage={CHARGED: Triage(proof=proof)})))
    assert ids(page) == []
    page.detail.show_report(CHARGED)
    page.detail.show()
    assert page.detail.body.proof.isVisibleTo(page.detail) and page.detail.body.proof.label.text() == proof
    assert not page.detail.start.isVisibleTo(page.detail)


# -- triage


def test_snooze_and_undo(open_inbox):
    page = open_inbox()
    key(page, "J", "H")
    assert page.calls("snooze") == [((CHARGED,), 5)]
    page.ctx.bridge.flush()
    assert ids(page) == [SIGN_IN, SEARCH] and page.detail.report_id == SEARCH, "the next one takes its place"
    title, _, _, actions = page.toasts[-1]
    assert title == "Snoozed Customers are charged twice after a timeout" and actions[0][0] == "Undo"
    actions[0][1]()
    page.ctx.bridge.flush()
    assert CHARGED in ids(page)


def test_dismiss_with_a_reason(open_inbox):
    page = open_inbox()
    key(page, "E")
    assert [item.id for item in menu(page).items() if item.id][:2] == ["already_fixed", "fixed_outside_posthog"]
    choose(page, "analysis_wrong")
    assert page.calls("dismiss") == [((SIGN_IN,), "analysis_wrong", "")]
    page.ctx.bridge.flush()
    page.detail.dismiss.click()
    choose(page, "note")
    sheet = page.window().findChild(NoteSheet)
    sheet.reason.set_current("wrong_repo")
    sheet.note.setText("It is the app's")
    sheet.go.click()
    assert page.calls("dismiss")[-1] == ((CHARGED,), "wrong_repo", "It is the app's")
    page.ctx.bridge.flush()
    page.set_tab("dismissed")
    assert set(ids(page)) == {SIGN_IN, CHARGED, GONE}
    page.detail.restore.click()
    assert len(page.calls("restore")) == 1


def test_what_the_server_refuses_is_told(open_inbox):
    page = open_inbox()
    page.ctx.services.inbox.refused = {CHARGED: "It is being researched."}
    page.column.list.selectAll()
    page.deeds.dismiss(page.column.list.selected(), "other")
    assert [toast[0] for toast in page.toasts] == [
        "Dismissed 2 reports",
        "Customers are charged twice after a timeout stayed as it was.",
    ]
    assert page.toasts[1][1] == "It is being researched."
    page.ctx.services.inbox.error = Offline("eu.posthog.com does not answer.")
    page.deeds.snooze([CHARGED])
    assert page.toasts[-1][:2] == (
        "Customers are charged twice after a timeout stayed as it was.",
        "eu.posthog.com does not answer.",
    )


def test_the_words_of_the_list_stand_for_the_servers_states(open_inbox):
    page = open_inbox(inbox_state(inbox(report(CHARGED, "Charged twice", "P1", 60.0, status="in_progress"))))
    page.ctx.services.inbox.refused = {CHARGED: "Cannot transition report from 'in_progress' to 'potential'."}
    key(page, "H")
    assert page.toasts[-1][:2] == (
        "Charged twice stayed as it was.",
        "It is being researched. It can be put away when that is done.",
    )


def test_keys_go_on_after_the_last_report_was_put_away(open_inbox):
    page = open_inbox(inbox_state(inbox(report(CHARGED, "Charged twice", "P1", 60.0))))
    page.column.list.setFocus()
    key(page, "H")
    page.ctx.bridge.flush()
    assert not page.column.list.isVisible() and QApplication.focusWidget() is page
    page.set_tab("snoozed")
    assert ids(page) == [CHARGED] and QApplication.focusWidget() is page.column.list
    key(page, "R")
    page.ctx.bridge.flush()
    assert page.calls("restore") == [((CHARGED,),)] and QApplication.focusWidget() is page


def test_a_key_and_the_palette_reach_everything_of_a_report(open_inbox):
    page = open_inbox(report_id=CHARGED)
    opened: list[str] = []
    page.ctx.open_url = opened.append
    key(page, "B")
    assert len(opened) == 1
    seen = {command.id: command.keys for command in page.ctx.commands.all() if command.id.startswith("inbox.")}
    assert seen["inbox.dismiss"] == ("E",) and seen["inbox.restore"] == ("R",) and seen["inbox.page"] == ("B",)


def test_the_regions_end_with_the_notifications(open_inbox):
    page = open_inbox()
    page.ctx.toasts.attach(page.window_._toasts)
    page.column.list.setFocus()
    page.deeds.snooze([CHARGED])
    names = []
    for _ in range(5):
        page.ctx.commands.find("window.next_region").run()
        names.append(QApplication.focusWidget().accessibleName())
    assert names == ["Evidence", "Undo", "Tasks", "Reports", "Evidence"]
    page.ctx.commands.find("window.next_region").run()
    assert QApplication.focusWidget().accessibleName() == "Undo"
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Space)
    assert page.calls("restore") == [((CHARGED,),)] and QApplication.focusWidget() is page.detail.body
    page.ctx.commands.find("window.previous_region").run()
    assert QApplication.focusWidget() is page.column.list


def test_many_at_once(open_inbox):
    page = open_inbox()
    view = page.column.list
    flags = QItemSelectionModel.SelectionFlag
    view.selectionModel().select(view.model().index(1), flags.Select)
    assert view.selected() == [SIGN_IN, CHARGED]
    assert page.column.selection.isVisible() and page.column.told.text() == "2 selected"
    assert page.many.isVisible() and not page.detail.isVisible()
    page.column.buttons["all"].click()
    assert len(view.selected()) == 3 and not page.column.buttons["all"].isVisible()
    page.column.buttons["snooze"].click()
    choose(page, "20")
    assert page.calls("snooze") == [((SIGN_IN, CHARGED, SEARCH), 20)]
    page.ctx.bridge.flush()
    assert ids(page) == [] and page.column.empty.isVisible() and not page.column.selection.isVisible()
    page.set_tab("snoozed")
    QTest.keySequence(view, "Ctrl+A")
    assert len(view.selected()) == 4 and page.column.buttons["restore"].isVisible()
    page.column.buttons["restore"].click()
    page.ctx.bridge.flush()
    assert ids(page) == []


def test_esc_gives_up_one_thing_at_a_time(open_inbox):
    page = open_inbox()
    page.column.list.selectAll()
    key(page, "Esc")
    assert len(page.column.list.selected()) == 1 and page.isVisible()


# -- tasks


def test_a_task_is_started_by_a_key_and_shown(open_inbox):
    page = open_inbox(report_id=CHARGED)
    key(page, "S")
    assert page.calls("start_task") == [(CHARGED, False, None, "")]
    made = TaskId(f"for-{CHARGED}")
    assert page.ctx.nav.task_id == made
    page.ctx.nav.open_inbox()
    page.ctx.bridge.flush()
    row = next(row for row in page.column.list.rows if row.id == CHARGED)
    assert row.task is Glyph.SETTING_UP and "its task is running" in row.spoken
    assert page.detail.task.isVisible() and not page.detail.start.isVisible() and not page.detail.cloud.isVisible()
    key(page, "S")
    assert len(page.calls("start_task")) == 1 and page.ctx.nav.task_id == made, "it is shown instead"


def test_in_the_cloud(open_inbox):
    page = open_inbox(report_id=CHARGED)
    QTest.keyClick(page.column.list, Qt.Key.Key_S, Qt.KeyboardModifier.ShiftModifier)
    assert page.calls("start_task") == [(CHARGED, True, None, "")]
    assert page.calls("cloud.open") == [("c1", "")] and page.ctx.nav.task_id == "cloud-c1"


def test_the_choices_of_start(open_inbox):
    page = open_inbox(report_id=CHARGED)
    page.detail.start.menuRequested.emit()
    shown = [item.text for item in menu(page).items() if item.id]
    assert shown[:2] == ["Edit the prompt first", "Run in the cloud"] and "harbor-api" in shown
    assert [item.text for item in menu(page).items() if item.checked] == ["harbor-web"]
    choose(page, "repository:harbor-api")
    assert page.calls("start_task") == [(CHARGED, False, "harbor-api", "")]


def test_what_keeps_a_task_from_being_started_is_told(open_inbox):
    page = open_inbox(report_id=CHARGED)
    page.ctx.services.inbox.error = NotSignedIn("Your sign-in ended.", "Sign in again.")
    key(page, "S")
    assert page.toasts[-1][0] == "Your sign-in ended." and page.toasts[-1][3][0][0] == "Sign in"
    assert page.ctx.nav.place.page == INBOX


def test_a_repository_that_is_not_here_is_asked_for(open_inbox, tmp_path: Path):
    page = open_inbox(report_id=SEARCH)
    key(page, "S")
    assert page.calls("start_task") == []
    sheet = page.window().findChild(MissingRepository)
    assert sheet.is_open() and sheet.accessibleName() == "harbor-shop is not on this machine"
    sheet.set_folder(str(tmp_path / "harbor-api"))
    assert sheet.is_open() and "harbor/harbor-api" in sheet.problem.text(), "another repository's folder"
    sheet.set_folder(str(tmp_path / "harbor-shop"))
    assert not sheet.is_open()
    assert page.calls("start_task") == [(SEARCH, False, "harbor-shop", "")]


def test_the_evidence_is_read_before_the_task_is_made(open_inbox):
    """The repository is known only then."""
    known = evidence_of()[CHARGED]
    page = open_inbox(inbox_state(inbox(evidence={})), report_id=CHARGED)
    service = page.ctx.services.inbox

    async def load(report_id: str, *, force: bool = False) -> Evidence:
        service.change(evidence={CHARGED: known})
        return known

    service.load_evidence = load
    key(page, "S")
    assert page.calls("start_task") == [(CHARGED, False, None, "")]
    service.change(evidence={})

    async def fail(report_id: str, *, force: bool = False) -> Evidence:
        raise Offline("eu.posthog.com does not answer.")

    service.load_evidence = fail
    page.ctx.nav.go(Place(NEW_TASK, report_id=SIGN_IN))
    new_task = page.window_.page(NEW_TASK)
    assert new_task.prompt.text() == "Fix this: Sign-in loops on Safari 18", "without it, what is known"


def test_a_repository_can_be_cloned_or_the_cloud_taken(open_inbox, tmp_path: Path):
    page = open_inbox(report_id=SEARCH)
    wanted = []

    async def clone(repository: str, folder: Path) -> RepositoryId:
        wanted.append((repository, folder))
        if len(wanted) == 1:
            raise UserError("It could not be cloned.")
        return RepositoryId("harbor-api")

    page.ctx.services.handover.clone = clone
    key(page, "S")
    sheet = page.window().findChild(MissingRepository)
    sheet.set_clone_folder(str(tmp_path))
    assert sheet.is_open() and sheet.problem.text() == "It could not be cloned."
    sheet.set_clone_folder(str(tmp_path))
    assert wanted[-1] == ("harbor/harbor-shop", tmp_path / "harbor-shop")
    assert page.calls("start_task") == [(SEARCH, False, "harbor-api", "")]
    page.ctx.nav.open_inbox(FLAG)
    page.ctx.bridge.flush()
    page.starting.start(FLAG)
    other = [one for one in page.window().findChildren(MissingRepository) if one.is_open()][-1]
    assert other.accessibleName() == "Which repository is it about?" and not other.clone.isVisible()
    other.others.changed.emit("harbor-web")
    assert page.calls("start_task")[-1] == (FLAG, False, "harbor-web", "")


# -- places, links, windows


def test_the_way_there(open_inbox):
    page = open_inbox()
    window, ctx = page.window_, page.ctx
    assert window.windowTitle().startswith("Inbox") and window.sidebar.inbox.isChecked()
    ctx.nav.open_new_task()
    assert not window.sidebar.inbox.isChecked() and ctx.commands.keys_text("place.inbox") == "Ctrl+Shift+I"
    assert ctx.commands.run("place.inbox") and ctx.nav.place.page == INBOX
    ctx.nav.back()
    window.sidebar.inbox.click()
    assert ctx.nav.place.page == INBOX


def test_a_link_shows_its_report_whatever_the_filters(open_inbox, qtbot):
    page = open_inbox()
    page.set_sources(["github"])
    page.ctx.nav.open_new_task()
    open_link(page.ctx, f"posthog-code://inbox/{SNOOZED}")
    assert page.calls("inbox.find") == [(SNOOZED,)]
    assert page.ctx.nav.place == Place(INBOX) and page.tab == "snoozed" and page.detail.report_id == SNOOZED
    assert page.sources == ()


def test_a_report_that_no_list_has_is_shown_all_the_same(open_inbox):
    solved = report(CHARGED, "Charged twice", "P1", 10, status="resolved")
    others = [one for one in reports() if one.id != CHARGED]
    page = open_inbox(inbox_state(inbox(solved, *others, triage={CHARGED: Triage(proof="Errors fell.")})))
    open_link(page.ctx, f"posthog-code://inbox/{CHARGED}")
    assert page.detail.report_id == CHARGED and page.detail.isVisible() and page.column.list.selected() == []
    assert page.detail.body.proof.isVisible() and not page.detail.restore.isVisible()
    page.ctx.bridge.flush()
    page.refresh()
    assert page.detail.report_id == CHARGED
    key(page, "J")
    assert page.detail.report_id == SIGN_IN
    page = open_inbox(page.ctx.state, size=(960, 600), report_id=CHARGED)
    assert page.detail.isVisible() and not page.column.isVisible()
    QTest.keyClick(page.detail.body, Qt.Key.Key_Escape)
    assert page.column.isVisible() and not page.detail.isVisible()


def test_a_link_to_nothing_changes_nothing(open_inbox):
    page = open_inbox()
    page.ctx.nav.open_new_task()
    open_link(page.ctx, "posthog-code://inbox/gone")
    assert page.ctx.nav.place.page == NEW_TASK and page.toasts[-1][0] == "This report is not in your project."
    page.ctx.services.inbox.error = Offline("eu.posthog.com does not answer.")
    open_link(page.ctx, "posthog-code://inbox/gone")
    assert page.ctx.nav.place.page == NEW_TASK and page.toasts[-1][0] == "eu.posthog.com does not answer."
    page.ctx.services.inbox.error = NotSignedIn("You are not signed in.")
    open_link(page.ctx, "posthog-code://inbox/gone")
    assert page.toasts[-1][3][0][0] == "Sign in"


def test_a_small_window_shows_the_list_or_the_report(open_inbox):
    page = open_inbox(size=(960, 600))
    assert page.column.isVisible() and not page.detail.isVisible()
    QTest.keyClick(page.column.list, Qt.Key.Key_Down)
    QTest.keyClick(page.column.list, Qt.Key.Key_Return)
    assert page.detail.isVisible() and not page.column.isVisible() and page.detail.back.isVisible()
    QTest.keyClick(page, Qt.Key.Key_Escape)
    assert page.column.isVisible() and not page.detail.isVisible()
    page.open_report(CHARGED)
    page.detail.back.click()
    assert page.column.isVisible()
    page.ctx.nav.open_inbox(SIGN_IN)
    assert page.detail.isVisible() and page.detail.report_id == SIGN_IN
    page.window_.resize(1440, 900)
    assert page.column.isVisible() and page.detail.isVisible() and not page.detail.back.isVisible()


def test_the_column_follows_the_text_where_there_is_no_room_beside_it(open_inbox):
    page = open_inbox(report_id=CHARGED)
    page.detail.resize(460, 700)
    assert not page.detail._side.isVisible() and page.detail.meta.isVisible() and not page.detail.cloud.isVisible()
    page.detail.resize(800, 700)
    assert page.detail._side.isVisible()


# -- states


def test_without_an_account(open_inbox):
    page = open_inbox(inbox_state(account=Account()))
    assert page.signed_out.isVisible() and not page.column.isVisible()
    assert page.signed_out.title.text() == "No signals connected."
    assert not page.window_.sidebar.inbox.isVisible()
    key_page = page
    QTest.keyClick(key_page, Qt.Key.Key_S)
    assert page.calls("start_task") == [] and page.calls("inbox.evidence") == []
    page._sign_in()
    assert page.ctx.nav.place.tab == "account"


def test_empty_loading_and_offline(open_inbox):
    empty = replace(inbox(), reports={}, evidence={}, triage={})
    page = open_inbox(inbox_state(empty))
    assert page.column.empty.title.text() == "Nothing needs fixing."
    page.choose.click()
    assert page.ctx.services.urls == ["https://eu.posthog.com/project/1/inbox"]
    page = open_inbox(inbox_state(replace(empty, fetched_at=0.0, loading=True)))
    assert page.column._waiting.isVisible() and not page.column.empty.isVisible()
    page = open_inbox(inbox_state(replace(empty, fetched_at=0.0, error="It does not answer.", hint="Tried again.")))
    assert page.column.empty.title.text() == "It does not answer."
    page.fetch()
    assert page.calls("inbox.refresh") == [()]
    page = open_inbox(inbox_state(replace(inbox(), error="It does not answer.", fetched_at=NOW - 240)))
    assert page.column.offline.isVisible() and page.column.offline.label.text() == "Offline. As of 4m ago."
    assert len(ids(page)) == 3, "the last state stays"
    page = open_inbox(inbox_state(inbox(report(ORDERS, "Orders", "P2", 5, for_me=False))))
    assert page.column.empty.title.text() == "Nothing here is close to your work."


def test_a_hidden_page_does_nothing(open_inbox):
    page = open_inbox()
    page.ctx.nav.open_new_task()
    asked = page.ctx.services.inbox.asked
    page.ctx.nav.open_settings()
    before = page.ctx.services.inbox.asked
    page.ctx.services.inbox.change(reports={})
    page.ctx.bridge.flush()
    assert page.ctx.services.inbox.asked == before and asked <= before
    assert len(page.column.list.rows) == 3 and not page._ages.isActive()
    page.ctx.nav.open_inbox()
    assert page.column.list.rows == []


def test_what_a_turn_tells_is_shown_a_little_later(open_inbox, qtbot):
    page = open_inbox(report_id=CHARGED)
    key(page, "S")
    page.ctx.nav.open_inbox()
    page.ctx.bridge.flush()
    page._soon.setInterval(5)
    store = page.ctx.services.store
    made = TaskId(f"for-{CHARGED}")
    done = replace(store.state.tasks[made], phase=TaskPhase.SETUP_FAILED)
    store.state = replace(store.state, tasks={**store.state.tasks, made: done})
    asked = page.ctx.services.inbox.asked
    for _ in range(20):
        store.touch(Topic("session", made), Topic("task", made))
        page.ctx.bridge.flush()
    assert page.ctx.services.inbox.asked == asked
    wanted = Glyph.FAILED
    qtbot.waitUntil(lambda: any(row.task is wanted for row in page.column.list.rows), timeout=10_000)


def test_a_report_that_is_gone_leaves_no_trace(open_inbox):
    page = open_inbox(report_id=CHARGED)
    left = {one.id: one for one in reports() if one.id != CHARGED}
    page.ctx.services.inbox.change(reports=left)
    page.ctx.bridge.flush()
    assert CHARGED not in ids(page) and page.detail.report_id == SEARCH


def test_it_is_asked_for_only_while_it_is_in_view(open_inbox):
    page = open_inbox()
    ctx, window = page.ctx, page.window_
    begin_inbox(ctx, window, window.sidebar.show_inbox_count)
    seen = ctx.services.inbox.visible
    assert ctx.services.called("inbox.start") == [()] and seen == [True]
    ctx.nav.open_settings()
    ctx.nav.open_task(TaskId("pay"))
    assert seen == [True, False]
    ctx.nav.open_new_task()
    window.hide()
    assert seen == [True, False, True, False]
    assert window.sidebar.inbox.count() == 3 and window.sidebar.inbox.accessibleName() == "Inbox, 3, 2 new"
    ctx.services.inbox.change(reports={})
    ctx.bridge.flush()
    assert window.sidebar.inbox.count() == 0


def test_five_hundred_reports_are_listed_at_once(open_inbox):
    many = [report(f"r{n}", f"Report {n}", f"P{n % 5}", n * 60) for n in range(500)]
    page = open_inbox(inbox_state(inbox(*many, evidence={}, triage={})))
    assert len(ids(page)) == 500
    before = page.column.list.selected()
    page.ctx.services.inbox.change(fetched_at=NOW)
    page.ctx.bridge.flush()
    assert page.column.list.selected() == before


def test_a_refused_lookup_is_no_crash(open_inbox):
    page = open_inbox()
    page.ctx.services.inbox.error = NotFound("There is no such report.")
    key(page, "J")
    assert page.detail.report_id == CHARGED and page.detail.isVisible()


def test_research_is_told_in_words_not_in_names_of_the_server():
    def said(kind: str, content: dict[str, object]) -> str:
        evidence = Evidence(CHARGED, artefacts=(Artefact("a", kind, content, NOW),))
        return inbox_log.research(evidence)[0].text

    assert said("safety_judgment", {"choice": True, "explanation": "Nothing is asked for."}) == (
        "Safe: Nothing is asked for."
    )
    assert said("safety_judgment", {"choice": False, "explanation": "It asks for a token."}).startswith("Not safe: ")
    assert said("actionability_judgment", {"actionability": "immediately_actionable", "explanation": "One place."}) == (
        "At once: One place."
    )
    finding = {"relevant_code_paths": ["src/a.ts:1"], "verified": True, "data_queried": "events of 30 days"}
    assert said("signal_finding", finding) == "src/a.ts:1, verified with events of 30 days"
    assert said("signal_finding", {"relevant_code_paths": ["src/a.ts"], "reason": "It fits."}) == (
        "src/a.ts, not verified: It fits."
    )
