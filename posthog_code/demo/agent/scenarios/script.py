"""Scenarios as data: `resources/demo/scenarios/*.toml`, played step by step with real tools."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from posthog_code.demo.agent import process
from posthog_code.demo.agent.scenarios import checks, planning
from posthog_code.demo.agent.turn import Refused, Turn, exact_text
from posthog_code.resources import resources_dir

Scene = dict[str, Any]
CRASH_CODE = 137
"""What a process that ran out of memory leaves behind."""


@cache
def scenes() -> tuple[Scene, ...]:
    folder = resources_dir() / "demo" / "scenarios"
    return tuple(tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.toml")))


def find(prompt: str, turn: Turn) -> Callable[[Turn], None] | None:
    """The scripted turn that fits the prompt here: the next of the conversation's scene, or the first of another."""
    for scene, index in _candidates(prompt, turn):
        steps = scene["turn"][index]["step"]
        # Who names a file wants that file: a scene that leaves it alone is not what was asked for.
        if not turn.named or any(step.get("path") in turn.named for step in steps):
            return lambda turn: _play(turn, scene, index)
    return None


def go_on(turn: Turn) -> bool:
    """Go on with the scripted turn that was cut short; False when it was none."""
    left = turn.session.left
    scene = next((scene for scene in scenes() if scene["name"] == left.get("scene")), None)
    if scene is None:
        return False
    _play(turn, scene, left["index"], left["step"], left["answer"])
    return True


def _candidates(prompt: str, turn: Turn) -> Iterator[tuple[Scene, int]]:
    session = turn.session
    for scene in scenes():
        if not all((session.cwd / path).is_file() for path in scene["needs"]):
            continue
        turns = scene["turn"]
        if scene["name"] == session.scene and 0 in session.scene_turns:
            for index in range(1, len(turns)):
                if index not in session.scene_turns and re.search(turns[index]["match"], prompt, re.IGNORECASE):
                    yield scene, index
        elif re.search(scene["match"], prompt, re.IGNORECASE):
            yield scene, 0


def _play(turn: Turn, scene: Scene, index: int, first: int = 0, answer: str = "") -> None:
    """Play one turn of a scene from its step `first` on."""
    part = scene["turn"][index]
    session = turn.session
    if session.scene != scene["name"]:
        session.scene, session.scene_turns = scene["name"], ()
    if session.options["mode"] == "plan":
        for step in part["step"]:
            if step["do"] in ("think", "search", "read"):
                _step(turn, step, part["plan"], "")
        if not planning.agreed(turn, part["plan"] or ["Make the change", "Run the tests"]):
            return
    for number, step in enumerate(part["step"][first:], first):
        turn.leave({"scene": scene["name"], "index": index, "step": number, "answer": answer})
        answer = _step(turn, step, part["plan"], answer)
    turn.leave({})
    session.scene_turns = (*session.scene_turns, index)


def _step(turn: Turn, step: Scene, plan: list[str], answer: str) -> str:
    """Play one step; gives the person's answer, the one so far or a new one."""
    text = str(step.get("text", "")).replace("{{answer}}", answer)
    match step["do"]:
        case "think":
            turn.think(text)
        case "say":
            turn.say(text.strip())
        case "plan":
            turn.plan(plan, int(step.get("done", 0)))
        case "search":
            turn.search(text)
        case "read":
            turn.read(step["path"])
        case "write":
            turn.write(step["path"], text)
        case "edit":
            _edit(turn, step["path"], step["old"], str(step["new"]).replace("{{answer}}", answer))
        case "delete":
            _delete(turn, step["path"])
        case "test":
            checks.run_tests(turn, text, step["why"])
        case "pause":
            turn.pause(step["seconds"])
        case "question":
            return _question(turn, step)
        case "crash":
            _crash(turn, text)
    return answer


def _edit(turn: Turn, path: str, old: str, new: str) -> None:
    """An edit that is there already, from a turn that was stopped, is no problem."""
    if new in (exact_text(turn.path(path)) or ""):
        return
    try:
        turn.edit(path, old, new)
    except Refused:
        turn.say(f"`{path}` looks different from what I expected, so I leave that part alone.\n\n")


def _delete(turn: Turn, path: str) -> None:
    if turn.path(path).is_file():
        turn.delete(path)


def _question(turn: Turn, step: Scene) -> str:
    choices = [(value, name) for value, name in step["choices"]]
    told = turn.question(step["text"], choices)
    number = re.search(r"\d+", told)
    if number is None:
        turn.say(f"No number was given; I go on with {choices[0][1].lower()}.\n\n")
        return str(choices[0][0])
    return number[0]


def _crash(turn: Turn, text: str) -> None:
    """Die in the middle of a command, once in a conversation."""
    if "crashed" in turn.session.marks:
        return
    turn.call("execute", f"python3 -m unittest ({text})", {"command": "python3 -m unittest", "description": text})
    turn.pause(1.0)
    turn.session.marks.add("crashed")
    turn.session.save()
    process.leave(CRASH_CODE)
