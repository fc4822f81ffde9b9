"""Modes, models, options, commands and usage from what agents say."""

from __future__ import annotations

from posthog_code.domain.session_options import after_result, after_update, session_facts, wire_value, with_value

MODES = {"currentModeId": "ask", "availableModes": [{"id": "ask", "name": "Ask"}, {"id": "plan", "name": "Plan"}]}
MODE_OPTION = {
    "type": "select",
    "id": "mode",
    "name": "Mode",
    "category": "mode",
    "currentValue": "ask",
    "options": [{"value": "ask", "name": "Ask"}, {"value": "plan", "name": "Plan"}],
}
MODELS = {"currentModelId": "a", "availableModels": [{"modelId": "a", "name": "A"}, {"modelId": "b", "name": "B"}]}


def test_modes_alone_go_over_their_own_wire() -> None:
    facts = session_facts({"agentInfo": {"title": "Some Agent", "version": "1.2"}}, {"modes": MODES, "models": MODELS})
    assert facts.agent_name == "Some Agent 1.2"
    assert [(o.id, o.category, o.current, o.wire) for o in facts.options] == [
        ("mode", "mode", "ask", "mode"),
        ("model", "model", "a", "model"),
    ]


def test_a_mode_option_and_modes_are_one_thing() -> None:
    facts = session_facts({}, {"modes": MODES, "configOptions": [MODE_OPTION]})
    assert [(o.id, o.wire) for o in facts.options] == [("mode", "option")]
    moved = after_update(facts, {"sessionUpdate": "current_mode_update", "currentModeId": "plan"})
    assert moved.options[0].current == "plan"
    told = {"sessionUpdate": "config_option_update", "configOptions": [{**MODE_OPTION, "currentValue": "plan"}]}
    assert after_update(facts, told).options[0].current == "plan"


def test_an_update_of_options_keeps_modes_of_the_other_wire() -> None:
    facts = session_facts({}, {"modes": MODES})
    effort = {"id": "effort", "name": "Effort", "currentValue": "low", "options": [{"value": "low", "name": "Low"}]}
    assert [o.category for o in after_result(facts, {"configOptions": [effort]}).options] == ["mode", "thought_level"]


def test_booleans_urls_and_groups() -> None:
    url = "https://example.org/modes#agent"
    told = [
        {**MODE_OPTION, "currentValue": url, "options": [{"value": url, "name": "Agent"}]},
        {"type": "boolean", "id": "auto_approve", "name": "Auto", "currentValue": False},
        {
            "id": "model",
            "name": "Model",
            "currentValue": "x:1",
            "options": [{"group": "x", "name": "X", "options": [{"value": "x:1", "name": "One"}]}],
        },
    ]
    mode, auto, model = session_facts({}, {"configOptions": told}).options
    assert mode.current == url
    assert auto.current == "false" and wire_value(auto, "true") is True and wire_value(mode, url) == url
    assert model.choices[0].description == "X"


def test_only_one_option_is_the_model() -> None:
    provider = {"id": "provider", "name": "Provider", "category": "model", "currentValue": "p", "options": []}
    model = {"id": "model", "name": "Model", "category": "model", "currentValue": "m", "options": []}
    facts = session_facts({}, {"configOptions": [provider, model]})
    assert [(o.id, o.category) for o in facts.options] == [("provider", "provider"), ("model", "model")]


def test_usage_commands_and_title() -> None:
    updates = [
        {"sessionUpdate": "usage_update", "used": 10, "size": 100, "cost": {"amount": 0.5, "currency": "USD"}},
        {"sessionUpdate": "usage_update", "used": 20, "size": 100},
        {
            "sessionUpdate": "available_commands_update",
            "availableCommands": [
                {"name": "/init", "description": "d", "input": {"hint": "h"}},
                {"name": "memory show"},
            ],
        },
        {"sessionUpdate": "session_info_update", "title": "T"},
        {"sessionUpdate": "plan", "entries": []},
    ]
    facts = session_facts({}, {}, updates)
    assert (facts.usage.used, facts.usage.size, facts.usage.cost, facts.usage.currency) == (20, 100, 0.5, "USD")
    assert [(c.name, c.hint) for c in facts.commands] == [("init", "h"), ("memory show", "")]
    assert facts.title == "T"


def test_a_value_that_was_set() -> None:
    facts = session_facts({}, {"modes": MODES})
    assert with_value(facts.options, "mode", "plan")[0].current == "plan"
