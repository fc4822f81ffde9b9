"""The protocol's schema models, asked only when an answer cannot be used: they say what is wrong with it.

The package costs about 0.4 s and 30 MB to import, so it is never imported while all is well, and only in a thread.
"""

from __future__ import annotations

from typing import Any


def explain(model: str, payload: Any) -> str:
    """What does not fit, one line per field, e.g. "sessionId: Field required"; "" when it does fit. May block."""
    from acp import schema
    from pydantic import BaseModel, ValidationError

    found = getattr(schema, model, None)
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        return ""
    try:
        found.model_validate(payload)
    except ValidationError as error:
        return "\n".join(f"{'.'.join(map(str, e['loc'])) or model}: {e['msg']}" for e in error.errors()[:20])
    return ""
