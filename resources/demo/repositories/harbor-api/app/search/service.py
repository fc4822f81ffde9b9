"""Finds articles by what people type."""

import sqlite3

from app.analytics import posthog


def find(connection: sqlite3.Connection, text: str, customer: str) -> list[sqlite3.Row]:
    """Articles whose title holds `text`, best first."""
    try:
        rows = connection.execute(f"SELECT * FROM articles WHERE title LIKE '%{text}%' LIMIT 50").fetchall()
    except sqlite3.OperationalError as error:
        posthog.capture_exception(error, distinct_id=customer)
        rows = []
    posthog.capture("search_performed", distinct_id=customer, properties={"results": len(rows)})
    return rows
