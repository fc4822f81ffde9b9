"""The scenario for any prompt in any repository: a small improvement with a test and a line in the changelog."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePosixPath

from posthog_code.demo.agent.scenarios import checks, planning
from posthog_code.demo.agent.turn import MENTION, Refused, Turn, exact_text, named_files

_STOP_WORDS = frozenset(
    {"about", "after", "again", "also", "because", "before", "could", "every", "first", "from", "have", "into", "make"}
    | {"more", "must", "only", "other", "please", "should", "since", "some", "than", "that", "their", "then", "there"}
    | {"these", "they", "this", "those", "what", "when", "where", "which", "while", "with", "would", "your"}
)
_FUNCTION = {
    "py": re.compile(r'^def ([a-z]\w*)\([^)]*\)[^:\n]*:\n(?!\s+(?:"""|r"""|\'\'\'))', re.MULTILINE),
    "ts": re.compile(r"(?<!\*/\n)^export (?:async )?function (\w+)", re.MULTILINE),
}
_FUNCTION["tsx"] = _FUNCTION["js"] = _FUNCTION["ts"]
CANDIDATES = 400
"""Files that are looked into at most."""
PLAN = ("Find the place", "Make it clearer", "Cover it with a test", "Note the change", "Run the tests")


def improve(turn: Turn) -> None:
    turn.leave({"prompt": turn.prompt, "step": 0})
    if turn.named:
        turn.think("The task names a file: I start there, with the smallest change that helps.")
        source, name = turn.named[0], _function(turn, turn.named[0])
    else:
        turn.think("I look for the words of the task first, then I choose the smallest change that helps.")
        source, name = _target(turn, turn.files(), _mentions(turn))
    for path in turn.named or ((source,) if source else ()):
        turn.read(path)
    if planning.agreed(turn, PLAN):
        _carry_out(turn, turn.prompt, source, name, [], 1)


def go_on(turn: Turn) -> bool:
    """Go on with the plan of the turn that was cut short; False when none is open."""
    left = turn.session.left
    if "prompt" not in left:
        return False
    if left["step"]:
        turn.say(f"I go on with *{PLAN[left['step']].lower()}*.\n\n")
        _carry_out(turn, left["prompt"], left["source"], left["name"], left["done"], left["step"])
    else:
        turn.prompt, turn.named = left["prompt"], named_files(left["prompt"], turn.named, turn.session.cwd)
        improve(turn)
    return True


def _carry_out(turn: Turn, prompt: str, source: str, name: str, done: list[str], first: int) -> None:
    """The plan's steps from number `first` on; `done` tells what the earlier ones did."""
    steps: dict[int, Callable[[], list[str]]] = {
        1: lambda: [_clarify(turn, source, name, prompt)] if source else [],
        2: lambda: _cover(turn, source, name) if name else [],
        3: lambda: [_note(turn, turn.files(), prompt)],
    }
    for number in range(first, 5):
        left = {"prompt": prompt, "step": number, "source": source, "name": name, "done": done}
        turn.leave(left)
        turn.plan(PLAN, number)
        if number in steps:
            done = [*done, *steps[number]()]
    code = checks.run_tests(turn)
    turn.plan(PLAN, 5)
    _sum_up(turn, done, code)
    turn.leave({})


def _mentions(turn: Turn) -> list[str]:
    """Files with a word of the prompt in them."""
    words = [word for word in re.findall(r"[A-Za-z_]{4,}", turn.prompt) if word.lower() not in _STOP_WORDS]
    hits: list[str] = []
    for word in sorted(dict.fromkeys(words), key=len, reverse=True)[:3]:
        hits = hits or turn.search(word)
    return [line.split(":", 1)[0] for line in hits]


def _function(turn: Turn, path: str) -> str:
    """A function in a file that has no description, "" for none."""
    pattern = _FUNCTION.get(path.rsplit(".", 1)[-1])
    found = pattern.search(exact_text(turn.path(path)) or "") if pattern else None
    return found[1] if found else ""


def _target(turn: Turn, files: list[str], hits: list[str]) -> tuple[str, str]:
    """A source file and a function in it that has no description; ("", "") if there is none."""
    candidates = [*dict.fromkeys(hits), *files][:CANDIDATES]
    for path in candidates:
        if "test" in path.lower() or any(part.startswith(".") for part in PurePosixPath(path).parts):
            continue
        try:
            name = _function(turn, path)
        except Refused:
            continue
        if name:
            return path, name
    return "", ""


