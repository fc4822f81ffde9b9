"""The benchmarks run; what they measure is nobody's business here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.runner import Crashed, above, against, below, now, number, product
from tests.bench.suite import BENCHMARKS, Lab


def test_the_start_is_measured_without_anything_that_can_wait(tmp_path: Path) -> None:
    product("seed", tmp_path / "home", "--size", "3")
    found = product("start", tmp_path / "home", "--since", now())
    assert found["offenders"] == "none"
    assert number(found, "content") > 0


@pytest.mark.parametrize("words", [("journal", "--size", "50"), ("diff", "--size", "300", "--split")])
def test_inner_measurements_run(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert product(words[0], tmp_path / "home", *words[1:])


def test_a_task_is_made_and_its_changes_listed(tmp_path: Path) -> None:
    lab = Lab(tmp_path, 1, False)
    repository = str(lab.repository(40))
    assert number(product("create", lab.home("a"), "--repo", repository, "--runs", "1"), "create") > 0
    words = ("--repo", repository, "--size", "40", "--changed", "10", "--runs", "1")
    assert number(product("changes", lab.home("b"), *words), "found") == 10


def test_watched_runs_are_measured(tmp_path: Path) -> None:
    found = product("cloud", tmp_path / "home", "--size", "2", "--runs", "1")
    assert number(found, "runs") == 2 and number(found, "p95") > 0


def test_reading_code_is_measured(tmp_path: Path) -> None:
    found = product("code", tmp_path / "home", "--size", "120", "--runs", "1")
    assert number(found, "files") == 120 and number(found, "uses") > 10 and number(found, "all_ratio") > 0


def test_a_broken_benchmark_is_told(tmp_path: Path) -> None:
    with pytest.raises(Crashed, match="gave 2"):
        product("nothing", tmp_path)


def test_verdicts() -> None:
    assert against("a", [(3, 2), (4, 2), (2, 2)], 1.5).ok
    assert not against("a", [(4, 2)], 1.5).ok
    assert below("a", 5, 5).ok and not below("a", 6, 5).ok
    assert above("a", 5, 5, "b").ok and not above("a", 4, 5, "b").ok
    named = {"start", "memory", "create", "worktree", "changes", "frames", "diff", "stream", "cloud", "code"}
    assert set(BENCHMARKS) >= named
