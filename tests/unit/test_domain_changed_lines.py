"""Which lines a diff changes, against what the two texts say."""

from __future__ import annotations

import difflib

from hypothesis import given
from hypothesis import strategies as st

from posthog_code.domain.changed_lines import FileChange, changed_lines, old_text, overlaps
from posthog_code.domain.changes import FileState
from posthog_code.domain.diff_index import concat

LINES = st.lists(st.sampled_from(["alpha", "beta", "gamma", "", "# note", "x = 1"]), max_size=30)


def diff_of(old: list[str], new: list[str], path: str = "src/a.py", context: int = 3) -> bytes:
    """As git writes it."""
    body = "\n".join(difflib.unified_diff(old, new, f"a/{path}", f"b/{path}", n=context, lineterm=""))
    return f"diff --git a/{path} b/{path}\nindex 1..2 100644\n{body}\n".encode()


def change_of(old: list[str], new: list[str], context: int = 3) -> FileChange:
    return changed_lines(diff_of(old, new, context=context))["src/a.py"]


def numbers(lines: tuple[tuple[int, int], ...]) -> set[int]:
    return {number for first, last in lines for number in range(first, last + 1)}


@given(LINES, LINES, st.sampled_from([0, 1, 3]))
def test_what_was_neither_added_nor_removed_is_the_same_on_both_sides(
    old: list[str], new: list[str], context: int
) -> None:
    change = change_of(old, new, context)
    added, removed = numbers(change.added), numbers(change.removed)
    assert added <= set(range(1, len(new) + 1)) and removed <= set(range(1, len(old) + 1))
    kept = [number for number in range(1, len(old) + 1) if number not in removed]
    assert [old[n - 1] for n in kept] == [line for n, line in enumerate(new, 1) if n not in added]
    for number in kept:
        assert new[change.new_line(number) - 1] == old[number - 1]
        assert change.new_line(number) not in added


@given(LINES, LINES, st.sampled_from([0, 3]))
def test_what_a_file_was_is_made_of_what_it_is_and_the_diff(old: list[str], new: list[str], context: int) -> None:
    index = concat([diff_of(old, new, context=context)])
    was = old_text(index, changed_lines(index)["src/a.py"], "".join(f"{line}\n" for line in new).encode())
    assert was.decode() == "".join(f"{line}\n" for line in old)


@given(LINES, LINES)
def test_said_lines_are_added_ones_that_say_something(old: list[str], new: list[str]) -> None:
    change = change_of(old, new)
    said = numbers(change.said)
    assert said == {n for n in numbers(change.added) if new[n - 1] and not new[n - 1].startswith("#")}
    for cut in change.cuts:
        assert 0 <= cut <= len(new)


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 3)), max_size=6), st.integers(1, 60), st.integers(0, 5))
def test_overlap_is_what_sets_say(spans: list[tuple[int, int]], first: int, more: int) -> None:
    lines: list[tuple[int, int]] = []
    at = 0
    for gap, length in spans:
        lines.append((at + gap + 1, at + gap + 1 + length))
        at = lines[-1][1]
    wanted = bool(numbers(tuple(lines)) & set(range(first, first + more + 1)))
    assert overlaps(tuple(lines), first, first + more) == wanted


def test_a_line_that_is_gone_is_where_it_would_be() -> None:
    change = change_of(["a", "b", "c", "d"], ["a", "x", "d"])
    assert change.removes(2) and change.removes(3) and not change.removes(4)
    assert change.new_line(2) == 2 and change.new_line(3) == 2 and change.new_line(4) == 3


def test_only_code_that_went_away_leaves_a_cut() -> None:
    change = change_of(
        ["def f():", "    send()", "    # why", "    return 1"], ["def f():", "    # why", "    return 1"]
    )
    assert change.cuts == (1,) and change.touches(1, 3) and not change.touches(2, 3)
    comment = change_of(["def f():", "    # why", "    return 1"], ["def f():", "    return 1"])
    assert comment.cuts == () and not comment.touches(1, 2)


def test_comments_and_white_space_touch_nothing() -> None:
    old = ["function f() {", "  return 1;", "}"]
    new = ["function f() {", "  // says why", "", "  /* more", "   * and more */", "  return 1;", "}"]
    change = changed_lines(diff_of(old, new, "a.ts"))["a.ts"]
    assert numbers(change.added) == {2, 3, 4, 5} and change.said == () and not change.touches(1, 7)


def test_both_sides_of_added_deleted_and_renamed_files() -> None:
    added = (
        b"diff --git a/new.go b/new.go\nnew file mode 100644\nindex 0..1\n--- /dev/null\n+++ b/new.go\n"
        b"@@ -0,0 +1,2 @@\n+package a\n+\n\\ No newline at end of file\n"
    )
    gone = (
        b"diff --git a/old.go b/old.go\ndeleted file mode 100644\nindex 1..0\n--- a/old.go\n+++ /dev/null\n"
        b"@@ -1,3 +0,0 @@\n-package a\n-func f() {}\n-\n"
    )
    moved = (
        b"diff --git a/from.rb b/to.rb\nsimilarity index 90%\nrename from from.rb\nrename to to.rb\nindex 1..2 100644\n"
        b"--- a/from.rb\n+++ b/to.rb\n@@ -2 +2,2 @@ def a\n-  x\n+  y\n+  z\n"
    )
    found = changed_lines([added + gone, moved])
    assert found["new.go"].added == ((1, 2),) and found["new.go"].said == ((1, 1),) and not found["new.go"].old_path
    assert found["old.go"].removed == ((1, 3),) and found["old.go"].state is FileState.DELETED
    assert found["to.rb"].old_path == "from.rb" and found["to.rb"].added == ((2, 3),)
    assert found["to.rb"].new_line(3) == 4


def test_binary_files_merges_and_unwanted_ones_have_no_lines() -> None:
    data = (
        b"diff --git a/p.png b/p.png\nindex 1..2 100644\nBinary files a/p.png and b/p.png differ\n"
        b"diff --cc m.py\nindex 1,2..3\n--- a/m.py\n+++ b/m.py\n@@@ -1,1 -1,1 +1,2 @@@\n++x\n"
        + diff_of(["a"], ["b"], "keep.py")
        + diff_of(["a"], ["b"], "leave.py")
    )
    assert set(changed_lines(data, lambda path: path != "leave.py")) == {"keep.py"}
    assert set(changed_lines(concat([data]))) == {"keep.py", "leave.py"}


def test_a_very_long_file_is_read_without_looking_at_each_line() -> None:
    count = 60_000
    head = b"diff --git a/g.py b/g.py\nnew file mode 100644\n--- /dev/null\n+++ b/g.py\n@@ -0,0 +1,60000 @@\n"
    found = changed_lines([head, b"+# a comment\n" * count])["g.py"]
    assert found.added == ((1, count),) and found.said == ((1, count),)
