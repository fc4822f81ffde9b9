"""What the output of a test run tells: which tests passed, and which failed.

pytest, unittest, vitest, jest, go test and rspec. A reader that understands nothing gives nothing: output that is cut
or mixed with other words only makes fewer tests known.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from posthog_code.domain.ansi import plain
from posthog_code.domain.text import one_line

NAME = 300
"""Characters of a test's name that are kept."""


@dataclass(slots=True)
class TestRun:
    """Tests by name. A group is what a runner reports as a whole: a file, or a package of Go."""

    __test__ = False  # no test itself, whatever pytest makes of its name

    framework: str
    passed: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    """With the first line of why, as far as it is told."""
    groups_passed: set[str] = field(default_factory=set)
    clean: bool = False
    """It ended, something ran, and nothing failed."""

    def passes(self, test: str, same_command: bool) -> bool:
        """Whether the test passed here. Runners name what failed; what passed often only counts: then the run must
        have been clean, and for the same command."""
        if test in self.failed:
            return False
        return test in self.passed or group_of(test) in self.groups_passed or (self.clean and same_command)


def group_of(test: str) -> str:
    """The file or package of a test."""
    return re.split(r"::| > |#", test, maxsplit=1)[0]


def parts_of(command: str) -> list[str]:
    """The commands of a line, without the shell that an agent may put round it."""
    found = _SHELL.match(command)
    return [part for part in _SEPARATOR.split(found[2] if found else command) if part.strip()]


def read_run(command: str, output: str) -> TestRun | None:
    """From a command line and its output; None when it ran no tests that we can read."""
    for part in parts_of(command):
        for words, reader in _READERS:
            if words.match(part):
                return reader(plain(output))
    return _guess(output)


def is_test_command(part: str) -> bool:
    """Whether one command of a line is a test runner that we know."""
    return any(words.match(part) for words, _reader in _READERS)


def _guess(output: str) -> TestRun | None:
    """Tests behind a script of the project (make test, pnpm test): what the output itself says decides."""
    text = plain(output)
    for mark, reader in _MARKS:
        if mark.search(text):
            return reader(text)
    return None


def _name(text: str) -> str:
    return one_line(text, NAME)


# -- pytest ------------------------------------------------------------------------------------------------------------

_PYTEST_LINE = re.compile(
    r"^(?:\[gw\d+\]\s+\[\s*\d+%\]\s+)?(?:(PASSED|FAILED|ERROR)\s+(\S+::.+?)(?:\s+-\s+(.*))?"
    r"|(\S+::.+?)\s+(PASSED|FAILED|ERROR)(?:\s+\[\s*\d+%\])?)\s*$",
    re.M,
)
_PYTEST_FILE = re.compile(r"^(\S+\.py)\s+([.sxX]+)\s*(?:\[\s*\d+%\])?\s*$", re.M)
_PYTEST_END = re.compile(r"^=*\s*((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s.*$", re.M)


def _pytest(text: str) -> TestRun:
    run = TestRun("pytest")
    for before, name, why, other, after in _PYTEST_LINE.findall(text):
        word, test = before or after, _name(name or other)
        if word == "PASSED":
            run.passed.add(test)
        elif why or test not in run.failed:
            run.failed[test] = _name(why)
    broken = {group_of(test) for test in run.failed}
    run.groups_passed = {name for name, dots in _PYTEST_FILE.findall(text) if "." in dots and name not in broken}
    ends = _PYTEST_END.findall(text)
    run.clean = bool(ends) and "passed" in ends[-1] and not re.search(r"failed|error", ends[-1])
    return run


# -- unittest ----------------------------------------------------------------------------------------------------------

_UNITTEST = re.compile(
    r"^(?:(FAIL|ERROR): (\w+) \(([\w.]+)\)|(\w+) \(([\w.]+)\)[^\n]*? \.\.\. (ok|FAIL|ERROR))\s*$", re.M
)
_UNITTEST_RAN = re.compile(r"^Ran (\d+) tests? in [\d.]+s\s+(OK|FAILED)", re.M)


