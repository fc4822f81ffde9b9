from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthog_code.adapters.git.capture import odd_entries
from posthog_code.adapters.git.carry import _may_match_below
from posthog_code.adapters.git.cli import command_line, environment
from posthog_code.adapters.git.contents import Contents
from posthog_code.adapters.git.failures import command_name, explain, redact
from posthog_code.adapters.git.guard import WriteGuard
from posthog_code.adapters.git.names import branch_ref, hidden_ref, is_ref_name
from posthog_code.adapters.git.places import Marker, locate, read_marker, write_marker
from posthog_code.adapters.git.summaries import Row, merge, parse
from posthog_code.domain.changes import FileState
from posthog_code.domain.errors import (
    Conflict,
    GitFailed,
    InvalidInput,
    NotFound,
    NotSignedIn,
    Offline,
    Refused,
    StorageFailed,
    UserError,
)


@pytest.mark.parametrize("name", ["main", "a/b-c_d.e", "posthog-code/fix-1", "ümlaut", "@x", "a@b"])
def test_good_names(name: str) -> None:
    assert branch_ref(name) == f"refs/heads/{name}"


@pytest.mark.parametrize(
    "name",
    ["", "-x", "--force", "a b", "a..b", "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b", "/a", "a/", "a//b", "a.lock",
     "a.lock/b", ".a", "a/.b", "a.", "@", "a@{1}", "a\nb", "a\0b", "HEAD"],
)  # fmt: skip
def test_bad_names(name: str) -> None:
    with pytest.raises(InvalidInput):
        branch_ref(name)


@given(st.text(max_size=12))
def test_a_name_is_never_an_option(name: str) -> None:
    if is_ref_name(name):
        assert not name.startswith("-") and " " not in name and "\0" not in name and ".." not in name


def test_hidden_refs_stay_in_their_corner() -> None:
    assert hidden_ref("refs/posthog-code/t/1") == "refs/posthog-code/t/1"
    for ref in ("refs/heads/main", "refs/posthog-code/../heads/main", "refs/posthog-codex/a"):
        with pytest.raises(InvalidInput):
            hidden_ref(ref)


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        ("fatal: write error: No space left on device", StorageFailed),
        ("error: unable to create file x: Read-only file system", StorageFailed),
        ("fatal: could not read Username for 'https://x': terminal prompts disabled", NotSignedIn),
        ("git@github.com: Permission denied (publickey).\nfatal: Could not read from remote repository.", NotSignedIn),
        ("remote: Permission to a/b.git denied to ada.\nfatal: The requested URL returned error: 403", NotSignedIn),
        ("ssh: Could not resolve hostname x\nfatal: Could not read from remote repository.\n\n"
         "Please make sure you have the correct access rights", Offline),
        ("fatal: unable to access 'https://x/': Could not resolve host: x", Offline),
        ("ERROR: Repository not found.\nfatal: Could not read from remote repository. access rights", NotFound),
        ("remote: error: GH006: Protected branch update failed for refs/heads/main.", Refused),
        ("! [rejected] a -> a (non-fast-forward)", Conflict),
        ("! [rejected] a -> a (fetch first)\nerror: failed to push some refs", Conflict),
        ("fatal: 'x' is already checked out at '/y'", Conflict),
        ("fatal: 'x' is already used by worktree at '/y'", Conflict),
        ("fatal: Unable to create '/x/index.lock': File exists.", Conflict),
        ("fatal: detected dubious ownership in repository at '/x'", InvalidInput),
        ("*** Please tell me who you are.", Refused),
        ("something else", GitFailed),
    ],
)  # fmt: skip
def test_failures_have_a_kind_and_a_sentence(output: str, kind: type[UserError]) -> None:
    error = explain(("-c", "a=b", "push", "origin"), 128, output)
    assert type(error) is kind and error.title.endswith(".")
    assert error.detail.startswith(output.splitlines()[0])


def test_secrets_are_taken_out() -> None:
    assert redact("fatal: https://ada:secret@host/x failed") == "fatal: https://host/x failed"
    assert "secret" not in command_line(("push", "https://ada:secret@host/x"))
    assert command_name(("-c", "core.x=y", "--literal-pathspecs", "diff", "a")) == "diff"


