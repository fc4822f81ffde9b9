"""What a person sent, as the agent's prompt."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from posthog_code.demo.posthog.wire import Object

PREFIX = "__twig_cloud_prompt_v1__:"
"""In front of JSON with content blocks, where a text alone would not do."""


def blocks_of(message: Object, artifacts: Iterable[Object], blob: Callable[[str], Path]) -> list[Object]:
    """Content blocks of `content`, and a link for each of `artifact_ids`."""
    text = str(message.get("content") or "")
    blocks: list[Object] = [{"type": "text", "text": text}] if text else []
    if text.startswith(PREFIX):
        try:
            blocks = list(json.loads(text.removeprefix(PREFIX)).get("blocks") or [])
        except (ValueError, AttributeError):
            pass  # then it is shown as it came
    for artifact in artifacts:
        if artifact["id"] in message["artifact_ids"]:
            link = {"type": "resource_link", "uri": blob(artifact["storage_path"]).as_uri(), "name": artifact["name"]}
            blocks.append({**link, "mimeType": artifact["content_type"]})
    return blocks
