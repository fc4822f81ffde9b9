"""Reading the design tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from posthog_code.resources import resources_dir


@cache
def tokens() -> Mapping[str, Any]:
    """The token tree as it is in the file; never change it."""
    path = resources_dir() / "design" / "tokens.json"
    tree: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return tree


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The leaves of a token tree by dotted path: `{"surface": {"window": x}}` becomes `{"surface.window": x}`."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat
