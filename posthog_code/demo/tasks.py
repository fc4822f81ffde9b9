"""The tasks that a new demo world begins with, as data: prompting the demo agent so brings each into its state."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from posthog_code.demo.signals import DOUBLE_CHARGE, MERGED_HOURS, ORDER_HISTORY, WEBHOOKS


class Wanted(StrEnum):
    """The state that a seeded task should be left in."""

    FINISHED = "finished"
    """All prompts were answered; nothing is committed or published."""
    RUNNING = "running"
    """The last prompt is being worked on."""
    PERMISSION = "permission"
    """The last prompt waits for a permission."""
    QUESTION = "question"
    """The last prompt waits for an answer to a question."""
    PULL_REQUEST = "pull_request"
    """Finished, with an open pull request, one check of which fails."""
    MERGED = "merged"
    """Finished, with a merged pull request."""
    FAILED = "failed"
    """The agent died in the middle of the last prompt."""
    ARCHIVED = "archived"
    """Finished and archived."""


@dataclass(frozen=True, slots=True)
class DemoTask:
    title: str
    repository: str
    branch: str
    mode: str
    prompts: tuple[str, ...]
    """Sent one after the other, the next one when the turn is over."""
    scenario: str
    """The agent's scenario: a file in resources/demo/scenarios, or "general" or "permission"."""
    wanted: Wanted
    answer: str = "allow"
    """Option id for permissions that come before the wanted state."""
    files: int = 0
    """Files that are changed in the wanted state; 0 where that does not matter."""
    pull_request: str = ""
    """Title of the pull request, for those that have one."""
    advance: float = 0.0
    """Scripted seconds that the pull request is old."""
    speed: float = 0.0
    """POSTHOG_CODE_DEMO_SPEED for its agent: 0 to get to the state at once, slow for what should be seen at work."""
    age: float = 0.0
    """Hours since it was last touched, for those that nothing happens in."""
    report: str = ""
    """The report of the inbox that it was made from."""
    released: float = 0.0
    """Hours since its pull request was merged, for those that are."""


TASKS: tuple[DemoTask, ...] = (
    DemoTask(
        title="Stop double charges on checkout retry",
        repository="harbor-web",
        branch="fix/double-charge",
        mode="auto",
        prompts=(
            "Customers are charged twice when they tap Pay again after a timeout. Find out why and fix it; add a test.",
            "route.ts and submitPayment.ts still use legacyRetry.ts. Keep one retry helper and delete the old one.",
            "The gateway remembers keys for 48 hours. Keep the first result as long.",
        ),
        scenario="double-charge",
        wanted=Wanted.FINISHED,
        files=7,
        age=0.4,
        report=DOUBLE_CHARGE,
    ),
    DemoTask(
        title="Virtualise the order history table",
        repository="harbor-web",
        branch="perf/order-history",
        mode="auto",
        prompts=(
            "The order history takes seconds with 12,000 orders. Virtualise the table; keep the sticky header working.",
        ),
        scenario="order-history",
        wanted=Wanted.RUNNING,
        speed=20.0,
        report=ORDER_HISTORY,
    ),
    DemoTask(
        title="Upgrade Vite and drop legacy polyfills",
        repository="harbor-web",
        branch="chore/vite",
        mode="acceptEdits",
        prompts=("Upgrade Vite and drop the legacy polyfills.",),
        scenario="permission",
        wanted=Wanted.PERMISSION,
    ),
    DemoTask(
        title="Rate-limit the public quotes API",
        repository="harbor-api",
        branch="feat/quote-limits",
        mode="auto",
        prompts=("Rate-limit the public quotes API by key. Ask me for the limit.",),
        scenario="quotes-limit",
        wanted=Wanted.QUESTION,
    ),
    DemoTask(
        title="Keep the cart after sign-in",
        repository="harbor-web",
        branch="feat/cart-after-sign-in",
        mode="auto",
        prompts=("Keep the cart after sign-in: add what was chosen before to the cart of the account.",),
        scenario="cart-sign-in",
        wanted=Wanted.PULL_REQUEST,
        files=3,
        pull_request="Keep the cart after sign-in",
        advance=60,
        age=1.2,
    ),
    DemoTask(
        title="Retry webhooks with jitter",
        repository="harbor-api",
        branch="feat/webhook-jitter",
        mode="auto",
        prompts=("Retry webhooks with jitter, so that senders do not all come back at the same moment.",),
        scenario="webhook-jitter",
        wanted=Wanted.MERGED,
        files=3,
        pull_request="Retry webhooks with jitter",
        advance=60,
        age=26,
        report=WEBHOOKS,
        released=MERGED_HOURS,
    ),
    DemoTask(
        title="Index the audit log by actor",
        repository="harbor-api",
        branch="perf/audit-index",
        mode="auto",
        prompts=(
            "Filter the audit log by actor with an index. The table has 40 million rows, so nothing may lock it.",
        ),
        scenario="audit-index",
        wanted=Wanted.FAILED,
        files=3,
        age=2.1,
    ),
    DemoTask(
        title="Explain the nightly schedule",
        repository="harbor-api",
        branch="docs/schedule",
        mode="auto",
        prompts=("Say what next_run in the schedule is for, for whoever reads it at night.",),
        scenario="general",
        wanted=Wanted.ARCHIVED,
        age=120,
    ),
)
