"""Reads and writes the audit log."""

import sqlite3

PAGE = 50


def record(connection: sqlite3.Connection, actor: str, action: str, at: int) -> None:
    """Add one line: who did what, at UNIX time `at`."""
    connection.execute("INSERT INTO audit_log (actor, action, at) VALUES (?, ?, ?)", (actor, action, at))


def latest(connection: sqlite3.Connection, limit: int = PAGE) -> list[sqlite3.Row]:
    """The newest lines, newest first."""
    return connection.execute("SELECT * FROM audit_log ORDER BY at DESC LIMIT ?", (limit,)).fetchall()


def by_actor(connection: sqlite3.Connection, actor: str, limit: int = PAGE) -> list[sqlite3.Row]:
    """The newest lines of one actor."""
    rows = connection.execute("SELECT * FROM audit_log ORDER BY at DESC").fetchall()
    return [row for row in rows if row["actor"] == actor][:limit]
