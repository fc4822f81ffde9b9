"""The state plane in SQLite: write-ahead log, one writer thread, numbered migrations."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from posthog_code.adapters.storage import schema
from posthog_code.adapters.storage.codec import decode
from posthog_code.adapters.storage.rows import differ, writes
from posthog_code.domain.cloud import Account, CloudList
from posthog_code.domain.errors import StorageFailed
from posthog_code.domain.inbox import Evidence, Inbox, Report, Triage
from posthog_code.domain.pull_request import PullRequest
from posthog_code.domain.review import Comment
from posthog_code.domain.session import Session
from posthog_code.domain.settings import from_json
from posthog_code.domain.state import AppState
from posthog_code.domain.task import QueuedMessage, Repository, Step, Task
from posthog_code.domain.telling import Telling

if TYPE_CHECKING:
    from posthog_code.domain.release_watch import ReleaseWatch

log = logging.getLogger("store")
T = TypeVar("T")


class SqliteDatabase:
    """Implements ports.storage.Database.

    Raises StorageFailed from the constructor when the file is newer than this program, or damaged: a damaged file is
    set aside under a new name first, never deleted.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[str] = []
        """What the person should hear of: a file that was set aside, rows that could not be read (they stay)."""
        self.is_new = not path.exists()
        """Nothing was there, or nothing that could be used: what the files tell may be found again from them."""
        self._seen: int | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._connection = self._open()
        except OSError as error:
            raise _failed(path, error) from error

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise _failed(self.path, error) from error
            kept = _set_aside(self.path)
            self.is_new = True
            self.problems.append(f"The database was damaged ({error}). It was kept as {kept.name} and a new one begun.")
            log.error("damaged database set aside as %s: %s", kept, error)
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None, timeout=10)
        try:
            version = schema.version_of(connection)
            if version > schema.VERSION:
                raise StorageFailed(
                    "This data folder was written by a newer version of PostHog Code.",
                    "Update PostHog Code, or start it with another POSTHOG_CODE_HOME.",
                    f"{self.path} has version {version}; this program knows up to {schema.VERSION}.",
                )
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA busy_timeout = 10000")
            if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("quick_check failed")
            if 0 < version < schema.VERSION:
                self._back_up(connection, version)
            schema.migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _back_up(self, connection: sqlite3.Connection, version: int) -> None:
        target = self.path.with_name(f"{self.path.name}.v{version}.backup")
        with contextlib.closing(sqlite3.connect(target)) as copy:
            connection.backup(copy)

    def load(self) -> AppState:
        try:
            return self._thread.submit(self._load).result()
        except sqlite3.Error as error:
            raise _failed(self.path, error) from error

    def _load(self) -> AppState:
        """One consistent reading, also while another program writes."""
        self._connection.execute("BEGIN")
        try:
            state = self._read_all()
            self._seen = self._version()
        finally:
            self._connection.execute("COMMIT")
        return state

    def _version(self) -> int:
        """A number that moves when another connection wrote to the file."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def _read_all(self) -> AppState:
        rows = self._connection.execute
        settings: dict[str, Any] = {}
        for key, value in rows("SELECT key, value FROM settings"):
            with self._told("setting", key):
                settings[key] = json.loads(value)
        viewed: dict[Any, dict[str, str]] = defaultdict(dict)
        for task_id, path, fingerprint in rows("SELECT task_id, path, fingerprint FROM viewed"):
            with self._told("mark", task_id):
                viewed[task_id][json.loads(path)] = fingerprint
        return AppState(
            repositories={r.id: r for _, r in self._read(Repository, "SELECT id, body FROM repositories")},
            tasks={t.id: t for _, t in self._read(Task, "SELECT id, body FROM tasks")},
            sessions={s.id: s for _, s in self._read(Session, "SELECT id, body FROM sessions")},
            queue=self._read_lists(QueuedMessage, "messages"),
            comments=self._read_lists(Comment, "comments"),
            publishing=self._read_lists(Step, "publishing"),
            pull_requests=dict(self._read(PullRequest, "SELECT task_id, body FROM pull_requests")),
            viewed=dict(viewed),
            drafts=dict(rows("SELECT key, text FROM drafts")),
            settings=from_json(settings),
            account=self._read_one(Account, "account") or Account(),
            cloud=replace(self._read_one(CloudList, "list") or CloudList(), loading=False, error="", hint=""),
            inbox=self._read_inbox(),
            watches=self._read_watches(),
            telling=self._read_one(Telling, "telling") or Telling(),
        )

    def _read_watches(self) -> dict[Any, ReleaseWatch]:
        if not self._connection.execute("SELECT 1 FROM watches LIMIT 1").fetchone():
            return {}
        # Where nothing is watched the first paint does not wait for what a watch is.
        from posthog_code.domain.release_watch import ReleaseWatch

        return dict(self._read(ReleaseWatch, "SELECT task_id, body FROM watches"))

    def _read(self, kind: type[T], query: str) -> Iterator[tuple[Any, T]]:
        for key, body in self._connection.execute(query):
            try:
                yield key, decode(kind, body)
            except ValueError as error:
                # The row stays as it is: a person, or a later version, may still make sense of it.
                problem = f"A {kind.__name__.lower()} could not be read: {error}"
                if problem not in self.problems:
                    self.problems.append(problem)
                log.error("unreadable %s %s: %s", kind.__name__, key, error)

    @contextlib.contextmanager
    def _told(self, kind: str, key: str) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            self.problems.append(f"A {kind} could not be read: {error}")
            log.error("unreadable %s %s: %s", kind, key, error)

    def _read_one(self, kind: type[T], key: str) -> T | None:
        found = dict(self._read(kind, f"SELECT key, body FROM cloud WHERE key = '{key}'"))
        return found.get(key)

    def _read_inbox(self) -> Inbox:
        head = self._read_one(Inbox, "inbox") or Inbox()

        def part(kind: type[T], name: str) -> dict[str, T]:
            rows = self._read(kind, f"SELECT key, body FROM cloud WHERE key GLOB '{name}:*'")
            return {key.partition(":")[2]: thing for key, thing in rows}

        return replace(
            head,
            reports=part(Report, "report"),
            evidence=part(Evidence, "evidence"),
            triage=part(Triage, "triage"),
            loading=False,
            error="",
            hint="",
        )

    def _read_lists(self, kind: type[T], table: str) -> dict[Any, tuple[T, ...]]:
        lists: dict[Any, list[T]] = defaultdict(list)
        for key, thing in self._read(kind, f"SELECT task_id, body FROM {table} ORDER BY task_id, position"):
            lists[key].append(thing)
        return {key: tuple(things) for key, things in lists.items()}

    async def save(self, old: AppState, new: AppState) -> AppState | None:
        if not differ(old, new):
            return None
        return await self._beside(self._write, old, new)

    def _write(self, old: AppState, new: AppState) -> AppState | None:
        connection, plan = self._connection, writes(old, new)
        if not plan:
            return None
        try:
            connection.execute("BEGIN IMMEDIATE")
            version = self._version()
            if self._seen not in (None, version):
                connection.execute("ROLLBACK")
                return self._load()
            self._seen = version
            for statement, values in plan:
                connection.execute(statement, values)
            connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise _failed(self.path, error) from error
        return None

    async def newer(self) -> AppState | None:
        return await self._beside(self._read_newer)

    async def _beside(self, work: Callable[..., AppState | None], *values: object) -> AppState | None:
        """Run `work` on the database's thread."""
        # Imported here: at the start the state is read before anything waits.
        import asyncio

        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *values)

    def _read_newer(self) -> AppState | None:
        try:
            return self._load() if self._version() != self._seen else None
        except sqlite3.Error as error:
            raise _failed(self.path, error) from error

    def close(self) -> None:
        self._thread.submit(self._connection.close).result()
        self._thread.shutdown()


def _set_aside(path: Path) -> Path:
    number = 1
    while (kept := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for suffix in ("", "-wal", "-shm"):
        source = path.with_name(path.name + suffix)
        if source.exists():
            shutil.move(source, kept.with_name(kept.name + suffix))
    return kept


def _failed(path: Path, error: Exception) -> StorageFailed:
    words = str(error).lower()
    if "full" in words or "no space" in words:
        return StorageFailed(
            "The disk is full.", "Free some space; nothing that was shown as saved is lost.", f"{path}: {error}"
        )
    cannot = ("readonly", "read-only", "permission", "unable to open")
    if isinstance(error, OSError) or any(reason in words for reason in cannot):
        return StorageFailed(
            f"The data folder {path.parent} cannot be written.",
            "Check its permissions, or set POSTHOG_CODE_HOME to another folder.",
            str(error),
        )
    return StorageFailed("The database could not be used.", "Look at the log for details.", f"{path}: {error}")
