"""What the product is told. Without a key (tests, a laptop) nothing is sent."""

import os
from typing import Any

try:
    from posthog import Posthog
except ModuleNotFoundError:
    Posthog = None


class Silent:
    """Takes every call and sends nothing."""

    def capture(self, event: str, **facts: Any) -> None:
        """An event."""

    def capture_exception(self, error: BaseException, **facts: Any) -> None:
        """An error."""

    def feature_enabled(self, key: str, distinct_id: str) -> bool:
        """Every flag is off."""
        return False


KEY = os.environ.get("POSTHOG_PROJECT_KEY", "")
posthog = Posthog(KEY, host="https://eu.i.posthog.com") if Posthog and KEY else Silent()
