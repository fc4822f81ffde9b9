"""Remote URLs, tokens and which host gets which."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from posthog_code.adapters.forge.github import GitHub
from posthog_code.adapters.forge.hosts import graphql_url, locate, parse_remote
from posthog_code.adapters.forge.tokens import Tokens


@pytest.mark.parametrize(
    ("url", "host", "full_name"),
    [
        ("https://github.com/acme/web.git", "github.com", "acme/web"),
        ("https://x-access-token:secret@github.com/acme/web", "github.com", "acme/web"),
        ("git@github.com:acme/web.git", "github.com", "acme/web"),
        ("ssh://git@github.com/acme/web.git", "github.com", "acme/web"),
        ("ssh://git@ssh.github.com:443/acme/web.git", "github.com", "acme/web"),
        ("https://GitHub.com/acme/web/", "github.com", "acme/web"),
        ("git@acme.ghe.com:acme/web.git", "acme.ghe.com", "acme/web"),
        ("https://git.acme.example:8443/acme/web.v2.git", "git.acme.example:8443", "acme/web.v2"),
        ("http://127.0.0.1:8080/acme/web.git", "127.0.0.1:8080", "acme/web"),
    ],
)
def test_a_remote_names_its_repository(url: str, host: str, full_name: str) -> None:
    found = locate(url)
    assert found is not None
    assert (found.host, found.full_name) == (host, full_name)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/srv/git/web.git",
        "../web.git",
        "C:\\work\\web",
        "file:///srv/git/acme/web.git",
        "https://gitlab.com/acme/web.git",
        "git@bitbucket.org:acme/web.git",
        "https://dev.azure.com/acme/web",
        "https://github.com/acme",
        "https://github.com/acme/team/web.git",
        "https://github.com:port/acme/web",
    ],
)
def test_other_remotes_are_not_ours(url: str) -> None:
    assert locate(url) is None


def test_api_urls() -> None:
    def api(url: str, override: str = "") -> tuple[str, str]:
        found = locate(url, override)
        assert found is not None
        return found.api_url, graphql_url(found.api_url)

    assert api("git@github.com:a/b") == ("https://api.github.com", "https://api.github.com/graphql")
    assert api("git@x.ghe.com:a/b") == ("https://api.x.ghe.com", "https://api.x.ghe.com/graphql")
    assert api("git@git.acme.example:a/b") == (
        "https://git.acme.example/api/v3",
        "https://git.acme.example/api/graphql",
    )
    assert api("http://evil.example/a/b")[0].startswith("https://"), "plain http is for this machine only"
    stand_in = "http://127.0.0.1:9/api/v3"
    assert api("http://127.0.0.1:9/a/b.git", stand_in) == (stand_in, "http://127.0.0.1:9/api/graphql")
    found = locate("git@github.com:a/b", stand_in)
    assert found is not None and found.host == "127.0.0.1:9", "the account is the override's"


def test_ssh_aliases(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host other\n  HostName gitlab.com\n\nHost work home\n  User git\n  HostName github.com\n")
    found = parse_remote("git@work:acme/web.git", config)
    assert found is not None and found.host == "github.com"
    assert locate("git@other:acme/web.git", ssh_config=config) is None


class Secrets:
    def __init__(self, **kept: str) -> None:
        self.kept = kept

    async def get(self, name: str) -> str | None:
        return self.kept.get(name)

    async def set(self, name: str, value: str) -> None:
        self.kept[name] = value

    async def delete(self, name: str) -> None:
        self.kept.pop(name, None)

    async def available(self) -> bool:
        return True


def token_for(host: str, *, kept: dict[str, str] | None = None, gh: str = "", override: str = "", **env: str) -> str:
    async def ask(host: str, env: Mapping[str, str]) -> str:
        return gh

    secrets = Secrets(**(kept or {}))
    found = asyncio.run(Tokens(secrets, env, ask, lambda: override).get(host))
    return found.value if found else ""


def test_the_order_of_token_sources() -> None:
    kept = {"github:github.com": "K"}
    assert token_for("github.com", kept=kept, gh="G", GITHUB_TOKEN="E") == "K"
    assert token_for("github.com", gh="G", GITHUB_TOKEN="E", GH_TOKEN="F") == "E"
    assert token_for("github.com", gh="G", GH_TOKEN="F") == "F"
    assert token_for("github.com", gh="G") == "G"
    assert token_for("github.com") == ""


def test_no_token_of_another_host() -> None:
    kept = {"github:github.com": "K"}
    assert token_for("evil.example", kept=kept, GITHUB_TOKEN="E", GH_TOKEN="F", GH_ENTERPRISE_TOKEN="X") == ""
    assert token_for("git.acme.example", GH_ENTERPRISE_TOKEN="X", GH_HOST="git.acme.example") == "X"
    assert token_for("127.0.0.1:9", kept=kept, override="http://127.0.0.1:9/api/v3", GITHUB_TOKEN="E") == "E"
    assert token_for("127.0.0.1:9", kept=kept, override="http://127.0.0.1:9/api/v3") == ""


def test_a_token_does_not_print_itself() -> None:
    tokens = Tokens(Secrets(), {"GITHUB_TOKEN": "ghp_secret"})
    assert "ghp_secret" not in repr(asyncio.run(tokens.get("github.com")))


def test_a_token_is_lent_to_its_own_host_only() -> None:
    async def run() -> None:
        hub = GitHub(Secrets(), env={"GITHUB_TOKEN": "T"}, ask_gh=no_gh)
        remote = hub.locate("https://github.com/acme/web.git")
        assert remote is not None
        assert hub.lent("https://github.com/acme/web.git") is None
        assert await hub.lend(remote)
        assert hub.lent("https://github.com/acme/web.git") == "T"
        assert hub.lent("git@github.com:acme/web.git") is None
        assert hub.lent("http://github.com/acme/web.git") is None
        assert hub.lent("https://git.acme.example/acme/web.git") is None
        hub.take_back(remote)
        assert hub.lent("https://github.com/acme/web.git") is None
        stand_in = GitHub(Secrets(), env={"GITHUB_TOKEN": "T", "GITHUB_API_URL": "http://127.0.0.1:9"}, ask_gh=no_gh)
        remote = stand_in.locate("http://127.0.0.1:9/acme/web.git")
        assert remote is not None and await stand_in.lend(remote)
        assert stand_in.lent("http://127.0.0.1:9/acme/web.git") == "T"
        assert stand_in.lent("https://evil.example/acme/web.git") is None

    asyncio.run(run())


async def no_gh(host: str, env: Mapping[str, str]) -> str:
    return ""
