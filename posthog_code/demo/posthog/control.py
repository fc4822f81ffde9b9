"""Not PostHog: what tests and the demo world do to the stand-in, below /__demo/."""

from __future__ import annotations

from posthog_code.demo.posthog.cloud import Cloud
from posthog_code.demo.posthog.faults import Faults, Journal
from posthog_code.demo.posthog.oauth import OAuth
from posthog_code.demo.posthog.product import Product
from posthog_code.demo.posthog.seeds import Seeder, seed_of
from posthog_code.demo.posthog.store import CONFIG
from posthog_code.demo.posthog.wire import Object, Reply, Request, missing, now, refused


class Control:
    def __init__(
        self, cloud: Cloud, oauth: OAuth, faults: Faults, journal: Journal, seeder: Seeder, product: Product
    ) -> None:
        self._cloud = cloud
        self._oauth = oauth
        self._faults = faults
        self._journal = journal
        self._seeder = seeder
        self._product = product

    def handle(self, request: Request, parts: list[str]) -> Reply:
        """Raises Failure."""
        match (request.method, *parts):
            case ("POST", "tasks"):
                task = self._seeder.plant(seed_of(request.body))
                return Reply(201, self._cloud.show_task(task))
            case ("GET", "ready"):
                return Reply(200, {"ready": self._seeder.ready, "waiting": self._seeder.waiting})
            case ("POST", "faults"):
                return Reply(201, self._faults.add(request.body))
            case ("GET", "faults"):
                return Reply(200, {"faults": self._faults.listed()})
            case ("DELETE", "faults"):
                self._faults.clear()
                return Reply(204)
            case ("GET", "journal"):
                return Reply(200, self._journal.told(request.query))
            case ("DELETE", "journal"):
                self._journal.clear()
                return Reply(204)
            case ("GET", "config"):
                return Reply(200, self._cloud.store.config)
            case ("POST", "config"):
                return self._configure(request.body)
            case ("POST", "tokens", "expire"):
                return self._expire(bool(request.body.get("revoke")))
            case ("POST", "tokens", "issue"):
                return self._issue(request.body)
            case (_, "runs", run_id, *rest):
                return self._run(request, run_id, rest)
        told = self._product.control(request, parts)
        if told is None:
            raise missing()
        return told

    def _configure(self, body: Object) -> Reply:
        store = self._cloud.store
        unknown = set(body) - set(CONFIG)
        if unknown:
            raise refused(f"unknown: {', '.join(sorted(unknown))}")
        with store.lock:
            store.config.update(body)
            store.save()
        return Reply(200, store.config)

    def _expire(self, revoke: bool) -> Reply:
        store = self._cloud.store
        with store.lock:
            for token in store.tokens.values():
                if token["kind"] == "access":
                    token["expires"] = now()
                token["revoked"] = token["revoked"] or revoke
            store.save()
        return Reply(200, {})

    def _issue(self, body: Object) -> Reply:
        projects = body.get("projects") or [team["id"] for team in self._cloud.store.people["organization"]["teams"]]
        lifetime = float(body["lifetime_s"]) if "lifetime_s" in body else None
        reply = self._oauth.issue(str(body.get("scope", "*")), projects, "demo-desktop-client", "issued", lifetime)
        self._cloud.store.save()
        return reply

    def _run(self, request: Request, run_id: str, rest: list[str]) -> Reply:
        """GET: the engine's state. POST emit {notification | event}, trim {keep}, finish {status, error_message}."""
        run = self._cloud.store.runs.get(run_id)
        if run is None:
            raise missing()
        engine, log = self._cloud.engine(run_id), self._cloud.log(run_id)
        match (request.method, *rest):
            case ("GET",):
                newest = log.newest()
                return Reply(
                    200,
                    {
                        "state": engine.state if engine else "none",
                        "asks": [ask.request_id for ask in engine.waiting()] if engine else [],
                        "events": log.sent,
                        "last_event": f"{newest[0]}-{newest[1]}",
                        "stored": len(log.stored()),
                        "sandbox": str(self._cloud.store.root / "sandboxes" / run_id),
                    },
                )
            case ("POST", "emit"):
                if "notification" in request.body:
                    log.frame(request.body["notification"])
                else:
                    log.event(request.body.get("event") or {})
                return Reply(200, {})
            case ("POST", "trim"):
                log.trim(int(request.body.get("keep", 0)))
                return Reply(200, {})
            case ("POST", "finish"):
                status, text = str(request.body.get("status", "completed")), request.body.get("error_message")
                if engine is not None:
                    engine.finish(status, text)
                else:
                    self._cloud.patch_run(run, {"status": status, "error_message": text})
                    log.end()
                return Reply(200, self._cloud.show_run(run))
        raise missing()
