"""Files of tasks and runs: prepared, sent to object storage, finalized; or inside a request."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from posthog_code.adapters.posthog.answers import Answer
from posthog_code.adapters.posthog.errors import not_posthog
from posthog_code.adapters.posthog.http import Http, TokenSource
from posthog_code.domain import cloud_parse as parse
from posthog_code.domain.cloud import CloudArtifact
from posthog_code.domain.errors import InvalidInput
from posthog_code.ports.cloud import CloudFile

LIMIT = 30 * 1024 * 1024
PDF_LIMIT = 10 * 1024 * 1024
SOURCE = "posthog_code"
"""Label that the server keeps with an artifact."""


def check_sizes(files: Sequence[CloudFile]) -> None:
    """Raises InvalidInput, before anything is sent, for a file that the server would refuse."""
    for file in files:
        pdf = file.content_type == "application/pdf" and file.type == "user_attachment"
        limit = PDF_LIMIT if pdf else LIMIT
        if len(file.data) > limit:
            raise InvalidInput(f"{file.name} is too large.", f"At most {limit // (1024 * 1024)} MB can be sent.")


async def upload(http: Http, tokens: TokenSource, base: str, files: Sequence[CloudFile]) -> tuple[CloudArtifact, ...]:
    """The three steps under `base`, a run's or a task's collection of artifacts."""
    if not files:
        return ()
    check_sizes(files)
    wanted = [
        {
            "name": file.name,
            "type": file.type,
            "source": SOURCE,
            "size": len(file.data),
            "content_type": file.content_type,
        }
        for file in files
    ]
    answer = await http.call("POST", f"{base}prepare_upload/", tokens, body={"artifacts": wanted})
    prepared = _listed(answer)
    if len(prepared) != len(files):
        raise not_posthog(http.host, "another number of uploads than asked for")
    for file, place in zip(files, prepared, strict=True):
        post = parse.mapping(place.get("presigned_post"))
        fields = {str(key): str(value) for key, value in parse.mapping(post.get("fields")).items()}
        await http.send_form(parse.text(post.get("url")), fields, file.name, file.data, file.content_type)
    keys = ("id", "name", "type", "source", "content_type", "storage_path")
    done = [{key: place[key] for key in keys if place.get(key) is not None} for place in prepared]
    answer = await http.call("POST", f"{base}finalize_upload/", tokens, body={"artifacts": done})
    return tuple(parse.artifact(one) for one in _listed(answer))


async def inline(http: Http, tokens: TokenSource, path: str, files: Sequence[CloudFile]) -> tuple[CloudArtifact, ...]:
    if not files:
        return ()
    check_sizes(files)
    sent = [
        {
            "name": file.name,
            "type": file.type,
            "source": SOURCE,
            "content": base64.b64encode(file.data).decode("ascii"),
            "content_encoding": "base64",
            "content_type": file.content_type,
        }
        for file in files
    ]
    answer = await http.call("POST", path, tokens, body={"artifacts": sent}, timeout=300.0)
    # The whole manifest comes back; what was added is at its end.
    return tuple(parse.artifact(one) for one in _listed(answer)[-len(files) :])


def _listed(answer: Answer) -> tuple[Mapping[str, Any], ...]:
    return parse.objects(parse.mapping(answer.body).get("artifacts"))
