"""Tokens as colours, sizes and fonts."""

from __future__ import annotations

import subprocess
import sys

import pytest

from posthog_code.ui.theme.syntax import syntax_runs
from posthog_code.ui.theme.theme import Theme, parse_color
from posthog_code.ui.theme.tokens import flatten, tokens


def luminance(theme: Theme, path: str) -> float:
    def channel(value: float) -> float:
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    color = theme.color(path)
    return 0.2126 * channel(color.redF()) + 0.7152 * channel(color.greenF()) + 0.0722 * channel(color.blueF())


def contrast(theme: Theme, one: str, other: str) -> float:
    light, dark = sorted((luminance(theme, one), luminance(theme, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_eight_digits_are_red_green_blue_alpha() -> None:
    color = parse_color("#0B0A0990")
    assert (color.red(), color.green(), color.blue(), color.alpha()) == (0x0B, 0x0A, 0x09, 0x90)
    assert Theme("dark").css("surface.scrim") == "rgba(11, 10, 9, 144)"
    assert Theme("dark").css("surface.window") == "#191715"


@pytest.mark.parametrize("name", ["dark", "light"])
def test_both_looks_have_the_same_tokens(name: str) -> None:
    tree = tokens()["color"]
    assert set(flatten(tree[name])) == set(flatten(tree["dark"]))


@pytest.mark.parametrize("name", ["dark", "light"])
def test_text_can_be_read_on_every_surface(name: str) -> None:
    theme = Theme(name)
    for text in ("text.primary", "text.secondary", "text.muted", "text.link"):
        for surface in ("window", "sidebar", "panel", "inset", "raised", "overlay", "hover", "active", "selected"):
            assert contrast(theme, text, f"surface.{surface}") >= 4.5, (text, surface)


def test_rows_follow_the_text_size_and_gaps_do_not() -> None:
    small, large = Theme("dark"), Theme("dark", text_size=18)
    assert small.size("row.task") == 44
    assert large.size("row.task") == 61
    assert large.size("type.body.size") == 18
    assert large.size("space.4") == small.size("space.4") == 8
    assert large.size("control.splitter.line") == 1
    assert Theme("dark", text_size=40).text_size == 18
    assert Theme("nothing such").name == "dark"


def test_options_change_colours() -> None:
    assert Theme("dark", color_blind=True).color("diff.add.bg").name() == "#16283a"
    high = Theme("dark", high_contrast=True)
    assert high.color("border.subtle") == high.color("border.control")
    assert Theme("dark").key != high.key


def test_unknown_tokens_are_errors() -> None:
    with pytest.raises(KeyError):
        Theme("dark").color("surface.nothing")


def test_syntax_runs_are_per_line_and_in_utf16() -> None:
    first, second = syntax_runs("x = '😀'  # note\nreturn f(1)", "a.py")
    assert (4, 4, "syntax.string") in first
    assert (10, 6, "syntax.comment") in first
    assert (0, 6, "syntax.keyword") in second
    assert (7, 1, "syntax.function") in second
    assert syntax_runs("a\nb", "no-such-language") == [[], []]
    assert syntax_runs("let a = 1", "ts")[0][0] == (0, 3, "syntax.keyword")


def test_importing_the_theme_is_cheap() -> None:
    program = (
        "import sys; import posthog_code.ui.theme, posthog_code.ui.theme.icons, posthog_code.ui.theme.glyphs;"
        "import posthog_code.ui.theme.syntax, posthog_code.ui.kit.markdown;"
        "heavy = {'pygments', 'httpx', 'acp', 'keyring', 'git', 'qtawesome', 'markdown_it'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
