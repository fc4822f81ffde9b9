"""What terminals would show of an output."""

from __future__ import annotations

from posthog_code.ui.kit.ansi import Style, parse_ansi


def test_plain_lines_have_no_runs() -> None:
    lines = parse_ansi("one\n\ttwo\n")
    assert [line.text for line in lines] == ["one", "        two", ""]
    assert all(not line.runs for line in lines)


def test_colours_go_on_over_line_ends_until_they_are_reset() -> None:
    first, second = parse_ansi("a\x1b[31;1mred\nstill\x1b[0m not")
    assert first.text == "ared"
    assert first.runs == ((1, 4, Style(fore="status.failed", bold=True)),)
    assert second.runs == ((0, 5, Style(fore="status.failed", bold=True)),)


def test_extended_colours() -> None:
    (line,) = parse_ansi("\x1b[38;5;208mo\x1b[48;2;1;2;3mp\x1b[39;49mq\x1b[38;5;2mg")
    assert line.text == "opqg"
    assert [style.fore for _, _, style in line.runs] == ["#ff8700", "#ff8700", "status.success"]
    assert line.runs[1][2].back == "#010203"


def test_a_progress_bar_shows_its_last_state() -> None:
    (line,) = parse_ansi("10%\r\x1b[32m100%\x1b[0m\r")
    assert line.text == "100%"
    assert line.runs == ((0, 4, Style(fore="status.success")),)


def test_other_sequences_leave_nothing_behind() -> None:
    (line,) = parse_ansi("\x1b]8;;https://x\x07link\x1b]8;;\x07 \x1b[2Jab\bc\x1b[1A\x07")
    assert line.text == "link ac"
    assert parse_ansi("old\x1b[2Knew")[0].text == "new"
