"""Which processes run, for tests that nothing is left behind. Linux tells in /proc; `ps` is not on every machine."""

from __future__ import annotations

from pathlib import Path


def children(parent: int) -> dict[int, str]:
    """Pid and command line of the processes that `parent` started and that have not ended."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            # The name in brackets may hold anything; state and parent follow the last bracket.
            state, ppid = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
            words = (folder / "cmdline").read_bytes()
        except OSError:
            continue  # It ended while we looked.
        if int(ppid) == parent and state != "Z":
            found[int(folder.name)] = words.replace(b"\0", b" ").decode(errors="replace")
    return found
