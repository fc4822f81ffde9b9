"""Reports, signals, artefacts and reviewers as the server sends them: anything may be missing, null, of another type or
unknown. What cannot be told from another, for want of an id, is left out."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from posthog_code.domain.cloud_parse import mapping, number, objects, pr_url, seconds, text
from posthog_code.domain.inbox import Artefact, Report, ReportSignal, SuggestedReviewer
from posthog_code.domain.text import one_line

LONGEST_TEXT = 20_000
"""Characters of a summary or of a signal that are kept."""
MOST_COMMITS = 20


def report(value: Any) -> Report:
    """A report; its id is "" when there is none."""
    data = mapping(value)
    status = text(data.get("status"))
    return Report(
        id=text(data.get("id")),
        title=one_line(text(data.get("title")), 300),
        summary=words(data.get("summary")),
        status=status,
        priority=text(data.get("priority")).strip().upper(),
        actionability=text(data.get("actionability")).strip(),
        already_addressed=data.get("already_addressed") is True,
        weight=real(data.get("total_weight")),
        signal_count=max(number(data.get("signal_count")), 0),
        signals_at_run=max(number(data.get("signals_at_run")), 0),
        artefact_count=max(number(data.get("artefact_count")), 0),
        for_me=data.get("is_suggested_reviewer") is True,
        sources=names(data.get("source_products")),
        pull_request_url=_pull_request(data),
        pull_request_merged=data.get("implementation_pr_merged") is True,
        dismissal_reason=text(data.get("dismissal_reason")),
        dismissal_note=words(data.get("dismissal_note")),
        created_at=seconds(data.get("created_at")),
        updated_at=seconds(data.get("updated_at")),
    )


def reports(values: Any) -> tuple[Report, ...]:
    """Those with an id, each once."""
    found: dict[str, Report] = {}
    for one in objects(values):
        parsed = report(one)
        if parsed.id:
            found.setdefault(parsed.id, parsed)
    return tuple(found.values())


def signals(body: Any) -> tuple[ReportSignal, ...]:
    """Of `{"report", "signals"}`, of a page, or of a list; each once."""
    listed = mapping(body).get("signals")
    found: dict[str, ReportSignal] = {}
    for one in objects(body if listed is None else listed):
        parsed = signal(one)
        if parsed.id:
            found.setdefault(parsed.id, parsed)
    return tuple(found.values())


def signal(value: Any) -> ReportSignal:
    """A signal. Without an id of its own it goes by its source; the id is "" when it has none either."""
    data = mapping(value)
    product, source = text(data.get("source_product")), text(data.get("source_id"))
    own = text(data.get("signal_id")) or text(data.get("id"))
    return ReportSignal(
        id=own or (f"{product}:{source}" if source else ""),
        content=words(data.get("content")),
        source_product=product,
        source_type=text(data.get("source_type")),
        source_id=source,
        weight=real(data.get("weight")),
        at=seconds(data.get("timestamp")),
        extra=_extra(data.get("extra")),
        reason=words(mapping(decoded(data.get("match_metadata"))).get("reason")),
    )


def artefacts(body: Any) -> tuple[Artefact, ...]:
    """Those that say something: an empty `content` is what the server sends for one that it could not decode."""
    found = []
    for place, one in enumerate(objects(body)):
        kind, content = text(one.get("type")), decoded(one.get("content"))
        if not kind or content in (None, "", {}, []) or isinstance(content, bool):
            continue
        found.append(Artefact(text(one.get("id")) or f"{kind}-{place}", kind, content, seconds(one.get("created_at"))))
    return tuple(found)


def suggested_reviewers(content: Any) -> tuple[SuggestedReviewer, ...]:
    """The reviewers of an artefact, in its order."""
    found: dict[str, SuggestedReviewer] = {}
    for one in objects(decoded(content)):
        person = mapping(one.get("user"))
        full = " ".join(filter(None, (text(person.get(key)).strip() for key in ("first_name", "last_name"))))
        login = text(one.get("github_login")).strip()
        name = full or text(one.get("github_name")).strip() or login or text(person.get("email"))
        commits = tuple(text(commit.get("sha")) for commit in objects(one.get("relevant_commits")))
        reviewer = SuggestedReviewer(
            name=one_line(name, 120),
            login=one_line(login, 120),
            uuid=text(one.get("user_uuid")) or text(person.get("uuid")),
            reason=words(one.get("reason")) or _first_reason(one.get("relevant_commits")),
            commits=tuple(filter(None, commits))[:MOST_COMMITS],
        )
        if reviewer.name:
            found.setdefault(reviewer.uuid or reviewer.login or reviewer.name, reviewer)
    return tuple(found.values())


def available_reviewers(body: Any) -> tuple[SuggestedReviewer, ...]:
    """People that may be asked: an object by the user's UUID, or a list."""
    listed = body if isinstance(body, list) or isinstance(mapping(body).get("results"), list) else None
    pairs = [("", one) for one in objects(listed)] if listed is not None else list(mapping(body).items())
    found = []
    for uuid, one in pairs:
        data = mapping(one)
        login = one_line(text(data.get("github_login")), 120)
        name = one_line(text(data.get("name")), 120) or login or one_line(text(data.get("email")), 120)
        if name:
            found.append(SuggestedReviewer(name=name, login=login, uuid=text(uuid) or text(data.get("uuid"))))
    return tuple(found)


