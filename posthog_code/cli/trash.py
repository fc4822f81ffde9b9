"""The trash from the command line: looked at, and emptied when a person says so."""

from __future__ import annotations

import argparse
import sys
import time

from posthog_code.cli.output import Output
from posthog_code.cli.turn import EXIT_OK, EXIT_STOPPED
from posthog_code.domain.errors import InvalidInput
from posthog_code.domain.text import age
from posthog_code.services.app import Services
from posthog_code.services.trash import TrashEntry


async def trash_list(services: Services, options: argparse.Namespace, output: Output) -> int:
    entries = await services.trash.list()
    output.data([_row(entry) for entry in entries])
    if not entries:
        output.text("The trash is empty.")
    for entry in entries:
        output.text(_line(entry))
    return EXIT_OK


async def trash_empty(services: Services, options: argparse.Namespace, output: Output) -> int:
    entries = await services.trash.list(before=time.time() - options.older_than)
    if entries and not options.yes and not _confirmed(entries, output):
        return EXIT_STOPPED
    emptied = await services.trash.empty(entries)
    output.data(
        {
            "removed": [_row(entry) for entry in emptied.removed],
            "kept": [_row(entry) | {"reason": reason} for entry, reason in emptied.kept],
        }
    )
    output.text(f"Removed {len(emptied.removed)} ({_megabytes(emptied.removed)}).")
    for entry, reason in emptied.kept:
        output.text(f"kept  {_line(entry)}\n      {reason}")
    return EXIT_OK


def _confirmed(entries: tuple[TrashEntry, ...], output: Output) -> bool:
    if output.as_json or not sys.stdin.isatty():
        raise InvalidInput("Nothing was removed, since nobody can be asked here.", "Add --yes to empty the trash.")
    for entry in entries:
        output.text(_line(entry))
    sys.stderr.write(
        f"Remove these {len(entries)} for good ({_megabytes(entries)})? Deleted tasks cannot be restored after. [y/N] "
    )
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _row(entry: TrashEntry) -> dict[str, object]:
    return {
        "task": entry.task.id if entry.task else "",
        "title": entry.task.title if entry.task else "",
        "phase": entry.task.phase.value if entry.task else "",
        "path": str(entry.worktree.trashed) if entry.worktree else "",
        "branch": entry.worktree.branch if entry.worktree else "",
        "at": entry.at,
        "bytes": entry.size,
        "removable": entry.removable,
    }


def _line(entry: TrashEntry) -> str:
    where = entry.worktree.trashed if entry.worktree else "-"
    title = entry.task.title if entry.task else "no task knows it"
    return f"{age(time.time() - entry.at):>4}  {entry.size / 1e6:8.1f} MB  {where}  {title}"


def _megabytes(entries: tuple[TrashEntry, ...]) -> str:
    return f"{sum(entry.size for entry in entries) / 1e6:.1f} MB"
