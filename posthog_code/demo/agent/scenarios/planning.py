"""Mode "plan": look, lay out a plan, and ask whether to go on with it."""

from __future__ import annotations

from collections.abc import Sequence

from posthog_code.demo.agent.turn import Turn

OPTIONS = (
    {"optionId": "acceptEdits", "name": "Yes, and accept edits", "kind": "allow_always"},
    {"optionId": "ask", "name": "Yes, and ask for each edit", "kind": "allow_once"},
    {"optionId": "plan", "name": "No, keep planning", "kind": "reject_once"},
)


def agreed(turn: Turn, plan: Sequence[str]) -> bool:
    """Whether edits may be made. In any other mode they may; in this one the person is asked, and a yes leaves it."""
    if turn.session.options["mode"] != "plan":
        return True
    turn.plan(plan)
    listed = "\n".join(f"{number}. {text}" for number, text in enumerate(plan, 1))
    turn.say(f"This is what I would do:\n\n{listed}\n\nNothing is changed yet.")
    call = turn.call("switch_mode", "Ready to start?", {"plan": listed})
    mode = turn.choose(call, OPTIONS) or "plan"
    turn.finish(call, failed=mode == "plan")
    if mode == "plan":
        turn.say("Then I keep planning. What should be different?")
        return False
    turn.set_mode(mode)
    return True
