"""Attachments on their way to the cloud."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import Iterable, Sequence
from pathlib import Path

from posthog_code.domain.errors import NotFound
from posthog_code.domain.task import QueuedMessage, Task
from posthog_code.ports.cloud import Cloud, CloudFile


class Uploads:
    """What was uploaded for the last messages: another try to send them takes the same artifacts."""

    def __init__(self) -> None:
        self._whose: object = None
        self._ids: list[str] = []

    async def of(self, cloud: Cloud, task: Task, messages: Sequence[QueuedMessage]) -> list[str]:
        """Ids of the artifacts of these messages in the task's run. Raises NotFound, and what `Cloud.upload` does."""
        whose = task.cloud_run_id, [(message.id, message.attachments) for message in messages]
        if self._whose != whose:
            files = await files_of(messages)
            made = await cloud.upload(task.cloud_task_id, task.cloud_run_id, files) if files else ()
            self._whose, self._ids = whose, [one.id for one in made]
        return list(self._ids)


async def files_of(messages: Iterable[QueuedMessage]) -> list[CloudFile]:
    """Raises NotFound for an attachment that is gone."""
    paths = [Path(path) for message in messages for path in message.attachments]
    return [await asyncio.to_thread(read_file, path) for path in paths]


def read_file(path: Path) -> CloudFile:
    """A file to send along. Raises NotFound when it cannot be read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NotFound(
            f"The attachment {path.name} cannot be read.", "Remove it or attach it again.", str(error)
        ) from error
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return CloudFile(path.name, data, kind)
