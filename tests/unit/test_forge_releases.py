"""Whether a merged change is out, from GitHub's answers."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from posthog_code.adapters.forge.releases import COMPARED, landing
from posthog_code.ports.forge import Landing

MERGED = "2026-05-04T10:00:00Z"
AT = 1_777_888_800.0


def answer(deployments: Any = (), releases: Any = (), oid: str | None = "abc") -> dict[str, Any]:
    commit = {"oid": oid} if oid else None
    return {
        "node": {"mergedAt": MERGED, "mergeCommit": commit},
        "repository": {"deployments": {"nodes": list(deployments)}, "releases": {"nodes": list(releases)}},
    }


def deployment(oid: str, at: str, environment: str = "production", state: str = "SUCCESS") -> dict[str, Any]:
    status = {"state": state, "createdAt": at}
    return {"commitOid": oid, "environment": environment, "createdAt": at, "latestStatus": status}


def ask(data: dict[str, Any], *inside: str) -> tuple[Landing, list[str]]:
    asked: list[str] = []

    async def contains(_commit: str, name: str) -> bool:
        asked.append(name)
        return name in inside

    return asyncio.run(landing(data, contains)), asked


def test_the_commit_itself_is_deployed() -> None:
    found, asked = ask(answer([deployment("abc", "2026-05-04T10:05:00Z")]))
    assert (found.released_at, found.released_by, found.deploys) == (AT + 300, "deployment", True) and asked == []


def test_the_first_later_one_that_contains_it() -> None:
    later = [
        deployment("far", "2026-05-04T12:00:00Z"),
        deployment("next", "2026-05-04T11:00:00Z", state="INACTIVE"),
        deployment("other", "2026-05-04T10:30:00Z"),
        deployment("old", "2026-05-04T09:00:00Z"),
    ]
    found, asked = ask(answer(later), "next", "far")
    assert found.released_at == AT + 3600 and asked == ["other", "next"]


def test_rehearsals_failures_and_drafts_do_not_count() -> None:
    shown = [
        deployment("abc", "2026-05-04T10:05:00Z", "preview"),
        deployment("abc", "2026-05-04T10:06:00Z", "production", "FAILURE"),
    ]
    tags = [{"tagName": "v2", "publishedAt": "2026-05-04T10:07:00Z", "isDraft": True}]
    found, asked = ask(answer(shown, tags), "v2")
    assert found == Landing("abc", AT) and asked == []


def test_where_nothing_is_called_production() -> None:
    found, _asked = ask(answer([deployment("abc", "2026-05-04T10:05:00Z", "heroku-app")]))
    assert found.released_by == "deployment"


def test_a_release_by_its_tag() -> None:
    found, asked = ask(answer([], [{"tagName": "v2", "publishedAt": "2026-05-04T10:07:00Z"}]), "v2")
    assert (found.released_at, found.released_by) == (AT + 420, "tag") and asked == ["v2"]


def test_not_out_yet_and_not_merged() -> None:
    old = [deployment("old", "2026-05-04T09:00:00Z")]
    assert ask(answer(old))[0] == Landing("abc", AT, deploys=True)
    assert ask(answer(old, oid=None))[0] == Landing("", AT, deploys=True)
    assert ask({})[0] == Landing()


def test_few_are_compared() -> None:
    many = [deployment(f"c{n}", f"2026-05-04T11:{n:02d}:00Z") for n in range(30)]
    assert len(ask(answer(many))[1]) <= COMPARED


words = st.one_of(st.none(), st.text(max_size=8), st.integers(), st.just([]), st.just({"nodes": [None, {}, 3]}))


@given(
    st.dictionaries(
        st.sampled_from(["node", "repository"]),
        st.one_of(
            words, st.dictionaries(st.sampled_from(["deployments", "releases", "mergeCommit", "mergedAt"]), words)
        ),
    )
)
def test_any_answer_is_read(data: dict[str, Any]) -> None:
    assert ask(data)[0].released_at == 0.0
