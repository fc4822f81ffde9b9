"""Follow-ups that name places: review comments, and remarks such as `src/a.ts:12`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from posthog_code.demo.agent.scenarios import checks, planning
from posthog_code.demo.agent.turn import Refused, Turn

_PLACE = re.compile(
    r"(?P<path>[\w.@/-]+\.\w+)(?::L?|#L|,? \(?lines? )(?P<first>\d+)(?:\s*[-–]\s*L?(?P<last>\d+))?"
    r"(?:[ \t]*\([^)\n]*\)|,[^:\n]*(?=:\n))?\)?:?[ \t]*(?P<rest>[^\n]*)"
)
_FENCED = re.compile(r"^\s*(`{3,}|~{3,}).*?^\s*\1[ \t]*$", re.MULTILINE | re.DOTALL)
_ADDRESS = re.compile(r"\b\w+://\S+")
_LIKELY = re.compile(r"^## Likely files\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"[\w./@-]+\.\w+")
_COMMENT_MARKS = {
    "py": "#", "sh": "#", "toml": "#", "yml": "#", "yaml": "#", "rb": "#",
    "ts": "//", "tsx": "//", "js": "//", "jsx": "//", "go": "//", "rs": "//", "c": "//", "java": "//", "swift": "//",
    "sql": "--", "lua": "--",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Remark:
    path: str
    first: int
    last: int
    text: str


def remarks(prompt: str) -> list[Remark]:
    """The places that a prompt names, each with the words that follow it."""
    plain = _ADDRESS.sub("", _FENCED.sub("", prompt))
    found = list(_PLACE.finditer(plain))
    ends = [match.start() for match in found[1:]] + [len(plain)]
    result = []
    for match, end in zip(found, ends, strict=False):
        text = " ".join(f"{match['rest']} {plain[match.end() : end]}".split())
        first = int(match["first"])
        result.append(Remark(match["path"].lstrip("@"), first, int(match["last"] or first), text))
    return result


def likely_files(prompt: str) -> list[str]:
    """The files that a prompt made from a report lists as the place of the problem."""
    section = _LIKELY.search(prompt)
    return list(dict.fromkeys(_FILE.findall(section[1]))) if section else []


def follow(turn: Turn) -> None:
    """Change each place that was named."""
    found = remarks(turn.prompt)
    plan = [f"{remark.path}, line {remark.first}" for remark in found] + ["Run the tests"]
    turn.think(f"{len(found)} places to look at." if len(found) > 1 else "One place to look at.")
    if not planning.agreed(turn, plan):
        return
    told = []
    for done, remark in enumerate(found):
        turn.plan(plan, done)
        try:
            told.append(_change(turn, remark))
        except Refused as problem:
            told.append(f"`{remark.path}`: left alone, {problem}")
    turn.plan(plan, len(found))
    code = checks.run_tests(turn)
    turn.plan(plan, len(plan))
    ending = {0: "The tests pass.", None: ""}.get(code, f"The tests fail (exit code {code}); please have a look.")
    turn.say("\n".join(f"- {line}" for line in told) + f"\n\n{ending}".rstrip())


def _change(turn: Turn, remark: Remark) -> str:
    """Make the change that the remark asks for, as far as a script can: take over a number, else note the reason."""
    text = turn.read(remark.path)
    lines = text.splitlines(keepends=True)
    if remark.first > len(lines):
        raise Refused(f"it has {len(lines)} lines only")
    first, last = remark.first - 1, max(remark.first, min(remark.last, len(lines)))
    old = "".join(lines[first:last])
    new = _with_number(old, remark.text) or _with_note(old, remark)
    before, after = "".join(lines[:first]), "".join(lines[last:])
    if text.count(old) == 1:
        turn.edit(remark.path, old, new)
    else:
        turn.write(remark.path, before + new + after)
    return (
        f"`{remark.path}:{remark.first}`: {'took over the number' if _with_number(old, remark.text) else 'noted why'}"
    )


def _with_number(code: str, text: str) -> str:
    """The code with its only number replaced by the remark's only number; "" where that is not clear."""
    wanted, there = re.findall(r"(?<![\w.])\d+(?![\w.])", text), re.findall(r"(?<![\w.])\d+(?![\w.])", code)
    if len(wanted) != 1 or len(there) != 1 or wanted == there:
        return ""
    return re.sub(r"(?<![\w.])\d+(?![\w.])", wanted[0], code)


def _with_note(code: str, remark: Remark) -> str:
    ending = remark.path.rsplit(".", 1)[-1]
    note = remark.text[:90] or "reviewed"
    indent = re.match(r"[ \t]*", code)
    space = indent[0] if indent else ""
    if ending in _COMMENT_MARKS:
        return f"{space}{_COMMENT_MARKS[ending]} Review: {note}\n{code}"
    if ending in ("md", "html", "xml"):
        return f"{space}<!-- Review: {note} -->\n{code}"
    return code if code.endswith("\n\n") else code.rstrip("\n") + "\n\n"
