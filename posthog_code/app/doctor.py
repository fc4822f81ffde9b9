"""Looks at this machine and says what is missing, with the line that mends it."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from posthog_code.app import system
from posthog_code.app.container import build, open_database
from posthog_code.app.paths import Paths
from posthog_code.cli.output import Output
from posthog_code.domain.agent import AgentStatus
from posthog_code.domain.errors import UserError
from posthog_code.services.mcp import McpProxies

_LOW_SPACE = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    name: str
    ok: bool
    text: str
    fix: str = ""
    required: bool = True


def run_doctor(paths: Paths, *, as_json: bool) -> int:
    """0 when all that is required is there, else 1."""
    output = Output(as_json)
    findings = asyncio.run(_examine(paths))
    output.data(findings)
    for finding in findings:
        mark = "✓" if finding.ok else "✗" if finding.required else "-"
        output.text(f"{mark} {finding.name:<12} {finding.text}")
        if not finding.ok and finding.fix:
            output.text(f"  {'':<12} {finding.fix}")
    return 0 if all(f.ok or not f.required for f in findings) else 1


async def _examine(paths: Paths) -> list[Finding]:
    findings = [_python(), _qt(), _space(paths)]
    try:
        container = build(paths, *open_database(paths))
    except UserError as error:
        return [*findings, Finding("data", False, error.title, error.hint)]
    try:
        services = container.services
        findings.append(Finding("data", True, str(paths.home)))
        findings.append(await _asked("git", container.git.check))
        findings.append(await _keyring(services.pull_requests.can_store_token))
        infos = await services.agents.detect()
        ready = [f"{i.spec.name} {i.version}".strip() for i in infos if i.status is AgentStatus.READY]
        text = ", ".join(ready) or "none is installed"
        findings.append(Finding("agents", bool(ready), text, "posthog-code agents tells how to install one.", False))
        findings.append(await _tools(services.mcp))
    finally:
        await container.close()
    return findings


def _python() -> Finding:
    return Finding("python", sys.version_info >= (3, 11), sys.version.split()[0], "Use Python 3.11 or newer.")


def _qt() -> Finding:
    if importlib.util.find_spec("PySide6") is None:
        fix = 'python -m pip install "PySide6-Essentials>=6.11,<6.12"'
        return Finding("qt", False, "PySide6 is not installed", fix, False)
    if not sys.platform.startswith("linux"):
        return Finding("qt", True, "PySide6 is installed")
    missing = system.missing_libraries(window=True)
    if not system.has_fonts():
        missing.append(system.FONT_PACKAGE)
    if missing:
        return Finding("qt", False, "system packages are missing", system.install_line(missing), False)
    screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return Finding("qt", True, f"ready, screen {screen}" if screen else "ready, no screen here")


def _space(paths: Paths) -> Finding:
    folder = next(p for p in (paths.home, *paths.home.parents) if p.exists())
    free = shutil.disk_usage(folder).free
    return Finding("disk", free > _LOW_SPACE, f"{free / 1e9:.1f} GB free", "Free some space.", False)


async def _asked(name: str, check: Callable[[], Awaitable[str]]) -> Finding:
    try:
        return Finding(name, True, await check())
    except UserError as error:
        return Finding(name, False, error.title, error.hint)


async def _tools(mcp: McpProxies) -> Finding:
    """PostHog's tools for agents; every repository has a switch of its own (posthog-code repositories)."""
    await mcp.check()
    found = mcp.account_state()
    return Finding(
        "tools", found.tone == "success", f"PostHog's, for agents: {found.word.lower()}", found.detail, False
    )


async def _keyring(available: Callable[[], Awaitable[bool]]) -> Finding:
    text = "GITHUB_TOKEN, or gh auth login, works without one."
    ok = await available()
    return Finding("keyring", ok, "ready" if ok else "none on this machine", text, False)
