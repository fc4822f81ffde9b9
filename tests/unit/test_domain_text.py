"""Words and numbers as people read them."""

from __future__ import annotations

import pytest

from posthog_code.domain.text import slug, title_from_prompt


@pytest.mark.parametrize(
    ("prompt", "title"),
    [
        ("Look at @src/cart/cartStore.ts and fix the total. Then stop.", "Fix the total"),
        ("look at @src/cart/cartStore.ts and fix it", "look at cartStore.ts and fix it"),
        ("Rename @src/a.ts, @b/c.py and (@d) as @e/f/ says", "Rename a.ts, c.py and (@d) as f says"),
        ("Explain @src/cart/cartStore.ts.", "Explain cartStore.ts"),
        ("Ask me@example.com or @team", "Ask me@example.com or team"),
        ("Fix the retry", "Fix the retry"),
        ("  \n", "New task"),
        ("@", "@"),
    ],
)
def test_titles_of_prompts(prompt: str, title: str) -> None:
    assert title_from_prompt(prompt) == title


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Explain src/cart/cartStore.ts", "explain-cartstore-ts"),
        ("Look at /home/me/x/a_b.py:12 now", "look-at-a-b-py-12-now"),
        ("Tabs and/or spaces", "tabs-and-or-spaces"),
        ("feature/login", "feature-login"),
        ("release/v1.2", "release-v1-2"),
        ("…", "task"),
    ],
)
def test_slugs(text: str, name: str) -> None:
    assert slug(text) == name
