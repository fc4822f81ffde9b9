"""Names of things. All ids are short URL-safe strings, made by the caller (ids are passed in, never invented here)."""

from __future__ import annotations

from typing import NewType

RepositoryId = NewType("RepositoryId", str)
TaskId = NewType("TaskId", str)
SessionId = NewType("SessionId", str)
MessageId = NewType("MessageId", str)
CommentId = NewType("CommentId", str)
RequestId = NewType("RequestId", str)
"""A permission or question that an agent waits for."""