def _unittest(text: str) -> TestRun:
    run = TestRun("unittest")
    for _word, failed, where, verbose, at, result in _UNITTEST.findall(text):
        # Since Python 3.11 the place ends with the method's name.
        name, place = failed or verbose, where or at
        test = _name(f"{place.removesuffix('.' + name)}::{name}")
        if result == "ok":
            run.passed.add(test)
        else:
            run.failed.setdefault(test, "")
    ran = _UNITTEST_RAN.search(text)
    run.clean = ran is not None and ran[1] != "0" and ran[2] == "OK"
    return run


# -- vitest and jest ---------------------------------------------------------------------------------------------------

_TIME = r"(?:\s+\(?\d+(?:\.\d+)? ?m?s\)?)?"
_JS_FILE = r"[^\s>|()]+\.(?:test|spec)\.[cm]?[jt]sx?|[^\s>|()]*__tests__/[^\s>|()]+"
_VITEST_TEST = re.compile(rf"^\s*([✓√×✗✖]|FAIL)\s+(?:\|[^|]+\|\s+)?({_JS_FILE}) > (.+?){_TIME}\s*$", re.M)
_VITEST_FILE = re.compile(rf"^\s*([✓√❯])\s+(?:\|[^|]+\|\s+)?({_JS_FILE})\s+\((\d+) tests?([^)]*)\)", re.M)
_JEST_FILE = re.compile(rf"^\s*(PASS|FAIL)\s+(?:\S+\s+)?({_JS_FILE})(?:\s+\([\d.]+ m?s\))?\s*$", re.M)
_JEST_FAILED = re.compile(r"^\s*● (.+ › .+|[^›\n]+)$", re.M)
_JS_COUNTS = re.compile(r"^\s*Tests:?\s+(.*\d.*)$", re.M)


def _javascript(text: str) -> TestRun:
    return _vitest(text) if _VITEST_FILE.search(text) or _VITEST_TEST.search(text) else _jest(text)


def _vitest(text: str) -> TestRun:
    run = TestRun("vitest")
    for sign, file, name in _VITEST_TEST.findall(text):
        test = _name(f"{file} > {name}")
        if sign in "✓√":
            run.passed.add(test)
        else:
            run.failed.setdefault(test, "")
    for sign, file, number, rest in _VITEST_FILE.findall(text):
        if sign != "❯" and int(number) and "failed" not in rest and "skipped" not in rest:
            run.groups_passed.add(file)
    run.clean = _js_clean(text)
    return _settled(run)


def _jest(text: str) -> TestRun:
    run = TestRun("jest")
    # Each part of the output begins with the line of its file.
    heads = list(_JEST_FILE.finditer(text))
    for number, head in enumerate(heads):
        end = heads[number + 1].start() if number + 1 < len(heads) else len(text)
        part, file = text[head.end() : end], head[2]
        if head[1] == "PASS":
            run.groups_passed.add(file)
        for found in _JEST_FAILED.findall(part) if head[1] == "FAIL" else ():
            name = " > ".join(piece.strip() for piece in found.split("›"))
            run.failed.setdefault(_name(f"{file} > {name}"), "")
        run.clean = _js_clean(text)
    return _settled(run)


def _js_clean(text: str) -> bool:
    counts = _JS_COUNTS.findall(text)
    return bool(counts) and "passed" in counts[-1] and "failed" not in counts[-1]


def _settled(run: TestRun) -> TestRun:
    """A file is told again when it fails after a retry; a test that failed once did not pass in this run."""
    run.groups_passed -= {group_of(test) for test in run.failed}
    run.passed -= set(run.failed)
    return run


# -- go ----------------------------------------------------------------------------------------------------------------

