"""A prompt as ACP content blocks."""

from __future__ import annotations

import base64
import mimetypes
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from posthog_code.domain.errors import NotFound

_MENTION = re.compile(r"(?<![\w@])@(?:\"([^\"\n]+)\"|([\w./\-+~][\w./\-+~ ]*[\w/\-+~]|[\w~]))")
_IMAGE_LIMIT = 10 * 1024 * 1024


def prompt_blocks(text: str, attachments: Sequence[str], folder: Path, *, images: bool = True) -> list[dict[str, Any]]:
    """Text first, then a resource link for each `@` mention that names a file, then the attachments.

    Pictures go as image blocks when the agent takes them. Raises NotFound for an attachment that is gone.
    """
    blocks: list[dict[str, Any]] = [{"type": "text", "text": text}]
    mentioned = _mentioned(text, folder)
    for path in mentioned:
        blocks.append(_link(path))
    for attachment in attachments:
        path = Path(attachment)
        if path in mentioned:
            continue
        if not path.is_file():
            raise NotFound(
                f"The attachment {path.name} is not there any more.", "Remove it or attach it again.", attachment
            )
        blocks.append(_attachment(path, images))
    return blocks


def hidden_block(text: str) -> dict[str, Any]:
    """For the agent only (ACP: a block's audience)."""
    return {"type": "text", "text": text, "annotations": {"audience": ["assistant"]}}


def _mentioned(text: str, folder: Path) -> list[Path]:
    found: list[Path] = []
    for match in _MENTION.finditer(text):
        words = (match[1] or match[2] or "").split(" ")
        # A mention may be followed by ordinary words: the longest run that names a file is meant.
        for end in range(len(words), 0, -1):
            path = folder / " ".join(words[:end]).rstrip(".,;:")
            if path.exists():
                if path not in found:
                    found.append(path)
                break
    return found


def _link(path: Path) -> dict[str, Any]:
    return {"type": "resource_link", "uri": path.resolve().as_uri(), "name": path.name}


def _attachment(path: Path, images: bool) -> dict[str, Any]:
    kind = mimetypes.guess_type(path.name)[0] or ""
    if images and kind.startswith("image/") and path.stat().st_size <= _IMAGE_LIMIT:
        data = base64.b64encode(path.read_bytes()).decode()
        return {"type": "image", "mimeType": kind, "data": data, "uri": path.resolve().as_uri()}
    return _link(path)
