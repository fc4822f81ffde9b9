"""The reports that are kept: rows in one JSON file of their own, and how new signals come in."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

from posthog_code.demo.cloud_tasks import PROJECT
from posthog_code.demo.posthog.store import new_id, shown
from posthog_code.demo.posthog.wire import Json, Object, iso, now

SOURCES = (
    ("error_tracking", "issue_created"),
    ("error_tracking", "issue_reopened"),
    ("error_tracking", "issue_spiking"),
    ("session_replay", "session_analysis_cluster"),
    ("zendesk", "ticket"),
    ("github", "issue"),
)


class Shelf:
    """Rows: keys that start with "_" are the stand-in's own. Callers hold `lock` for what belongs together."""

    def __init__(self, root: Path) -> None:
        self.lock = threading.RLock()
        self.reports: dict[str, Object] = {}
        self.signals: dict[str, list[Object]] = {}
        self.artefacts: dict[str, list[Object]] = {}
        self.configs: dict[str, Object] = {}
        self.settings: Object = {"paused_until": None, "default_autostart_priority": "P4"}
        self.waiting: list[Object] = []
        """Signals on their way: {due, project, fingerprint, title, text, extra}."""
        self._file = root / "signals.json"
        self.fresh = not self._file.is_file()
        if not self.fresh:
            kept = json.loads(self._file.read_text(encoding="utf-8"))
            for name in self._kept:
                setattr(self, name, kept[name])

    _kept = ("reports", "signals", "artefacts", "configs", "settings", "waiting")

    def save(self) -> None:
        with self.lock:
            draft = self._file.with_suffix(".part")
            kept = {name: getattr(self, name) for name in self._kept}
            draft.write_text(json.dumps(kept, separators=(",", ":")), encoding="utf-8")
            os.replace(draft, self._file)

    def fill(self, seeds: Callable[[], None]) -> None:
        """What a new shelf begins with."""
        with self.lock:
            if self.fresh:
                for number, (product, kind) in enumerate(SOURCES, 1):
                    self.add_config(product, kind, number=number)
                seeds()
                self.fresh = False
                self.save()

    # -- rows

    def add_config(self, product: str, kind: str, number: int = 0, enabled: bool = True) -> Object:
        at = now()
        row: Object = {
            "id": f"0199d000-0000-7000-8000-{number:012d}" if number else new_id(at),
            "source_product": product,
            "source_type": kind,
            "enabled": enabled,
            "config": {},
            "created_at": iso(at),
            "updated_at": iso(at),
            "status": "completed" if enabled else None,
        }
        self.configs[row["id"]] = row
        return row

    def add_report(self, fields: Object, at: float, project: int = PROJECT) -> Object:
        row: Object = {
            "id": new_id(at),
            "title": "",
            "summary": "",
            "status": "ready",
            "total_weight": 1.0,
            "signals_at_run": 0,
            "priority": None,
            "actionability": None,
            "already_addressed": False,
            "dismissal_reason": None,
            "dismissal_note": None,
            "scout_name": None,
            "_project": project,
            "_made": at,
            "_touched": at,
            "_wakes_at": 0,
            "_before": "ready",
            "_reviewers": [],
        } | fields
        if "_before" not in fields and row["status"] in ("potential", "candidate", "pending_input", "failed"):
            row["_before"] = row["status"]
        self.reports[row["id"]] = row
        self.signals.setdefault(row["id"], [])
        self.artefacts.setdefault(row["id"], [])
        return row

    def add_signal(self, report_id: str, fields: Object, at: float) -> Object:
        """One more signal. A snoozed report that has got enough of them comes back."""
        listed = self.signals[report_id]
        signal: Object = {
            "signal_id": f"{report_id[-12:]}-s{len(listed) + 1}",
            "content": "",
            "source_product": "error_tracking",
            "source_type": "issue_created",
            "source_id": "",
            "weight": 0.5,
            "timestamp": iso(at),
            "extra": {},
            "match_metadata": {"reason": "It started the report.", "rejected_signal_ids": []},
        } | fields
        if listed and "match_metadata" not in fields:
            first = listed[0]["signal_id"]
            reason = "The same place in the code, and the same people."
            signal["match_metadata"] = {
                "parent_signal_id": first,
                "match_query": signal["content"][:80],
                "reason": reason,
            }
        listed.append(signal)
        report = self.reports[report_id]
        report["_touched"] = max(report["_touched"], at)
        report["total_weight"] = round(report["total_weight"] + 0.1, 2)
        if report["status"] == "potential" and report["_wakes_at"] and len(listed) >= report["_wakes_at"]:
            report.update(status=report["_before"], _wakes_at=0)
        return signal

    def add_artefact(self, report_id: str, kind: str, content: Json, at: float) -> Object:
        listed = self.artefacts[report_id]
        row: Object = {
            "id": f"{report_id[-12:]}-a{len(listed) + 1}",
            "type": kind,
            "content": content,
            "created_at": iso(at),
        }
        listed.append(row)
        return row

    # -- what comes in

    def expect(self, signal: Object) -> None:
        with self.lock:
            self.waiting.append(signal)
            self.save()

    def settle(self) -> None:
        """Take in what is due: a known fingerprint joins its report, a new one makes one."""
        with self.lock:
            due = [one for one in self.waiting if one["due"] <= now()]
            if not due:
                return
            self.waiting = [one for one in self.waiting if one not in due]
            for one in due:
                self._take_in(one)
            self.save()

    def _take_in(self, one: Object) -> None:
        at = now()
        report_id = self.report_of(one["project"], one["fingerprint"])
        fields: Object = {"content": one["text"], "source_id": one["fingerprint"], "extra": one["extra"], "weight": 1.0}
        if report_id:
            self.add_signal(report_id, {**fields, "source_type": "issue_spiking"}, at)
            return
        report = self.add_report({"title": one["title"], "summary": one["text"], "priority": "P2"}, at, one["project"])
        report["actionability"] = "immediately_actionable"
        self.add_signal(report["id"], fields, at)
        report["signals_at_run"] = 1
        judged = {"explanation": "New, and reported by the app itself.", "priority": "P2"}
        self.add_artefact(report["id"], "priority_judgment", judged, at)
        if one["paths"]:
            finding = {
                "signal_id": self.signals[report["id"]][0]["signal_id"],
                "relevant_code_paths": one["paths"],
                "relevant_commit_hashes": {},
                "data_queried": "The stack of the error.",
                "verified": True,
            }
            self.add_artefact(report["id"], "signal_finding", finding, at)

    def report_of(self, project: int, fingerprint: str) -> str:
        """The report that has a signal of this error, "" for none."""
        for report_id, listed in self.signals.items():
            report = self.reports[report_id]
            ours = report["_project"] == project and report["status"] != "deleted"
            if ours and any(one["extra"].get("fingerprint") == fingerprint for one in listed):
                return report_id
        return ""

    # -- shown

    def body(self, report: Object, user_uuid: str = "") -> Object:
        """As the API tells it. Keys of pull requests are the caller's."""
        listed = self.signals[report["id"]]
        products = list(dict.fromkeys(one["source_product"] for one in listed))
        return {
            **shown(report),
            "signal_count": len(listed),
            "artefact_count": len(self.artefacts[report["id"]]),
            "source_products": products,
            "is_suggested_reviewer": bool(user_uuid) and user_uuid in report["_reviewers"],
            "created_at": iso(report["_made"]),
            "updated_at": iso(report["_touched"]),
        }