_GO_TEST = re.compile(r"^\s*--- (PASS|FAIL): (\S+)", re.M)
_GO_PACKAGE = re.compile(r"^(ok|FAIL)[ \t]+(\S+)[ \t]+(\(cached\)|[\d.]+s)?", re.M)


def _go(text: str) -> TestRun:
    run = TestRun("go test")
    start, packages = 0, 0
    # The line of a package comes after those of its tests.
    for line in _GO_PACKAGE.finditer(text):
        package = line[2]
        for word, name in _GO_TEST.findall(text, start, line.start()):
            test = _name(f"{package}#{name}")
            if word == "PASS":
                run.passed.add(test)
            else:
                run.failed.setdefault(test, "")
        start = line.end()
        # A cached result was not run.
        if line[1] == "ok" and line[3] != "(cached)":
            run.groups_passed.add(package)
            packages += 1
    run.clean = packages > 0 and not re.search(r"^(FAIL|--- FAIL)", text, re.M) and "(cached)" not in text
    return _settled(run)


# -- rspec -------------------------------------------------------------------------------------------------------------

_RSPEC_FAILED = re.compile(r"^rspec (\./\S+?\.rb)(?::\d+|\[[\d:]+\]) # (.+)$", re.M)
_RSPEC_END = re.compile(r"^(\d+) examples?, (\d+) failures?(.*)$", re.M)


def _rspec(text: str) -> TestRun:
    run = TestRun("rspec")
    for file, name in _RSPEC_FAILED.findall(text):
        run.failed.setdefault(_name(f"{file.removeprefix('./')} > {name}"), "")
    end = _RSPEC_END.findall(text)
    run.clean = bool(end) and int(end[-1][0]) > 0 and end[-1][1] == "0" and "error" not in end[-1][2]
    return run


_Reader = Callable[[str], TestRun]
_BEFORE = (
    r"^\s*(?:\w+=\S*\s+)*(?:(?:time|timeout\s+\S+|(?:poetry|uv|pipenv|hatch|rye|pdm)\s+run|npx(?:\s+-\S+)*|pnpm(?:\s+exec)?|"
    r"yarn|bunx?|bundle\s+exec|xvfb-run(?:\s+-\S+)?|coverage\s+run)\s+)*"
)
"""What may stand before the runner's name in its part of a command line."""


def _starts(words: str) -> re.Pattern[str]:
    return re.compile(_BEFORE + words)


_READERS: tuple[tuple[re.Pattern[str], _Reader], ...] = (
    (_starts(r"(?:(?:\S*/)?python\S*\s+-m\s+|-m\s+)?(?:\S*/)?(?:pytest|py\.test)(\s|$)"), _pytest),
    (_starts(r"(?:\S*/)?python\S*\s+(?:-m\s+unittest\b|\S*manage\.py\s+test\b)"), _unittest),
    (_starts(r"(?:\S*/)?(?:vitest|jest)(\s|$)"), _javascript),
    (_starts(r"(?:\S*/)?go\s+test(\s|$)"), _go),
    (_starts(r"(?:\S*/)?rspec(\s|$)"), _rspec),
)
_MARKS: tuple[tuple[re.Pattern[str], _Reader], ...] = (
    (re.compile(r"^=+ test session starts =+$", re.M), _pytest),
    (re.compile(r"^\s*Test Files\s+\d|^Test Suites:\s+\d", re.M), _javascript),
    (re.compile(r"^(ok|FAIL)\s+\S+/\S+\s+[\d.]+s$", re.M), _go),
    (re.compile(r"^\d+ examples?, \d+ failures?", re.M), _rspec),
    (_UNITTEST_RAN, _unittest),
)
_SHELL = re.compile(r"^\s*(?:\S*/)?(?:ba|z|da)?sh\s+-l?c\s+(['\"])(.*)\1\s*$", re.S)
_SEPARATOR = re.compile(r"&&|\|\||[;|\n]")
