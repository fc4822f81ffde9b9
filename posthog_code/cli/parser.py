"""The command line: what can be asked of the program without a window."""

from __future__ import annotations

import argparse

from posthog_code import __version__
from posthog_code.cli import cloud, handover, inbox, runner, signals, watch
from posthog_code.domain.changes import Scope


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="posthog-code",
        description="Work with coding agents, each task in its own git worktree. Without a command the window opens.",
        epilog="posthog-code posthog-code://task/ID shows a cloud task. "
        "Data is kept in POSTHOG_CODE_HOME when that is set.",
    )
    parser.add_argument("--version", action="version", version=f"posthog-code {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    _window_commands(commands)
    _task_commands(commands)
    _other_commands(commands)
    cloud.add_commands(commands)
    inbox.add_commands(commands)
    watch.add_commands(commands)
    handover.add_commands(commands)
    runner.add_commands(commands)
    signals.add_commands(commands)
    return parser


def _window_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    demo = commands.add_parser("demo", help="open the window on the demo world")
    demo.add_argument("--home", help="folder of the demo world (default: demo/ in the data folder)")
    demo.add_argument("--reset", action="store_true", help="move the demo world aside and make a new one")
    demo.add_argument("--prepare-only", action="store_true", help="make the demo world and stop")
    shots = commands.add_parser("shots", help="pictures of the demo world's screens")
    shots.add_argument("--out", required=True, help="folder for the pictures")
    shots.add_argument("--only", action="append", default=[], metavar="NAME", help="only this screen (may be repeated)")
    shots.add_argument("--theme", choices=("dark", "light"), help="only this theme")
    shots.add_argument("--size", default="1440x900", metavar="WxH", help="size of the window (default: 1440x900)")


def _task_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    run = commands.add_parser("run", help="make a task and run one turn")
    run.add_argument("prompt", help="what should change")
    run.add_argument("--repo", required=True, help="folder of the repository")
    run.add_argument("--agent", required=True, help="agent id (see: posthog-code agents)")
    run.add_argument("--agent-command", default="", metavar="CMD", help="command line that starts the agent")
    run.add_argument("--base", default="", help="branch to start from (default: the repository's default branch)")
    run.add_argument("--branch", default="", help="name of the new branch (default: made from the prompt)")
    run.add_argument("--model", default="", help="model id, as the agent calls it")
    run.add_argument("--local", action="store_true", help="work in the checkout itself: nothing is isolated")
    run.add_argument("--no-setup", action="store_true", help="leave out the repository's set-up script")
    run.add_argument("--attach", action="append", default=[], metavar="FILE", help="send a file with the prompt")
    _turn_options(run)

    prompt = commands.add_parser("prompt", help="send a follow-up and run one turn")
    prompt.add_argument("id", help="task id, or its beginning")
    prompt.add_argument("prompt")
    _turn_options(prompt)

    tasks = commands.add_parser("tasks", help="list the tasks")
    tasks.add_argument("--all", action="store_true", help="archived ones too")
    _json(tasks)
    show = commands.add_parser("show", help="one task with its turns")
    show.add_argument("id")
    show.add_argument("--transcript", action="store_true", help="the conversation too")
    _json(show)
    diff = commands.add_parser("diff", help="what a task changed")
    diff.add_argument("id")
    diff.add_argument("--scope", choices=[s.value for s in Scope], default=Scope.ALL.value)
    diff.add_argument("--stat", action="store_true", help="only the list of files")
    _json(diff)
    for name, text in (
        ("archive", "snapshot the worktree, move it to trash, keep the conversation"),
        ("restore", "bring an archived or deleted task back"),
        ("delete", "as archive, and off the list; restore undoes it"),
        ("retry", "run a failed set-up, or the last turn, again"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("id")
        if name == "retry":
            _turn_options(command)
        else:
            _json(command)


def _other_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    pr = commands.add_parser("pr", help="pull requests").add_subparsers(dest="pr_command", required=True)
    create = pr.add_parser("create", help="commit, push and open a pull request")
    create.add_argument("id")
    create.add_argument("--title", default="")
    create.add_argument("--body", default="")
    create.add_argument("--base", default="")
    create.add_argument("--message", default="", help="commit message for what is not committed")
    create.add_argument("--draft", action="store_true")
    create.add_argument(
        "--without-coverage", action="store_true", help="also where the repository requires the check (posthog-code qa)"
    )
    _json(create)
    status = pr.add_parser("status", help="state, checks and reviews")
    status.add_argument("id")
    _json(status)

    agents = commands.add_parser("agents", help="which agents are installed")
    _json(agents)
    doctor = commands.add_parser("doctor", help="check this machine")
    _json(doctor)
    trash = commands.add_parser("trash", help="what archived and deleted tasks left; nothing is emptied by itself")
    trashes = trash.add_subparsers(dest="trash_command", required=True)
    _json(trashes.add_parser("list", help="worktrees in the trash and deleted tasks"))
    empty = trashes.add_parser("empty", help="remove them for good; archived tasks keep their snapshots")
    empty.add_argument("--older-than", type=_age, default=0.0, metavar="AGE", help="only from before, as in 30d or 12h")
    empty.add_argument("--yes", action="store_true", help="do not ask")
    _json(empty)
    repositories = commands.add_parser("repositories", help="list repositories, or change one")
    repositories.add_argument("--add", metavar="FOLDER")
    repositories.add_argument("--setup-script", nargs=2, metavar=("NAME", "SCRIPT"), help="commands for new worktrees")
    repositories.add_argument(
        "--posthog-tools", nargs=2, metavar=("NAME", "on|off"), help="whether its agents get PostHog's MCP server"
    )
    repositories.add_argument(
        "--require-check", nargs=2, metavar=("NAME", "on|off"), help="whether pull requests need: posthog-code qa"
    )
    _json(repositories)


def _turn_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mode", default="", help="permission mode, as the agent calls it")
    parser.add_argument(
        "--permissions",
        choices=("allow", "deny", "ask"),
        default="ask",
        help="what to answer when the agent asks; ask needs a terminal (default: ask)",
    )
    parser.add_argument("--timeout", type=float, default=0.0, metavar="S", help="stop the turn after S seconds")
    _json(parser)


def _age(text: str) -> float:
    """Seconds of an age like 30d, 12h or 90m."""
    units = {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
    if not text[:-1].isdigit() or text[-1:] not in units:
        raise argparse.ArgumentTypeError(f"{text!r} is no age; write for example 30d, 12h or 90m")
    return int(text[:-1]) * units[text[-1]]


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="JSON on standard output")
