"""Rules of CONTRIBUTING.md that no linter knows, read from the syntax tree."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "posthog_code"

LONGEST = 450
LONGER: dict[str, int] = {}
"""Files that are longer today, with how long they may be. The list only shrinks."""

LOOP_OWNERS = {"app/loop.py", "app/first_paint.py"}
"""The program's one loop, and the wait for the first picture before it begins."""

TASK_OWNERS = {
    "services/scope.py",
    "adapters/git/cli.py",
    "adapters/git/patience.py",
    "adapters/posthog/signal_queries.py",
    "adapters/process/shell.py",
}
"""The scope itself, and those that await what they start, or end it, before they are done."""

PRINTERS = ("cli/", "demo/", "app/bench")
"""What talks to a terminal."""

# In pieces, so that this file may be read by its own test.
MACHINE_WORDS = re.compile(
    "|".join(
        (
            r"/work" + r"/(?:main|shared|\.library)\b",
            r"/tmp" + r"/(?:bash_jobs|venv|clone|fresh)\b",
            r"/opt" + r"/(?:pypi|wheels)",
            "artifact" + "-registry",
            "_auth" + "Token",
        )
    )
)
REGISTRY = re.compile(r"(?i)index-url|find-links|registry\s*=|\"resolved\"|pypi\.org/simple|registry\.npmjs|pkg\.dev")
CONFIGURATION = re.compile(
    r"(?:\.lock|\.toml|\.cfg|\.ini|\.npmrc|package-lock\.json|requirements[^/]*\.txt|pip\.conf)$"
)


@cache
def sources() -> dict[str, tuple[str, ast.Module]]:
    """Each module below posthog_code by its path there: text and syntax tree."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        found[path.relative_to(PACKAGE).as_posix()] = (text, ast.parse(text))
    return found


def calls() -> Iterator[tuple[str, ast.Call]]:
    for name, (_, tree) in sources().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield name, node


def called(node: ast.Call) -> str:
    """The last word of what is called: `exec` of `dialog.exec()`."""
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def starts_a_loose_task(node: ast.Call) -> bool:
    """`asyncio.create_task`, `loop.create_task` and relatives, but not a TaskGroup's."""
    if called(node) == "ensure_future":
        return True
    function = node.func
    if called(node) != "create_task":
        return False
    if isinstance(function, ast.Name):
        return True
    receiver = ast.unparse(function.value) if isinstance(function, ast.Attribute) else ""
    return receiver == "asyncio" or receiver.rsplit(".", 1)[-1].strip("_()") in {"loop", "running", "get_running_loop"}


def tells_somebody(handler: ast.ExceptHandler) -> bool:
    """It raises again, uses the error it caught, or writes the log; or only leaves a loop, and the task tells."""
    if [type(statement) for statement in handler.body] == [ast.Break]:
        return True
    for node in ast.walk(handler):
        if isinstance(node, ast.Raise):
            return True
        if isinstance(node, ast.Name) and node.id == handler.name:
            return True
        if isinstance(node, ast.Call) and called(node) in {"exception", "error", "warning", "critical"}:
            return True
    return False


def broad(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or ast.unparse(kind) in {"Exception", "BaseException"} for kind in kinds)


def test_no_nested_event_loop() -> None:
    """Nested loops stop the coroutine that was running when they began."""
    nested = {"processEvents", "exec", "exec_", "QEventLoop"}
    found = [(n, c) for n, c in calls() if called(c) in nested and (called(c) != "exec" or hasattr(c.func, "attr"))]
    assert not [f"{name}:{call.lineno}" for name, call in found if name not in LOOP_OWNERS]


def test_every_task_has_an_owner() -> None:
    assert not [f"{n}:{c.lineno}" for n, c in calls() if n not in TASK_OWNERS and starts_a_loose_task(c)]


def test_looks_come_from_the_theme() -> None:
    styled = [f"{n}:{c.lineno}" for n, c in calls() if called(c) == "setStyleSheet" and not n.startswith("ui/theme/")]
    assert not styled


def test_no_slot_is_a_coroutine() -> None:
    """Errors of an asyncSlot reach nobody, and nothing ends it."""
    assert not [name for name, (text, _) in sources().items() if re.search(r"\basync(?:Slot|Close)\b", text)]


def test_broad_excepts_tell_somebody() -> None:
    found = []
    for name, (_, tree) in sources().items():
        handlers = (node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler))
        found += [f"{name}:{h.lineno}" for h in handlers if broad(h) and not tells_somebody(h)]
    assert not found


def test_only_what_talks_to_a_terminal_prints() -> None:
    assert not [f"{n}:{c.lineno}" for n, c in calls() if called(c) == "print" and not n.startswith(PRINTERS)]


def test_files_have_one_reason_to_change() -> None:
    lines = {name: text.count("\n") for name, (text, _) in sources().items()}
    too_long = {name: count for name, count in lines.items() if count > LONGER.get(name, LONGEST)}
    assert not too_long, "split them by what they are about"
    mended = [name for name in LONGER if lines.get(name, 0) <= LONGEST]
    assert not mended, "take them off the list"


def test_modules_say_what_they_are() -> None:
    silent = [
        n
        for n, (text, tree) in sources().items()
        if not n.endswith("__main__.py") and text.strip() and not ast.get_docstring(tree)
    ]
    assert not silent


@cache
def tracked() -> list[Path]:
    """The files that are in the repository or would be added to it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True
    )
    if listed.returncode:
        pytest.skip("this is no git checkout")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def lines_with(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    found = []
    for path in paths:
        text = path.read_bytes().decode("utf-8", "replace")
        found += [
            f"{path.relative_to(ROOT)}:{number}"
            for number, line in enumerate(text.split("\n"), 1)
            if pattern.search(line)
        ]
    return found


def test_nothing_of_the_machine_it_was_made_on() -> None:
    assert not lines_with(MACHINE_WORDS, tracked())


def test_no_configuration_names_a_registry() -> None:
    """Packages come from where the person's own settings say."""
    assert not lines_with(REGISTRY, [path for path in tracked() if CONFIGURATION.search(path.name)])


def test_no_file_is_large() -> None:
    assert not [str(p.relative_to(ROOT)) for p in tracked() if p.stat().st_size > 1_000_000 and p.suffix != ".png"]