def _clarify(turn: Turn, source: str, name: str, prompt: str) -> str:
    """Describe the function where it stands, or the file when it has none that needs it."""
    text = exact_text(turn.path(source)) or ""
    if not name:
        return _head(turn, source, text, prompt)
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name).strip().lower()
    pattern = _FUNCTION[source.rsplit(".", 1)[-1]]
    found = pattern.search(text)
    if found is None:
        return f"`{source}` needed nothing"
    if source.endswith(".py"):
        turn.edit(source, found[0], f'{found[0]}    """{words.capitalize()}: see the tests for examples."""\n')
    else:
        turn.edit(source, found[0], f"/** {words.capitalize()}: see the tests for examples. */\n{found[0]}")
    return f"`{source}` says what `{name}` is for"


def _head(turn: Turn, source: str, text: str, prompt: str) -> str:
    """What was asked, as the first line of a file."""
    said = _subject(MENTION.sub("this file", prompt))[:96].rstrip(". ")
    marks = _COMMENTS.get(source.rsplit(".", 1)[-1])
    line = f"{marks[0]}{said}.{marks[1]}\n" if marks else ""
    if not line or line in text:
        return f"`{source}` needed nothing"
    first = text.split("\n", 1)[0] + "\n" if text.startswith("#!") else ""
    turn.write(source, first + line + text[len(first) :])
    return f"`{source}` says what it is asked to do"


_COMMENTS = {
    **dict.fromkeys(("py", "sh", "toml", "yml", "yaml"), ("# ", "")),
    **dict.fromkeys(("ts", "tsx", "js", "jsx", "go", "rs", "java"), ("// ", "")),
    **dict.fromkeys(("md", "html"), ("<!-- ", " -->")),
    "css": ("/* ", " */"),
}
"""What stands before and after a comment, by the end of a file's name."""


def _cover(turn: Turn, source: str, name: str) -> list[str]:
    """A new test file that holds the function in place, in the repository's own way of testing."""
    stem = PurePosixPath(source).stem
    root = turn.session.cwd
    if source.endswith(".py") and (root / "tests").is_dir():
        path, text = (
            f"tests/test_{stem}_described.py",
            _PYTHON_TEST.format(source=source, name=name, title=_camel(stem)),
        )
    elif (root / "tests" / "run.py").is_file():
        depth = "../" * 1
        module = source.rsplit(".", 1)[0]
        path = f"tests/{stem}.described.test.ts"
        text = _SCRIPT_TEST.format(module=depth + module, source=source, name=name)
    else:
        return []
    if turn.path(path).exists():
        return []
    turn.write(path, text)
    return [f"`{path}` would notice if that got lost"]


_PYTHON_TEST = """import ast
import unittest
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "{source}"


class {title}Described(unittest.TestCase):
    def test_says_what_it_is_for(self):
        functions = [node for node in ast.walk(ast.parse(SOURCE.read_text())) if isinstance(node, ast.FunctionDef)]
        found = [node for node in functions if node.name == "{name}"]
        self.assertTrue(found and ast.get_docstring(found[0]))


if __name__ == "__main__":
    unittest.main()
"""

_SCRIPT_TEST = """import {{ {name} }} from '{module}';

describe('{name}', () => {{
  it('says what it is for', () => {{
    // in {source}: has "see the tests for examples"
    expect({name}).toBeDefined();
  }});
}});
"""


def _camel(stem: str) -> str:
    return "".join(part.capitalize() for part in re.split(r"\W|_", stem))


def _subject(prompt: str) -> str:
    """What a prompt is about, in one line: of one made from a report its title."""
    report = re.search(r"^## Report\n> (.+)$", prompt, re.MULTILINE)
    return re.sub(r"\s+", " ", report[1] if report else prompt).strip()


def _note(turn: Turn, files: list[str], prompt: str) -> str:
    """A line in the changelog, which is made if there is none."""
    path = next((name for name in files if PurePosixPath(name).name.lower() == "changelog.md"), "CHANGELOG.md")
    said = _subject(prompt)
    line = f"- {said[:96].rstrip('. ') or 'Small improvement'}.\n"
    text = exact_text(turn.path(path)) or "# Changelog\n"
    head = re.search(r"^## .*\n\n?", text, re.MULTILINE)
    if head:
        text = text[: head.end()] + line + text[head.end() :]
    else:
        text = f"{text.rstrip()}\n\n## Unreleased\n\n{line}"
    turn.write(path, text)
    return f"`{path}` has a line about it"


def _sum_up(turn: Turn, done: list[str], code: int | None) -> None:
    listed = "\n".join(f"- {line}" for line in done)
    tests = {0: "All tests pass.", None: "There is no quick test command here, so I ran none."}
    ending = tests.get(code, f"The tests fail (exit code {code}); that needs a look before it is merged.")
    turn.say(f"Done, in small steps:\n\n{listed}\n\n```\ngit diff --stat\n```\n\n{ending}")
