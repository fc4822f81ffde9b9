"""The server's objects as facts: anything may be missing, null, of another type or unknown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from posthog_code.domain.cloud import Account, CloudArtifact, CloudRunInfo, CloudTask, CloudUser, Organization, Project
from posthog_code.domain.cloud_requests import CloudEnvironment, CloudModel, GitHubInstallation
from posthog_code.domain.text import one_line

_REPOSITORY = re.compile(r"(?!\.)[\w.-]+(/(?!\.)[\w.-]+)+", re.ASCII)
SECRET_STATE = frozenset({"sandbox_connect_token", "github_user_token"})
"""Keys of a run's state that never leave the parser."""


def text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def number(value: Any) -> int:
    """An integer, also from digits or a float; 0 for anything else."""
    if isinstance(value, bool):
        return 0
    if isinstance(value, str):
        digits = value.strip()
        return int(digits) if digits.isascii() and digits.removeprefix("-").isdigit() and len(digits) < 19 else 0
    if isinstance(value, int):
        return value if abs(value) < 2**63 else 0
    return int(value) if isinstance(value, float) and abs(value) < 2**53 else 0


def seconds(value: Any) -> float:
    """UNIX time of an ISO text (UTC when it names no zone) or of a number of seconds; 0.0 for anything else. Numbers
    reach to the year 9000 or so: no calendar shows what is after 9999."""
    if isinstance(value, bool):
        return 0.0
    if isinstance(value, int | float):
        return float(value) if 0 <= value < 2.5e11 else 0.0
    if not isinstance(value, str):
        return 0.0
    try:
        at = datetime.fromisoformat(value.strip())
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def objects(value: Any) -> tuple[Mapping[str, Any], ...]:
    """The objects of a list, or of the `results` of a page."""
    if isinstance(value, Mapping):
        value = value.get("results")
    return tuple(one for one in value if isinstance(one, Mapping)) if isinstance(value, list | tuple) else ()


def user(value: Any) -> CloudUser:
    data = mapping(value)
    names = (text(data.get("first_name")).strip(), text(data.get("last_name")).strip())
    return CloudUser(
        number(data.get("id")), text(data.get("uuid")), " ".join(filter(None, names)), text(data.get("email"))
    )


def artifact(value: Any) -> CloudArtifact:
    data = mapping(value)
    return CloudArtifact(
        id=text(data.get("id")),
        name=text(data.get("name")),
        type=text(data.get("type")),
        source=text(data.get("source")),
        size=number(data.get("size")),
        content_type=text(data.get("content_type")),
        storage_path=text(data.get("storage_path")),
        uploaded_at=seconds(data.get("uploaded_at")),
    )


def run(value: Any, task_id: str = "") -> CloudRunInfo:
    data = mapping(value)
    output, state = mapping(data.get("output")), mapping(data.get("state"))
    base = text(state.get("pr_base_branch"))

    def either(key: str) -> str:
        return text(data.get(key)) or text(state.get(key))

    return CloudRunInfo(
        id=text(data.get("id")) or text(data.get("run_id")),
        task_id=text(data.get("task")) or text(data.get("task_id")) or task_id,
        status=text(data.get("status")),
        stage=text(data.get("stage")),
        environment=text(data.get("environment")) or "cloud",
        branch=text(output.get("head_branch")) or text(data.get("branch")) or base,
        base=base,
        adapter=either("runtime_adapter"),
        provider=either("provider"),
        model=either("model"),
        effort=either("reasoning_effort"),
        mode=text(state.get("mode")),
        pr_url=pr_url(output),
        error=text(data.get("error_message")),
        output=dict(output),
        state={key: part for key, part in state.items() if key not in SECRET_STATE},
        artifacts=tuple(artifact(one) for one in objects(data.get("artifacts"))),
        log_url=text(data.get("log_url")),
        created_at=seconds(data.get("created_at")),
        updated_at=seconds(data.get("updated_at")),
        completed_at=seconds(data.get("completed_at")),
    )


def pr_url(output: Mapping[str, Any]) -> str:
    """The pull request of a run's output; never out of prose, and only a web address."""
    several = output.get("pr_urls")
    for found in (output.get("pr_url"), *(several if isinstance(several, list) else ())):
        if isinstance(found, str) and found.startswith(("https://", "http://")):
            return found
    return ""


