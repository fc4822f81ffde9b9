"""Lines are followed from checkpoint to checkpoint."""

from __future__ import annotations

import difflib
import itertools

from hypothesis import given
from hypothesis import strategies as st

from posthog_code.domain.diff_index import concat
from posthog_code.domain.provenance import YOU, Edit, FileEdits, Segment, Stretch, attribute, edits_of

P = "a.py"


def segment(author: int, *edits: tuple[int, int, int, int], path: str = P, old_path: str = "") -> Segment:
    return Segment(author, (FileEdits(path, old_path, tuple(Edit(*edit) for edit in edits)),))


def test_a_turn_and_a_person() -> None:
    found = attribute([segment(1, (2, 1, 2, 3)), segment(YOU, (3, 1, 3, 1)), segment(2, (9, 0, 10, 1))])
    assert found[P, "new"] == (Stretch(2, 2, 1), Stretch(3, 3, YOU), Stretch(4, 4, 1), Stretch(10, 10, 2))
    assert found[P, "old"] == (Stretch(2, 2, 1),)


def test_what_was_added_and_taken_away_again_leaves_nothing() -> None:
    found = attribute([segment(1, (4, 0, 5, 2)), segment(2, (5, 2, 4, 0))])
    assert found[P, "new"] == () and found[P, "old"] == ()


def test_lines_follow_their_file_through_a_new_name() -> None:
    found = attribute([segment(1, (1, 0, 2, 1)), segment(2, (5, 1, 5, 1), path="b.py", old_path=P)])
    assert found["b.py", "new"] == (Stretch(2, 2, 1), Stretch(5, 5, 2))
    assert (P, "new") not in found


def test_edits_of_a_diff() -> None:
    index = concat([
        b"diff --git a/a.py b/a.py\nindex 1..2 100644\n--- a/a.py\n+++ b/a.py\n"
        b"@@ -2 +2,2 @@\n-two\n+2\n+2b\n@@ -5,0 +7 @@\n+new\n"
    ])  # fmt: skip
    assert edits_of(index) == (FileEdits("a.py", "", (Edit(2, 1, 2, 2), Edit(5, 0, 7, 1))),)


def edits_between(old: list[str], new: list[str]) -> tuple[tuple[int, int, int, int], ...]:
    found = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            found.append((a + 1 if b > a else a, b - a, c + 1 if d > c else c, d - c))
    return tuple(found)


LINES = st.lists(st.sampled_from("abcdef"), max_size=12)


@given(st.lists(LINES, min_size=1, max_size=5))
def test_every_line_that_differs_has_an_author_and_no_other(versions: list[list[str]]) -> None:
    segments = [segment(n, *edits_between(a, b)) for n, (a, b) in enumerate(itertools.pairwise(versions))]
    found = attribute(segments)
    written = {line for s in found.get((P, "new"), ()) for line in range(s.start, s.end + 1)}
    gone = {line for s in found.get((P, "old"), ()) for line in range(s.start, s.end + 1)}
    first, last = versions[0], versions[-1]
    assert written <= set(range(1, len(last) + 1)) and gone <= set(range(1, len(first) + 1))
    # What nobody wrote is what nobody took away, in the same order.
    kept = [text for number, text in enumerate(first, 1) if number not in gone]
    assert kept == [text for number, text in enumerate(last, 1) if number not in written]
