"""Where the files under `resources/` are, in a checkout, an installed wheel and a frozen build."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path


@cache
def resources_dir() -> Path:
    """The folder that holds `design/`, `agents/` and the rest.

    Raises FileNotFoundError when the installation is incomplete.
    """
    bundle = getattr(sys, "_MEIPASS", None)
    candidates = [
        *([Path(bundle) / "resources"] if bundle else []),
        Path(__file__).resolve().parent / "_resources",
        Path(__file__).resolve().parent.parent / "resources",
    ]
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"resources/ was not found in any of: {', '.join(map(str, candidates))}")
