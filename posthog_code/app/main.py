"""From the command line to a window, a command, or one of the program's own children."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from posthog_code.app.paths import Paths, default_home


def main(argv: Sequence[str]) -> int:
    """Run the program; gives its exit code."""
    child = _own_child(argv)
    if child is not None:
        return child
    from posthog_code.cli.parser import build_parser

    options = build_parser().parse_args(argv)
    paths = Paths(default_home())
    if options.command in (None, "demo", "shots", "bench"):
        return _with_window(options, paths)
    from posthog_code.app import crash, logs

    logs.set_up(paths.logs, to_stderr=False)
    crash.install(paths.logs)
    if options.command == "doctor":
        from posthog_code.app.doctor import run_doctor

        return run_doctor(paths, as_json=options.json)
    from posthog_code.app.headless import run_command

    return run_command(options, paths)


def _own_child(argv: Sequence[str]) -> int | None:
    """A frozen build has no `python -m`: its own helper processes start through the same program."""
    words = list(argv)
    if words[:2] == ["-m", "posthog_code.demo.agent"]:
        words = ["demo-agent", *words[2:]]
    if words[:1] == ["demo-agent"]:
        from posthog_code.demo.agent import main as agent

        return agent(words[1:])
    if words[:1] == ["demo-github"]:
        from posthog_code.demo.github import main as github

        return github(words[1:])
    return None


def _with_window(options: argparse.Namespace, paths: Paths) -> int:
    try:
        from posthog_code.app import window
    except ImportError as error:
        if "PySide6" not in str(error) and ".so" not in str(error):
            raise
        sys.stderr.write(
            f"Qt could not be loaded: {error}\n"
            "On Debian and Ubuntu this installs what it needs:\n\n"
            "    sudo apt-get install libgl1 libegl1 libxkbcommon0 libglib2.0-0 libdbus-1-3 libfontconfig1 "
            "libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-render-util0 "
            "libxcb-xinerama0 libxcb-randr0 libxcb-shape0 fonts-dejavu-core\n\n"
            "posthog-code doctor tells what is missing. The commands work without it.\n"
        )
        return 3
    if options.command == "shots":
        from posthog_code.app import shots

        return shots.run(options, paths)
    if options.command == "bench":
        from posthog_code.app import bench

        return bench.run(options, paths)
    if options.command == "demo":
        from posthog_code.app import demo

        return demo.run(options, paths)
    return window.open_window(paths)