def task(value: Any, project_id: int = 0) -> CloudTask:
    data = mapping(value)
    latest = data.get("latest_run")
    task_id = text(data.get("id"))
    found = run(latest, task_id) if isinstance(latest, Mapping) else None
    repositories = data.get("repositories")
    repository = text(data.get("repository"))
    if not repository and isinstance(repositories, list) and repositories:
        first = repositories[0]
        repository = text(first) or text(mapping(first).get("full_name"))
    return CloudTask(
        id=task_id,
        project_id=project_id,
        number=number(data.get("task_number")),
        slug=one_line(text(data.get("slug")), 80),
        title=one_line(text(data.get("title"))),
        description=text(data.get("description")),
        repository=repository.lower() if _REPOSITORY.fullmatch(repository) else "",
        origin=text(data.get("origin_product")) or "user_created",
        creator=user(data.get("created_by")),
        run=found,
        report_id=text(data.get("signal_report")) or text(mapping(data.get("signal_report")).get("id")),
        github_integration=number(data.get("github_integration")),
        github_user_integration=text(data.get("github_user_integration")),
        internal=data.get("internal") is True,
        archived=data.get("archived") is True,
        created_at=seconds(data.get("created_at")),
        updated_at=max(
            seconds(data.get("updated_at")), seconds(data.get("last_activity_at")), found.updated_at if found else 0.0
        ),
    )


def account(me: Any, known: Account, allowed: Iterable[int] = ()) -> Account:
    """What `users/@me` says on top of what is known. `allowed` are the projects that the token may reach; none means
    that the token did not say."""
    data = mapping(me)
    who = user(data)
    organization = mapping(data.get("organization"))
    current = text(organization.get("id"))
    only = frozenset(allowed)
    projects = tuple(
        Project(number(one.get("id")), text(one.get("name")), current)
        for one in objects(organization.get("teams"))
        if number(one.get("id")) and (not only or number(one.get("id")) in only)
    )
    team = number(mapping(data.get("team")).get("id"))
    if not projects and team and (not only or team in only):
        projects = (Project(team, text(mapping(data.get("team")).get("name")), current),)
    listed = {one.id for one in projects}
    projects += tuple(Project(one) for one in sorted(only) if one not in listed)
    ids = {one.id for one in projects}
    remembered = known.chosen_projects.get(account_key(known.host, who), 0)
    wishes = (remembered, known.project_id, team, *(one.id for one in projects))
    return Account(
        host=known.host,
        region=known.region,
        login=known.login,
        user=who,
        organizations=tuple(
            Organization(text(one.get("id")), text(one.get("name")))
            for one in objects(data.get("organizations"))
            if text(one.get("id"))
        ),
        organization_id=current,
        projects=projects,
        project_id=next((one for one in wishes if one in ids), 0),
        scopes=known.scopes,
        client_id=known.client_id,
        kept=known.kept,
        chosen_projects=known.chosen_projects,
    )


def account_key(host: str, who: CloudUser) -> str:
    """What the choice of a project is remembered by."""
    return f"{host} {who.uuid or who.email or who.id}"


def environment(value: Any) -> CloudEnvironment:
    data = mapping(value)
    repositories = data.get("repositories")
    return CloudEnvironment(
        text(data.get("id")),
        text(data.get("name")),
        text(data.get("network_access_level")),
        tuple(text(one) for one in repositories) if isinstance(repositories, list) else (),
    )


def model(value: Any) -> CloudModel:
    data = mapping(value)
    efforts = data.get("supported_efforts")
    name = text(data.get("model"))
    return CloudModel(
        text(data.get("runtime_adapter")),
        name,
        text(data.get("display_name")) or name,
        tuple(text(one) for one in efforts) if isinstance(efforts, list) else (),
    )


def team_installation(value: Any) -> GitHubInstallation:
    data = mapping(value)
    config = mapping(data.get("config"))
    return GitHubInstallation(
        id=text(data.get("id")),
        account=text(mapping(config.get("account")).get("name")) or text(data.get("display_name")),
        installation_id=text(config.get("installation_id")),
        problem=text(data.get("errors")),
    )


def own_installation(value: Any) -> GitHubInstallation:
    data = mapping(value)
    return GitHubInstallation(
        id=text(data.get("id")),
        personal=True,
        account=text(mapping(data.get("account")).get("name")) or text(data.get("display_name")),
        installation_id=text(data.get("installation_id")),
    )
