"""Every part is drawn in both looks, at another text size and at a fractional scale, without a word from Qt."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, QRectF, QtMsgType, qInstallMessageHandler
from PySide6.QtGui import QAccessible, QImage, QPainter
from PySide6.QtWidgets import QApplication, QHBoxLayout, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from posthog_code.ui.kit.buttons import Button, IconButton, SplitButton
from posthog_code.ui.kit.cards import (
    Banner,
    Card,
    CardHead,
    ContextRing,
    Hairline,
    ProgressLine,
    ProgressSegments,
    Surface,
)
from posthog_code.ui.kit.chips import TONES, Badge, Chip, KeyCap
from posthog_code.ui.kit.empty import EmptyState, Skeleton
from posthog_code.ui.kit.inputs import CheckBox, MenuItem, SearchField, Segmented, Select, Switch, TextField
from posthog_code.ui.kit.labels import AgentTile, Avatar, ElidedLabel, Label, StateLabel
from posthog_code.ui.kit.markdown import MarkdownView, PlainTextView
from posthog_code.ui.kit.overlay import PopupList, Sheet
from posthog_code.ui.kit.scroll import ScrollArea
from posthog_code.ui.kit.spinner import Spinner
from posthog_code.ui.kit.splitter import Splitter
from posthog_code.ui.kit.tabs import Tab, TabStrip
from posthog_code.ui.kit.toast import ToastArea
from posthog_code.ui.theme import apply_theme, notifier, set_text_size, theme
from posthog_code.ui.theme.glyphs import WORDS, Glyph, paint_context_ring, paint_glyph, paint_priority
from posthog_code.ui.theme.icons import UnknownIcon, icon, pixmap
from posthog_code.ui.theme.qss import style_sheet

MENU = [
    MenuItem("pr", "Create pull request", icon="ph.git-pull-request", keys="Ctrl+Shift+G"),
    MenuItem("draft", "Create draft", checked=True),
    MenuItem(),
    MenuItem(heading="Branch"),
    MenuItem("update", "Update from main", note="2 behind", detail="main"),
    MenuItem("merge", "Merge", icon="ph.git-merge", reason="needs a PR"),
    MenuItem("delete", "Delete worktree…", icon="ph.trash", danger=True),
]


@pytest.fixture
def messages() -> Iterator[list[str]]:
    """What Qt warns of."""
    heard: list[str] = []

    def handler(kind: QtMsgType, context: object, message: str) -> None:
        if "propagateSizeHints" not in message:
            heard.append(message)

    before = qInstallMessageHandler(handler)
    yield heard
    qInstallMessageHandler(before)


def application() -> QApplication:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    return app


def buttons() -> list[QWidget]:
    made: list[QWidget] = []
    for kind in ("primary", "default", "ghost", "danger"):
        plain, pressed, off, busy = (Button("Create", kind=kind, icon="ph.git-branch") for _ in range(4))
        pressed.setDown(True)
        off.setEnabled(False)
        busy.set_loading(True, "Pushing…")
        made += [plain, pressed, off, busy]
    made += [
        Button("New task", kind="primary", icon="ph.plus", keys="Ctrl+N", show_keys=True, size="lg"),
        Button("Small", size="sm", caret=True),
        SplitButton("Create PR", kind="primary", icon="ph.git-pull-request"),
        SplitButton("Run", icon="ph.play"),
        IconButton("ph.x", "Close"),
        IconButton("ph.dots-three", "More", kind="default", size="sm"),
    ]
    return made


def fields() -> list[QWidget]:
    wrong = TextField("fix double", name="Branch")
    wrong.set_error("A branch name cannot contain spaces.")
    busy = TextField("fix", name="Branch")
    busy.set_loading(True)
    off = TextField("Read only", name="Branch")
    off.setEnabled(False)
    select = Select(MENU, name="Choice")
    select.set_current("pr")
    radio = CheckBox(name="One", round=True, on=True)
    return [
        TextField(placeholder="Branch name"),
        wrong,
        busy,
        off,
        SearchField("Filter files", keys="T"),
        select,
        Select(MENU, name="Quiet", quiet=True),
        Switch("Off"),
        Switch("On", on=True),
        CheckBox("Words", on=True),
        CheckBox(name="Box"),
        radio,
        Segmented([MenuItem("w", "Worktree"), MenuItem("l", "Local", icon="ph.desktop")]),
    ]


def marks() -> list[QWidget]:
    ring = ContextRing()
    ring.set_share(0.83)
    plan = ProgressSegments()
    plan.set_states(("done", "now", "stopped", "todo"))
    line = ProgressLine()
    line.set_share(0.4)
    chip = Chip("fix/double-charge-with-a-long-name", icon="ph.git-branch", mono=True, caret=True)
    chip.setCheckable(True)
    chip.setChecked(True)
    return [
        chip,
        Chip("3 review comments", icon="ph.chat-centered-text", tone="accent"),
        Chip("Auto", tone="waiting", quiet=True),
        *(Badge(tone.title(), tone) for tone in TONES),
        Badge("2", "accent", icon="ph.check"),
        Badge("4", "needs"),
        KeyCap("Ctrl+Shift+Enter"),
        Avatar("Mo Ortiz"),
        Avatar("Ana", tone="merged", size=26),
        AgentTile("Claude"),
        ring,
        plan,
        line,
        Spinner(),
        Hairline(),
        Label("Plain words", token="text.muted"),
        ElidedLabel("src/payments/submitPayment.ts", mode="middle"),
        *(StateLabel(glyph, WORDS[glyph]) for glyph in Glyph),
    ]


def cards() -> list[QWidget]:
    waiting = Card(tone="waiting")
    waiting.body.addWidget(CardHead("Edit a file outside the worktree", glyph=Glyph.WAITING, tone="waiting"))
    waiting.body.addWidget(Label("Allow once"))
    plan = Card()
    plan.body.addWidget(CardHead("Plan", icon="ph.list-bullets", note="1 of 3"))
    text = MarkdownView()
    text.set_markdown(
        "# Title\n\nWords `code` [link](x)\n\n- item\n\n```py\nx = 1  # note\n```\n\n|a|b|\n|-|-|\n|1|2|\n\n> q\n\n---"
    )
    output = PlainTextView()
    output.set_text("\x1b[31mred\x1b[0m plain 日本")
    tabs = TabStrip([Tab("c", "Changes", "7"), Tab("t", "Terminal", loading=True), Tab("f", "Files", enabled=False)])
    return [
        waiting,
        plan,
        Banner("The disk is full", tone="failed", icon="ph.hard-drives"),
        EmptyState("ph.tray", "Nothing needs fixing", "New reports appear here.", [("Choose sources", lambda: None)]),
        Skeleton(rows=3, disc=True),
        tabs,
        text,
        output,
        ScrollArea(Label("Inside")),
    ]


def gallery() -> QWidget:
    window = Surface("surface.window")
    columns = QHBoxLayout(window)
    for parts in (buttons(), fields(), marks(), cards()):
        column = QVBoxLayout()
        for part in parts:
            column.addWidget(part)
        column.addStretch(1)
        columns.addLayout(column)
    splitter = Splitter()
    splitter.addWidget(QWidget())
    splitter.addWidget(QWidget())
    columns.addWidget(splitter)
    window.resize(1400, 1300)
    return window


@pytest.mark.parametrize("look", ["dark", "light"])
def test_everything_is_drawn(look: str, qtbot: QtBot, messages: list[str]) -> None:
    apply_theme(application(), look)
    window = gallery()
    qtbot.addWidget(window)
    window.show()
    qtbot.waitExposed(window)
    menu = PopupList(MENU, window, filterable=True)
    menu.popup(window, at=QPoint(500, 300))
    ToastArea(window).show_toast("Push rejected", "The branch moved on GitHub.", "error", [("Pull", lambda: None)])
    sheet = Sheet(window, "Create pull request")
    sheet.body.addWidget(TextField(name="Title"))
    sheet.add_button(Button("Create PR", kind="primary"))
    sheet.open()
    picture = window.grab().toImage()
    assert not picture.isNull()
    folder = os.environ.get("POSTHOG_CODE_PICTURES")
    if folder:
        picture.save(f"{folder}/gallery-{look}.png")
    sheet.close_sheet()
    corner, expected = picture.pixelColor(2, 2), theme().blend("surface.scrim", "surface.window")
    assert abs(corner.red() - expected.red()) <= 2
    set_text_size(18)
    window.grab()
    assert messages == []


def test_everything_with_a_name_can_be_found_by_a_screen_reader(qtbot: QtBot) -> None:
    window = gallery()
    qtbot.addWidget(window)
    for part in window.findChildren(QWidget):
        if part.focusPolicy().value & 1 and part.focusProxy() is None and not isinstance(part, ScrollArea):
            assert part.accessibleName(), part


@pytest.mark.parametrize("ratio", [1.0, 1.25, 1.5, 2.0])
def test_glyphs_at_every_size(ratio: float, qtbot: QtBot, messages: list[str]) -> None:
    for size in (12, 14, 16, 20, 24):
        for glyph in Glyph:
            image = QImage(round(size * ratio), round(size * ratio), QImage.Format.Format_ARGB32_Premultiplied)
            image.setDevicePixelRatio(ratio)
            image.fill(0)
            with QPainter(image) as painter:
                paint_glyph(painter, QRectF(0, 0, size, size), glyph, theme(), 0.3)
            assert any(image.pixelColor(x, image.height() // 2).alpha() for x in range(image.width())), glyph
    image = QImage(40, 40, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(0)
    with QPainter(image) as painter:
        for share in (0.0, 0.5, 0.9, 1.0):
            paint_context_ring(painter, QRectF(0, 0, 16, 16), share, theme())
        for priority in range(4):
            paint_priority(painter, QRectF(0, 20, 18, 12), priority, theme())
    assert messages == []


def test_icons_are_cached_and_unknown_names_are_errors(qtbot: QtBot) -> None:
    assert (
        pixmap("ph.git-branch", "text.muted", 16, 2.0).cacheKey()
        == pixmap("ph.git-branch", "text.muted", 16, 2.0).cacheKey()
    )
    assert pixmap("ph.git-branch", "text.muted", 16, 2.0).width() == 32
    assert not icon("ph.git-branch").pixmap(16, 16).isNull()
    with pytest.raises(UnknownIcon):
        icon("ph.plugs")


def test_the_look_changes_once_for_everybody(qtbot: QtBot) -> None:
    apply_theme(application(), "dark")
    with qtbot.waitSignal(notifier().changed):
        apply_theme(application(), "light", text_size=15)
    assert theme().name == "light"
    assert application().font().pixelSize() == 15
    apply_theme(application(), "system")
    assert theme().name in ("dark", "light")
    apply_theme(application(), "dark")


def test_the_sheet_is_small_and_made_of_tokens(qtbot: QtBot) -> None:
    sheet = style_sheet(theme())
    assert sheet.count("{") <= 120
    assert "None" not in sheet
    assert theme().color("accent.default").name() not in ("", "#000000")


def test_painted_parts_say_what_they_are(qtbot: QtBot) -> None:
    strip = TabStrip([Tab("c", "Changes")], name="Task panels")
    badge = Badge("Running", "running")
    select = Select(MENU, name="Mode")
    for part, role, name in (
        (strip, QAccessible.Role.PageTabList, "Task panels"),
        (badge, QAccessible.Role.StaticText, "Running"),
        (select, QAccessible.Role.Button, "Mode: Choose…"),
    ):
        qtbot.addWidget(part)
        told = QAccessible.queryAccessibleInterface(part)
        assert (told.role(), told.text(QAccessible.Text.Name)) == (role, name)
    badge.set_text("Failed", "failed")
    assert QAccessible.queryAccessibleInterface(badge).text(QAccessible.Text.Name) == "Failed"
