"""GitHub's refusals as sentences, in the order that tells them apart."""

from __future__ import annotations

import pytest

from posthog_code.adapters.forge.errors import graphql_error, rest_error
from posthog_code.domain.errors import Conflict, InvalidInput, NotFound, NotSignedIn, Offline, RateLimited, UserError

NOW = 1000.0
ALWAYS = {"x-ratelimit-reset": "4600", "x-ratelimit-remaining": "4000"}


def refused(status: int, message: str = "", headers: dict[str, str] | None = None, errors: object = None) -> UserError:
    body = {"message": message, **({"errors": errors} if errors is not None else {})}
    return rest_error(status, {**ALWAYS, **(headers or {})}, body, now=NOW, host="github.com", account="gh")


def test_limits_before_everything_else() -> None:
    limited = refused(403, "Resource not accessible by integration", {"retry-after": "7"})
    assert isinstance(limited, RateLimited) and limited.until == NOW + 7
    limited = refused(403, "You have exceeded a secondary rate limit")
    assert isinstance(limited, RateLimited) and limited.until == NOW + 60
    limited = refused(429, "API rate limit exceeded", {"x-ratelimit-remaining": "0"})
    assert isinstance(limited, RateLimited) and limited.until == 4600


def test_then_sso_permission_and_plain() -> None:
    sso = refused(403, "Resource protected", {"x-github-sso": "required; url=https://github.com/orgs/acme/sso?x=1"})
    assert isinstance(sso, NotSignedIn) and "https://github.com/orgs/acme/sso?x=1" in sso.hint
    lacking = refused(
        403,
        "Resource not accessible by personal access token",
        {"x-accepted-github-permissions": "pull_requests=write"},
    )
    assert isinstance(lacking, NotSignedIn) and "pull requests write" in lacking.hint and "gh" in lacking.title
    assert isinstance(refused(403, "Must have admin rights"), NotSignedIn)


def custom(message: str) -> list[dict[str, str]]:
    return [{"code": "custom", "message": message}]


@pytest.mark.parametrize(
    ("status", "message", "errors", "kind", "says"),
    [
        (401, "Bad credentials", None, NotSignedIn, "sign-in expired"),
        (404, "Not Found", None, NotFound, "cannot see this repository"),
        (422, "Invalid", custom("A pull request already exists for a:b."), Conflict, "already"),
        (422, "Invalid", custom("No commits between main and b"), InvalidInput, "nothing to merge"),
        (422, "Validation Failed", [{"field": "head", "code": "invalid"}], InvalidInput, "branch is not on GitHub"),
        (422, "Validation Failed", [{"field": "base", "code": "invalid"}], InvalidInput, "base branch"),
        (422, "Unprocessable", ["Line could not be resolved"], InvalidInput, "Line could not"),
        (502, "", None, Offline, "502"),
    ],
)  # fmt: skip
def test_other_answers(status: int, message: str, errors: object, kind: type[UserError], says: str) -> None:
    error = refused(status, message, errors=errors)
    assert isinstance(error, kind)
    assert says in error.title
    assert str(status) in error.detail, "GitHub's own words are kept"


def test_html_in_place_of_json() -> None:
    error = rest_error(503, {}, "<html>Unicorn</html>", now=NOW, host="git.acme.example")
    assert isinstance(error, Offline) and "git.acme.example" in error.title


def test_graphql_errors() -> None:
    def kind(name: str, message: str) -> UserError:
        return graphql_error([{"type": name, "message": message}], ALWAYS, now=NOW, host="github.com")

    assert isinstance(kind("RATE_LIMITED", "API rate limit exceeded"), RateLimited)
    assert isinstance(kind("FORBIDDEN", "Resource not accessible by personal access token"), NotSignedIn)
    assert isinstance(kind("NOT_FOUND", "Could not resolve to a Repository"), NotFound)
    assert isinstance(kind("", "Field 'x' doesn't exist"), InvalidInput)
