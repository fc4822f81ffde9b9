"""Where people and machines enter code: labelled cases, and the lines that an entry point covers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from posthog_code.adapters.code import make_code_reader
from posthog_code.domain.code_use import EntryKind
from posthog_code.resources import resources_dir
from tests.code_cases import Case, cases

LABELLED = cases("entries")


@pytest.mark.parametrize("case", LABELLED, ids=lambda case: case.name)
def test_entries_are_found(case: Case, tmp_path: Path) -> None:
    found = asyncio.run(make_code_reader().read(tmp_path, case.files, case.texts))
    seen = {
        (path, entry.line, entry.kind.value, entry.name, "", "")
        for path, file in found.items()
        for entry in file.entries
    }
    assert seen == case.expected
    assert {file.problem for file in found.values()} <= {""}


def test_an_entry_covers_its_body() -> None:
    text = b"""
app.post('/pay',
  check,
  async (request, response) => {
    try {
      await pay();
    } catch (error) {
      fail(error);
    }
  });
"""
    route, failed = make_code_reader().read_text("src/server.js", text).entries
    assert (route.kind, route.line, route.end_line) == (EntryKind.ROUTE, 4, 10)
    assert (failed.kind, failed.line, failed.end_line) == (EntryKind.ERROR_PATH, 7, 9)


def test_each_function_is_told_once() -> None:
    text = (
        b"export const A = () => { const go = () => { x(); }; return <p><a onClick={go} /><b onClick={go} /></p>; };\n"
    )
    assert [entry.name for entry in make_code_reader().read_text("a.tsx", text).entries] == ["go"]


def test_sample_repositories_have_entries() -> None:
    """Plain code without a framework: what the demo world's tasks change is found."""
    kinds = set()
    for root in sorted((resources_dir() / "demo" / "repositories").iterdir()):
        paths = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
        found = asyncio.run(make_code_reader().read(root, paths))
        kinds |= {entry.kind for file in found.values() for entry in file.entries}
        assert not [path for path, file in found.items() if file.problem]
    assert kinds >= {EntryKind.ROUTE, EntryKind.HANDLER, EntryKind.JOB}
