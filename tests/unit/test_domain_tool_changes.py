"""A diff from what tool calls tell."""

from __future__ import annotations

from posthog_code.domain.changes import FileState, Scope
from posthog_code.domain.diff_index import DiffIndex
from posthog_code.domain.tool_changes import change_set, diff_of, edited, relative, shared_folder
from posthog_code.domain.transcript import DiffContent, ToolCall


def call(*diffs: DiffContent, status: str = "completed") -> ToolCall:
    return ToolCall(key="k", at=0.0, call_id="c", kind="edit", status=status, diffs=diffs)


def test_edits_become_a_diff_that_the_index_reads() -> None:
    items = [
        call(DiffContent("/home/ada/app/src/a.py", "one\ntwo\n", "one\nthree\n")),
        call(DiffContent("/home/ada/app/src/a.py", "x = 1", "x = 2")),
        call(DiffContent("/home/ada/app/new.md", "", "hello\nworld\n", created=True)),
        call(DiffContent("/home/ada/app/src/a.py", "never", "applied"), status="failed"),
    ]
    files = edited(items, "/home/ada/app")
    assert [file.path for file in files] == ["new.md", "src/a.py"]
    found = change_set(files, Scope.ALL)
    assert [(f.path, f.state, f.added, f.removed) for f in found.files] == [
        ("new.md", FileState.ADDED, 2, 0),
        ("src/a.py", FileState.MODIFIED, 2, 2),
    ]
    index = DiffIndex()
    for file in files:
        index.feed(diff_of(file))
    index.finish()
    assert [(f.path, f.added, f.removed) for f in index.files] == [("new.md", 2, 0), ("src/a.py", 2, 2)]
    assert len(list(index.hunks(1))) == 2


def test_whole_files_that_follow_on_each_other_are_one_change() -> None:
    items = [
        call(DiffContent("/w/a", "1\n", "2\n")),
        call(DiffContent("/w/a", "2\n", "3\n")),
        call(DiffContent("/w/b", "1\n", "2\n")),
        call(DiffContent("/w/b", "2\n", "1\n")),
        call(DiffContent("/w/c", "", "draft\n", created=True)),
        call(DiffContent("/w/c", "draft\n", "final\n")),
    ]
    files = edited(items)
    assert [(f.path, f.created, [(e.old, e.new) for e in f.edits]) for f in files] == [
        ("a", False, [("1\n", "3\n")]),
        ("c", True, [("", "final\n")]),
    ]


def test_paths() -> None:
    assert shared_folder(["/a/b/c/d.py", "/a/b/e.py", "relative.py"]) == "/a/b"
    assert shared_folder([]) == ""
    assert relative("/a/b/c.py", "/a/b") == "c.py"
    assert relative("c.py", "/a/b") == "c.py"
    assert relative("/elsewhere/c.py", "/a/b") == "elsewhere/c.py"
