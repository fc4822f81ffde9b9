"""OAuth 2 with PKCE: registration, a consent page, codes, rotating refresh tokens; and the check of a credential."""

from __future__ import annotations

import base64
import hashlib
import html
import secrets
from urllib.parse import urlencode, urlsplit

from posthog_code.demo.posthog.store import Store
from posthog_code.demo.posthog.wire import Failure, Object, Reply, Request, forbidden, now, unknown_credential

PERSONAL_KEY = "phx_demo"
"""Takes part in everything, never expires. It opens nothing but this stand-in."""
CLIENT = "demo-desktop-client"
"""Registered from the start."""
SCOPES = (
    *("openid", "user:read", "user:write", "organization:read", "project:read", "project:write"),
    *("task:read", "task:write", "integration:read", "query:read", "feature_flag:read", "experiment:read"),
    *("event_definition:read", "error_tracking:read", "session_recording:read", "export:read", "evaluation:read"),
)
_PORTS = (8237, 8238, 8239)
_FORBIDDEN_SCHEMES = ("javascript", "data", "file", "blob", "vbscript")


def first_client() -> Object:
    hosts = ("127.0.0.1", "localhost")
    redirects = [f"http://{host}:{port}/callback" for host in hosts for port in _PORTS]
    return {
        "client_id": CLIENT,
        "client_name": "Demo desktop",
        "redirect_uris": [*redirects, "posthog-code://callback"],
    }


class OAuthError(Failure):
    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(status, {"error": error, "error_description": description})


