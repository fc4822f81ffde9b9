"""Links from anywhere: the few good forms, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthog_code.domain import deep_links
from posthog_code.domain.deep_links import InboxLink, TaskLink
from posthog_code.domain.errors import InvalidInput

TASK = "0190c000-0000-7000-8000-000000000001"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"posthog-code://task/{TASK}", TaskLink(TASK)),
        (f"posthog-code://task/{TASK}/", TaskLink(TASK)),
        (f"POSTHOG-CODE://Task/{TASK.upper()}", TaskLink(TASK)),
        (f"posthog-code://task/{TASK}/run/r-1", TaskLink(TASK, "r-1")),
        (f"  posthog-code://task/{TASK}?utm_source=slack#top\n", TaskLink(TASK)),
        ("posthog-code://inbox/rep-9", InboxLink("rep-9")),
    ],
)
def test_good_links(text: str, wanted: object) -> None:
    assert deep_links.is_link(text.strip())
    assert deep_links.parse(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "posthog-code:",
        "posthog-code://",
        "posthog-code:task/x",
        "posthog-code:///task/x",
        "posthog-code://task",
        "posthog-code://task/",
        "posthog-code://task//",
        "posthog-code://task/a/run",
        "posthog-code://task/a/run/",
        "posthog-code://task/a/run/b/c",
        "posthog-code://task/a/walk/b",
        "posthog-code://task/../secrets",
        "posthog-code://task/..%2f..%2fetc",
        "posthog-code://task/a%00b",
        "posthog-code://task/a b",
        "posthog-code://task/-rf",
        "posthog-code://task/a\nposthog-code://task/b",
        "posthog-code://task\\a",
        "posthog-code://task:80/a",
        "posthog-code://task:99999999/a",
        "posthog-code://me@task/a",
        "posthog-code://[task/a",
        "posthog-code://task/é",
        "posthog-code://task/" + "a" * 65,
        "posthog-code://task/a?" + "x" * 600,
        "posthog-code://settings/general",
        "https://task/a",
        "javascript://task/a",
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as told:
        deep_links.parse(text)
    assert told.value.detail.isprintable()


@given(st.text(max_size=80), st.sampled_from(["", "posthog-code:", "posthog-code://", "posthog-code://task/"]))
def test_any_text_gives_a_link_or_invalid_input(text: str, before: str) -> None:
    try:
        link = deep_links.parse(before + text)
    except InvalidInput:
        return
    ids = (link.task_id, link.run_id) if isinstance(link, TaskLink) else (link.report_id,)
    assert all(one == "" or (one[0].isalnum() and one.replace("-", "").isalnum()) for one in ids)
