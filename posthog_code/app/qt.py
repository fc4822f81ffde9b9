"""Loading Qt and making the application object: quickly, and with words for the person when it cannot be."""

from __future__ import annotations

import builtins
import os
import sys

from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler
from PySide6.QtWidgets import QApplication

from posthog_code.app import system


def plain_imports() -> None:
    """Take PySide's hands off `import`, before anything else of ours is imported.

    It reads the source of every module that is imported after it, to see whether snake_case names are wanted there.
    They are not, and at the start that is a tenth of the time.
    """
    original = vars(builtins).get("__orig_import__")
    if original is not None:
        vars(builtins)["__import__"] = original


def make_application() -> QApplication:
    """The application object. Where Qt gives up, the program ends with what can be done about it, not with SIGABRT."""
    before = qInstallMessageHandler(_tell)
    try:
        app = QApplication(["posthog-code"])
    finally:
        qInstallMessageHandler(before)
    app.setApplicationName("posthog-code")
    app.setApplicationDisplayName("PostHog Code")
    app.setDesktopFileName("posthog-code")
    return app


def _tell(kind: QtMsgType, _context: QMessageLogContext, message: str) -> None:
    if kind == QtMsgType.QtFatalMsg:
        problem = system.screen_problem() or "posthog-code doctor looks at the whole machine.\n"
        sys.stderr.write(f"No window can be opened here: {message.strip()}\n\n{problem}")
        sys.stderr.flush()
        # Qt aborts the process when this returns.
        os._exit(3)
    sys.stderr.write(f"{message}\n")
