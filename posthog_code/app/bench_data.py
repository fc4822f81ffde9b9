"""Inputs of the benchmarks, the same for the same size: repositories, diffs, updates of agents, a full sidebar."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

_NOUNS = [
    "order",
    "cart",
    "price",
    "invoice",
    "customer",
    "ledger",
    "refund",
    "basket",
    "coupon",
    "parcel",
    "stock",
    "batch",
    "shelf",
    "ticket",
    "quote",
]
_SAYINGS = (
    "The total is rounded **twice**, once in the cart and once in the invoice. ",
    "I look at `ledger.py` next. ",
    "Two places do this:\n\n- the refund path\n- the nightly batch\n\n",
    "```python\ndef total(items):\n    return sum(i.price for i in items)\n```\n\n",
    "The tests pass now. ",
    "Then the [notes](docs/notes.md) need a line as well. ",
)
GIT_ENV = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "Bench",
    "GIT_AUTHOR_EMAIL": "bench@example.com",
    "GIT_COMMITTER_NAME": "Bench",
    "GIT_COMMITTER_EMAIL": "bench@example.com",
}


def git(folder: Path, *words: str) -> bytes:
    """Output of git. Raises CalledProcessError."""
    return subprocess.run(
        ["git", *words],
        cwd=folder,
        check=True,
        capture_output=True,
        env=os.environ | GIT_ENV,
    ).stdout


def file_name(number: int) -> str:
    """25 files to a folder, 40 folders to a package."""
    return f"lib/p{number // 1000:03}/m{number // 25 % 40:02}/{_NOUNS[number % len(_NOUNS)]}_{number}.py"


def _source(number: int, lines: int) -> bytes:
    rng = random.Random(number)
    body = (f"{rng.choice(_NOUNS)}_{line} = {rng.choice(_NOUNS)}({rng.randrange(10**6)})" for line in range(lines))
    return "\n".join(body).encode() + b"\n"


def make_repository(folder: Path, files: int, lines: int = 50) -> None:
    """A checked-out repository of one commit on `main` with so many text files."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    for name, value in (("gc.auto", "0"), ("maintenance.auto", "false"), ("user.name", "Bench"), ("user.email", "b@x")):
        git(folder, "config", name, value)
    feed = subprocess.Popen(["git", "fast-import", "--quiet"], cwd=folder, stdin=subprocess.PIPE)
    assert feed.stdin is not None
    feed.stdin.write(b"commit refs/heads/main\ncommitter Bench <b@x> 1700000000 +0000\ndata 5\nstart\n")
    for number in range(files):
        text = _source(number, lines)
        feed.stdin.write(b"M 100644 inline %s\ndata %d\n%s\n" % (file_name(number).encode(), len(text), text))
    feed.stdin.close()
    if feed.wait():
        raise OSError("git fast-import failed")
    git(folder, "reset", "-q", "--hard", "main")


def change_files(worktree: Path, total: int, changed: int) -> None:
    """Edit `changed` of the files of a `make_repository` of `total`, spread over all folders; one in ten is new."""
    for place in range(changed):
        number = place * total // changed
        path = worktree / file_name(number)
        if changed >= 10 and place % 10 == 9:
            path.with_name(f"new_{number}.py").write_bytes(_source(number + 1, 30))
        else:
            path.write_bytes(b"import decimal\n" + path.read_bytes().replace(b"_7 =", b"_seven ="))


def make_diff(lines: int, file_lines: int = 1500) -> bytes:
    """A unified diff of about so many lines: files of `file_lines`, hunks with context, removed and added lines."""
    rng = random.Random(7)
    out: list[str] = []
    file = 0
    while len(out) < lines:
        file += 1
        name = f"lib/{rng.choice(_NOUNS)}/{rng.choice(_NOUNS)}_{file}.py"
        out += [f"diff --git a/{name} b/{name}", "index 1111111..2222222 100644", f"--- a/{name}", f"+++ b/{name}"]
        begin, at = len(out), 1
        while len(out) - begin < file_lines and len(out) < lines:
            gone, come = rng.randrange(10), rng.randrange(1, 10)
            out.append(f"@@ -{at},{6 + gone} +{at},{6 + come} @@ class {rng.choice(_NOUNS).title()}:")
            out += [" " + _line(rng, at + n) for n in range(3)]
            out += ["-" + _line(rng, at + n) for n in range(gone)]
            out += ["+" + _line(rng, at + n + 1) for n in range(come)]
            out += [" " + _line(rng, at + n + 9) for n in range(3)]
            at += 30 + max(gone, come)
    return "\n".join(out).encode() + b"\n"


def _line(rng: random.Random, number: int) -> str:
    a, b = rng.choice(_NOUNS), rng.choice(_NOUNS)
    kinds = (
        f'    {a}_{number} = self.{b}("{a}", limit={number % 50})  # no {b} without a {a}',
        f"    for {a} in sorted({b}.values(), key=lambda {b}: {b}.price):",
        f"        return None if {a} is None else {b}[{number % 9}]",
        f"def {a}_of_{b}(self, {b}: int = {number % 7}) -> list[str]:",
        "",
    )
    return rng.choice(kinds)


def updates(count: int, name: str = "call") -> Iterator[dict[str, Any]]:
    """Frames of an agent at work: mostly chunks of text, some thoughts, one tool call in sixty with its updates.

    Ids of the calls begin with `name`.
    """
    rng = random.Random(11)
    call = ""
    for number in range(count):
        roll = rng.random()
        if number % 60 == 59:
            call = f"{name}-{number}"
            update: dict[str, Any] = {
                "sessionUpdate": "tool_call", "toolCallId": call, "title": f"Read {file_name(number)}", "kind": "read",
                "status": "pending", "locations": [{"path": file_name(number)}],
            }  # fmt: skip
        elif call and roll < 0.2:
            done = roll < 0.08
            update = {
                "sessionUpdate": "tool_call_update", "toolCallId": call,
                "status": "completed" if done else "in_progress",
                "content": [{"type": "content", "content": {"type": "text", "text": f"{number}: {_SAYINGS[1]}"}}],
            }  # fmt: skip
            call = "" if done else call
        else:
            kind = "agent_thought_chunk" if roll > 0.95 else "agent_message_chunk"
            update = {"sessionUpdate": kind, "content": {"type": "text", "text": rng.choice(_SAYINGS)}}
        yield {"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": "s", "update": update}}


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank; 0.5 is the median. Not a number for no values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))] if ordered else float("nan")
