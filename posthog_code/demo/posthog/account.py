"""People, organizations, projects, integrations and cloud environments."""

from __future__ import annotations

import re

from posthog_code.demo.cloud_tasks import PROJECT
from posthog_code.demo.posthog.cloud import Cloud
from posthog_code.demo.posthog.forge import ForgeError
from posthog_code.demo.posthog.oauth import need
from posthog_code.demo.posthog.store import new_id, shown
from posthog_code.demo.posthog.wire import (
    Failure,
    Object,
    Reply,
    Request,
    forbidden,
    invalid,
    iso,
    missing,
    now,
    number,
    paged,
    required,
)

INTEGRATION = 55
INSTALLATION = "4711"
_FORBIDDEN_VARIABLES = frozenset({"NODE_OPTIONS", "LD_PRELOAD", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH"})


class Account:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._store = cloud.store

    def project(self, request: Request, told: str) -> int:
        """The project of a path. Raises Failure when the credential has no part in it."""
        known = [team["id"] for team in self._store.people["organization"]["teams"]]
        if not told.isdigit() or int(told) not in known:
            raise missing()
        if request.facts.get("projects") is not None and int(told) not in request.facts["projects"]:
            raise forbidden("You don't have access to the project.")
        return int(told)

    def in_browser(self, request: Request) -> Reply | None:
        """Pages that a browser opens, with no credential of the API; None for other paths."""
        config = self._store.config
        if request.method == "GET" and request.path == "/connect/github":
            # The person's own GitHub: from now on runs may be theirs.
            config["github_authorization"] = "user"
            page = b"<!doctype html><title>Connected</title><h1>GitHub is connected</h1><p>You can close this page.</p>"
            reply = Reply(200, data=page, kind="text/html; charset=utf-8")
        elif request.method == "GET" and request.path.endswith("/integrations/authorize/"):
            if config["github_authorization"] == "none":
                config["github_authorization"] = "bot"
            reply = Reply(302, headers={"Location": f"{request.base}/account-connected/"})
        elif request.path.startswith("/account-connected"):
            page = b"<!doctype html><title>Connected</title><h1>Connected</h1><p>You can close this page.</p>"
            return Reply(200, data=page, kind="text/html; charset=utf-8")
        else:
            return None
        self._store.save()
        return reply

    def user_level(self, request: Request, parts: list[str]) -> Reply:
        """Paths below /api/ that name no project. Raises Failure."""
        match (request.method, *parts):
            case ("GET", "users", "@me"):
                need(request, "user:read")
                return Reply(200, self._me())
            case ("PATCH", "users", "@me"):
                need(request, "user:write")
                return self._choose(request)
            case ("GET", "users", "@me", "github_login"):
                need(request, "user:read")
                return Reply(200, {"github_login": "mira-okafor"})
            case ("GET", "users", "@me", "integrations"):
                need(request, "integration:read")
                return Reply(200, {"results": self._personal()})
            case ("POST", "users", "@me", "integrations", "github", "start"):
                url = f"{request.base}/connect/github?next=/account-connected/github-login"
                return Reply(200, {"install_url": url, "connect_flow": "oauth_authorize"})
            case ("GET", "users", "@me", "integrations", "github", told, "repos") if told == INSTALLATION:
                return self._repositories(request)
            case ("GET", "users", "@me", "integrations", "github", told, "branches") if told == INSTALLATION:
                return self._branches(request)
            case ("GET", "users"):
                need(request, "user:read")
                return paged(request, self._store.people["users"])
            case ("GET", "organizations"):
                need(request, "organization:read")
                return paged(request, [self._store.people["organization"]])
            case ("GET", "organizations", told):
                need(request, "organization:read")
                if told not in ("@current", self._store.people["organization"]["id"]):
                    raise missing()
                return Reply(200, self._store.people["organization"])
            case ("GET", "projects"):
                need(request, "project:read")
                return paged(request, [self._team(team) for team in self._teams(request)])
            case ("GET", "code", "invites", "check-access"):
                return Reply(200, {"has_access": True})
        raise missing()

    def project_level(self, request: Request, project: int, parts: list[str]) -> Reply | None:
        """Paths below /api/projects/{p}/ but for tasks; None for one that is not ours. Raises Failure."""
        match (request.method, *parts):
            case ("GET",):
                need(request, "project:read")
                return Reply(200, self._team(next(team for team in self._teams(request) if team["id"] == project)))
            case ("GET", "desktop", "access") if not self._store.config["older"]:
                allowed = bool(self._store.config["desktop_access"])
                return Reply(200, {"allowed": allowed, "reason": None if allowed else "startup_plan"})
            case ("GET", "integrations"):
                need(request, "integration:read")
                return paged(request, self._team_integrations())
            case (_, "integrations", told, *rest) if told == str(INTEGRATION):
                need(request, "integration:read")
                if rest and rest[0] == "github_repos":
                    return self._repositories(request)
                if rest == ["github_branches"]:
                    return self._branches(request)
                raise missing()
            case (_, "sandbox_environments", *rest):
                need(request, "task:read" if request.method == "GET" else "task:write")
                return self._environments(request, project, rest)
        return None

    # -- people

    def _me(self) -> Object:
        people = self._store.people
        user = next(row for row in people["users"] if row["id"] == 7)
        current = next(team for team in people["organization"]["teams"] if team["id"] == people["current"])
        organization = {key: people["organization"][key] for key in ("id", "name", "membership_level")}
        return {
            **user,
            "is_staff": False,
            "team": {**self._team(current), "project_id": current["id"]},
            "organization": people["organization"],
            "organizations": [{**organization, "slug": "harbor"}],
            "role_at_organization": "engineering",
        }

    def _choose(self, request: Request) -> Reply:
        told = request.body.get("set_current_team")
        if told is not None:
            if told not in [team["id"] for team in self._store.people["organization"]["teams"]]:
                raise invalid("Team not found.", "set_current_team", "does_not_exist")
            with self._store.lock:
                self._store.people["current"] = told
                self._store.save()
        return Reply(200, self._me())

    def _teams(self, request: Request) -> list[Object]:
        allowed = request.facts.get("projects")
        teams = self._store.people["organization"]["teams"]
        return [team for team in teams if allowed is None or team["id"] in allowed]

    def _team(self, team: Object) -> Object:
        return {
            "id": team["id"],
            "uuid": f"0190b000-0000-7000-8000-{team['id']:012d}",
            "name": team["name"],
            "organization": self._store.people["organization"]["id"],
            "api_token": project_token(team["id"]),
            "session_recording_opt_in": True,
            "autocapture_exceptions_opt_in": False,
            "timezone": "UTC",
        }

    # -- integrations

    def _team_integrations(self) -> list[Object]:
        if not self._cloud.forge.url or self._store.config["github_authorization"] == "none":
            return []
        account = {"type": "Organization", "name": "harbor"}
        config = {"installation_id": INSTALLATION, "account": account}
        return [
            {
                "id": INTEGRATION,
                "kind": "github",
                "config": config,
                "display_name": "harbor",
                "errors": "",
                "created_at": iso(now() - 90 * 86_400),
                "created_by": self._store.people["users"][0],
            }
        ]

    def _personal(self) -> list[Object]:
        if self._store.config["github_authorization"] != "user":
            return []
        return [
            {
                "id": "01980000-0000-7000-8000-000000000055",
                "kind": "github",
                "installation_id": INSTALLATION,
                "repository_selection": "selected",
                "account": {"type": "User", "name": "mira-okafor"},
                "uses_shared_installation": False,
                "created_at": iso(now() - 60 * 86_400),
            }
        ]

    def _repositories(self, request: Request) -> Reply:
        wanted = request.query.get("search", "").lower()
        try:
            names = [name for name in self._cloud.forge.repositories() if wanted in name.lower()]
        except ForgeError as error:
            raise invalid(str(error)) from error
        limit, offset = number(request.query.get("limit"), 500, 500), number(request.query.get("offset"), 0, 1 << 20)
        rows = [{"id": index, "name": name.split("/")[1], "full_name": name} for index, name in enumerate(names, 9000)]
        if request.method == "POST":
            return Reply(200, {"repositories": rows})
        more = len(rows) > offset + limit
        return Reply(200, {"repositories": rows[offset : offset + limit], "has_more": more})

    def _branches(self, request: Request) -> Reply:
        repository = request.query.get("repo", "")
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
            raise required("repo")
        try:
            names, default = self._cloud.forge.branches(repository)
        except ForgeError as error:
            raise invalid(str(error)) from error
        wanted = request.query.get("search", "").lower()
        names = [name for name in names if wanted in name.lower()]
        limit, offset = number(request.query.get("limit"), 100, 500), number(request.query.get("offset"), 0, 1 << 20)
        body = {"branches": names[offset : offset + limit], "default_branch": default}
        return Reply(200, {**body, "has_more": len(names) > offset + limit})

    # -- cloud environments

    def _environments(self, request: Request, project: int, rest: list[str]) -> Reply:
        rows = self._store.environments
        if not rest:
            if request.method == "GET":
                short = [self._environment(row, False) for row in rows.values() if row["_project"] == project]
                return paged(request, short)
            fields = self._environment_fields(request.body, None)
            if not fields.get("name"):
                raise required("name")
            row: Object = {
                "id": new_id(now()),
                "name": "",
                "network_access_level": "full",
                "allowed_domains": [],
                "include_default_domains": True,
                "repositories": [],
                "private": True,
                "internal": False,
                "created_by": self._store.people["users"][0],
                "_variables": {},
                "_project": project,
                "_made": now(),
                "_touched": now(),
            } | fields
            with self._store.lock:
                rows[row["id"]] = row
                self._store.save()
            return Reply(201, self._environment(row, True))
        found = rows.get(rest[0])
        if found is None or found["_project"] != project:
            raise missing()
        with self._store.lock:
            if request.method == "DELETE":
                del rows[rest[0]]
                self._store.save()
                return Reply(204)
            if request.method == "PATCH":
                found.update(self._environment_fields(request.body, found), _touched=now())
                self._store.save()
        return Reply(200, self._environment(found, True))

    def _environment_fields(self, body: Object, found: Object | None) -> Object:
        names = (
            "name",
            "network_access_level",
            "allowed_domains",
            "include_default_domains",
            "repositories",
            "private",
        )
        fields = {name: body[name] for name in names if name in body}
        if fields.get("network_access_level", "full") not in ("trusted", "full", "custom"):
            raise invalid(f'"{fields["network_access_level"]}" is not a valid choice.', "network_access_level")
        for domain in fields.get("allowed_domains") or ():
            if not re.fullmatch(r"(\*\.)?[\w-]+(\.[\w-]+)+", str(domain)):
                raise invalid(f"{domain} is not a valid domain.", "allowed_domains")
        if "environment_variables" in body:
            variables = body["environment_variables"] or {}
            for name in variables:
                if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or name in _FORBIDDEN_VARIABLES:
                    raise invalid(f"{name} is not allowed.", "environment_variables")
            fields["_variables"] = dict(variables)
        return fields

    def _environment(self, row: Object, whole: bool) -> Object:
        body = {**shown(row), "created_at": iso(row["_made"]), "updated_at": iso(row["_touched"])}
        if whole:
            defaults = ["github.com"] if row["include_default_domains"] else []
            custom = row["network_access_level"] == "custom"
            body["effective_domains"] = [*row["allowed_domains"], *defaults] if custom else []
        return {**body, "has_environment_variables": bool(row["_variables"])}


def project_token(project: int) -> str:
    """What code of this project's product captures events with."""
    return "phc_demo" if project == PROJECT else f"phc_demo_{project}"


def github_refusal() -> Failure:
    """User authorship without any GitHub link."""
    return Failure(
        400,
        {
            "type": "validation_error",
            "code": "github_authorization_required",
            "detail": "github_authorization_required: connect GitHub to run as yourself.",
            "attr": "pr_authorship_mode",
        },
    )
