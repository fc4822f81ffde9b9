"""Quotes: what a customer would pay for a cart."""

import sqlite3

from app.analytics import posthog

STALE_AFTER = 30 * 24 * 3600


def create(connection: sqlite3.Connection, customer: str, cents: int, now: int) -> int:
    """Store a quote and give its id. Raises ValueError for a negative price."""
    if cents < 0:
        raise ValueError("a quote cannot be negative")
    rounded = cents if posthog.feature_enabled("exact-quotes", customer) else round(cents, -2)
    cursor = connection.execute(
        "INSERT INTO quotes (customer, cents, created_at) VALUES (?, ?, ?)", (customer, rounded, now)
    )
    posthog.capture("quote_created", distinct_id=customer, properties={"cents": rounded})
    return int(cursor.lastrowid or 0)


def lines_of(connection: sqlite3.Connection, customer: str) -> list[sqlite3.Row]:
    """Every quote of a customer, newest first."""
    rows = connection.execute("SELECT * FROM quotes ORDER BY created_at DESC").fetchall()
    return [row for row in rows if row["customer"] == customer]


def close_stale(connection: sqlite3.Connection, now: int) -> int:
    """Close quotes older than thirty days; gives how many."""
    cursor = connection.execute(
        "UPDATE quotes SET closed = 1 WHERE closed = 0 AND created_at < ?", (now - STALE_AFTER,)
    )
    return cursor.rowcount
