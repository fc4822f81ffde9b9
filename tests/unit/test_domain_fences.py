"""Prose and fenced code of a message."""

from __future__ import annotations

from posthog_code.domain.fences import Part, split_fences


def test_fences_become_code() -> None:
    message = "src/a.py, line 3:\n```python\nx = 1\n\ny = 2\n```\nWhy two?\n"
    assert split_fences(message) == [
        Part("src/a.py, line 3:", False),
        Part("x = 1\n\ny = 2", True, "python"),
        Part("Why two?", False),
    ]


def test_a_longer_fence_keeps_a_shorter_one_inside_and_an_open_one_ends_with_the_text() -> None:
    assert split_fences("````\n```\nin\n```\n````") == [Part("```\nin\n```", True)]
    assert split_fences("See\n~~~\nopen") == [Part("See", False), Part("open", True)]
    assert split_fences("`inline` and ``` in a line") == [Part("`inline` and ``` in a line", False)]
    assert split_fences("") == []
