"""The demo GitHub, as the cloud uses it: repositories, branches, pull requests."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

from posthog_code.demo.posthog.wire import Json

TOKEN = "ghp_demo"
LIMIT = 10.0
"""Seconds."""


class ForgeError(Exception):
    """GitHub refused or is not there."""


class Forge:
    """`url` is the demo GitHub's origin, "" for none. Calls block and raise ForgeError."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        # Without the person's proxies: this is loopback.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def remote(self, repository: str) -> str:
        return f"{self.url}/{repository}.git"

    def repositories(self) -> list[str]:
        found = self._call("GET", "/user/repos")
        return [str(row["full_name"]) for row in found]

    def branches(self, repository: str) -> tuple[list[str], str]:
        """The names, and the default one."""
        names = [str(row["name"]) for row in self._call("GET", f"/repos/{repository}/branches?per_page=100")]
        return names, str(self._call("GET", f"/repos/{repository}").get("default_branch") or "main")

    def open_pull_request(self, repository: str, head: str, base: str, title: str, body: str) -> str:
        """Its address."""
        new = {"title": title, "head": head, "base": base, "body": body, "draft": False}
        return str(self._call("POST", f"/repos/{repository}/pulls", new)["html_url"])

    def _call(self, method: str, path: str, body: Json = None) -> Json:
        if not self.url:
            raise ForgeError("No GitHub is connected")
        request = urllib.request.Request(
            f"{self.url}/api/v3{path}",
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": f"Bearer {TOKEN}", "User-Agent": "posthog-cloud-demo"},
            method=method,
        )
        try:
            with self._opener.open(request, timeout=LIMIT) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise ForgeError(
                    f"GitHub answered {error.code}: {error.read(300).decode('utf-8', 'replace')}"
                ) from None
        except OSError as error:
            raise ForgeError(f"GitHub is not reachable: {error}") from error
