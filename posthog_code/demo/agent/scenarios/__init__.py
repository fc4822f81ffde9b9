"""Which scenario a prompt gets: by its words, with a sensible one for anything else."""

from __future__ import annotations

import re
from collections.abc import Callable

from posthog_code.demo.agent.scenarios import asks, commands, faults, general, review, script, stream, tools
from posthog_code.demo.agent.turn import MENTION, Refused, Rejected, Turn, named_files

Scenario = Callable[[Turn], None]

KEYWORD_LIMIT = 120
"""Characters. A longer prompt is a real task, in which a word like "fail" means nothing special."""

CONTINUE = re.compile(r"(continue|go on)( where you stopped)?[.!]?", re.IGNORECASE)
"""What asks for the rest of the last turn."""

COMMANDS: dict[str, Scenario] = {
    "review": commands.look_over,
    "test": commands.run_tests,
    "explain": commands.explain,
    "fail": faults.fail,
    "long": stream.long_output,
}

KEYWORDS: tuple[tuple[str, Scenario], ...] = (
    (r"\bask posthog\b", tools.ask_posthog),
    (r"\bfail\b", faults.fail),
    (r"\bcrash\b", faults.crash),
    (r"\bgarbage\b", faults.garbage),
    (r"\bhuge\b", faults.huge),
    (r"\bsilent\b", faults.silent),
    (r"\bstream\b", stream.long_answer),
    (r"\blong\b", stream.long_output),
    (r"\bslow\b", stream.slow),
    (r"\boutside\b", asks.outside),
    (r"\bsub-?agents?\b", asks.sub_agent),
    (r"\b(permission|migrate|upgrade)\b", asks.permission),
    (r"\b(question|choose)\b", asks.question),
)


def play(turn: Turn) -> None:
    """Work on the turn's prompt. Raises Cancelled, or RpcError where the scenario is that the agent fails."""
    try:
        if CONTINUE.fullmatch(turn.prompt.strip()):
            _go_on(turn)
            return
        turn.leave({})
        _choose(turn.prompt.strip(), turn)(turn)
    except Rejected as action:
        turn.say(f"You said no to *{action}*, so I stopped there. Tell me what to do instead.")
    except Refused as problem:
        turn.say(f"That did not work: {problem}.")


def _go_on(turn: Turn) -> None:
    if not (script.go_on(turn) or general.go_on(turn)):
        turn.say("There is nothing left to do: no plan of mine is open. Tell me what comes next.")


def _choose(prompt: str, turn: Turn) -> Scenario:
    slash = re.match(r"/(\w+)", prompt)
    if slash and slash[1] in COMMANDS:
        return COMMANDS[slash[1]]
    scene = script.find(prompt, turn)
    if scene is not None:
        return scene
    likely = named_files("", review.likely_files(prompt), turn.session.cwd)
    if likely:
        # A place where to begin, not a list of remarks to follow one by one.
        turn.named = likely
        return general.improve
    if any((turn.session.cwd / remark.path).is_file() for remark in review.remarks(prompt)):
        return review.follow
    plain = MENTION.sub(" ", prompt)
    if len(plain) <= KEYWORD_LIMIT:
        for words, scenario in KEYWORDS:
            if re.search(words, plain, re.IGNORECASE):
                return scenario
    return general.improve