def test_environment_does_not_lead_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, "/elsewhere")
    env = environment(read=True)
    assert not {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"} & env.keys()
    assert env["GIT_OPTIONAL_LOCKS"] == "0" and env["GIT_TERMINAL_PROMPT"] == "0"
    assert "GIT_OPTIONAL_LOCKS" not in environment(read=False)


def test_parse_reads_renames_binaries_and_odd_names() -> None:
    a, b, zero = b"a" * 40, b"b" * 40, b"0" * 40
    output = b"\0".join(
        [
            b":100644 100644 " + a + b" " + zero + b" M", b"x\ty",
            b":100644 100644 " + a + b" " + b + b" R087", b"old", b"new\nname",
            b":000000 100755 " + zero + b" " + b + b" A", b"\xff",
            b"3\t4\tx\ty", b"1\t0\t", b"old", b"new\nname", b"-\t-\t\xff", b"",
        ]
    )  # fmt: skip
    rows = parse(output)
    assert [(row.path, row.state, row.old_path, row.added, row.removed, row.binary) for row in rows] == [
        ("x\ty", FileState.MODIFIED, "", 3, 4, False),
        ("new\nname", FileState.RENAMED, "old", 1, 0, False),
        ("\udcff", FileState.ADDED, "", 0, 0, True),
    ]
    assert parse(b"") == []
    assert merge([Row("gone", FileState.ADDED, counted=False)], {}) == ()


def test_odd_entries() -> None:
    blob = "1" * 40
    listing = (
        f"H 100644 {blob} 0\tplain\0h 100644 {blob} 0\tassumed\0S 100644 {blob} 0\tskipped\0"
        f"M 100644 {blob} 2\tours\0H 160000 {blob} 0\tmodule\0"
    ).encode()
    assert [(entry.flag, entry.stage, entry.path) for entry in odd_entries(listing)] == [
        ("h", "0", "assumed"),
        ("S", "0", "skipped"),
        ("M", "2", "ours"),
        ("H", "0", "module"),
    ]
    assert odd_entries(b"") == []


def test_patterns_that_may_match_in_an_ignored_folder() -> None:
    assert _may_match_below([".env"], "node_modules/")
    assert _may_match_below(["/node_modules/a/"], "node_modules/")
    assert not _may_match_below(["/other/a", "# x", ""], "node_modules/")


def test_contents_remember_only_what_stays_the_same(tmp_path: Path) -> None:
    contents = Contents()
    file = tmp_path / "a"
    file.write_bytes(b"one\ntwo")
    first = contents.of(tmp_path, ["a", "missing"])
    assert first["a"].lines == 2 and not first["a"].binary and list(first) == ["a"]
    assert first["a"].blob == "9ed40b44250875c2c4532588b014ab45a1799a0f"
    file.write_bytes(b"x" * 3_000_000 + b"\n")
    assert contents.of(tmp_path, ["a"])["a"].lines == 1


def test_guard_knows_a_main_checkout_by_any_name(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    (repo / ".git" / "worktrees").mkdir(parents=True)
    (repo / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (tmp_path / "alias").symlink_to(repo)
    guard = WriteGuard()
    for path in (repo, tmp_path / "alias", tmp_path, Path("/"), repo / ".git" / "worktrees" / "x", repo / "..", repo):
        with pytest.raises(Refused):
            guard.outside_main(repo, path)
    guard.outside_main(repo, tmp_path / "elsewhere")
    for path in (repo, tmp_path / "alias"):
        with pytest.raises(Refused):
            guard.writable(path)
        with pytest.raises(Refused):
            guard.removable(repo, path, "t")
    assert WriteGuard(lambda path: path == repo).writable(repo).top == repo


def test_marker_must_belong_to_the_folder(tmp_path: Path) -> None:
    repo, tree, copy = tmp_path / "repo", tmp_path / "tree", tmp_path / "copy"
    admin = repo / ".git" / "worktrees" / "tree"
    admin.mkdir(parents=True)
    (repo / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (admin / "HEAD").write_text("ref: refs/heads/x\n")
    (admin / "commondir").write_text("../..\n")
    (admin / "gitdir").write_text(f"{tree}/.git\n")
    write_marker(admin, Marker("t", 5.0, "abc"))
    for folder in (tree, copy):
        folder.mkdir()
        (folder / ".git").write_text(f"gitdir: {admin}\n")
    guard = WriteGuard()
    assert guard.removable(repo, tree, "t").git_dir == admin and read_marker(admin) == Marker("t", 5.0, "abc")
    with pytest.raises(Refused, match="no mark"):  # somebody's copy of our worktree is not ours
        guard.removable(repo, copy, "t")
    (admin / "posthog-code-task").write_text("{broken")
    with pytest.raises(Refused, match="no mark"):
        guard.removable(repo, tree, "t")
    assert locate(tmp_path) is None
    os.unlink(tree / ".git")
    with pytest.raises(NotFound):
        guard.removable(repo, tree, "t")
