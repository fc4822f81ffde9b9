"""The slash commands that only look."""

from __future__ import annotations

import re

from posthog_code.demo.agent.scenarios import checks
from posthog_code.demo.agent.turn import Turn


def _words(turn: Turn) -> str:
    return re.sub(r"^/\w+", "", turn.prompt.strip()).strip()


def look_over(turn: Turn) -> None:
    """/review"""
    turn.run(["git", "--no-pager", "diff", "--stat", "HEAD"], "See what changed")
    turn.say("- The change is small enough to read in one go.\n- Look twice at files that have no test of their own.")


def run_tests(turn: Turn) -> None:
    """/test [folder]"""
    code = checks.run_tests(turn, _words(turn))
    if code is None:
        turn.say("I know no quick way to run the tests here.")
    else:
        turn.say("All tests pass." if code == 0 else f"The tests fail (exit code {code}).")


def explain(turn: Turn) -> None:
    """/explain [path]"""
    known = turn.files()
    path = next((word.lstrip("@") for word in _words(turn).split() if word.lstrip("@") in known), "")
    path = path or next((name for name in known if name.lower().startswith("readme")), known[0] if known else "")
    if not path:
        turn.say("There is no file here yet.")
        return
    text = turn.read(path)
    names = re.findall(r"^\s*(?:export\s+)?(?:async\s+)?(?:def|class|function|interface)\s+(\w+)", text, re.MULTILINE)
    listed = "\n".join(f"- `{name}`" for name in names[:12]) or "- nothing that other files could call"
    turn.say(f"`{path}` has {len(text.splitlines())} lines and defines:\n\n{listed}")
