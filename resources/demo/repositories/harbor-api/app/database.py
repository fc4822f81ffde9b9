"""Opens the database and brings its schema up to date."""

import sqlite3
from pathlib import Path

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


def connect(path: str = ":memory:") -> sqlite3.Connection:
    """A connection with every migration applied."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    for script in sorted(MIGRATIONS.glob("*.sql")):
        connection.executescript(script.read_text())
    return connection
