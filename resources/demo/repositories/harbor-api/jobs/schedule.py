"""When the nightly jobs run."""

from datetime import datetime, timedelta

HOUR = 3


def next_run(now: datetime) -> datetime:
    """The next three o'clock after `now`, in the same zone."""
    today = now.replace(hour=HOUR, minute=0, second=0, microsecond=0)
    return today if today > now else today + timedelta(days=1)
