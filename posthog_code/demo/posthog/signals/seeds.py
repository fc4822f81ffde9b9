"""The reports of a new world as rows: signals and artefacts made from the prose of resources/demo/inbox.toml."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from posthog_code.demo import inbox
from posthog_code.demo.cloud_tasks import PEOPLE
from posthog_code.demo.posthog.signals.shelf import Shelf
from posthog_code.demo.posthog.wire import Object, iso, now, parse_time
from posthog_code.demo.repositories import AUTHORS, OWNER

LOGINS = {"mira": "mira-okafor", "ana": "ana-duarte", "priya": "priya-raman", "jonas": "jonas-lind"}
HOUR = 3600.0
CommitOf = Callable[[str, str], str]
"""The hash of a commit, by repository and subject; "" where it is not known."""


def seed(shelf: Shelf, commit_of: CommitOf) -> None:
    begun = now()
    for told in inbox.report_rows():
        _Seeding(shelf, told, begun, commit_of).run()


class _Seeding:
    """One report."""

    def __init__(self, shelf: Shelf, told: Mapping[str, Any], begun: float, commit_of: CommitOf) -> None:
        self._shelf = shelf
        self._told = told
        self._commit_of = commit_of
        self._born = begun - told["born"] * HOUR
        self._touched = begun - told["hours"] * HOUR
        self._begun = begun
        self._recordings = [one for one in inbox.recordings() if one.report == told["id"]]

    def run(self) -> None:
        told, status = self._told, str(self._told.get("status", "ready"))
        fields: Object = {
            "id": told["id"],
            "title": told["title"],
            "summary": told["summary"].strip(),
            "status": status,
            "priority": told.get("priority"),
            "actionability": told.get("actionability"),
            "already_addressed": told.get("addressed", False),
            "dismissal_reason": told.get("reason"),
            "dismissal_note": told.get("note"),
            "_before": "ready" if status in ("suppressed", "resolved", "potential") else status,
            "_reviewers": [_uuid(line.split(" | ")[0]) for line in told.get("reviewers", ())],
        }
        report = self._shelf.add_report(fields, self._born)
        signals = list(self._signals())
        while len(signals) < told.get("signals", 0):
            signals.append({**signals[0], "content": "Seen again."})
        gap = (self._touched - self._born) / max(1, len(signals))
        for number, signal in enumerate(signals, 1):
            at = parse_time(signal["timestamp"]) if "timestamp" in signal else self._born + gap * number
            self._shelf.add_signal(report["id"], signal, at)
        report["signals_at_run"] = len(signals)
        if told.get("snooze"):
            report["_wakes_at"] = len(signals) + told["snooze"]
        self._artefacts(report)
        report.update(_touched=self._touched, total_weight=told["weight"])

    # -- signals

    def _signals(self) -> Iterator[Object]:
        for fingerprint in self._told.get("errors", ()):
            yield from self._of_error(fingerprint)
        for recording in self._recordings:
            yield self._of_recording(recording)
        yield from self._of_people()
        yield from self._of_figures()

    def _of_error(self, fingerprint: str) -> Iterator[Object]:
        error = inbox.error(fingerprint)
        where = f"{error.place.path}:{inbox.line_of(error.place)}"
        extra: Object = {"fingerprint": fingerprint, "issue_id": error.issue, "name": error.name, "place": where}
        if flags := self._told.get("flags"):
            extra["feature_flags"] = flags
        about: Object = {"source_product": "error_tracking", "source_id": error.issue, "extra": extra}
        yield {**about, "source_type": "issue_created", "content": f"{error.name}: {error.value} ({where})"}
        if error.rises_from < 0.5:
            grown = f"{error.name} in {error.place.function} comes more and more often."
            yield {**about, "source_type": "issue_spiking", "content": grown, "weight": 0.9}

    def _of_recording(self, recording: inbox.DemoRecording) -> Object:
        began = self._begun - recording.hours * HOUR
        extra = {
            "session_id": recording.id,
            "segment_title": recording.what,
            "problem_type": "confusion" if not recording.error else "failure",
            "start_time": iso(began + recording.marks[0]),
            "end_time": iso(began + recording.marks[-1] + 4),
            "distinct_id": recording.distinct_id,
            "session_start_time": iso(began),
            "session_end_time": iso(began + recording.duration),
            "session_duration": recording.duration,
            "session_active_seconds": int(recording.duration * 0.8),
            "exported_asset_id": None,
        }
        about = {"source_product": "session_replay", "source_type": "session_problem", "source_id": recording.id}
        words = f"Person {recording.person} {recording.what}."
        return {**about, "content": words, "extra": extra, "timestamp": iso(began)}

    def _of_people(self) -> Iterator[Object]:
        for told in self._told.get("tickets", ()):
            number, text, hours = told.split(" | ")
            url = f"https://harbor.zendesk.example/agent/tickets/{number}"
            extra = {"url": url, "priority": "high", "status": "open", "tags": ["shop"]}
            about = {"source_product": "zendesk", "source_type": "ticket", "source_id": number}
            yield {**about, "content": text, "extra": extra, "timestamp": iso(self._begun - float(hours) * HOUR)}
        for told in self._told.get("issues", ()):
            number, text, hours = told.split(" | ")
            at = iso(self._begun - float(hours) * HOUR)
            url = f"https://github.com/{OWNER}/{self._told['repository']}/issues/{number}"
            more: Object = {"html_url": url, "number": int(number), "labels": ["bug"], "created_at": at}
            about = {"source_product": "github", "source_type": "issue", "source_id": number}
            yield {**about, "content": text, "extra": more, "timestamp": at}
        for told in self._told.get("surveys", ()):
            text, hours = told.split(" | ")
            at = iso(self._begun - float(hours) * HOUR)
            yield {"source_product": "conversations", "source_type": "ticket", "content": text, "timestamp": at}

    def _of_figures(self) -> Iterator[Object]:
        for told in self._told.get("vitals", ()):
            page, name, value, people = told.split(" | ")
            extra = {"page": page, "metric": name, "value": value, "people": int(people)}
            about = {"source_product": "health_checks", "source_type": "web_vitals", "source_id": page}
            yield {**about, "content": f"{name} of {page} is {value} for {people} people.", "extra": extra}
        for told in self._told.get("rage", ()):
            page, text, sessions, people = told.split(" | ")
            words = f"{sessions} sessions of {people} people have rage clicks on {text} of {page}."
            about = {"source_product": "session_replay", "source_type": "session_analysis_cluster", "source_id": page}
            yield {
                **about,
                "content": words,
                "weight": 0.8,
                "extra": {"people": int(people), "sessions": int(sessions)},
            }
        for told in self._told.get("checks", ()):
            kind, text = told.split(" | ")
            yield {"source_product": "health_checks", "source_type": kind, "source_id": kind, "content": text}

    # -- artefacts

    def _artefacts(self, report: Object) -> None:
        told, report_id = self._told, report["id"]
        base = self._touched - 0.2 * HOUR

        def add(kind: str, content: Any) -> None:
            self._shelf.add_artefact(report_id, kind, content, base + 30.0 * len(self._shelf.artefacts[report_id]))

        add("repo_selection", {"repository": f"{OWNER}/{told['repository']}", "reason": "The frames are from there."})
        for content in self._segments():
            add("video_segment", content)
        for content in self._findings(report_id):
            add("signal_finding", content)
        for flag in told.get("flags", ()):
            add("note", {"note": f"Flag `{flag}` is read in this code."})
        if reviewers := list(self._reviewers()):
            add("suggested_reviewers", reviewers)
        if told.get("actionability"):
            add("safety_judgment", {"choice": True, "explanation": "Nothing in the signals asks for anything unsafe."})
            judged = {"explanation": told["actionability_reason"], "actionability": told["actionability"]}
            add("actionability_judgment", {**judged, "already_addressed": told.get("addressed", False)})
            priority: Object = {"explanation": told["priority_reason"], "priority": told["priority"]}
            if told.get("dollars"):
                priority["dollar_value"] = told["dollars"]
            add("priority_judgment", priority)
        if told.get("reason"):
            add("dismissal", {"reason": told["reason"], "note": told["note"]})

    def _segments(self) -> Iterator[Object]:
        for recording in self._recordings:
            for number, mark in enumerate(recording.marks):
                yield {
                    "session_id": recording.id,
                    "start_time": _clock(mark),
                    "end_time": _clock(mark + 4),
                    "distinct_id": recording.distinct_id,
                    "content": recording.what,
                    "distance_to_centroid": round(0.12 + 0.05 * number, 2),
                }

    def _findings(self, report_id: str) -> Iterator[Object]:
        repository = self._told["repository"]
        places = [inbox.place_of(repository, one) for one in self._told.get("places", ())]
        commits = {}
        for subject, reason in self._commits():
            if sha := self._commit_of(repository, subject):
                commits[sha] = reason
        # The first finding names the likely place, later ones what lies around it.
        for number, place in enumerate(places):
            signals = self._shelf.signals[report_id]
            flags = [f"flag `{flag}`" for flag in self._told.get("flags", ())]
            yield {
                "signal_id": signals[min(number, len(signals) - 1)]["signal_id"],
                "relevant_code_paths": [f"{place.path}:{inbox.line_of(place)}"],
                "relevant_commit_hashes": commits if number == 0 else {},
                "data_queried": ", ".join(["events of 30 days", *flags]),
                "verified": True,
            }

    def _commits(self) -> Iterator[tuple[str, str]]:
        """Subject, and why it matters."""
        for line in self._told.get("commits", ()):
            subject, reason = line.split(" | ")
            yield subject, reason
        for line in self._told.get("reviewers", ()):
            key, reason, subject = line.split(" | ")
            yield subject, f"{AUTHORS[key][0]} {reason}"

    def _reviewers(self) -> Iterator[Object]:
        for line in self._told.get("reviewers", ()):
            key, reason, subject = line.split(" | ")
            sha = self._commit_of(self._told["repository"], subject)
            url = f"https://github.com/{OWNER}/{self._told['repository']}/commit/{sha}"
            yield {
                "github_login": LOGINS[key],
                "github_name": AUTHORS[key][0],
                "relevant_commits": [{"sha": sha, "url": url, "reason": subject}] if sha else [],
                "user": _user(key),
                "user_uuid": _uuid(key),
                "reason": reason,
            }


def _clock(seconds: int) -> str:
    """A place in a video."""
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _user(key: str) -> Object:
    number, first, last, address = next(row for row in PEOPLE if row[3].startswith(f"{key}@"))
    return {"id": number, "uuid": _uuid(key), "email": address, "first_name": first, "last_name": last}


def _uuid(key: str) -> str:
    number = next(row[0] for row in PEOPLE if row[3].startswith(f"{key}@"))
    return f"0190a000-0000-7000-8000-{number:012d}"


def reviewers() -> Object:
    """Everybody who may be asked, by id."""
    return {
        _uuid(key): {"name": name, "email": address, "github_login": LOGINS[key]}
        for key, (name, address) in AUTHORS.items()
    }
