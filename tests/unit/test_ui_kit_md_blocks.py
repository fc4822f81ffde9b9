"""Markdown as blocks."""

from __future__ import annotations

from posthog_code.ui.kit.md_blocks import Block, parse


def blocks(source: str) -> list[Block]:
    return [block for chunk in parse(source) for block in chunk.blocks]


def test_a_paragraph_and_its_spans() -> None:
    (block,) = blocks("A **bold** `code` [link](https://x.y) end")
    assert block.kind == "text"
    assert block.content.text == "A bold code link end"
    found = [(block.content.text[s.start : s.end], s.style, s.href) for s in block.content.spans]
    assert found == [("bold", "strong", ""), ("code", "code", ""), ("link", "link", "https://x.y")]


def test_bare_addresses_become_links_without_the_full_stop() -> None:
    (block,) = blocks("See https://posthog.com/docs.")
    (span,) = block.content.spans
    assert span.href == "https://posthog.com/docs"


def test_images_are_links_and_html_is_text() -> None:
    (block,) = blocks("![a picture](http://x/y.png) <script>alert(1)</script>")
    assert block.content.text == "a picture <script>alert(1)</script>"
    assert block.content.spans[0].href == "http://x/y.png"
    assert blocks("<div onclick='x'>\nhi\n</div>")[0].kind == "text"


def test_a_script_address_is_no_link() -> None:
    (block,) = blocks("[x](javascript:alert(1))")
    assert block.content.spans == ()


def test_lists_keep_depth_markers_and_numbers() -> None:
    found = blocks("3. three\n4. four\n   - inner\n\n- [x] done\n- [ ] open")
    assert [(b.marker, b.indent, b.content.text) for b in found] == [
        ("3.", 1, "three"),
        ("4.", 1, "four"),
        ("•", 2, "inner"),
        ("☑", 1, "done"),
        ("☐", 1, "open"),
    ]
    assert all(block.tight for block in found)


def test_code_quotes_headings_rules_and_tables() -> None:
    source = "## H\n\n> q\n>\n> > deep\n\n```py\nx = 1\n```\n\n---\n\n| a | b |\n|:-:|--:|\n| `1` | 2 |\n"
    found = blocks(source)
    assert [block.kind for block in found] == ["heading", "text", "text", "code", "rule", "table"]
    assert (found[0].level, found[1].quote, found[2].quote) == (2, 1, 2)
    assert (found[3].language, found[3].content.text) == ("py", "x = 1")
    assert found[5].aligns == ("center", "right")
    assert [[cell.text for cell in row] for row in found[5].rows] == [["a", "b"], ["1", "2"]]


def test_chunks_say_the_line_they_start_at() -> None:
    assert [chunk.line for chunk in parse("a\n\nb\nc\n\n- d\n- e\n\n```\nx\n```\n")] == [0, 2, 5, 8]
