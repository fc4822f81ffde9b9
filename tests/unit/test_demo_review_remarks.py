"""What the demo agent takes for a place that it is asked to change."""

from __future__ import annotations

import pytest

from posthog_code.demo.agent.scenarios.review import likely_files, remarks


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("src/a.ts:12 please use 48", [("src/a.ts", 12, 12, "please use 48")]),
        ("@src/a.ts#L3-L5: why?", [("src/a.ts", 3, 5, "why?")]),
        ("src/a.ts, line 7:\n```\ncode.at:9\n```\nToo long", [("src/a.ts", 7, 7, "Too long")]),
        ("src/a.ts, lines 7-9 (before the change):\n```\nx\n```\nKeep it", [("src/a.ts", 7, 9, "Keep it")]),
        ("a.py:1 one\nb.py:2 two\nmore", [("a.py", 1, 1, "one"), ("b.py", 2, 2, "two more")]),
        ("Make it faster. It took 12 s", []),
    ],
)
def test_places(prompt: str, expected: list[tuple[str, int, int, str]]) -> None:
    assert [(one.path, one.first, one.last, one.text) for one in remarks(prompt)] == expected


def test_an_address_is_no_place() -> None:
    assert remarks("See http://127.0.0.1:38341/project/1/inbox/b9 and src/a.ts:12: mend it")[0].path == "src/a.ts"


def test_the_likely_files_of_a_report() -> None:
    prompt = "Mend it.\n\n## Likely files\n- `src/media/uploader.ts:14`\n- `src/a b`\n\n## Verify\n- `src/other.ts`"
    assert likely_files(prompt) == ["src/media/uploader.ts"]
