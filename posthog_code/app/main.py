"""From the command line to a window, a command, or one of the program's own children."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import MutableMapping, Sequence
from types import SimpleNamespace
from typing import Any

from posthog_code.app.paths import Paths, default_home


def main(argv: Sequence[str]) -> int:
    """Run the program; gives its exit code."""
    _leave_bundle(os.environ)
    child = _own_child(argv)
    if child is not None:
        return child
    options = _options(argv)
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


def _options(argv: Sequence[str]) -> Any:
    """What was asked for. A start of the window parses nothing: making the parsers takes a while."""
    if argv[:1] == ["bench"]:
        from posthog_code.app.bench import read_options

        return read_options(argv[1:])
    link = ""
    if len(argv) == 1:
        from posthog_code.domain.deep_links import is_link

        # A desktop hands over a link as the only argument. A bad one is told of in the window: nobody sees a terminal.
        link = argv[0] if is_link(argv[0]) else ""
    if link or not argv:
        return SimpleNamespace(command=None, link=link)
    from posthog_code.cli.parser import build_parser

    options = build_parser().parse_args(argv)
    options.link = ""
    return options


def _leave_bundle(environment: MutableMapping[str, str]) -> None:
    """A frozen build points the loader at its own libraries; git, agents and editors must get the person's value.

    This process and Qt keep what they need: the loader read the variables when the process began.
    """
    if not getattr(sys, "frozen", False):
        return
    for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"):
        original = environment.pop(f"{name}_ORIG", "")
        environment.pop(name, None)
        if original:
            environment[name] = original


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
    if words[:2] == ["-m", "posthog_code.demo.posthog"]:
        words = ["demo-posthog", *words[2:]]
    if words[:1] == ["demo-posthog"]:
        from posthog_code.demo.posthog import main as posthog

        return posthog(words[1:])
    if words == ["mcp-bridge"]:
        from posthog_code.adapters.mcp.bridge import main as bridge

        return bridge()
    if words == ["warden"]:
        from posthog_code.adapters.acp.survivors import main as warden

        warden()
        return 0
    return None


def _with_window(options: Any, paths: Paths) -> int:
    from posthog_code.app import system

    # Nothing of what a start makes is garbage. From the first paint on, `app.loop.Collector` decides when to collect.
    gc.disable()

    if options.command in ("shots", "bench"):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    problem = "" if getattr(options, "prepare_only", False) else system.screen_problem(libraries=False)
    if problem:
        sys.stderr.write(problem)
        return 3
    # What needs no Qt comes first: imports take longer once PySide6 is there.
    importlib.import_module("posthog_code.app.container")
    try:
        from posthog_code.app import qt

        qt.plain_imports()
        from posthog_code.app import window
    except ImportError as error:
        if "PySide6" not in str(error) and ".so" not in str(error):
            raise
        packages = [*system.BASE_LIBRARIES.values(), *system.X11_LIBRARIES.values(), system.FONT_PACKAGE]
        sys.stderr.write(
            f"Qt could not be loaded: {error}\n"
            "Either the PySide6-Essentials package of this Python is missing or damaged, or a system library is:\n\n"
            f"    {system.install_line(packages)}\n\n"
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
    return window.open_window(paths, link=options.link)
