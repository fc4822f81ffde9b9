"""What the cloud refuses in ways that call for something other than showing the words."""

from __future__ import annotations

from posthog_code.domain.errors import Conflict, InvalidInput, NotSignedIn, Offline, Refused


class NotReady(InvalidInput):
    """The run's sandbox is not up (yet): the message is kept and sent later."""

    code = "not_ready"


class RunEnded(Conflict):
    """The run is over; the conversation goes on in a new run."""

    code = "run_ended"


class OutcomeUnknown(Offline):
    """A request was sent and no answer came: it may have been carried out. Never repeated without looking first."""

    code = "outcome_unknown"


class MissingScope(NotSignedIn):
    """The credentials lack a permission; `scope` names it when the server did."""

    code = "missing_scope"

    def __init__(self, title: str, hint: str = "", detail: str = "", *, scope: str = "") -> None:
        super().__init__(title, hint, detail)
        self.scope = scope


class GitHubNeeded(Refused):
    """PostHog has no access to GitHub for this; `url` is where to give it."""

    code = "github_needed"

    def __init__(self, title: str, hint: str = "", detail: str = "", *, url: str = "") -> None:
        super().__init__(title, hint, detail)
        self.url = url


class UsageLimit(Refused):
    """A plan's limit is reached; `resets_at` is a UNIX time, 0.0 when the server did not say."""

    code = "usage_limit"

    def __init__(self, title: str, hint: str = "", detail: str = "", *, resets_at: float = 0.0) -> None:
        super().__init__(title, hint, detail)
        self.resets_at = resets_at


class MissingArtifacts(InvalidInput):
    """Uploads that a message names are gone: they are to be uploaded again."""

    code = "missing_artifacts"
