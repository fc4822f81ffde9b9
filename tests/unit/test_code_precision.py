"""Precision and recall of reading code, on cases labelled line by line, wrappers and false friends included."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from posthog_code.adapters.code import make_code_reader
from tests.code_cases import ENDINGS, Case, cases, found_in

LEAST = 0.98


def look(case: Case, root: Path) -> tuple[set[tuple[object, ...]], set[tuple[object, ...]]]:
    """What is found that should not be, and what should be and is not."""
    found = asyncio.run(make_code_reader().read(root, case.files, case.texts))
    seen = set(found_in(dict(found)))
    return seen - case.expected, case.expected - seen


def figures(language: str, root: Path) -> tuple[int, int, int, int, list[str]]:
    """Cases, uses that were found rightly, wrongly, and not; with a line for each fault."""
    right = wrong = missed = 0
    faults = []
    labelled = cases(language)
    for case in labelled:
        extra, absent = look(case, root)
        right += len(case.expected) - len(absent)
        wrong += len(extra)
        missed += len(absent)
        faults += [f"  {case.name}: wrongly {use}" for use in sorted(extra, key=str)]
        faults += [f"  {case.name}: missed {use}" for use in sorted(absent, key=str)]
    return len(labelled), right, wrong, missed, faults


def test_precision_and_recall(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = {language: figures(language, tmp_path) for language in ENDINGS}
    with capsys.disabled():
        print("\nlanguage     cases  uses  precision  recall")
        for language, (count, right, wrong, missed, faults) in rows.items():
            precision, recall = right / (right + wrong), right / (right + missed)
            print(f"{language:12} {count:5} {right + missed:5}  {precision:9.3f}  {recall:6.3f}")
            print("".join(f"{fault}\n" for fault in faults), end="")
    assert sum(row[0] for row in rows.values()) >= 200
    for right, wrong, missed in (row[1:4] for row in rows.values()):
        assert right / (right + wrong) >= LEAST
        assert right / (right + missed) >= LEAST


@pytest.mark.parametrize("language", ENDINGS)
def test_labels_are_sound(language: str) -> None:
    """A case has a name of its own, and a mark of a kind that there is."""
    labelled = cases(language)
    assert len({case.name for case in labelled}) == len(labelled)
    kinds = {use[2] for case in labelled for use in case.expected}
    assert kinds <= {"event", "flag", "error", "identify", "init"}
    friends = [case for case in labelled if not case.expected]
    assert len(friends) >= 3, "false friends"
    assert any(use[5] for case in labelled for use in case.expected), "wrappers"
