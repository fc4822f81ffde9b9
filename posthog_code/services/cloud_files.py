"""Attachments on their way to the cloud."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import Iterable
from pathlib import Path

from posthog_code.domain.errors import NotFound
from posthog_code.domain.task import QueuedMessage
from posthog_code.ports.cloud import CloudFile


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
