"""What may become of a report, by a person's wish."""

from __future__ import annotations

from posthog_code.demo.posthog.signals.shelf import Shelf
from posthog_code.demo.posthog.wire import Json, Object, invalid, now, refused, required

REASONS = frozenset(
    {
        "already_fixed",
        "report_unclear",
        "analysis_wrong",
        "wrong_repo",
        "wontfix_intentional",
        "wontfix_irrelevant",
        "fixed_outside_posthog",
        "pr_merged",
        "other",
    }
)
_OPEN = ("candidate", "ready", "pending_input", "failed")
LEGAL = {
    "suppressed": frozenset({*_OPEN, "potential", "in_progress"}),
    "potential": frozenset({*_OPEN, "potential", "suppressed", "resolved"}),
    "resolved": frozenset({*_OPEN, "potential", "suppressed"}),
}
"""From where each state can be reached."""
NOTE_LIMIT = 4000
SNOOZE_LIMIT = 100_000


def checked(body: Object, older: bool) -> Object:
    """The wish. Raises Failure 400."""
    state = body.get("state")
    if not state:
        raise required("state")
    if state not in LEGAL or (older and state == "resolved"):
        raise invalid(f'"{state}" is not a valid choice.', "state", "invalid_choice")
    reason, note = body.get("dismissal_reason"), body.get("dismissal_note")
    if not older and reason is not None and reason not in REASONS:
        raise invalid(f'"{reason}" is not a valid choice.', "dismissal_reason", "invalid_choice")
    if not older and len(str(note or "")) > NOTE_LIMIT:
        raise invalid(f"Ensure this field has no more than {NOTE_LIMIT} characters.", "dismissal_note", "max_length")
    snooze = body.get("snooze_for")
    if snooze is not None and (not isinstance(snooze, int) or not 1 <= snooze <= SNOOZE_LIMIT):
        raise invalid(f"Ensure this value is between 1 and {SNOOZE_LIMIT}.", "snooze_for", "invalid")
    return {"state": state, "reason": None if older else reason, "note": None if older else note, "snooze": snooze}


def change(shelf: Shelf, report: Object, wish: Object) -> None:
    """Raises Failure 409. The caller saves."""
    state, status = wish["state"], report["status"]
    if status not in LEGAL[state] or (state == status == "potential" and report["_wakes_at"] and wish["snooze"]):
        raise refused(f"Cannot transition report from '{status}' to '{state}'.", 409)
    report["_touched"] = max(now(), report["_touched"] + 0.000_001)
    if state == "potential" and not wish["snooze"]:
        # Restored: what it was before somebody put it away.
        report.update(status=report["_before"], _wakes_at=0, dismissal_reason=None, dismissal_note=None)
        return
    if status in _OPEN:
        report["_before"] = status
    if state == "potential":
        report["_wakes_at"] = len(shelf.signals[report["id"]]) + wish["snooze"]
        report.update(dismissal_reason=None, dismissal_note=None)
    elif state == "suppressed":
        report.update(dismissal_reason=wish["reason"], dismissal_note=wish["note"], _wakes_at=0)
    report["status"] = state


def change_many(shelf: Shelf, project: int, ids: Json, wish: Object) -> Object:
    """Outcomes and counts. Raises Failure 400 for too many or none."""
    if not isinstance(ids, list) or not 1 <= len(ids) <= 100:
        raise invalid("Ensure this field has 1 to 100 elements.", "ids")
    results = []
    for report_id in dict.fromkeys(str(one) for one in ids):
        report = shelf.reports.get(report_id)
        told: Object = {"id": report_id, "outcome": "transitioned", "status": None, "detail": None}
        if report is None or report["_project"] != project or report["status"] == "deleted":
            told["outcome"] = "not_found"
        elif report["status"] == wish["state"] and not wish["snooze"] and not report["_wakes_at"]:
            told["outcome"] = "skipped"
        elif report["status"] not in LEGAL[wish["state"]]:
            told["outcome"] = "failed"
            told["detail"] = f"Cannot transition report from '{report['status']}' to '{wish['state']}'."
        else:
            change(shelf, report, wish)
        told["status"] = report["status"] if report is not None and told["outcome"] != "not_found" else None
        results.append(told)
    counts = {
        f"{outcome}_count": sum(row["outcome"] == outcome for row in results)
        for outcome in ("transitioned", "skipped", "failed", "not_found")
    }
    return {"results": results, **counts}
