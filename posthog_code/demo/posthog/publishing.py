"""What a run leaves behind: commits on its branch, a pull request, checkpoints of its files."""

from __future__ import annotations

import re
import secrets

from posthog_code.demo.posthog.forge import ForgeError
from posthog_code.demo.posthog.parts import Worker
from posthog_code.demo.posthog.sandbox import SandboxError
from posthog_code.demo.posthog.wire import iso


def publish(engine: Worker, prompt: str) -> None:
    """What a real agent does with its shell at the end of its work: commit, push, open the pull request."""
    demo, run = engine.demo, engine.run
    task = engine.store.tasks[run["task"]]
    sandbox = engine.sandbox()
    if demo.get("publish", "commit") != "none":
        branch = str(run["branch"] or "")
        if branch in ("", str(run["_base"] or "")):
            slug = re.sub(r"[^a-z0-9]+", "-", task["title"].lower()).strip("-")[:40].strip("-")
            branch = sandbox.free_branch(f"posthog-code/{slug or 'task'}")
        if sandbox.publish(branch, task["title"]):
            _command(engine, f"git push --set-upstream origin {branch}", f"branch '{branch}' set up to track origin")
            engine.patch({"branch": branch, "output": {"head_branch": branch}})
    wants = demo.get("publish") == "pull_request" or re.search(r"\b(pull request|PR)\b", prompt)
    branch = str(run["branch"] or "")
    output = run["output"] or {}
    if wants and not output.get("pr_url") and output.get("head_branch"):
        try:
            url = engine.cloud.forge.open_pull_request(
                task["repository"], branch, str(run["_base"] or "main"), task["title"], task["description"]
            )
        except ForgeError as error:
            _command(engine, "gh pr create --fill", str(error), failed=True)
        else:
            _command(engine, "gh pr create --fill", url)
            engine.patch({"output": {"pr_url": url}})
    if demo.get("mess"):
        sandbox.make_mess()


def _command(engine: Worker, line: str, said: str, failed: bool = False) -> None:
    call = {
        "toolCallId": f"call_{secrets.token_hex(6)}",
        "title": line,
        "kind": "execute",
        "status": "pending",
        "rawInput": {"command": line},
        "content": [],
        "locations": [],
        "_meta": {"claudeCode": {"toolName": "Bash", "bashCommand": line}},
    }
    engine.update({"sessionUpdate": "tool_call", **call})
    done = {
        "toolCallId": call["toolCallId"],
        "status": "failed" if failed else "completed",
        "content": [{"type": "content", "content": {"type": "text", "text": said}}],
        "_meta": {"claudeCode": {"toolName": "Bash", "bashCommand": line, "toolResponse": {"stdout": said}}},
    }
    engine.update({"sessionUpdate": "tool_call_update", **done})


def checkpoint(engine: Worker) -> None:
    sandbox = engine.sandbox()
    if not (sandbox.folder / ".git").is_dir():
        return
    try:
        taken = sandbox.checkpoint()
    except SandboxError as error:
        engine.notify("_posthog/console", {"level": "error", "message": f"No checkpoint: {error}"})
        return
    paths = {}
    with engine.store.lock:
        for key, kind, data in (("artifactPath", "pack", taken.pack), ("indexArtifactPath", "index", taken.index)):
            facts = {
                "name": f"checkpoint-{taken.facts['checkpointId']}.{kind}",
                "type": "artifact",
                "source": "posthog_code",
                "content_type": "text/plain",
            }
            kept = engine.store.put_artifact(
                engine.run["artifacts"], engine.cloud.artifact_prefix(engine.run), facts, data
            )
            engine.run["artifacts"][-1]["uploaded_at"] = iso(engine.now())
            paths[key] = kept["storage_path"]
        engine.store.touch(engine.run, engine.now())
        engine.store.save()
    engine.frame(
        {"method": "_posthog/git_checkpoint", "params": {**taken.facts, "timestamp": iso(engine.now()), **paths}}
    )
