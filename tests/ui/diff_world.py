"""A diff, and a small world of services for the Changes panel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from PySide6.QtCore import QObject, Signal

from posthog_code.domain.changes import ChangedFile, ChangeSet, FileState, Scope
from posthog_code.domain.diff_index import DiffIndex, concat, file_bytes
from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import CommentId, RepositoryId, SessionId, TaskId
from posthog_code.domain.provenance import Provenance
from posthog_code.domain.review import Comment, CommentState
from posthog_code.domain.settings import Settings
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import Task, Workspace

DIFF = b"""diff --git a/src/payments/submitPayment.ts b/src/payments/submitPayment.ts
index 1111111..2222222 100644
--- a/src/payments/submitPayment.ts
+++ b/src/payments/submitPayment.ts
@@ -1,4 +1,5 @@
 import { gateway } from '../gateway';
-import { retry } from './legacyRetry';
+import { withRetry, isTransient } from './retry';
+import { claim, idempotencyKey } from './idempotency';
 import type { Cart, Charge } from '../types';
\x20
@@ -22,10 +23,16 @@ submitPayment
 export async function submitPayment(
   cart: Cart,
-  attempt = 1,
+  session: CheckoutSession,
 ): Promise<Charge> {
-  const key = `${cart.id}-${Date.now()}`;
+  const key = idempotencyKey(session.id, cart.version);
+  const prior = await claim(key, { ttl: '24h' });
+  if (prior) return prior.charge;
\x20
-  return retry(() => gateway.charge(cart, key), 3);
+  return withRetry(
+    () => gateway.charge(cart, { key }),
+    { attempts: 3, retryOn: isTransient },
+  );
 }
