"""Attachments and checkpoints: manifests, signed uploads and downloads."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import unquote

from posthog_code.demo.posthog.cloud import Cloud, signature
from posthog_code.demo.posthog.oauth import need
from posthog_code.demo.posthog.wire import Object, Reply, Request, invalid, iso, missing, now, refused, required

LIMIT = 30 * 1024 * 1024
PDF_LIMIT = 10 * 1024 * 1024
SLACK = 64 * 1024
KINDS = ("plan", "context", "reference", "output", "artifact", "tree_snapshot", "user_attachment", "skill_bundle")


class Artifacts:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._store = cloud.store

    def handle(self, request: Request, project: int, task_id: str, parts: list[str]) -> Reply:
        """Paths below tasks/{t}/ that are about artifacts. Raises Failure."""
        task = self._store.task(project, task_id)
        match (request.method, *parts):
            case ("POST", "staged_artifacts", "prepare_upload"):
                need(request, "task:write")
                return self._prepare(request, f"team_{project}/task_{task_id}/staged")
            case ("POST", "staged_artifacts", "finalize_upload"):
                need(request, "task:write")
                return self._finalize(request, task["_staged"], f"team_{project}/task_{task_id}/staged", "task")
            case (_, "runs", run_id, "artifacts", *rest):
                return self._on_run(request, self._store.run(project, task_id, run_id), rest)
        raise missing()

    def _on_run(self, request: Request, run: Object, rest: list[str]) -> Reply:
        need(request, "task:read" if rest in (["presign"], ["download"]) else "task:write")
        prefix = self._cloud.artifact_prefix(run)
        match (request.method, *rest):
            case ("POST",):
                return self._inline(request, run, prefix)
            case ("POST", "prepare_upload"):
                return self._prepare(request, prefix)
            case ("POST", "finalize_upload"):
                return self._finalize(request, run["artifacts"], prefix, "run")
            case ("POST", "presign"):
                found = self._store.artifact_at(self._store.chain(run), self._path(request))
                if found is None:
                    raise missing()
                seconds = int(self._store.config["storage_lifetime_s"])
                return Reply(200, {"url": self._cloud.signed(found["storage_path"]), "expires_in": seconds})
            case ("POST", "download"):
                found = self._store.artifact_at(self._store.chain(run), self._path(request))
                if found is None or not self._store.blob(found["storage_path"]).is_file():
                    raise missing()
                data = self._store.blob(found["storage_path"]).read_bytes()
                return Reply(200, data=data, kind=found["content_type"])
        raise missing()

    def _path(self, request: Request) -> str:
        if not request.body.get("storage_path"):
            raise required("storage_path")
        return str(request.body["storage_path"])

    def _listed(self, request: Request) -> list[Object]:
        listed = request.body.get("artifacts")
        if not isinstance(listed, list) or not listed:
            raise required("artifacts")
        for facts in listed:
            if facts.get("type") not in KINDS:
                raise invalid(f'"{facts.get("type")}" is not a valid choice.', "artifacts", "invalid_choice")
        return listed

    def _prepare(self, request: Request, prefix: str) -> Reply:
        prepared = []
        until = now() + float(self._store.config["storage_lifetime_s"])
        for facts in self._listed(request):
            size = int(facts.get("size") or 0)
            most = PDF_LIMIT if facts.get("content_type") == "application/pdf" else LIMIT
            if size > most:
                raise refused(f"{facts.get('name')} is larger than {most >> 20} MiB")
            artifact = self._store.new_artifact(prefix, facts)
            key = artifact["storage_path"]
            artifact.pop("uploaded_at")
            fields = {"key": key, "policy": "demo", "x-amz-signature": signature(key, int(until))}
            with self._store.lock:
                self._store.uploads[key] = {
                    "until": until,
                    "most": size + SLACK,
                    "signature": fields["x-amz-signature"],
                }
            post = {"url": f"{self._cloud.url}/storage/", "fields": fields}
            seconds = int(self._store.config["storage_lifetime_s"])
            prepared.append({**artifact, "expires_in": seconds, "presigned_post": post})
        self._store.save()
        return Reply(200, {"artifacts": prepared})

    def _finalize(self, request: Request, holder: list[Object], prefix: str, what: str) -> Reply:
        made = []
        with self._store.lock:
            for facts in self._listed(request):
                path = str(facts.get("storage_path") or "")
                if not path.startswith(f"tasks/artifacts/{prefix}/"):
                    raise refused(f"Artifact storage path is invalid for this {what}")
                if not self._store.blob(path).is_file():
                    raise refused("Artifact upload not found in object storage")
                names = ("id", "name", "type", "source", "content_type", "storage_path")
                entry = {name: facts.get(name) for name in names}
                entry |= {"size": self._store.blob(path).stat().st_size, "uploaded_at": iso(now())}
                holder[:] = [old for old in holder if old["id"] != entry["id"]]
                holder.append(entry)
                made.append(entry)
            self._store.save()
        return Reply(200, {"artifacts": made})

    def _inline(self, request: Request, run: Object, prefix: str) -> Reply:
        with self._store.lock:
            for facts in self._listed(request):
                content = str(facts.get("content") or "")
                try:
                    coded = facts.get("content_encoding") == "base64"
                    data = base64.b64decode(content, validate=True) if coded else content.encode()
                except binascii.Error:
                    raise invalid("content is not base64.", "artifacts") from None
                if len(data) > LIMIT:
                    raise refused(f"{facts.get('name')} is larger than 30 MiB")
                self._store.put_artifact(run["artifacts"], prefix, facts, data)
                run["artifacts"][-1]["uploaded_at"] = iso(now())
            self._store.touch(run)
            self._store.save()
            return Reply(200, {"artifacts": list(run["artifacts"])})

    # -- object storage

    def storage(self, request: Request) -> Reply:
        """Below /storage/: no credential, only signatures."""
        if "Authorization" in request.headers:
            return _xml(400, "InvalidArgument", "Only one auth mechanism allowed")
        if request.method == "POST":
            return self._upload(request)
        key = unquote(request.path.removeprefix("/storage/"))
        until = request.query.get("expires", "0")
        good = until.isdigit() and request.query.get("signature") == signature(key, int(until))
        if not good or int(until) < now():
            return _xml(403, "AccessDenied", "Request has expired")
        if key.startswith("logs/"):
            return self._log(key.removeprefix("logs/").removesuffix(".jsonl"))
        path = self._store.blob(key)
        if not path.is_file():
            return _xml(404, "NoSuchKey", "The specified key does not exist.")
        return Reply(200, data=path.read_bytes(), kind="application/octet-stream")

    def _log(self, run_id: str) -> Reply:
        from posthog_code.demo.posthog.runs import Runs

        run = self._store.runs.get(run_id)
        data = Runs(self._cloud).lines([run]) if run else b""
        return Reply(200, data=data, kind="application/jsonl") if data else _xml(404, "NoSuchKey", "No log yet.")

    def _upload(self, request: Request) -> Reply:
        kind = request.headers.get("Content-Type", "")
        if not re.match(r"multipart/form-data", kind, re.IGNORECASE):
            return _xml(412, "PreconditionFailed", "Bucket POST must be of the enclosure-type multipart/form-data")
        parts = _parts(request.raw, kind)
        fields = dict(parts)
        last = parts[-1][0] if parts else ""
        key = fields.get("key", b"").decode()
        upload = self._store.uploads.get(key)
        if upload is None or fields.get("x-amz-signature", b"").decode() != upload["signature"]:
            return _xml(403, "AccessDenied", "Invalid according to Policy")
        if upload["until"] < now():
            return _xml(403, "AccessDenied", "Invalid according to Policy: Policy expired.")
        if last != "file":
            return _xml(400, "InvalidArgument", "POST requires exactly one file upload per request.")
        if len(fields["file"]) > upload["most"]:
            return _xml(403, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
        path = self._store.blob(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(fields["file"])
        return Reply(204)


def _parts(raw: bytes, kind: str) -> list[tuple[str, bytes]]:
    """Name and exact bytes of each part of a form, in order."""
    found = re.search(r'boundary="?([^";]+)"?', kind)
    parts = []
    for part in raw.split(b"--" + found[1].encode())[1:] if found else ():
        head, gap, body = part.partition(b"\r\n\r\n")
        named = re.search(rb'[; ]name="?([^";\r\n]+)', head)
        if gap and named:
            parts.append((named[1].decode("utf-8", "replace"), body.removesuffix(b"\r\n")))
    return parts


def _xml(status: int, code: str, text: str) -> Reply:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{text}</Message></Error>'
    return Reply(status, data=body.encode(), kind="application/xml")
