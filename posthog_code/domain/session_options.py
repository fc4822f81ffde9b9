"""What an agent offers in a session: options, commands and usage, from the results and updates of ACP.

Modes come over two wires (`modes` with session/set_mode, and a config option of category "mode"), models over three
(a config option, the unstable `models`, or not at all). Here each is one option.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from posthog_code.domain.session import AgentCommand, Choice, ConfigOption, Usage

_CATEGORY_BY_ID = {
    "mode": "mode",
    "model": "model",
    "effort": "thought_level",
    "reasoning_effort": "thought_level",
    "thinking": "thought_level",
    "thought_level": "thought_level",
}
_YES_NO = (Choice("true", "On"), Choice("false", "Off"))


@dataclass(frozen=True, slots=True)
class SessionFacts:
    options: tuple[ConfigOption, ...] = ()
    commands: tuple[AgentCommand, ...] = ()
    usage: Usage = field(default_factory=Usage)
    agent_name: str = ""
    """Name and version."""
    title: str = ""
    """The agent's own title of the session."""


def session_facts(
    initialize: Mapping[str, Any], session: Mapping[str, Any], updates: Iterable[Mapping[str, Any]] = ()
) -> SessionFacts:
    """The facts of a session from the results of `initialize` and session/new, load or resume, and the `update`
    objects that followed."""
    facts = after_result(SessionFacts(agent_name=_agent_name(initialize)), session)
    for update in updates:
        facts = after_update(facts, update)
    return facts


def after_result(facts: SessionFacts, result: Mapping[str, Any]) -> SessionFacts:
    """The facts once a result told `configOptions`, `modes` or `models` (also the answers of session/set_*)."""
    options = facts.options
    told = result.get("configOptions")
    if isinstance(told, list):
        options = _merged(told, options)
    options = _with_state(options, result.get("modes"), "mode", "Mode", "availableModes", "currentModeId", "id")
    options = _with_state(
        options, result.get("models"), "model", "Model", "availableModels", "currentModelId", "modelId"
    )
    return facts if options == facts.options else replace(facts, options=options)


def after_update(facts: SessionFacts, update: Mapping[str, Any]) -> SessionFacts:
    """The facts after one `session/update` (its `update` object); the same object when nothing changed."""
    kind = update.get("sessionUpdate")
    if kind == "config_option_update":
        return after_result(facts, update)
    if kind == "current_mode_update":
        return replace(facts, options=_with_current(facts.options, "mode", str(update.get("currentModeId") or "")))
    if kind == "available_commands_update":
        commands = _commands(update.get("availableCommands"))
        return facts if commands == facts.commands else replace(facts, commands=commands)
    if kind == "usage_update":
        return replace(facts, usage=_usage(facts.usage, update))
    if kind == "session_info_update" and isinstance(update.get("title"), str):
        return replace(facts, title=update["title"])
    return facts


def with_value(options: tuple[ConfigOption, ...], option_id: str, value: str) -> tuple[ConfigOption, ...]:
    """The options once one was set, for agents that only answer with an empty result."""
    return tuple(replace(option, current=value) if option.id == option_id else option for option in options)


def wire_value(option: ConfigOption, value: str) -> str | bool:
    """The value as session/set_config_option wants it."""
    return value == "true" if option.choices == _YES_NO else value


def _merged(told: list[Any], known: tuple[ConfigOption, ...]) -> tuple[ConfigOption, ...]:
    """The told options replace all known ones but those of the other wires, which no config option covers."""
    options = [_option(one) for one in told if isinstance(one, Mapping) and one.get("id") is not None]
    for category in ("mode", "model", "thought_level"):
        same = [option for option in options if option.category == category]
        if len(same) > 1:
            chief = next((option for option in same if _CATEGORY_BY_ID.get(option.id) == category), same[0])
            options = [
                replace(option, category=option.id) if option in same and option is not chief else option
                for option in options
            ]
    covered = {option.category for option in options}
    kept = [option for option in known if option.wire != "option" and option.category not in covered]
    return (*kept, *options)


