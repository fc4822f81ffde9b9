"""What the demo's product tells, behind one door: signals, definitions, queries, captured events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from posthog_code.demo.cloud_tasks import PROJECT
from posthog_code.demo.posthog.capture import Capture
from posthog_code.demo.posthog.definitions import Definitions
from posthog_code.demo.posthog.eventstore import EventStore
from posthog_code.demo.posthog.query import Queries
from posthog_code.demo.posthog.releases import Mains
from posthog_code.demo.posthog.signals.api import Signals
from posthog_code.demo.posthog.signals.seeds import seed
from posthog_code.demo.posthog.signals.shelf import Shelf
from posthog_code.demo.posthog.store import Store
from posthog_code.demo.posthog.wire import Object, Reply, Request, missing, now, refused

OWN_HISTORY = 37 * 3600
"""Seconds before a world was made in which its sample repositories have no commits: later ones are releases."""


class Product:
    """`repositories` is the folder with the bare repositories, None where there are none."""

    def __init__(self, store: Store, repositories: Path | None, with_signals: bool = True) -> None:
        self._store = store
        mains = Mains(repositories, _made(store.root) - OWN_HISTORY)
        self.events = EventStore(store.root / "events.db", mains, with_signals)
        self.shelf = Shelf(store.root)
        if with_signals:
            self.shelf.fill(lambda: seed(self.shelf, mains.commit))
        self._signals = Signals(store, self.shelf)
        self._definitions = Definitions(self.events)
        self.queries = Queries(store, self.events)
        self.capture = Capture(store, self.events, self.shelf)

    def handle(self, request: Request, project: int, parts: list[str]) -> Reply | None:
        """Paths below /api/projects/{p}/; None for one that is not ours. Raises Failure."""
        if parts[:1] == ["signals"]:
            return self._signals.handle(request, project, parts[1:])
        return self._definitions.handle(request, project, parts) or self.queries.handle(request, project, parts)

    def control(self, request: Request, parts: list[str]) -> Reply | None:
        """Paths below /__demo/; None for one that is not ours. Raises Failure.

        `release` {repository, hours}: as if its newest merge had been so many hours ago, for the product alone (the
        GitHub's `advance` moves the merge itself, and the product follows). `signals/report` {fields of a report,
        signals, artefacts}: it appears. `signals/signal` {report, fields of a signal}. `event` {events, project}: they
        are inserted; errors become signals only with "signals": true.
        """
        body = request.body
        match (request.method, *parts):
            case ("POST", "release"):
                name = str(body.get("repository", "")).split("/")[-1]
                told = self.events.move_release(name, float(body.get("hours", 0)))
                if told is None:
                    raise refused(f"nothing was merged in {name}", 409)
                return Reply(200, told)
            case ("POST", "signals", "report"):
                return Reply(201, self._appear(body))
            case ("POST", "signals", "signal"):
                with self.shelf.lock:
                    if body.get("report") not in self.shelf.reports:
                        raise missing()
                    fields = {key: value for key, value in body.items() if key != "report"}
                    signal = self.shelf.add_signal(body["report"], fields, now())
                    self.shelf.save()
                return Reply(201, signal)
            case ("POST", "event"):
                return Reply(200, {"events": self._insert(body)})
        return None

    def _appear(self, body: Object) -> Object:
        fields = {key: value for key, value in body.items() if key not in ("signals", "artefacts", "project")}
        with self.shelf.lock:
            report = self.shelf.add_report(fields, now(), int(body.get("project", PROJECT)))
            for signal in body.get("signals") or [{"content": report["title"]}]:
                self.shelf.add_signal(report["id"], signal, now())
            for artefact in body.get("artefacts") or ():
                self.shelf.add_artefact(report["id"], artefact["type"], artefact.get("content"), now())
            self.shelf.save()
            return self.shelf.body(report)

    def _insert(self, body: Object) -> int:
        listed: list[Any] = body.get("events") or [body]
        project = int(body.get("project", PROJECT))
        if body.get("signals"):
            return self.capture.take(project, listed)
        return self.capture.store(project, listed)

    def close(self) -> None:
        self.events.close()


def _made(root: Path) -> float:
    """When the world around the stand-in was made; now where there is none."""
    try:
        marker: Mapping[str, Any] = json.loads((root.parent / "world.json").read_text(encoding="utf-8"))
        return float(marker["made"])
    except (OSError, ValueError, KeyError):
        return now()
