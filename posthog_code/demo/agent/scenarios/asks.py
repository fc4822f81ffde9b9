"""Scenarios in which the agent needs the person, or another agent."""

from __future__ import annotations

from posthog_code.demo.agent.scenarios import checks
from posthog_code.demo.agent.turn import Turn, many

CHOICES = (
    ("sessions", "Keep it in the session, gone at sign-out"),
    ("database", "Keep it in the database, with a migration"),
    ("neither", "Do not keep it at all"),
)


def permission(turn: Turn) -> None:
    """Asks to run a command, whatever the mode."""
    turn.think("This needs a command. I ask before I run it.")
    files = turn.files()
    turn.say(f"I looked at the {many(len(files), 'file')} here. The next step is a command.\n\n")
    command = checks.test_command(turn.session.cwd) or ["git", "--no-pager", "log", "--oneline", "-5"]
    code = turn.run(command, "Shows where things stand before anything is changed", ask=True)
    turn.say("The command went well." if code == 0 else f"The command ended with exit code {code}.")


def question(turn: Turn) -> None:
    """Asks something that only a person can decide, and writes the decision down."""
    turn.think("There are several good ways, and the difference matters to people, not to the code.")
    chosen = turn.question("Where should the choice be kept?", CHOICES)
    if not chosen:
        turn.say("No answer, so I leave it as it is.")
        return
    name = dict(CHOICES).get(chosen, chosen)
    if turn.session.options["mode"] != "plan":
        turn.write("docs/decision.md", f"# Where the choice is kept\n\n{name}.\n")
    turn.say(f"Noted: **{name}**.")


def outside(turn: Turn) -> None:
    """Asks to write outside the session's folder. It never does, whatever the answer is."""
    target = turn.session.cwd.resolve().parent / "notes-of-the-demo-agent.txt"
    diff = {"type": "diff", "path": str(target), "oldText": None, "newText": "Notes\n"}
    call = turn.call("edit", f"Create {target}", {"file_path": str(target)}, [diff], [{"path": str(target)}])
    turn.permission("outside", call)
    turn.finish(call, text="Allowed, but the demo agent keeps to its folder.", failed=True)
    turn.say(f"You allowed it. I left `{target.name}` alone all the same: the demo keeps to its own folder.")


def sub_agent(turn: Turn) -> None:
    """A task handed to an agent of the agent's own; its calls name the call that they belong to."""
    turn.say("I let a second agent look around.")
    task = turn.call("think", "Agent: find the tests", {"prompt": "Which files are tests?"})
    turn.parent = task["toolCallId"]
    try:
        turn.think("Tests are usually named so.")
        found = turn.search("test")
        turn.say(f"{many(len(found), 'line mentions', 'lines mention')} tests.")
    finally:
        turn.parent = ""
    files = {line.split(":", 1)[0] for line in found}
    turn.finish(task, text=f"{many(len(files), 'file mentions', 'files mention')} tests.")
    turn.say("The second agent is back; nothing had to be changed.")
