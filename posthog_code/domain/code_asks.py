"""What an agent is asked about product signals in its change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from posthog_code.domain.code_join import is_test
from posthog_code.domain.code_signals import SignalRow
from posthog_code.domain.code_use import CodeUse, FileUses, UseKind, Wrapper
from posthog_code.domain.coverage import Coverage
from posthog_code.domain.coverage_rules import place_line

PLACES = 40
NAMES = 5


@dataclass(frozen=True, slots=True)
class Habit:
    """How a project sends events: a wrapper of its own, or calls of the client."""

    wrapper: str = ""
    """Function name; "" when the client is called."""
    defined: str = ""
    """`path:line` of the wrapper."""
    method: str = ""
    example: str = ""
    """`path:line` of a call."""
    names: tuple[str, ...] = ()
    """Events that are sent already, the most used first."""
    error_example: str = ""
    """`path:line` where an exception is captured."""


def habit_of(files: Iterable[FileUses]) -> Habit:
    """The usual way in these files; tests do not count."""
    uses: list[CodeUse] = []
    wrappers: dict[str, Wrapper] = {}
    for file in files:
        if not is_test(file.path):
            uses += file.uses
            wrappers |= {f"{one.path}:{one.line}": one for one in file.wrappers if one.kind is UseKind.EVENT}
    events = [use for use in uses if use.kind is UseKind.EVENT and use.name]
    errors = [use for use in uses if use.kind is UseKind.ERROR]
    error_example = f"{errors[0].path}:{errors[0].line}" if errors else ""
    if not events:
        wrapper = next((one for one in wrappers.values() if one.exported), None)
        if wrapper is None:
            return Habit(error_example=error_example)
        return Habit(wrapper.name, f"{wrapper.path}:{wrapper.line}", error_example=error_example)
    ways = Counter(use.via for use in events)
    via = max(ways, key=lambda way: (ways[way], bool(way)))
    like = next(use for use in events if use.via == via)
    names = tuple(name for name, _times in Counter(use.name for use in events).most_common(NAMES))
    named = wrappers[via].name if via in wrappers else like.method if via else ""
    return Habit(named, via, like.method, f"{like.path}:{like.line}", names, error_example)


def follow_up(row: SignalRow, lines: Sequence[int] = ()) -> str:
    """A row's question with its place. `lines` are all in that file that it is about."""
    numbers = sorted({row.line, *lines})
    where = f"line {numbers[0]}" if len(numbers) == 1 else "lines " + ", ".join(map(str, numbers))
    return f"{row.path}, {where}{' (before the change)' if row.removed else ''}:\n\n{row.ask}"


def add_events(found: Coverage, habit: Habit) -> str:
    """One follow-up that names every place that misses something, and the project's own way."""
    places = [place for place in found.places if not place.covered]
    parts = ["These places of your change do not tell PostHog what happens in them:"]
    lines = [f"- {place_line(place)}" for place in places[:PLACES]]
    if len(places) > PLACES:
        lines.append(f"- and {len(places) - PLACES} more of the same kinds")
    parts.append("\n".join(lines))
    parts.append(f"Add what is missing, and nothing else. {_way(habit)}")
    parts.append(
        "Send each event once, where what it names has happened, with properties that explain it. "
        "Leave out names, addresses, secrets and anything else that identifies a person."
    )
    return "\n\n".join(parts)


def _way(habit: Habit) -> str:
    if habit.wrapper:
        text = f"This project sends events with its own `{habit.wrapper}` ({habit.defined})"
        text += f", as in {habit.example}." if habit.example else "."
    elif habit.example:
        text = f"This project sends events with `{habit.method}`, as in {habit.example}: do it the same way."
    else:
        text = (
            "No event is sent anywhere in this project yet: use the PostHog client that it depends on. "
            "If it has none, say so before you add one."
        )
    if habit.names:
        text += f" Name new ones like those it has: {', '.join(f'`{name}`' for name in habit.names)}."
    if habit.error_example:
        text += f" Errors are captured as in {habit.error_example}."
    return text