def report_tasks(body: Any) -> tuple[str, ...]:
    """Ids of the tasks that implement a report."""
    listed = (
        text(one.get("task_id")) or text(one.get("task"))
        for one in objects(body)
        if text(one.get("relationship")) in ("", "implementation")
    )
    return tuple(dict.fromkeys(filter(None, listed)))


def bulk_outcomes(body: Any, state: str) -> Mapping[str, str]:
    """What became of each report of a bulk change to `state`: "" when it is in that state now, else why not."""
    found: dict[str, str] = {}
    for one in objects(body):
        report_id, outcome = text(one.get("id")), text(one.get("outcome"))
        status, detail = text(one.get("status")), one_line(text(one.get("detail")), 300)
        if not report_id:
            continue
        if outcome == "transitioned" or (outcome == "skipped" and status == state):
            found[report_id] = ""
        elif outcome == "not_found":
            found[report_id] = detail or "It is not there any more."
        elif outcome == "skipped":
            found[report_id] = detail or f"It stays as it is{f' ({status})' if status else ''}."
        else:
            found[report_id] = detail or "PostHog could not change it."
    return found


# -- parts of these --------------------------------------------------------------------------------------------


def words(value: Any) -> str:
    """Somebody's text, not longer than is kept, without halves of characters."""
    cut = text(value)[:LONGEST_TEXT]
    return cut.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def real(value: Any) -> float:
    """A finite number, also from digits; 0.0 for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return 0.0
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return 0.0
    return found if math.isfinite(found) else 0.0


def names(value: Any) -> tuple[str, ...]:
    """Words of a list, of the text of a JSON list, or separated by commas; each once."""
    value = decoded(value)
    if isinstance(value, str):
        value = value.split(",")
    listed = value if isinstance(value, list | tuple) else ()
    own = (text(one.get("name")) if isinstance(one, Mapping) else text(one) for one in listed)
    return tuple(dict.fromkeys(filter(None, (one_line(one, 200) for one in own))))


def decoded(value: Any) -> Any:
    """What a text of JSON stands for, when it is an object or a list; anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _extra(value: Any) -> dict[str, Any]:
    extra = {text(key): one for key, one in mapping(decoded(value)).items()}
    for key in ("labels", "tags"):
        if key in extra:
            extra[key] = list(names(extra[key]))
    return extra


def _pull_request(data: Mapping[str, Any]) -> str:
    several = data.get("pull_requests")
    listed = [text(one.get("url")) for one in objects(several)] if isinstance(several, list) else []
    return pr_url({"pr_url": data.get("implementation_pr_url"), "pr_urls": listed})


def _first_reason(commits: Any) -> str:
    return next(filter(None, (words(one.get("reason")) for one in objects(commits))), "")
