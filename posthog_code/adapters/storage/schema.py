"""Schema of the database and the way from each version to the next."""

from __future__ import annotations

import sqlite3

MIGRATIONS: tuple[str, ...] = (
    # 1: each thing is a row with its body as JSON; columns beside it are what is asked for by value.
    """
    CREATE TABLE repositories (id TEXT PRIMARY KEY, body TEXT NOT NULL);
    CREATE TABLE tasks (id TEXT PRIMARY KEY, repository_id TEXT NOT NULL, phase TEXT NOT NULL, body TEXT NOT NULL);
    CREATE TABLE sessions (id TEXT PRIMARY KEY, task_id TEXT NOT NULL, phase TEXT NOT NULL, body TEXT NOT NULL);
    CREATE TABLE messages (task_id TEXT NOT NULL, position INTEGER NOT NULL, body TEXT NOT NULL,
                           PRIMARY KEY (task_id, position));
    CREATE TABLE comments (task_id TEXT NOT NULL, position INTEGER NOT NULL, body TEXT NOT NULL,
                           PRIMARY KEY (task_id, position));
    CREATE TABLE viewed (task_id TEXT NOT NULL, path TEXT NOT NULL, fingerprint TEXT NOT NULL,
                         PRIMARY KEY (task_id, path));
    CREATE TABLE drafts (key TEXT PRIMARY KEY, text TEXT NOT NULL);
    CREATE TABLE pull_requests (task_id TEXT PRIMARY KEY, body TEXT NOT NULL);
    CREATE TABLE publishing (task_id TEXT NOT NULL, position INTEGER NOT NULL, body TEXT NOT NULL,
                             PRIMARY KEY (task_id, position));
    CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL);
    """,
    # 2: who is signed in to PostHog (no secrets), and the list of cloud tasks as it was last.
    """
    CREATE TABLE cloud (key TEXT PRIMARY KEY, body TEXT NOT NULL);
    """,
    # 3: releases that are watched; the inbox is rows of `cloud`.
    """
    CREATE TABLE watches (task_id TEXT PRIMARY KEY, body TEXT NOT NULL);
    """,
)

VERSION = len(MIGRATIONS)


def version_of(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection) -> None:
    """Bring an older database to VERSION, each step in a transaction of its own."""
    for number in range(version_of(connection), VERSION):
        statements = MIGRATIONS[number]
        connection.executescript(f"BEGIN IMMEDIATE;\n{statements}\nPRAGMA user_version = {number + 1};\nCOMMIT;")
