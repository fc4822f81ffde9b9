"""What a new demo cloud holds, as data: people, projects, and tasks whose runs the stand-in plays for real."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

PROJECT = 20_101
ME = 7
ORGANIZATION_ID = "0190c000-0000-7000-8000-000000000001"
PROJECTS = ((PROJECT, "Harbor"), (20_102, "Harbor Mobile"))
PEOPLE = (
    (ME, "Mira", "Okafor", "mira@harbor.example"),
    (8, "Ana", "Kovač", "ana@harbor.example"),
    (9, "Jonas", "Lind", "jonas@harbor.example"),
    (10, "Priya", "Raman", "priya@harbor.example"),
)
"""Id, first name, last name, address."""


class Ends(StrEnum):
    """How far a seeded run gets by itself."""

    NO_RUN = "no_run"
    QUEUED = "queued"
    """Made and never started."""
    IDLE = "idle"
    """The turn is over, the sandbox waits for a message."""
    WAITING = "waiting"
    """A permission or a question is open."""
    COMPLETED = "completed"
    FAILED = "failed"
    """Over before the agent came up."""


@dataclass(frozen=True, slots=True)
class CloudTask:
    title: str
    prompt: str = ""
    """Also the task's description."""
    repository: str | None = "harbor/harbor-api"
    origin: str = "user_created"
    creator: int | None = ME
    """None: assigned to nobody."""
    ends: Ends = Ends.IDLE
    mode: str = "bypassPermissions"
    publish: str = "commit"
    """After a turn: "none", "commit" (and push), or "pull_request"."""
    mess: bool = False
    """Whether the turn leaves staged, unstaged, untracked, binary, executable, linked and deleted files."""
    age: float = 0.1
    """Hours since it was made."""
    speed: float | None = None
    """POSTHOG_CODE_DEMO_SPEED of its agent; None for the stand-in's pace."""
    error: str = ""
    report: str | None = None
    """The signal report it came from."""
    thread: str = ""
    """Address of the Slack thread it came from."""
    project: int = PROJECT


SEEDS: tuple[CloudTask, ...] = (
    CloudTask(
        title="Nightly job fails on DST change",
        prompt="The nightly job ran twice on the night of the DST change. Make next_run safe for it, with a test.",
        origin="slack",
        creator=8,
        ends=Ends.WAITING,
        mode="acceptEdits",
        age=0.3,
        speed=0.0,
        thread="https://harbor.slack.example/archives/C042/p1790000000",
    ),
    CloudTask(
        title="Describe the audit log export",
        prompt="Describe in the guide how an auditor exports the audit log, and open a pull request.",
        repository="harbor/harbor-docs",
        ends=Ends.COMPLETED,
        publish="pull_request",
        age=20.0,
        speed=0.0,
    ),
    CloudTask(
        title="Quotes time out for large carts",
        prompt="Quotes for carts with more than 200 lines time out. Find the place that reads too much and say why.",
        origin="signal_report",
        creator=None,
        age=1.5,
        speed=0.0,
        report="01990000-0000-7000-8000-0000000000a1",
    ),
    CloudTask(
        title="TypeError in the cart badge",
        prompt="TypeError: cannot read properties of undefined (reading 'count'), 214 times since Monday.",
        repository="harbor/harbor-web",
        origin="error_tracking",
        creator=None,
        ends=Ends.NO_RUN,
        age=5.0,
    ),
    CloudTask(
        title="Drop the old invoice columns",
        prompt="Drop the invoice columns that nothing reads any more.",
        ends=Ends.FAILED,
        age=7.0,
        error="The sandbox could not be started: no capacity. Try again in a few minutes.",
    ),
    CloudTask(
        title="Shorten the checkout guide",
        prompt="Shorten the checkout guide to what a new colleague needs in the first week.",
        repository="harbor/harbor-docs",
        ends=Ends.QUEUED,
        age=0.05,
    ),
    CloudTask(
        title="Log who changes a quote limit",
        prompt="Write down who changed the limit of a quote, and when, so that support can answer for it.",
        creator=9,
        ends=Ends.COMPLETED,
        age=28.0,
        speed=0.0,
    ),
    CloudTask(
        title="Crash on the order screen in landscape",
        prompt="The app crashes on the order screen when the phone is turned.",
        repository="harbor/harbor-mobile",
        creator=10,
        ends=Ends.FAILED,
        age=3.0,
        error="The agent could not build the project: no Android SDK in this environment.",
    ),
)