class OAuth:
    def __init__(self, store: Store) -> None:
        self._store = store

    def handle(self, request: Request) -> Reply | None:
        """None for a path that is not ours. Raises Failure."""
        path = request.path
        if path in ("/oauth/authorize", "/oauth/token"):
            path += "/"  # known clients leave it out
        match (request.method, path):
            case ("GET", "/.well-known/oauth-authorization-server"):
                return Reply(200, self._metadata(request.base))
            case ("GET", "/.well-known/oauth-protected-resource"):
                body = {"resource": request.base, "authorization_servers": [request.base], "scopes_supported": SCOPES}
                return Reply(200, body)
            case ("POST", "/oauth/register/"):
                return self._register(request.body)
            case ("GET", "/oauth/authorize/"):
                return self._authorize(request.query)
            case ("POST", "/oauth/approve/"):
                return self._approve({key: str(value) for key, value in request.body.items()})
            case ("POST", "/oauth/token/"):
                return self._token(request)
            case ("POST", "/oauth/revoke/"):
                return self._revoke(str(request.body.get("token") or ""))
        return None

    def authenticate(self, request: Request) -> None:
        """Fill in whose credential it is. Raises Failure 401."""
        scheme, _, told = request.headers.get("Authorization", "").partition(" ")
        told = told.strip()
        if scheme.lower() != "bearer" or not told:
            raise unknown_credential(request.base, bool(told))
        with self._store.lock:
            token = self._store.tokens.get(told)
            if told == PERSONAL_KEY:
                token = {"kind": "access", "user": 7, "scope": "*", "expires": None, "revoked": False}
            if token is None or token["kind"] != "access" or token["revoked"]:
                raise unknown_credential(request.base, True)
            if token["expires"] is not None and token["expires"] <= now():
                raise unknown_credential(request.base, True)
            request.user = token["user"]
            request.scopes = frozenset(token["scope"].split())
            request.facts["projects"] = token.get("projects")

    # -- the parts

    def _metadata(self, base: str) -> Object:
        return {
            "issuer": base,
            "authorization_endpoint": f"{base}/oauth/authorize/",
            "token_endpoint": f"{base}/oauth/token/",
            "revocation_endpoint": f"{base}/oauth/revoke/",
            "registration_endpoint": f"{base}/oauth/register/",
            "scopes_supported": list(SCOPES),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none", "client_secret_post", "private_key_jwt"],
            "client_id_metadata_document_supported": False,
        }

    def _register(self, body: Object) -> Reply:
        name = str(body.get("client_name") or "")
        redirects = [str(uri) for uri in body.get("redirect_uris") or ()]
        if not name or name.lower().startswith("posthog"):
            raise OAuthError("invalid_client_metadata", "client_name is missing or not allowed")
        if any(word in name.lower() for word in ("official", "verified", "trusted")):
            raise OAuthError("invalid_client_metadata", "client_name must not claim to be official")
        if not redirects:
            raise OAuthError("invalid_redirect_uri", "redirect_uris is required")
        for uri in redirects:
            parts = urlsplit(uri)
            loopback = parts.hostname in ("localhost", "::1") or str(parts.hostname).startswith("127.")
            if not parts.scheme or parts.scheme in _FORBIDDEN_SCHEMES or (parts.scheme == "http" and not loopback):
                raise OAuthError("invalid_redirect_uri", f"{uri} is not allowed")
        client: Object = {
            "client_id": secrets.token_urlsafe(24),
            "client_name": name,
            "redirect_uris": redirects,
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "client_id_issued_at": int(now()),
        }
        with self._store.lock:
            self._store.clients[client["client_id"]] = {**client, "_registered": True}
            self._store.save()
        return Reply(201, client)

    def _authorize(self, query: dict[str, str]) -> Reply:
        client = self._client(query)
        wrong = self._wrong(client, query)
        if wrong:
            return self._back(query, {"error": wrong})
        if query.get("auto") == "1":
            return self._approve({**query, "decision": "approve"})
        return Reply(200, data=self._page(client, query).encode(), kind="text/html; charset=utf-8")

    def _client(self, query: dict[str, str]) -> Object:
        client = self._store.clients.get(query.get("client_id", ""))
        if client is None or query.get("redirect_uri") not in client["redirect_uris"]:
            what = "client" if client is None else "redirect address"
            text = f"<h1>Error</h1><p>Unknown {what}.</p>"
            failure = OAuthError("invalid_request", f"Unknown {what}")
            failure.reply = Reply(400, data=text.encode(), kind="text/html; charset=utf-8")
            raise failure
        return client

    def _wrong(self, client: Object, query: dict[str, str]) -> str:
        if query.get("response_type") != "code":
            return "unsupported_response_type"
        if query.get("code_challenge_method") != "S256" or len(query.get("code_challenge", "")) < 43:
            return "invalid_request"
        asked = query.get("scope", "").split()
        if client.get("_registered") and any(scope == "*" or scope.startswith("llm_gateway") for scope in asked):
            return "invalid_scope"
        return ""

    def _page(self, client: Object, query: dict[str, str]) -> str:
        hidden = "".join(
            f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
            for name, value in query.items()
        )
        teams = self._store.people["organization"]["teams"]
        choice = "".join(
            f'<label><input type="checkbox" name="project_{team["id"]}" value="1" checked> '
            f"{html.escape(team['name'])}</label><br>"
            for team in teams
        )
        scopes = "".join(f"<li>{html.escape(scope)}</li>" for scope in query.get("scope", "").split())
        return (
            '<!doctype html><meta charset="utf-8"><title>Authorize</title>'
            '<body style="font:16px system-ui;max-width:30rem;margin:3rem auto">'
            f"<h1>Authorize {html.escape(str(client['client_name']))}</h1>"
            "<p>This is the demo's stand-in for PostHog. It wants to:</p>"
            f'<ul>{scopes}</ul><form method="post" action="/oauth/approve/">{hidden}<p>Projects</p>{choice}'
            '<p><button name="decision" value="approve" autofocus>Approve</button> '
            '<button name="decision" value="deny">Cancel</button></p></form>'
        )

    def _approve(self, form: dict[str, str]) -> Reply:
        client = self._client(form)
        wrong = self._wrong(client, form)
        if wrong or form.get("decision") != "approve":
            return self._back(form, {"error": wrong or "access_denied"})
        known = [team["id"] for team in self._store.people["organization"]["teams"]]
        chosen = [team for team in known if form.get(f"project_{team}")] or known
        code = secrets.token_urlsafe(24)
        with self._store.lock:
            self._store.codes[code] = {
                "client": client["client_id"],
                "redirect": form["redirect_uri"],
                "challenge": form["code_challenge"],
                "scope": form.get("scope", ""),
                "projects": chosen,
                "expires": now() + float(self._store.config["code_lifetime_s"]),
                "family": "",
            }
            self._store.save()
        return self._back(form, {"code": code})

    def _back(self, query: dict[str, str], answer: dict[str, str]) -> Reply:
        if query.get("state"):
            answer["state"] = query["state"]
        uri = query["redirect_uri"]
        return Reply(302, headers={"Location": f"{uri}{'&' if '?' in uri else '?'}{urlencode(answer)}"})

    def _token(self, request: Request) -> Reply:
        body = {key: str(value) for key, value in request.body.items()}
        with self._store.lock:
            if body.get("client_id") not in self._store.clients:
                raise OAuthError("invalid_client", "Unknown client", 401)
            match body.get("grant_type"):
                case "authorization_code":
                    reply = self._exchange(body)
                case "refresh_token":
                    reply = self._refresh(body)
                case _:
                    raise OAuthError("unsupported_grant_type", "Use authorization_code or refresh_token")
            self._store.save()
            return reply

    def _exchange(self, body: dict[str, str]) -> Reply:
        code = self._store.codes.get(body.get("code", ""))
        if code is None:
            raise OAuthError("invalid_grant", "Unknown code")
        if code["family"]:
            self._end_family(code["family"])
            raise OAuthError("invalid_grant", "The code was used before")
        if code["expires"] <= now() or code["client"] != body["client_id"]:
            raise OAuthError("invalid_grant", "The code has expired")
        if code["redirect"] != body.get("redirect_uri"):
            raise OAuthError("invalid_grant", "redirect_uri differs")
        digest = hashlib.sha256(body.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != code["challenge"]:
            raise OAuthError("invalid_grant", "code_verifier does not fit")
        code["family"] = secrets.token_hex(8)
        return self.issue(code["scope"], code["projects"], body["client_id"], code["family"])

    def _refresh(self, body: dict[str, str]) -> Reply:
        token = self._store.tokens.get(body.get("refresh_token", ""))
        if token is None or token["kind"] != "refresh" or token["revoked"] or token["client"] != body["client_id"]:
            raise OAuthError("invalid_grant", "Unknown refresh token")
        if token["used"] and now() - token["used"] > float(self._store.config["refresh_grace_s"]):
            self._end_family(token["family"])
            self._store.save()
            raise OAuthError("invalid_grant", "The refresh token was used before; all tokens of the family are revoked")
        token["used"] = token["used"] or now()
        return self.issue(token["scope"], token["projects"], token["client"], token["family"])

    def issue(self, scope: str, projects: list[int], client: str, family: str, lifetime: float | None = None) -> Reply:
        """New tokens of a family, as the token endpoint tells them."""
        seconds = float(self._store.config["access_lifetime_s"]) if lifetime is None else lifetime
        access, refresh = f"pha_{secrets.token_urlsafe(24)}", f"phr_{secrets.token_urlsafe(24)}"
        common = {"user": 7, "scope": scope, "projects": projects, "client": client, "family": family, "revoked": False}
        with self._store.lock:
            self._store.tokens[access] = {**common, "kind": "access", "expires": now() + seconds}
            self._store.tokens[refresh] = {**common, "kind": "refresh", "expires": None, "used": None}
        return Reply(
            200,
            {
                "access_token": access,
                "refresh_token": refresh,
                "expires_in": int(seconds),
                "token_type": "Bearer",
                "scope": scope,
                "scoped_teams": projects,
                "scoped_organizations": [self._store.people["organization"]["id"]],
            },
            {"Cache-Control": "no-store"},
        )

    def _revoke(self, told: str) -> Reply:
        with self._store.lock:
            token = self._store.tokens.get(told)
            if token is not None:
                self._end_family(token["family"])
                self._store.save()
        return Reply(200, {})

    def _end_family(self, family: str) -> None:
        for token in self._store.tokens.values():
            if token["family"] == family:
                token["revoked"] = True


def need(request: Request, scope: str) -> None:
    """Raises Failure 403 with the name of the scope that is missing. Writing includes reading."""
    wider = scope.replace(":read", ":write")
    if not request.scopes & {"*", scope, wider}:
        raise forbidden(f"API key missing required scope '{scope}'")
