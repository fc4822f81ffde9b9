"""The stand-in's small GraphQL executor."""

from __future__ import annotations

import pytest

from posthog_code.demo.github.query import FieldError, Object, QueryError, execute, parse


def shout(text: str, times: int = 1) -> str:
    return text.upper() * times


def broken() -> None:
    raise FieldError("FORBIDDEN", "not for you")


def root(kind: str) -> Object:
    ship = Object("Ship", {"name": "Ada", "sails": 3, "broken": broken}, ("Node",))
    quay = Object("Quay", {"length": 40})
    return Object("Query", {"shout": shout, "things": [ship, quay, None], "ship": ship, "nothing": None})


def data(document: str, **variables: object) -> object:
    return execute(document, variables, "", root)["data"]


def test_arguments_variables_defaults_and_aliases() -> None:
    document = (
        'query A($t: String!, $n: Int = 2, $l: [ID!]!) { one: shout(text: $t, times: $n) two: shout(text: "a\\n") }'
    )
    assert data(document, t="x") == {"one": "XX", "two": "A\n"}


def test_fragments_choose_by_type_and_interface() -> None:
    document = "{ things { __typename ... on Node { name } ...Q } } fragment Q on Quay { length }"
    assert data(document) == {
        "things": [{"__typename": "Ship", "name": "Ada"}, {"__typename": "Quay", "length": 40}, None]
    }


def test_include_and_skip() -> None:
    assert data("query ($on: Boolean!) { ship { name @include(if: $on) sails @skip(if: $on) } }", on=False) == {
        "ship": {"sails": 3}
    }


def test_selections_of_one_field_are_put_together() -> None:
    assert data("{ ship { name } ship { sails } nothing { deep } }") == {
        "ship": {"name": "Ada", "sails": 3},
        "nothing": None,
    }


def test_a_field_error_keeps_the_rest() -> None:
    body = execute("{ ship { name broken } }", {}, "", root)
    assert body["data"] == {"ship": {"name": "Ada", "broken": None}}
    assert body["errors"] == [{"type": "FORBIDDEN", "path": ["ship", "broken"], "message": "not for you"}]


@pytest.mark.parametrize(
    "document", ["{ ship }", "{ ship { wings } }", "{ ship { name { x } } }", "{ things { ...No } }", "{"]
)
def test_a_wrong_document_gives_no_data(document: str) -> None:
    body = execute(document, {}, "", root)
    assert "data" not in body and body["errors"]


def test_the_operation_is_chosen_by_name() -> None:
    document = "query A { ship { name } } query B { ship { sails } }"
    assert execute(document, {}, "B", root)["data"] == {"ship": {"sails": 3}}
    assert "errors" in execute(document, {}, "", root)


def test_comments_and_commas_are_nothing() -> None:
    assert parse("# hello\nquery A { ship, { name } # there\n }").operations[0].name == "A"
    with pytest.raises(QueryError):
        parse("{ ship % }")