\x20
 export function refund() {
diff --git a/src/payments/idempotency.ts b/src/payments/idempotency.ts
new file mode 100644
index 0000000..3333333
--- /dev/null
+++ b/src/payments/idempotency.ts
@@ -0,0 +1,11 @@
+import { redis } from '../store';
+
+/**
+ * Claims a key for one charge.
+ */
+export async function claim(key: string, options: { ttl: string }) {
+  const found = await redis.get(key);
+  if (found) return JSON.parse(found);
+  await redis.set(key, '{}', options.ttl);
+  return null;
+}
diff --git a/src/payments/legacyRetry.ts b/src/payments/legacyRetry.ts
deleted file mode 100644
index 3333333..0000000
--- a/src/payments/legacyRetry.ts
+++ /dev/null
@@ -1,3 +0,0 @@
-export function retry<T>(call: () => Promise<T>, times: number): Promise<T> {
-  return call().catch((error) => (times > 0 ? retry(call, times - 1) : Promise.reject(error)));
-}
diff --git a/assets/logo.png b/assets/logo.png
index 1..2 100644
Binary files a/assets/logo.png and b/assets/logo.png differ
diff --git a/scripts/run.sh b/scripts/run.sh
old mode 100644
new mode 100755
diff --git a/docs/old.md b/docs/new.md
similarity index 100%
rename from docs/old.md
rename to docs/new.md
diff --git a/CHANGELOG.md b/CHANGELOG.md
index 1111111..2222222 100644
--- a/CHANGELOG.md
+++ b/CHANGELOG.md
@@ -1,3 +1,4 @@
 # Changelog
\x20
+- A second tap no longer charges twice.
 - Faster cart.
\\ No newline at end of file
"""

SUBMIT = "src/payments/submitPayment.ts"
TASK = TaskId("t1")
NOW = 1_000.0


def long_diff(hunks: int = 60) -> bytes:
    """One file with many hunks, higher than any window."""
    out = [b"diff --git a/long.py b/long.py", b"index 1..2 100644", b"--- a/long.py", b"+++ b/long.py"]
    for number in range(hunks):
        start = number * 20 + 1
        out += [b"@@ -%d,4 +%d,4 @@ part %d" % (start, start, number), b" a = 1", b" b = 2"]
        out += [b"-value = %d" % number, b"+value = %d + 1" % number, b" c = 3"]
    return b"\n".join(out) + b"\n"


def change_set(data: bytes, scope: Scope = Scope.ALL) -> ChangeSet:
    """The list that belongs to a diff; fingerprints are the sizes of the files' parts."""
    index = concat([data])
    files = tuple(
        ChangedFile(
            file.path, FileState(file.header.state), file.added, file.removed, file.header.old_path,
            file.header.binary, str(hash(file_bytes(index, number))),
        )
        for number, file in enumerate(index.files)
    )  # fmt: skip
    return ChangeSet(scope, files, "base")


class FakeChanges:
    """A worktree whose diff is `data`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.data = DIFF
        self.error: UserError | None = None
        self.diffs: list[tuple[str, ...]] = []
        self.reverted: list[bytes] = []
        self.undone: list[str] = []
        self.watched: list[TaskId] = []
        self.told = ""

    def note(self, task_id: TaskId) -> str:
        return self.told

    async def refresh(self, task_id: TaskId, scope: Scope = Scope.ALL) -> ChangeSet:
        if self.error is not None:
            raise self.error
        found = change_set(self.data, scope)
        if scope is Scope.ALL and self._world.state.changes.get(task_id) != found:
            self._world.state = replace(self._world.state, changes={task_id: found})
        return found

    async def diff(self, task_id: TaskId, scope: Scope = Scope.ALL, paths: Sequence[str] = ()) -> AsyncIterator[bytes]:
        self.diffs.append(tuple(paths))
        data = self.data
        if paths:
            index = concat([data])
            data = b"".join(file_bytes(index, n) for n, file in enumerate(index.files) if file.path in paths)
        for start in range(0, len(data), 700):
            yield data[start : start + 700]

    async def revert(self, task_id: TaskId, patch: bytes, label: str) -> str:
        self.reverted.append(patch)
        return "token"

    async def undo_revert(self, task_id: TaskId, token: str) -> None:
        self.undone.append(token)

    def watch(self, task_id: TaskId) -> None:
        self.watched.append(task_id)

    def unwatch(self, task_id: TaskId) -> None:
        self.watched.remove(task_id)


class FakeReviews:
    def __init__(self, world: World) -> None:
        self._world = world
        self.sent: list[tuple[str, tuple[CommentId, ...] | None]] = []

    def _set(self, comments: tuple[Comment, ...]) -> None:
        self._world.state = replace(self._world.state, comments={TASK: comments})
        self._world.tell(Topic("comments", TASK))

    @property
    def _all(self) -> tuple[Comment, ...]:
        return self._world.state.comments.get(TASK, ())

    async def add(self, task_id: TaskId, **fields: Any) -> CommentId:
        comment = Comment(CommentId(f"c{len(self._all) + 1}"), task_id, created_at=NOW, **fields)
        self._set((*self._all, comment))
        return comment.id

    async def edit(self, comment_id: CommentId, text: str) -> None:
        self._set(tuple(replace(c, text=text) if c.id == comment_id else c for c in self._all))

    async def discard(self, task_id: TaskId, ids: tuple[CommentId, ...] | None = None) -> tuple[Comment, ...]:
        gone = tuple(c for c in self._all if c.state is CommentState.PENDING and (ids is None or c.id in ids))
        self._set(tuple(c for c in self._all if c not in gone))
        return gone

    async def put_back(self, task_id: TaskId, comments: tuple[Comment, ...]) -> None:
        self._set((*self._all, *comments))

    async def resolve(self, task_id: TaskId, comment_id: CommentId) -> None:
        self._set(tuple(replace(c, state=CommentState.RESOLVED) if c.id == comment_id else c for c in self._all))

    async def send(self, task_id: TaskId, note: str = "", only: tuple[CommentId, ...] | None = None) -> bool:
        self.sent.append((note, only))
        self._set(tuple(replace(c, state=CommentState.SENT) if not only or c.id in only else c for c in self._all))
        return True

    async def set_viewed(self, task_id: TaskId, path: str, fingerprint: str | None) -> None:
        marks = {k: v for k, v in self._world.state.viewed.get(TASK, {}).items() if k != path}
        if fingerprint is not None:
            marks[path] = fingerprint
        self._world.state = replace(self._world.state, viewed={TASK: marks})
        self._world.tell(Topic("viewed", TASK))


class FakeBridge(QObject):
    changed = Signal(object)


class InstantActions:
    """Runs each coroutine to its end at once."""

    def start(
        self,
        name: str,
        factory: Callable[[], Any],
        *,
        on_done: Callable[[Any], object] | None = None,
        on_error: Callable[[UserError], object] | None = None,
        busy: object = None,
    ) -> bool:
        loop = asyncio.new_event_loop()
        try:
            result = loop.run_until_complete(factory())
        except UserError as error:
            if on_error is None:
                raise
            on_error(error)
            return True
        finally:
            loop.close()
        if on_done is not None:
            on_done(result)
        return True


@dataclass
class Toasts:
    shown: list[tuple[str, list[tuple[str, Callable[[], object]]]]] = field(default_factory=list)

    def show(self, title: str, text: str = "", kind: str = "", actions: Any = (), timeout: float = 6.0) -> None:
        self.shown.append((title, list(actions)))


class World:
    """What a panel is handed, without an app around it."""

    def __init__(self) -> None:
        task = Task(
            TASK, RepositoryId("r"), "Stop double charges", "", Workspace.WORKTREE, "claude", SessionId("s"), NOW, NOW,
            base="main", path="/nowhere",
        )  # fmt: skip
        self.state = AppState(tasks={TASK: task}, settings=Settings())
        self.bridge = FakeBridge()
        self.changes = FakeChanges(self)
        self.reviews = FakeReviews(self)
        self.toasts = Toasts()
        self.actions = InstantActions()
        self.drafts: dict[str, str] = {}
        self.provenance: Provenance = {}
        self.watched: list[TaskId] = []
        self.services = SimpleNamespace(
            changes=self.changes,
            code_signals=SimpleNamespace(watch=self.watched.append, unwatch=self.watched.remove),
            provenance=SimpleNamespace(read=self._read_provenance),
            reviews=self.reviews,
            tasks=SimpleNamespace(save_draft=self._save_draft),
            settings=SimpleNamespace(set=self._set_settings),
        )

    def now(self) -> float:
        return NOW

    def tell(self, *topics: Topic) -> None:
        self.bridge.changed.emit(frozenset(topics))

    async def _read_provenance(self, task_id: TaskId) -> Provenance:
        return self.provenance

    async def _save_draft(self, key: str, text: str) -> None:
        self.state = replace(self.state, drafts={**self.state.drafts, key: text})

    async def _set_settings(self, **fields: Any) -> None:
        self.state = replace(self.state, settings=replace(self.state.settings, **fields))


def comment(number: int, line: int, text: str, path: str = SUBMIT, side: str = "new") -> Comment:
    return Comment(CommentId(f"c{number}"), TASK, path, side, line, line, "code", text, NOW - 10)


def index_of(data: bytes = DIFF) -> DiffIndex:
    return concat([data])
