"""The index over what real git writes, whatever the files hold."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from posthog_code.domain.changes import FileState
from posthog_code.domain.diff_header import parse_header, unquote
from posthog_code.domain.diff_index import DiffIndex, Row, concat, file_bytes, hunk_label
from posthog_code.domain.diff_split import SplitRows
from posthog_code.domain.diff_words import word_changes
from posthog_code.domain.hunk import copy_code, copy_patch, hunk_key, patch_for_hunk

ENV = {
    **os.environ,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "t",
    "GIT_AUTHOR_EMAIL": "t@example.org",
    "GIT_COMMITTER_NAME": "t",
    "GIT_COMMITTER_EMAIL": "t@example.org",
}


def git(folder: Path, *words: str, data: bytes | None = None) -> bytes:
    done = subprocess.run(["git", *words], cwd=folder, env=ENV, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "r"
    folder.mkdir()
    git(folder, "init", "-q")
    git(folder, "config", "core.autocrlf", "false")
    return folder


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "x", "--allow-empty")


def diff(folder: Path, *words: str) -> bytes:
    git(folder, "add", "-A", "-N")
    return git(folder, "diff", "--full-index", "-M", *words, "HEAD")


def test_a_plain_change(repository: Path) -> None:
    (repository / "a.py").write_text("".join(f"line {n}\n" for n in range(1, 31)))
    commit(repository)
    lines = [f"line {n}" for n in range(1, 31)]
    lines[4] = "line five"
    lines.insert(25, "new line")
    (repository / "a.py").write_text("\n".join(lines) + "\n")
    index = concat([diff(repository)])
    (file,) = index.files
    assert (file.path, file.added, file.removed, file.header.state) == ("a.py", 2, 1, FileState.MODIFIED)
    assert [index.kinds[row] for row in index.section_rows] == [Row.FILE, Row.HUNK, Row.HUNK]
    first, second = index.hunks(0)
    assert (first.old, first.old_lines, first.new, first.new_lines) == (2, 7, 2, 7)
    assert index.text(first.row + 4) == "line 5" and index.numbers(first.row + 4) == (5, 0)
    assert index.text(first.row + 5) == "line five" and index.numbers(first.row + 5) == (0, 5)
    assert index.find_line("a.py", "new", 26) == second.row + 4
    assert index.find_line("a.py", "old", 5) == first.row + 4
    assert index.find_line("a.py", "new", 15) == -1
    assert index.find_line("b.py", "new", 1) == -1
    assert copy_code(index, range(first.row, first.row + 6)).splitlines()[-2:] == ["line 5", "line five"]


def test_every_kind_of_file(repository: Path) -> None:
    write = {
        "mode.sh": "echo\n",
        "gone.txt": "a\nb\n",
        "moved.txt": "".join(f"{n}\n" for n in range(50)),
        "moved and edited.txt": "".join(f"z{n}\n" for n in range(50)),
        "bin": "\0\1\2",
        "crlf.txt": "a\r\nb\r\n",
        "no newline": "a\nb",
        'tab\tand "quote" é.txt': "x\n",
    }
    for name, text in write.items():
        (repository / name).write_bytes(text.encode())
    odd = os.fsencode(repository) + b"/caf\xe9.txt"
    with open(odd, "wb") as file:
        file.write(b"latin\n")
    commit(repository)
    (repository / "mode.sh").chmod(0o755)
    (repository / "gone.txt").unlink()
    (repository / "moved.txt").rename(repository / "here.txt")
    (repository / "moved and edited.txt").rename(repository / "edited too.txt")
    with (repository / "edited too.txt").open("a") as file_:
        file_.write("one more\n")
    (repository / "bin").write_bytes(b"\0\3")
    (repository / "crlf.txt").write_bytes(b"a\r\nB\r\n")
    (repository / "no newline").write_bytes(b"a\nB")
    (repository / 'tab\tand "quote" é.txt').write_text("y\n")
    (repository / "empty").touch()
    with open(odd, "wb") as file:
        file.write(b"lat\xeen\n")
    index = concat([diff(repository)])
    by_path = {file.path: file for file in index.files}
    assert set(by_path) == {
        "mode.sh", "gone.txt", "here.txt", "edited too.txt", "bin", "crlf.txt", "no newline",
        "tab\tand \"quote\" é.txt", "empty", "caf\udce9.txt",
    }  # fmt: skip
    assert by_path["mode.sh"].notes == ["Mode changed from 100644 to 100755"]
    assert by_path["gone.txt"].header.state is FileState.DELETED and by_path["gone.txt"].removed == 2
    assert by_path["here.txt"].header.old_path == "moved.txt" and "unchanged" in by_path["here.txt"].notes[0]
    assert by_path["edited too.txt"].header.state is FileState.RENAMED and by_path["edited too.txt"].added == 1
    assert by_path["bin"].header.binary and by_path["bin"].added == 0
    assert by_path["empty"].notes == ["Empty file"] and by_path["empty"].header.state is FileState.ADDED
    assert index.kinds.count(Row.NO_NEWLINE) == 2
    row = index.find_line("crlf.txt", "new", 2)
    assert index.line(row) == b"+B\r" and index.text(row) == "B\r"
    assert index.text(by_path["mode.sh"].row + 1).startswith("Mode changed")
    assert sum(len(file_bytes(index, number)) for number in range(len(index.files))) == len(index.data)


def test_a_merge_conflict_is_shown_as_it_is(repository: Path) -> None:
    (repository / "a").write_text("1\n")
    commit(repository)
    git(repository, "checkout", "-qb", "other")
    (repository / "a").write_text("2\n")
    commit(repository)
    git(repository, "checkout", "-q", "-")
    (repository / "a").write_text("3\n")
    commit(repository)
    subprocess.run(["git", "merge", "-q", "other"], cwd=repository, env=ENV, capture_output=True, check=False)
    index = concat([git(repository, "diff")])
    assert index.files[0].path == "a" and index.files[0].header.combined
    assert index.files[0].header.state is FileState.CONFLICTED
    assert Row.RAW in index.kinds and not index.hunk_rows


def test_headers() -> None:
    assert unquote(rb'"a\tb\303\251\""') == b'a\tb\xc3\xa9"'
    header = parse_header([b"diff --git a/x y b/x y", b"old mode 100644", b"new mode 100755"])
    assert header.path == "x y"
    header = parse_header([b"diff --git a/lib b/lib", b"index 11..22 160000", b"--- a/lib", b"+++ b/lib"])
    assert header.submodule
    assert hunk_label("@@ -1,2 +3,4 @@ def f():") == ("@@ -1,2 +3,4 @@", "def f():")
    assert concat([b"warning: something\n"]).files == []
    assert concat([]).finished


def test_lines_that_look_like_headers(repository: Path) -> None:
    (repository / "a.sql").write_text("-- a comment\n++ b\nkeep\n")
    commit(repository)
    (repository / "a.sql").write_text("keep\ndiff --git a/x b/x\n@@ -1 +1 @@\n")
    index = concat([diff(repository)])
    assert len(index.files) == 1 and (index.files[0].added, index.files[0].removed) == (2, 2)


def test_words() -> None:
    old, new = "return retry(call, key)", "return withRetry(call, { key })"
    before, after = word_changes(old, new)
    assert [old[a:b] for a, b in before] == ["retry"]
    assert [new[a:b] for a, b in after] == ["withRetry", "{", "}"]
    assert word_changes("same", "same") == ((), ())
    assert word_changes("abc", "xyz") == ((), ())
    before, after = word_changes("a = 1  # x", "a = 1  # y z")
    assert [("a = 1  # y z")[a:b] for a, b in after] == ["y z"]
    assert before == ((9, 10),)


NAMES = st.sampled_from(["a.txt", "b c.txt", 'q"uote', "tab\there", "sub/dir/é.py"])
LINE = st.sampled_from(
    [
        b"",
        b"a",
        b"b",
        b"-- x",
        b"++ y",
        b"+",
        b"-",
        b" ",
        b"\\ no",
        b"@@ -1 +1 @@",
        b"diff --git a/x b/x",
        b"\xff\xfe",
        b"a\r",
        b"\ta b",
    ]
)


@st.composite
def contents(draw: st.DrawFn) -> bytes:
    lines = draw(st.lists(LINE, max_size=60))
    return b"\n".join(lines) + draw(st.sampled_from([b"", b"\n"]))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    before=st.dictionaries(NAMES, contents(), max_size=3),
    after=st.dictionaries(NAMES, contents(), max_size=3),
    cut=st.integers(1, 97),
    context=st.integers(1, 4),
)
def test_each_hunk_can_be_taken_back(
    tmp_path_factory: pytest.TempPathFactory, before: dict[str, bytes], after: dict[str, bytes], cut: int, context: int
) -> None:
    folder = tmp_path_factory.mktemp("r")
    git(folder, "init", "-q")
    _write(folder, before)
    commit(folder)
    for name in before:
        (folder / name).unlink()
    _write(folder, after)
    output = diff(folder, f"-U{context}")
    index = DiffIndex()
    for start in range(0, len(output), cut):
        index.feed(output[start : start + cut])
    index.finish()
    assert bytes(index.kinds) == bytes(concat([output]).kinds)
    _check_rows(index, before, after)
    _check_split(index)
    for number in reversed(range(len(index.hunk_rows))):
        git(folder, "apply", "-R", "--whitespace=nowarn", "-", data=patch_for_hunk(index, index.hunk(number)))
    for name, data in before.items():
        file = folder / name
        # What has no hunks (an empty file that went, a binary one) is taken back by other means.
        if index.find_file(name) >= 0 and any(index.hunks(index.find_file(name))):
            assert file.read_bytes() == data
    keys = [hunk_key(index, index.hunk(number)) for number in range(len(index.hunk_rows))]
    assert len(set(keys)) == len(keys)


def _write(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def _check_rows(index: DiffIndex, before: dict[str, bytes], after: dict[str, bytes]) -> None:
    for row in range(len(index)):
        old, new = index.numbers(row)
        file = index.files[index.file_of(row)]
        if old:
            source = before[file.header.old_path or file.path].split(b"\n")
            assert source[old - 1] == index.line(row)[1:]
            assert index.find_line(file.path, "old", old) == row
        if new:
            assert after[file.path].split(b"\n")[new - 1] == index.line(row)[1:]
            assert index.find_line(file.path, "new", new) == row


def _check_split(index: DiffIndex) -> None:
    split = SplitRows(index)
    split.update()
    seen: set[int] = set()
    last = -1
    for place in range(len(split)):
        left, right = split.pair(place)
        assert left >= 0 or right >= 0
        for row in {left, right} - {-1}:
            assert split.place_of(row) == place
            seen.add(row)
        last = max(last, left, right)
    assert seen == set(range(len(index)))


def test_split_rows_grow_with_the_index() -> None:
    body = b"@@ -1,3 +1,4 @@\n a\n-b\n-c\n+d\n+e\n+f\n a\n"
    output = b"diff --git a/x b/x\n--- a/x\n+++ b/x\n" + body * 3
    whole = concat([output])
    split = SplitRows(whole)
    split.update()
    for size in (1, 5, 17):
        index = DiffIndex()
        growing = SplitRows(index)
        for start in range(0, len(output), size):
            index.feed(output[start : start + size])
            growing.update()
        index.finish()
        growing.update()
        assert [growing.pair(n) for n in range(len(growing))] == [split.pair(n) for n in range(len(split))]


def test_a_patch_of_chosen_lines(repository: Path) -> None:
    (repository / "a").write_text("1\n2\n3\n")
    commit(repository)
    (repository / "a").write_text("1\ntwo\nthree\n3\n4\n")
    index = concat([diff(repository)])
    row = index.find_line("a", "new", 3)
    patch = copy_patch(index, row, row)
    git(repository, "checkout", "-q", "--", "a")
    git(repository, "apply", "-", data=patch)
    assert (repository / "a").read_text() == "1\n2\nthree\n3\n"
    assert copy_patch(index, 0, 1) == b""


def test_memory_stays_below_twice_the_bytes() -> None:
    body = b"".join(b"+    value_%d = self.index(limit=%d)\n" % (n, n) for n in range(20_000))
    index = DiffIndex()
    index.feed(b"diff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n@@ -0,0 +1,20000 @@\n" + body)
    index.finish()
    held = index.data.__sizeof__() + index.kinds.__sizeof__() + index.offsets.__sizeof__()
    assert held < 2 * len(index.data)
    assert index.numbers(len(index) - 1) == (0, 20_000)
    assert index.find_line("x", "new", 12_345) == 12_346
