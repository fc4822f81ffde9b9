"""Words and numbers as people read them."""

from __future__ import annotations

import re
import unicodedata

MINUS = "\N{MINUS SIGN}"
_MENTION = re.compile(r"(?<!\S)@(?:[^\s@/]+/)*([^\s@/]+?)/?(?=[\s,;:!?)]|\.?(?:\s|$))")
_FOLDERS = re.compile(r"(?<![\w./-])/?(?:[\w.-]+/)+(?=[\w-][\w.-]*\.[A-Za-z]\w*)")
"""What stands before a file's name in a path."""
_POINTER = re.compile(
    r"(?:please )?(?:look at|see|check|open|read|take a look at) @\S+?,? (?:and|then|and then) ", re.I
)
"""A beginning that only says where to start."""
_ENOUGH_WORDS = 3


def slug(text: str, limit: int = 40) -> str:
    """A short ASCII name for a branch or folder: lower-case words joined by hyphens; "task" when nothing is left.

    Files go by their name, without the folders they are in."""
    plain = unicodedata.normalize("NFKD", _FOLDERS.sub("", text)).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", plain.lower())
    name = ""
    for word in words:
        joined = f"{name}-{word}" if name else word
        if len(joined) > limit:
            break
        name = joined
    return name or (words[0][:limit] if words else "task")


def one_line(text: str, limit: int = 255) -> str:
    """Somebody else's words for a list, a terminal or a file name: printable, in one line, read in one direction."""
    line = "".join(" " if c.isspace() else c for c in text[: limit * 4] if c.isprintable() or c.isspace())
    return " ".join(line.split())[:limit]


def title_from_prompt(prompt: str, limit: int = 72) -> str:
    """The first line of a prompt, cut at a word. Mentioned files go by their name; what only says where to start is
    left out when enough is said after it."""
    line = next((line.strip() for line in prompt.splitlines() if line.strip()), "New task")
    line = re.sub(r"\s+", " ", line)
    rest = line[pointer.end() :] if (pointer := _POINTER.match(line)) else ""
    if len(rest.split()) >= _ENOUGH_WORDS:
        line = rest[0].upper() + rest[1:]
    line = _MENTION.sub(r"\1", line)
    sentence = re.split(r"(?<=[.!?])\s", line, maxsplit=1)[0].rstrip(".")
    if len(sentence) <= limit:
        return sentence or "New task"
    return sentence[:limit].rsplit(" ", 1)[0].rstrip(",;:") + "…"


def duration(seconds: float) -> str:
    """ "0.8 s", "41 s", "2 m 41 s", "3 h 05 m"."""
    if seconds < 0:
        seconds = 0
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} m {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} m"


def age(seconds: float) -> str:
    """How long ago, for lists: "now", "2m", "5h", "3d", "6w"."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return "now"
    if minutes < 60:
        return f"{minutes}m"
    hours = minutes // 60
    if hours < 24:
        return f"{hours}h"
    days = hours // 24
    return f"{days}d" if days < 14 else f"{days // 7}w"


def ago(seconds: float) -> str:
    """As `age`, in a sentence: "just now", "2m ago"."""
    told = age(seconds)
    return "just now" if told == "now" else f"{told} ago"


def count(number: int) -> str:
    """In full up to 9,999, then "18.2k", "1.3M"."""
    if number < 10_000:
        return f"{number:,}"
    if number < 1_000_000:
        return f"{number / 1000:.1f}".rstrip("0").rstrip(".") + "k"
    return f"{number / 1_000_000:.1f}".rstrip("0").rstrip(".") + "M"


def plural(number: int, one: str, many: str | None = None) -> str:
    """ "1 file", "7 files"."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def elide_middle(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    head = (limit - 1) // 2
    return f"{text[:head]}…{text[len(text) - (limit - 1 - head) :]}"
