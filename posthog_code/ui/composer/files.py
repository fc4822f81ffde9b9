"""Files for a message: chosen in a dialog that does not block, or pasted as a picture."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFileDialog, QWidget

from posthog_code.domain.errors import StorageFailed

_FOLDER = "posthog-code-pasted"


def choose_files(parent: QWidget, folder: str, chosen: Callable[[list[str]], object]) -> None:
    """Open the dialog in `folder` ("" for where it was); `chosen` gets absolute paths."""
    dialog = QFileDialog(parent, "Attach files")
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
    if folder:
        dialog.setDirectory(folder)
    dialog.filesSelected.connect(chosen)
    dialog.open()


def keep_picture(image: QImage) -> str:
    """Write a pasted picture where the agent can read it; gives its path. Raises StorageFailed."""
    folder = os.path.join(tempfile.gettempdir(), _FOLDER)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        handle, path = tempfile.mkstemp(prefix="image-", suffix=".png", dir=folder)
        os.close(handle)
    except OSError as error:
        raise StorageFailed("The picture could not be kept.", f"{folder} cannot be written.", str(error)) from error
    if not image.save(path):
        raise StorageFailed("The picture could not be kept.", f"{folder} cannot be written.")
    return path