def _option(told: Mapping[str, Any]) -> ConfigOption:
    option_id = str(told["id"])
    current = told.get("currentValue")
    choices: tuple[Choice, ...]
    if told.get("type") == "boolean" or isinstance(current, bool):
        choices, current = _YES_NO, "true" if current else "false"
    else:
        choices = _choices(told.get("options"))
    return ConfigOption(
        id=option_id,
        name=str(told.get("name") or option_id),
        category=_category(option_id, told.get("category")),
        current="" if current is None else str(current),
        choices=choices,
    )


def _category(option_id: str, told: Any) -> str:
    if isinstance(told, str) and told in _CATEGORY_BY_ID.values():
        return told
    return _CATEGORY_BY_ID.get(option_id) or (told if isinstance(told, str) and told else option_id)


def _choices(told: Any) -> tuple[Choice, ...]:
    """Flat values, or groups of values (their group's name goes into the description)."""
    found: list[Choice] = []
    for one in told if isinstance(told, list) else ():
        if not isinstance(one, Mapping):
            continue
        if isinstance(one.get("options"), list):
            group = str(one.get("name") or one.get("group") or "")
            found += [replace(c, description=c.description or group) for c in _choices(one["options"])]
        elif one.get("value") is not None:
            value = str(one["value"])
            found.append(Choice(value, str(one.get("name") or value), str(one.get("description") or "")))
    return tuple(found)


def _with_state(
    options: tuple[ConfigOption, ...],
    state: Any,
    category: str,
    name: str,
    list_key: str,
    current_key: str,
    id_key: str,
) -> tuple[ConfigOption, ...]:
    """The options with a `modes` or `models` state: a wire of its own only where no config option covers it."""
    if not isinstance(state, Mapping):
        return options
    current = str(state.get(current_key) or "")
    covering = next((o for o in options if o.category == category and o.wire == "option"), None)
    if covering is not None:
        return _with_current(options, category, current) if not covering.current else options
    choices = tuple(
        Choice(str(one[id_key]), str(one.get("name") or one[id_key]), str(one.get("description") or ""))
        for one in state.get(list_key) or ()
        if isinstance(one, Mapping) and one.get(id_key) is not None
    )
    if not choices:
        return options
    rest = tuple(option for option in options if option.category != category)
    made = ConfigOption(id=category, name=name, category=category, current=current, choices=choices, wire=category)
    return (made, *rest) if category == "mode" else (*rest, made)


def _with_current(options: tuple[ConfigOption, ...], category: str, value: str) -> tuple[ConfigOption, ...]:
    return tuple(replace(option, current=value) if option.category == category else option for option in options)


def _commands(told: Any) -> tuple[AgentCommand, ...]:
    found: dict[str, AgentCommand] = {}
    for one in told if isinstance(told, list) else ():
        if isinstance(one, Mapping) and one.get("name"):
            hint = one.get("input")
            name = str(one["name"]).removeprefix("/")
            found[name] = AgentCommand(
                name,
                str(one.get("description") or ""),
                str(hint.get("hint") or "") if isinstance(hint, Mapping) else "",
            )
    return tuple(found.values())


def _usage(known: Usage, update: Mapping[str, Any]) -> Usage:
    used, size, cost = update.get("used"), update.get("size"), update.get("cost")
    amount, currency = known.cost, known.currency
    if isinstance(cost, Mapping) and isinstance(cost.get("amount"), int | float):
        amount, currency = float(cost["amount"]), str(cost.get("currency") or currency)
    return Usage(
        used=int(used) if isinstance(used, int | float) else known.used,
        size=int(size) if isinstance(size, int | float) else known.size,
        cost=amount,
        currency=currency,
    )


def _agent_name(initialize: Mapping[str, Any]) -> str:
    info = initialize.get("agentInfo")
    if not isinstance(info, Mapping):
        return ""
    return f"{info.get('title') or info.get('name') or ''} {info.get('version') or ''}".strip()
