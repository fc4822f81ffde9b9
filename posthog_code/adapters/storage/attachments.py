"""Files that were pasted: moved from the temporary folder, which the system sweeps, to the data folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from posthog_code.domain.errors import StorageFailed
from posthog_code.domain.ids import TaskId


class FileAttachments:
    """Implements ports.storage.Attachments: a folder for each task."""

    def __init__(self, folder: Path, temporary: Path | None = None) -> None:
        self._folder = folder
        self._temporary = (temporary or Path(tempfile.gettempdir())).resolve()

    def keep(self, task_id: TaskId, paths: Sequence[str]) -> tuple[str, ...]:
        return tuple(self._keep(task_id, Path(path)) if self._passing(Path(path)) else path for path in paths)

    def _passing(self, path: Path) -> bool:
        """Whether it will not be there for long. The person's own files are sent from where they are."""
        ours = path.is_relative_to(self._folder)
        return not ours and path.is_file() and path.resolve().is_relative_to(self._temporary)

    def _keep(self, task_id: TaskId, path: Path) -> str:
        target = self._folder / task_id / path.name
        try:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            number = 1
            while target.exists():
                number += 1
                target = target.with_name(f"{path.stem}-{number}{path.suffix}")
            shutil.copyfile(path, target)
        except OSError as error:
            raise StorageFailed(
                f"The attachment {path.name} could not be kept.",
                "Check free space and permissions of the data folder.",
                f"{target}: {error.strerror or error}",
            ) from error
        return os.fspath(target)

    def forget(self, task_id: TaskId) -> None:
        shutil.rmtree(self._folder / task_id, ignore_errors=True)
