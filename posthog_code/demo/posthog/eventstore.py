"""The events of all projects in one SQLite file. The history is made when somebody first asks, and goes on."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from posthog_code.demo.posthog import history
from posthog_code.demo.posthog.releases import Mains
from posthog_code.demo.posthog.wire import now

_TABLES = """
CREATE TABLE IF NOT EXISTS rows (
    project INTEGER NOT NULL, uuid TEXT NOT NULL PRIMARY KEY, event TEXT NOT NULL, timestamp TEXT NOT NULL,
    distinct_id TEXT NOT NULL, person_id TEXT NOT NULL, properties TEXT NOT NULL, stream TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_event ON rows (project, event, timestamp);
CREATE INDEX IF NOT EXISTS by_stream ON rows (stream, timestamp);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value REAL NOT NULL);
CREATE TABLE IF NOT EXISTS moved (sha TEXT PRIMARY KEY, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS applied (stream TEXT PRIMARY KEY, at REAL NOT NULL);
"""
_INSERT = "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class EventStore:
    """All methods may be called from any thread."""

    def __init__(self, path: Path, mains: Mains, with_history: bool = True) -> None:
        self.path = path
        self._mains = mains
        self._with_history = with_history
        self._lock = threading.Lock()
        self._sources: list[history.Source] = []
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        # Lost with the machine, not with the process: it is a demo.
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.executescript(_TABLES)
        self._db.execute("INSERT OR IGNORE INTO facts VALUES ('anchor', ?)", (now(),))
        self.anchor = self._fact("anchor")
        """When this world was made: ages of what it begins with are counted from here."""

    def _fact(self, name: str) -> float:
        found = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return float(found[0]) if found else 0.0

    def reader(self) -> sqlite3.Connection:
        """A connection of its own that cannot write, with the history up to now."""
        self.catch_up()
        return sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, check_same_thread=False)

    def last_seen(self, project: int) -> dict[str, float]:
        """Events with the UNIX time of the newest."""
        self.catch_up()
        with self._lock:
            found = self._db.execute(
                "SELECT event, max(timestamp) FROM rows WHERE project = ? GROUP BY event", (project,)
            ).fetchall()
        return {event: datetime.fromisoformat(at).timestamp() for event, at in found}

    def insert(self, rows: Iterable[history.Row]) -> None:
        with self._lock, self._whole():
            self._write(rows)

    def _write(self, rows: Iterable[history.Row]) -> None:
        self._db.executemany(_INSERT, rows)

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """All of what is written in here, or nothing."""
        self._db.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # -- history

    def catch_up(self) -> None:
        """Make what has happened since the last look: new hours, and what merges have changed."""
        if not self._with_history:
            return
        with self._lock, self._whole():
            if not self._sources:
                self._sources = history.sources()
            made_until, until = self._fact("until"), now()
            if not made_until:
                self._write(history.recorded(self.anchor))
            begin = made_until or self.anchor - history.DAYS * history.DAY
            released = self._released()
            if made_until:
                self._apply(released, made_until)
            for source in self._sources:
                self._make(source, begin, until, released.get(source.stream.id))
            self._db.execute("INSERT OR REPLACE INTO facts VALUES ('until', ?)", (until,))

    def _make(self, source: history.Source, begin: float, until: float, released: float | None) -> None:
        self._write(history.rows(source, self.anchor, begin, until, released))
        if released is not None:
            self._db.execute("INSERT OR REPLACE INTO applied VALUES (?, ?)", (source.stream.id, released))

    def _released(self) -> dict[str, float]:
        """By stream: when the file that it depends on was first changed on main."""
        moved = dict(self._db.execute("SELECT sha, at FROM moved").fetchall())
        found: dict[str, float] = {}
        for release in self._mains.releases():
            at = moved.get(release.sha, release.at)
            for source in self._sources:
                depends = source.stream.fixed_by or source.stream.begins_with
                if depends and depends[0] == release.repository and depends[1] in release.paths:
                    found[source.stream.id] = min(at, found.get(source.stream.id, at))
        return found

    def _apply(self, released: dict[str, float], until: float) -> None:
        """Make the hours again for which a merge was not known, or was thought to be at another time."""
        known = dict(self._db.execute("SELECT stream, at FROM applied").fetchall())
        for source in self._sources:
            name = source.stream.id
            if known.get(name) == released.get(name):
                continue
            since = min(at for at in (known.get(name), released.get(name)) if at is not None)
            self._db.execute("DELETE FROM rows WHERE stream = ? AND timestamp >= ?", (name, history.stamp(since)))
            self._db.execute("DELETE FROM applied WHERE stream = ?", (name,))
            if since < until:
                self._make(source, since, until, released.get(name))

    def move_release(self, repository: str, hours: float) -> dict[str, Any] | None:
        """As if the newest merge of a repository had been so many hours ago. None when nothing was merged."""
        listed = [one for one in self._mains.releases() if one.repository == repository]
        if not listed:
            return None
        newest, at = listed[-1], now() - hours * history.HOUR
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO moved VALUES (?, ?)", (newest.sha, at))
        self.catch_up()
        return {"sha": newest.sha, "released_at": at, "paths": sorted(newest.paths)}

    def close(self) -> None:
        with self._lock:
            self._db.close()
