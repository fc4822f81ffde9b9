"""A lot of text, and text that takes its time."""

from __future__ import annotations

from posthog_code.demo.agent.scenarios.checks import python
from posthog_code.demo.agent.turn import Turn

LINES = 5_000
SCRIPT = """
import sys, time
for number in range(1, {lines} + 1):
    print(f"{{number:5}}  row {{number * 7919 % 100_003:6}}  ok  took {{number % 17}} ms", flush=number % 20 == 0)
    if {pause} and number % 20 == 0:
        time.sleep({pause})
"""


def long_answer(turn: Turn) -> None:
    """Five thousand lines of Markdown, four to a chunk."""
    for first in range(0, LINES, 100):
        part = [f"## Part {first // 100 + 1}\n\n"]
        part += [f"- line {number}: `value {number * 31 % 977}` was looked at\n" for number in range(first, first + 96)]
        turn.session.cancelled.wait(0)
        turn.pause(0)
        _pieces(turn, [*part, "\n", "\n"])


def _pieces(turn: Turn, lines: list[str]) -> None:
    message = f"msg_long_{turn.session.turns}"
    for start in range(0, len(lines), 4):
        turn.pause(0.02)
        content = {"type": "text", "text": "".join(lines[start : start + 4])}
        turn.update({"sessionUpdate": "agent_message_chunk", "content": content, "messageId": message})


def long_output(turn: Turn) -> None:
    """A command that writes five thousand lines."""
    turn.say("This will take a while.")
    program = python()
    if program:
        turn.run(
            [program, "-u", "-c", SCRIPT.format(lines=LINES, pause=0.04 * turn.speed)], "Write five thousand lines"
        )
        turn.say(f"All {LINES} lines were written.")
    else:
        long_answer(turn)


def slow(turn: Turn) -> None:
    """Half a minute of work at speed 1."""
    steps = ["Look around", "Think it over", "Look again", "Sum up"]
    for done, step in enumerate(steps):
        turn.plan(steps, done)
        turn.think(f"{step}. There is no hurry.")
        turn.pause(6.0)
    turn.plan(steps, len(steps))
    turn.say("That took its time, but nothing had to be changed.")
