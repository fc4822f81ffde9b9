"""Reading test runs, and finding tests that failed and passed without a change."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthog_code.domain import flaky
from posthog_code.domain.ids import RepositoryId, TaskId
from posthog_code.domain.test_results import group_of, read_run
from posthog_code.domain.transcript import DiffContent, Item, ToolCall

T = TaskId("t1")
NAME = "tests/test_pay.py::test_retry"
FAILED = f"""
============================= test session starts ==============================
tests/test_pay.py .F                                                     [100%]
=========================== short test summary info ============================
FAILED {NAME} - TimeoutError: no answer after 2 s
========================= 1 failed, 1 passed in 2.31s ==========================
"""
PASSED = """
tests/test_pay.py ..                                                     [100%]
============================== 2 passed in 0.31s ===============================
"""


def call(number: int, command: str = "pytest -q", output: str = "", **fields: Any) -> ToolCall:
    return ToolCall(
        f"k{number}", float(number), command=command, output=output, kind=fields.pop("kind", "execute"), **fields
    )


def seen(*items: Item) -> list[str]:
    return [one.test for one in flaky.sightings(T, items)]


# -- runners -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "output", "failed", "passed"),
    [
        ("pytest", FAILED, {NAME}, set()),
        (
            "/venv/bin/python -m pytest -v",
            "tests/a.py::test_a PASSED [ 50%]\ntests/a.py::test_b[x y] FAILED [100%]\n1 failed, 1 passed in 0.1s",
            {"tests/a.py::test_b[x y]"},
            {"tests/a.py::test_a"},
        ),
        (
            "pytest -n2 -v",
            "[gw0] [ 50%] PASSED tests/a.py::test_a \n[gw1] [100%] FAILED tests/a.py::test_b ",
            {"tests/a.py::test_b"},
            {"tests/a.py::test_a"},
        ),
        (
            "python -m unittest -v",
            "test_add (tests.test_calc.AddTest.test_add) ... ok\ntest_b (tests.test_calc.AddTest.test_b) ... FAIL\n\n"
            "FAIL: test_b (tests.test_calc.AddTest.test_b)\n\nRan 2 tests in 0.001s\n\nFAILED (failures=1)",
            {"tests.test_calc.AddTest::test_b"},
            {"tests.test_calc.AddTest::test_add"},
        ),
        (
            "npx vitest run",
            " \x1b[32m✓\x1b[0m src/a.test.ts > sums > adds 3ms\n × src/a.test.ts > sums > waits 5001ms\n"
            " FAIL  src/a.test.ts > sums > waits\n Test Files  1 failed (1)\n      Tests  1 failed | 1 passed (2)",
            {"src/a.test.ts > sums > waits"},
            {"src/a.test.ts > sums > adds"},
        ),
        (
            "pnpm jest",
            "FAIL src/a.test.js (5.2 s)\n  sums\n    ✓ adds (2 ms)\n    ✕ waits (5001 ms)\n\n  ● sums › waits\n\n"
            "    thrown: Exceeded timeout\n\nTests:       1 failed, 1 passed, 2 total",
            {"src/a.test.js > sums > waits"},
            set(),
        ),
        (
            "go test ./...",
            "--- FAIL: TestWait (2.00s)\n    wait_test.go:9: late\n--- PASS: TestAdd (0.00s)\nFAIL\n"
            "FAIL\texample.org/m/pay\t2.012s\nok  \texample.org/m/cart\t0.004s",
            {"example.org/m/pay#TestWait"},
            {"example.org/m/pay#TestAdd"},
        ),
        (
            "bundle exec rspec",
            "Failed examples:\n\nrspec ./spec/cart_spec.rb:12 # Cart adds items\n\n2 examples, 1 failure",
            {"spec/cart_spec.rb > Cart adds items"},
            set(),
        ),
    ],
)
def test_runners(command: str, output: str, failed: set[str], passed: set[str]) -> None:
    run = read_run(command, output)
    assert run is not None
    assert set(run.failed) == failed and run.passed == passed and not run.clean


@pytest.mark.parametrize(
    ("command", "output", "groups"),
    [
        ("pytest", PASSED, {"tests/test_pay.py"}),
        ("vitest", " ✓ src/a.test.ts (3 tests) 5ms\n Tests  3 passed (3)", {"src/a.test.ts"}),
        ("jest", "PASS src/a.test.js\nTests: 2 passed, 2 total", {"src/a.test.js"}),
        ("go test ./pay", "ok  \texample.org/m/pay\t0.004s", {"example.org/m/pay"}),
        ("rspec", "....\n\n4 examples, 0 failures", set()),
        ("python -m unittest", "Ran 4 tests in 0.004s\n\nOK", set()),
    ],
)
def test_runs_without_failures(command: str, output: str, groups: set[str]) -> None:
    run = read_run(command, output)
    assert run is not None and run.clean and run.groups_passed == groups and not run.failed


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("pytest", "no tests ran in 0.01s"),
        ("go test ./...", "ok  \texample.org/m/pay\t(cached)"),
        ("python -m unittest", "Ran 0 tests in 0.000s\n\nOK"),
        ("pytest", PASSED.replace("2 passed", "1 passed, 1 error")),
    ],
)
def test_runs_that_prove_nothing(command: str, output: str) -> None:
    run = read_run(command, output)
    assert run is not None and not run.clean


def test_a_script_is_known_by_its_output() -> None:
    run = read_run("make test", FAILED)
    assert run is not None and set(run.failed) == {NAME}
    assert read_run("pip install pytest", "Successfully installed pytest-8") is None
    assert read_run("cat notes.txt", "5 passed") is None


@given(
    st.text(max_size=300), st.sampled_from(["pytest", "jest", "vitest", "go test", "rspec", "python -m unittest", "x"])
)
def test_any_output_is_read(output: str, command: str) -> None:
    run = read_run(command, output)
    assert run is None or not run.passed & set(run.failed)


# -- flaky -------------------------------------------------------------------------------------------------------------


def test_failed_then_passed_without_a_change() -> None:
    (one,) = flaky.sightings(T, [call(1, output=FAILED, turn=2), call(5, output=PASSED, turn=3)])
    assert (one.test, one.framework, one.failed_turn, one.passed_turn) == (NAME, "pytest", 2, 3)
    assert one.reason == "TimeoutError: no answer after 2 s"


def test_an_edit_between_is_a_repair() -> None:
    edit = call(2, "", kind="edit", paths=("/w/src/pay.py",))
    assert seen(call(1, output=FAILED), edit, call(3, output=PASSED)) == []
    diff = call(2, "", kind="other", diffs=(DiffContent("/w/src/pay.py", "a", "b"),))
    assert seen(call(1, output=FAILED), diff, call(3, output=PASSED)) == []
    notes = call(2, "", kind="edit", paths=("/w/NOTES.md",))
    assert seen(call(1, output=FAILED), notes, call(3, output=PASSED)) == [NAME]


@pytest.mark.parametrize(
    "between",
    [
        "git status",
        "cat src/pay.py | head -40",
        "sleep 5",
        "rg retry src 2>/dev/null",
        "cd x && ls",
        "bash -lc 'git diff'",
    ],
)
def test_looking_changes_nothing(between: str) -> None:
    assert seen(call(1, output=FAILED), call(2, between), call(3, output=PASSED)) == [NAME]


@pytest.mark.parametrize(
    "between",
    [
        "sed -i s/a/b/ src/pay.py",
        "git checkout src",
        "npm install",
        "echo x > src/pay.py",
        "python fix.py",
        "find . -delete",
    ],
)
def test_what_may_change_files_ends_it(between: str) -> None:
    assert seen(call(1, output=FAILED), call(2, between), call(3, output=PASSED)) == []


def test_a_line_that_changes_and_tests_begins_anew() -> None:
    repaired = call(2, "git stash pop && pytest -q", PASSED)
    assert seen(call(1, output=FAILED), repaired) == []
    broken = call(2, "git stash && pytest -q", FAILED)
    assert seen(broken, call(3, output=PASSED)) == [NAME]


def test_a_count_alone_needs_the_same_command() -> None:
    count = "12 passed in 3.20s"
    assert seen(call(1, "pytest -q tests", FAILED), call(2, "pytest -q tests", count)) == [NAME]
    assert seen(call(1, "pytest -q tests", FAILED), call(2, "pytest -q tests/test_cart.py", count)) == []


def test_still_failing_is_broken_not_flaky() -> None:
    assert seen(call(1, output=FAILED), call(2, output=FAILED)) == []


def test_a_shell_round_the_command() -> None:
    command = "/bin/bash -lc 'cd web && CI=1 npx vitest run'"
    fails = " × src/a.test.ts > waits\n Tests  1 failed (1)"
    passes = " ✓ src/a.test.ts (1 test) 5ms\n Tests  1 passed (1)"
    assert seen(call(1, command, fails), call(2, command, passes)) == ["src/a.test.ts > waits"]


def test_counted_over_tasks() -> None:
    def one(task: str, at: float) -> flaky.Sighting:
        return flaky.Sighting(NAME, "pytest", TaskId(task), at, at + 1, reason="late")

    ones = [one("a", 3), one("b", 1), one("b", 2), one("c", 9)]
    other = flaky.Sighting("x::y", "pytest", TaskId("a"), 1, 2)
    (first, second) = flaky.gathered([(RepositoryId("r"), "acme/web", [*ones, other])])
    assert first.test == NAME and first.tasks == ("b", "a", "c") and len(second.tasks) == 1
    assert "3 tasks" in flaky.flaky_text(first) and "late" in flaky.flaky_text(first)
    assert (
        flaky.flaky_fingerprint(first, 1) != flaky.flaky_fingerprint(second, 1)
        and group_of(NAME) == "tests/test_pay.py"
    )


commands = st.sampled_from(["pytest -q", "git status", "sed -i x y", "pytest -q > log", ""])
outputs = st.sampled_from([FAILED, PASSED, "", "garbage"])


@given(st.lists(st.tuples(commands, outputs, st.sampled_from(["execute", "edit", "read"])), max_size=12))
def test_never_flaky_across_an_edit(rows: list[tuple[str, str, str]]) -> None:
    items = [call(n, command, output, kind=kind) for n, (command, output, kind) in enumerate(rows)]
    for one in flaky.sightings(T, items):
        between = items[int(one.failed_at) + 1 : int(one.passed_at)]
        assert all(item.kind != "edit" and "sed" not in item.command for item in between)
