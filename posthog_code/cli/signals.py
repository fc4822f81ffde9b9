"""The commands `signals`, `qa` and `enrich`: what code means in production, from the command line."""

from __future__ import annotations

import argparse
from pathlib import Path

from posthog_code.cli.find import find_task
from posthog_code.cli.output import Output
from posthog_code.cli.turn import EXIT_OK
from posthog_code.domain.code_signals import SignalRow
from posthog_code.domain.code_use import CodeUse
from posthog_code.domain.coverage_rules import place_line, summary
from posthog_code.domain.text import plural
from posthog_code.services.app import Services

EXIT_MISSING = 1


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    signals = commands.add_parser("signals", help="flags, events and errors in the code that a task changed")
    signals.add_argument("id", help="task id, or its beginning")
    qa = commands.add_parser("qa", help="check that what a task changed tells the product what happens")
    qa.description = (
        "Exit code 0 when every changed path sends what it should, 1 when something is missing, 2 on errors."
    )
    qa.add_argument("id", help="task id, or its beginning")
    enrich = commands.add_parser("enrich", help="flags and events that code uses; nothing leaves this machine")
    enrich.add_argument("path", help="folder or file")
    for parser in (signals, qa, enrich):
        parser.add_argument("--json", action="store_true", help="JSON on standard output")


async def signals(services: Services, options: argparse.Namespace, output: Output) -> int:
    task = find_task(services.store.state, options.id)
    found = await services.code_signals.refresh(task.id)
    output.data(
        {
            "task": task.id,
            "rows": found.rows,
            "coverage": summary(found.coverage),
            "recordings": found.facts.recordings,
            "partial": found.facts.partial,
            "problem": found.problem,
        }
    )
    if not found.rows:
        output.text("The changed code uses no flags and sends no events, and no error of it is known.")
    for row in found.rows:
        output.text(_row(row))
    if found.rows and not services.account.account.signed_in:
        output.text("Sign in (posthog-code login) to see what they mean in production.")
    if sentence := summary(found.coverage):
        output.text(sentence)
    if found.problem:
        output.warning(found.problem)
    return EXIT_OK


async def qa(services: Services, options: argparse.Namespace, output: Output) -> int:
    task = find_task(services.store.state, options.id)
    found = await services.code_signals.coverage(task.id)
    output.data(
        {
            "task": task.id,
            "passed": found.passed,
            "covered": found.covered,
            "total": len(found.places),
            "places": found.places,
            "unread": found.unread,
        }
    )
    output.text(summary(found) or "No entry point changed: there is nothing to check.")
    for place in found.places:
        if not place.covered:
            output.text(f"  {place_line(place)}")
    for line in found.unread:
        output.warning(f"Not read completely: {line}")
    return EXIT_OK if found.passed else EXIT_MISSING


async def enrich(services: Services, options: argparse.Namespace, output: Output) -> int:
    found = await services.code_signals.search.enrich(Path(options.path))
    output.data({"root": str(found.root), "read": found.read, "files": list(found.files.values())})
    uses = 0
    for path, one in found.files.items():
        for use in one.uses:
            uses += 1
            output.text(_use(use))
        if one.problem:
            output.warning(f"{path}: {one.problem}")
    output.text(f"{plural(uses, 'use')} in {plural(found.read, 'file')}.")
    return EXIT_OK


def _row(row: SignalRow) -> str:
    where = f"{row.path}:{row.line}"
    return f"{row.kind:<10} {row.name:<32} {row.figure:<18} {row.state:<20} {where}".rstrip()


def _use(use: CodeUse) -> str:
    name = use.name or "(not a literal)"
    extra = " ".join(
        filter(None, (use.method, f"= {use.variant}" if use.variant else "", f"via {use.via}" if use.via else ""))
    )
    return f"{use.path}:{use.line}  {use.kind.value:<8} {name:<32} {extra}".rstrip()


SIGNALS_COMMANDS = {"signals": signals, "qa": qa, "enrich": enrich}
