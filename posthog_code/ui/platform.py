"""What the desktop does for us: opening folders and editors, the clipboard."""

from __future__ import annotations

import os
import shlex
import shutil
from functools import cache
from pathlib import PurePath

from PySide6.QtGui import QGuiApplication

from posthog_code.domain.errors import InvalidInput, ToolMissing

_EDITORS = (
    ("zed", "Zed"),
    ("code", "VS Code"),
    ("cursor", "Cursor"),
    ("subl", "Sublime Text"),
    ("idea", "IntelliJ IDEA"),
)


def copy_text(text: str) -> None:
    QGuiApplication.clipboard().setText(text)


def open_url(url: str) -> bool:
    """Show a page in the person's browser; False when there is none."""
    # Imported here and below: nothing is opened before the window is painted.
    from PySide6.QtCore import QUrl
    from PySide6.QtGui import QDesktopServices

    return bool(QDesktopServices.openUrl(QUrl(url)))


def open_folder(path: str) -> None:
    from PySide6.QtCore import QUrl
    from PySide6.QtGui import QDesktopServices

    QDesktopServices.openUrl(QUrl.fromLocalFile(path))


def editor_name(command: str) -> str:
    """How to call the editor that `command` starts; "" uses the first known editor on PATH."""
    if not command:
        found = _found_editor()
        return found[1] if found else "Editor"
    try:
        program = PurePath(shlex.split(command)[0]).stem
    except (ValueError, IndexError):
        return "Editor"
    return dict(_EDITORS).get(program, program)


def open_in_editor(command: str, path: str) -> None:
    """Starts the editor on a file or folder, detached from us.

    Raises InvalidInput when the command cannot be read and ToolMissing when its program does not start.
    """
    if not command:
        found = _found_editor()
        if found is None:
            open_folder(path)
            return
        command = found[0]
    try:
        program, *arguments = shlex.split(command)
    except ValueError as error:
        raise InvalidInput(
            "The editor's command cannot be read.", "Change it in Settings › General.", f"{command}\n{error}"
        ) from error
    from PySide6.QtCore import QProcess

    started = QProcess.startDetached(program, [*arguments, path])
    if not (started[0] if isinstance(started, tuple) else started):
        raise ToolMissing(
            "The editor did not start.",
            f"The program `{program}` was not found. Change it in Settings › General.",
        )


def _found_editor() -> tuple[str, str] | None:
    return _first_editor(os.environ.get("PATH", ""))


@cache
def _first_editor(_path: str) -> tuple[str, str] | None:
    """Looked for once: the head of a task asks whenever it is laid out."""
    return next(((program, name) for program, name in _EDITORS if shutil.which(program)), None)
