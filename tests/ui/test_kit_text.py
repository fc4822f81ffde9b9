"""Painted text: layout, selection, links and copying."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from posthog_code.ui.kit import selection
from posthog_code.ui.kit.markdown import MarkdownView, PlainTextView
from posthog_code.ui.kit.md_layout import share_widths
from posthog_code.ui.kit.plain_text import wrapped
from posthog_code.ui.kit.text_view import TextView

TEXT = """# Title

First *paragraph* with `code`, 😀 and [a link](https://example.com/a).

- one
- two

```python
def f(x):
    return x
```

| a | b |
|---|---|
| 1 | 2 |

Last words."""


@pytest.fixture
def markdown(qtbot: QtBot) -> Iterator[MarkdownView]:
    made = MarkdownView()
    qtbot.addWidget(made)
    made.set_markdown(TEXT)
    made.resize(500, made.height_for(500))
    made.show()
    qtbot.waitExposed(made)
    yield made
    made.clear_selection()


def point_of(view: TextView, words: str) -> QPoint:
    """A point in the middle of these words, found as a pointer would."""
    points = []
    for y in range(2, view.height(), 4):
        for x in range(2, view.width(), 3):
            found = view.position_at(QPointF(x, y))
            if found is not None:
                text = view.unit_text(found[0])
                at = text.find(words)
                if at >= 0 and at + 1 <= found[1] <= at + len(words) - 1:
                    points.append(QPoint(x, y))
    # The nearest text answers for the space round it, too: the middle point is on the words in every font.
    assert points, f"{words!r} is not in the view"
    return points[len(points) // 2]


def test_all_text_is_copied_as_it_reads(markdown: MarkdownView) -> None:
    markdown.select_all()
    assert markdown.selected_text() == (
        "Title\n\nFirst paragraph with code, 😀 and a link.\n\none\ntwo\n\ndef f(x):\n    return x\n\n"
        "a\tb\n1\t2\n\nLast words."
    )
    assert markdown.plain_text() == markdown.selected_text()


def test_a_drag_selects_and_the_key_copies(markdown: MarkdownView, qtbot: QtBot) -> None:
    start, end = point_of(markdown, "paragraph"), point_of(markdown, "two")
    qtbot.mousePress(markdown, Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(markdown, end)
    qtbot.mouseRelease(markdown, Qt.MouseButton.LeftButton, pos=end)
    assert "with code, 😀 and a link.\n\none\nt" in markdown.selected_text()
    assert selection.owner() is markdown
    qtbot.keyClick(markdown, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == markdown.selected_text()
    qtbot.keyClick(markdown, Qt.Key.Key_Escape)
    assert not markdown.has_selection()
    assert selection.owner() is None


def test_two_clicks_take_a_word_and_three_the_paragraph(markdown: MarkdownView, qtbot: QtBot) -> None:
    place = point_of(markdown, "paragraph")
    qtbot.mouseClick(markdown, Qt.MouseButton.LeftButton, pos=place)
    qtbot.mouseClick(markdown, Qt.MouseButton.LeftButton, pos=place)
    assert markdown.selected_text() == "paragraph"
    qtbot.mouseClick(markdown, Qt.MouseButton.LeftButton, pos=place)
    assert markdown.selected_text().startswith("First paragraph")


def test_only_one_view_has_a_selection(markdown: MarkdownView, qtbot: QtBot) -> None:
    other = PlainTextView()
    qtbot.addWidget(other)
    other.set_text("some output")
    other.height_for(300)
    markdown.select_all()
    other.select_all()
    assert not markdown.has_selection()
    assert other.selected_text() == "some output"


def test_links_open_on_a_click(markdown: MarkdownView, qtbot: QtBot) -> None:
    # One word of it: a wide font breaks the line between the two.
    place = point_of(markdown, "link")
    assert markdown.link_at(QPointF(place)) == "https://example.com/a"
    with qtbot.waitSignal(markdown.linkActivated) as opened:
        qtbot.mouseClick(markdown, Qt.MouseButton.LeftButton, pos=place)
    assert opened.args == ["https://example.com/a"]
    assert markdown.link_at(QPointF(point_of(markdown, "Last words"))) == ""


def test_code_is_copied_by_its_button(markdown: MarkdownView, qtbot: QtBot) -> None:
    number = next(n for n, item in enumerate(markdown._laid) if item.block.kind == "code")
    button = markdown._copy_rect(number).center().toPoint()
    qtbot.mouseMove(markdown, button)
    qtbot.mouseClick(markdown, Qt.MouseButton.LeftButton, pos=button)
    assert QGuiApplication.clipboard().text() == "def f(x):\n    return x"


def test_appending_lays_out_only_the_end(markdown: MarkdownView) -> None:
    before = list(markdown._laid)
    height = markdown.height_for(500)
    markdown.set_markdown(
        TEXT + " And more of them, so many that the last line has to be broken into two of them at least."
    )
    after = markdown._laid
    assert all(one is other for one, other in zip(before[:-1], after[:-1], strict=True))
    assert after[-1] is not before[-1]
    assert markdown.height_for(500) > height


def test_growing_word_by_word_ends_as_the_whole(qtbot: QtBot) -> None:
    grown, whole = MarkdownView(), MarkdownView()
    qtbot.addWidget(grown)
    qtbot.addWidget(whole)
    for end in range(1, len(TEXT) + 1, 7):
        grown.set_markdown(TEXT[:end])
        grown.height_for(420)
    grown.set_markdown(TEXT)
    whole.set_markdown(TEXT)
    assert grown.height_for(420) == whole.height_for(420)
    assert grown.plain_text() == whole.plain_text()
    assert [item.block for item in grown._laid] == [item.block for item in whole._laid]


def test_narrow_text_is_higher(markdown: MarkdownView) -> None:
    assert markdown.height_for(160) > markdown.height_for(600)


def test_plain_text_wraps_by_cells_and_joins_again(qtbot: QtBot) -> None:
    view = PlainTextView()
    qtbot.addWidget(view)
    view.set_text("\x1b[32m" + "x" * 500 + "\x1b[0m\nshort\n")
    rows = view.height_for(300) // view.row_height()
    assert rows > 5
    assert view.line_count() == 2
    view.select_all()
    assert view.selected_text() == "x" * 500 + "\nshort"
    view.resize(300, view.height_for(300))
    view.show()
    assert not view.grab().isNull()


def test_wide_characters_take_two_cells() -> None:
    assert wrapped("abcdef", 4) == [(0, 4), (4, 6)]
    assert wrapped("日本語", 4) == [(0, 2), (2, 3)]
    assert wrapped("", 4) == [(0, 0)]


def test_table_columns_share_the_room() -> None:
    assert share_widths([50, 60], 300) == [50, 60]
    assert share_widths([50, 600, 400], 450) == [50, 200, 200]
