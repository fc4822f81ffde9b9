"""What a scenario does in a turn: think, say, plan, search, read, edit, run, ask; each as a client sees it over ACP."""

from __future__ import annotations

import re
import secrets
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from posthog_code.demo.agent.process import Command
from posthog_code.demo.agent.session import CONTEXT_SIZE, Session
from posthog_code.demo.agent.wire import Cancelled, JsonObject, Wire

OUTPUT_LIMIT = 48 * 1024
"""Characters of a command's output that are shown; the last ones are kept."""
READ_LIMIT = 400
"""Lines of a file that are shown."""
ALLOW, ALWAYS, REJECT = "allow", "allow_always", "reject"


class Rejected(Exception):
    """The person said no to an action."""


class Refused(Exception):
    """A tool could not do what it was told to; the turn goes on."""


class Turn:
    """One prompt being worked on."""

    def __init__(
        self, wire: Wire, session: Session, prompt: str, speed: float, forms: bool, linked: Sequence[str] = ()
    ) -> None:
        """`linked` are the paths that come with the prompt as links to files."""
        self.wire = wire
        self.session = session
        self.prompt = prompt
        self.named = named_files(prompt, linked, session.cwd)
        """Files in the session's folder that the prompt names, relative to it."""
        self.forms = forms
        """Whether the client can show a form."""
        self.parent = ""
        """The tool call of the sub-agent that speaks, "" for the agent itself."""
        self.speed = speed
        """How long pauses are: 1 is a pace to watch, 0 has none."""
        self._plan: list[JsonObject] = []

    # -- pace and plumbing

    def pause(self, seconds: float) -> None:
        """Wait at a watchable pace. Raises Cancelled as soon as the turn is cancelled."""
        if self.session.cancelled.wait(seconds * self.speed) or self.session.cancelled.is_set():
            raise Cancelled

    def update(self, update: JsonObject, keep: bool = True) -> None:
        """Tell the client; with `keep` a session/load tells it again."""
        if self.parent:
            update = {**update, "_meta": {"claudeCode": {"parentToolCallId": self.parent}}}
        if keep:
            self.session.keep(update)
        self.wire.notify("session/update", {"sessionId": self.session.id, "update": update})

    def usage(self, tokens: int) -> None:
        self.session.used = min(self.session.used + tokens, CONTEXT_SIZE)
        cost = {"amount": round(self.session.used * 7e-6, 4), "currency": "USD"}
        self.update(
            {"sessionUpdate": "usage_update", "used": self.session.used, "size": CONTEXT_SIZE, "cost": cost}, keep=False
        )

    # -- words

    def think(self, text: str) -> None:
        if self.session.options["model"] != "demo-small":
            self._stream("agent_thought_chunk", text)

    def say(self, text: str) -> None:
        self._stream("agent_message_chunk", text)

    def _stream(self, kind: str, text: str, piece: int = 24) -> None:
        message_id, sent = f"msg_{secrets.token_hex(6)}", ""
        try:
            for words in re.findall(rf"(?s).{{1,{piece}}}\S*\s*", text):
                self.pause(0.03)
                sent += words
                content = {"type": "text", "text": words}
                self.update({"sessionUpdate": kind, "content": content, "messageId": message_id}, keep=False)
        finally:
            whole = {"sessionUpdate": kind, "content": {"type": "text", "text": sent}, "messageId": message_id}
            if self.parent:
                whole["_meta"] = {"claudeCode": {"parentToolCallId": self.parent}}
            if sent:
                self.session.keep(whole)
            self.usage(len(text) // 4 + 12)

    def plan(self, entries: Sequence[str], done: int = 0) -> None:
        """Show a plan of which the first `done` entries are over and the next one is being worked on."""
        states = ["completed"] * done + ["in_progress"] + ["pending"] * len(entries)
        self._plan = [
            {"content": text, "status": state, "priority": "medium"}
            for text, state in zip(entries, states, strict=False)
        ]
        self.update({"sessionUpdate": "plan", "entries": self._plan})

    def set_mode(self, mode: str) -> None:
        self.session.choose("mode", mode)
        self.tell_options(mode_changed=True)

    def tell_options(self, mode_changed: bool) -> None:
        """Both views of a session's settings, so that no client sees them differ."""
        if mode_changed:
            self.update({"sessionUpdate": "current_mode_update", "currentModeId": self.session.options["mode"]}, False)
        options = self.session.config_options()
        self.update({"sessionUpdate": "config_option_update", "configOptions": options}, keep=False)

    def leave(self, left: JsonObject) -> None:
        """Write down what is left to do, before the next step begins; {} for nothing."""
        if self.session.left != left:
            self.session.left = left
            self.session.save()

    # -- files

    def path(self, relative: str) -> Path:
        """An absolute path inside the session's folder. Raises Refused for any other, and for git's own files."""
        root = self.session.cwd.resolve()
        path = (root / relative).resolve()
        if not path.is_relative_to(root) or ".git" in path.relative_to(root).parts:
            raise Refused(f"{relative} is outside the folder of this session")
        return path

    def search(self, pattern: str) -> list[str]:
        """Lines of tracked and new files with a text in them, as `path:line:text`."""
        call = self.call("search", f"Search {pattern}", {"pattern": pattern})
        found = self._git("grep", "-n", "-I", "-i", "--untracked", "-F", "-e", pattern)
        lines = found.splitlines()
        self.pause(0.3)
        shown = "\n".join(lines[:40]) + (f"\n… and {len(lines) - 40} more" if len(lines) > 40 else "")
        files = len({line.split(":", 1)[0] for line in lines})
        found = f"{many(len(lines), 'match', 'matches')} in {many(files, 'file')}"
        self.finish(call, text=shown or "Nothing found.", title=f"Search {pattern}: {found}")
        return lines

    def files(self) -> list[str]:
        """Tracked and new files, without the ignored ones."""
        return self._git("ls-files", "-co", "--exclude-standard").splitlines()

    def read(self, relative: str) -> str:
        path = self.path(relative)
        where = [{"path": str(path), "line": 1}]
        call = self.call("read", f"Read {relative}", {"file_path": str(path)}, locations=where)
        self.pause(0.25)
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            self.finish(call, text=f"{relative}: {error.strerror}", failed=True)
            raise Refused(f"{relative}: {error.strerror}") from error
        numbered = [f"{number:5}\t{line}" for number, line in enumerate(text.splitlines()[:READ_LIMIT], 1)]
        self.finish(call, text="```\n" + "\n".join(numbered) + "\n```")
        self.usage(len(text) // 4)
        return text

    def edit(self, relative: str, old: str, new: str) -> None:
        """Replace the first `old`. Raises Refused if the file does not have it."""
        path = self.path(relative)
        text = exact_text(path) or ""
        if old not in text:
            raise Refused(f"{relative} does not have that text")
        self._write("Edit", relative, path, text, text.replace(old, new, 1), (old, new))

    def write(self, relative: str, text: str) -> None:
        """Create a file, or replace all of it."""
        path = self.path(relative)
        before = exact_text(path)
        if before != text:
            self._write("Edit" if before is not None else "Create", relative, path, before, text, (before, text))

    def delete(self, relative: str) -> None:
        path = self.path(relative)
        if not path.is_file():
            raise Refused(f"{relative} is not there")
        before = path.read_text(encoding="utf-8", errors="replace")
        diff = {"type": "diff", "path": str(path), "oldText": before, "newText": ""}
        call = self.call("delete", f"Delete {relative}", {"file_path": str(path)}, [diff], [{"path": str(path)}])
        self._permit("edit", call)
        path.unlink()
        self.finish(call)

    def _write(
        self, verb: str, name: str, path: Path, before: str | None, after: str, shown: tuple[str | None, str]
    ) -> None:
        diff = {"type": "diff", "path": str(path), "oldText": shown[0], "newText": shown[1]}
        call = self.call("edit", f"{verb} {name}", {"file_path": str(path)}, [diff], [{"path": str(path)}])
        self.pause(0.5)
        self._permit("edit", call)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(after.encode())
        self.finish(call)
        self.usage(len(after) // 4)

    # -- commands

    def run(self, command: Sequence[str], why: str = "", ask: bool = False) -> int:
        """Run a program in the session's folder with its output streamed; gives the exit code.

        `ask` asks for permission whatever the mode says.
        """
        line = shlex.join(command)
        raw = {"command": line, "description": why, "cwd": str(self.session.cwd)}
        call = self.call("execute", line, raw, [text_block(why)] if why else [])
        if ask:
            self.permission("execute", call)
        else:
            self._permit("execute", call)
        self.update({"sessionUpdate": "tool_call_update", "toolCallId": call["toolCallId"], "status": "in_progress"})
        try:
            started = Command(command, self.session.cwd)
        except OSError as error:
            self.finish(call, text=f"{command[0]}: {error.strerror}", failed=True)
            raise Refused(f"{command[0]}: {error.strerror}") from error
        output = ""
        for piece in started.output(0.1, self.session.cancelled.is_set):
            output = (output + piece)[-OUTPUT_LIMIT:]
            content = [text_block(output)]
            self.update(
                {"sessionUpdate": "tool_call_update", "toolCallId": call["toolCallId"], "content": content}, False
            )
        if self.session.cancelled.is_set():
            started.kill()
            self.finish(call, text=output + "\n(stopped)", failed=True)
            raise Cancelled
        code = started.wait()
        self.finish(call, text=output or "(no output)", failed=code != 0, raw_output={"exitCode": code})
        self.usage(len(output) // 4)
        return code

    def _git(self, *arguments: str) -> str:
        """A reading git command; "" where it finds nothing or the folder is no repository."""
        done = subprocess.run(
            ["git", *arguments], cwd=self.session.cwd, capture_output=True, stdin=subprocess.DEVNULL, check=False
        )
        return done.stdout.decode("utf-8", "replace")

    # -- tool calls

    def call(
        self,
        kind: str,
        title: str,
        raw_input: Mapping[str, Any],
        content: Sequence[JsonObject] = (),
        locations: Sequence[JsonObject] = (),
    ) -> JsonObject:
        """Begin a tool call; gives the parts that a permission request repeats."""
        call: JsonObject = {
            "toolCallId": f"call_{secrets.token_hex(6)}",
            "title": title,
            "kind": kind,
            "status": "pending",
            "rawInput": dict(raw_input),
            "content": list(content),
            "locations": list(locations),
        }
        self.update({"sessionUpdate": "tool_call", **call})
        return call

    def finish(
        self,
        call: JsonObject,
        text: str = "",
        failed: bool = False,
        title: str = "",
        raw_output: Mapping[str, Any] | None = None,
    ) -> None:
        update: JsonObject = {
            "sessionUpdate": "tool_call_update",
            "toolCallId": call["toolCallId"],
            "status": "failed" if failed else "completed",
        }
        if text:
            update["content"] = [*(part for part in call["content"] if part["type"] == "diff"), text_block(text)]
        if title:
            update["title"] = title
        if raw_output is not None:
            update["rawOutput"] = dict(raw_output)
        self.update(update)

    # -- asking

    def _permit(self, action: str, call: JsonObject) -> None:
        """Ask if the mode says so. Raises Rejected on a no."""
        mode = self.session.options["mode"]
        asks = {"ask": {"edit", "execute"}, "acceptEdits": {"execute"}, "auto": set(), "plan": {"edit", "execute"}}
        if action in asks[mode]:
            self.permission(action, call)

    def permission(self, action: str, call: JsonObject) -> None:
        """Ask whatever the mode says, unless the person allowed this kind of action for the session."""
        if action in self.session.allowed:
            return
        what = {"edit": "edits", "execute": "commands"}.get(action, "this")
        options = [
            {"optionId": ALLOW, "name": "Allow once", "kind": "allow_once"},
            {"optionId": ALWAYS, "name": f"Always allow {what} in this session", "kind": "allow_always"},
            {"optionId": REJECT, "name": "Reject", "kind": "reject_once"},
        ]
        chosen = self.choose(call, options)
        if chosen == ALWAYS:
            self.session.allowed.add(action)
        elif chosen != ALLOW:
            self.finish(call, text="Rejected.", failed=True)
            raise Rejected(call["title"])

    def choose(self, call: JsonObject, options: Sequence[JsonObject]) -> str:
        """The chosen option's id; "" when the client chose none. Raises Cancelled with the turn."""
        params = {"sessionId": self.session.id, "toolCall": call, "options": list(options)}
        outcome = self.wire.request("session/request_permission", params, self.session.cancelled).get("outcome", {})
        if self.session.cancelled.is_set():
            raise Cancelled
        return str(outcome.get("optionId", "")) if outcome.get("outcome") == "selected" else ""

    def question(self, message: str, choices: Sequence[tuple[str, str]], field: str = "choice") -> str:
        """Ask with choices (value, name): as a form if the client shows forms, else as a permission request.

        Gives the chosen value or the free text, "" when the person declined.
        """
        if not self.forms:
            call = self.call("other", message, {"question": message})
            options = [{"optionId": value, "name": name, "kind": "allow_once"} for value, name in choices]
            chosen = self.choose(call, [*options, {"optionId": "", "name": "None of these", "kind": "reject_once"}])
            self.finish(call, text=dict(choices).get(chosen, "No answer"), failed=not chosen)
            return chosen
        titled = [{"const": value, "title": name} for value, name in choices]
        properties = {
            field: {"type": "string", "title": message, "oneOf": titled},
            "other": {"type": "string", "title": "Something else", "description": "In your own words"},
        }
        schema = {"type": "object", "properties": properties}
        params = {"sessionId": self.session.id, "mode": "form", "message": message, "requestedSchema": schema}
        answer = self.wire.request("elicitation/create", params, self.session.cancelled)
        content = answer.get("content") or {}
        if answer.get("action") != "accept":
            return ""
        return str(content.get("other") or content.get(field) or "")


MENTION = re.compile(r"(?<!\S)@([\w./-]*[\w/-])")
"""A file that a prompt names: @src/cart/cartStore.ts."""


def named_files(prompt: str, linked: Sequence[str], folder: Path) -> tuple[str, ...]:
    """The mentions in a prompt and the links beside it, as far as they are files below `folder`."""
    root, found = folder.resolve(), []
    for name in [*MENTION.findall(prompt), *linked]:
        path = (root / name).resolve()
        if path.is_relative_to(root) and path.is_file() and ".git" not in path.relative_to(root).parts:
            found.append(path.relative_to(root).as_posix())
    return tuple(dict.fromkeys(found))


def many(number: int, one: str, more: str = "") -> str:
    """ "1 file", "2 files"."""
    return f"{number} {one if number == 1 else more or one + 's'}"


def exact_text(path: Path) -> str | None:
    """A file's text with its own line ends; None if it is not there. Raises Refused for what is no text."""
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{path.name} is no text file") from error


def text_block(text: str) -> JsonObject:
    return {"type": "content", "content": {"type": "text", "text": text}}
