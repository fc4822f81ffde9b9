"""What nobody expected: told in the log, kept in a crash file, never swallowed."""

from __future__ import annotations

import faulthandler
import logging
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

log = logging.getLogger("crash")
_kept: list[Any] = []


def install(logs: Path) -> None:
    """Hook every place where an unexpected error can end up. Once in a process."""
    try:
        logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = open(logs / "fatal.txt", "a")  # noqa: SIM115 - faulthandler needs it for the life of the process
        _kept.append(file)
        faulthandler.enable(file)
    except OSError:
        faulthandler.enable()
    sys.excepthook = _report
    threading.excepthook = lambda args: _report(args.exc_type, args.exc_value, args.exc_traceback)
    sys.unraisablehook = lambda args: _report(args.exc_type, args.exc_value, args.exc_traceback)


def _report(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.exit(130)
    log.critical("unexpected error\n%s", "".join(traceback.format_exception(kind, error, trace)))
    sys.stderr.write(f"PostHog Code met an error that it did not expect: {kind.__name__}: {error}\n")
    sys.stderr.write("Nothing that was saved is lost. The log in the data folder has the details.\n")


def reporter(tell: Callable[[str, str], None]) -> Callable[[BaseException], None]:
    """A handler for errors of actions: logged whole, told to the person in one line."""

    def report(error: BaseException) -> None:
        _report(type(error), error, error.__traceback__)
        tell("Something went wrong inside PostHog Code.", f"{type(error).__name__}: {error}. The log has the details.")

    return report
