"""What this machine has of an agent: its program, version and sign-in. All of it blocks: it belongs in a thread."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from posthog_code.domain.agent import AgentInfo, AgentSpec, AgentStatus

from .entries import Entry

VERSION_SECONDS = 3.0
_VERSION = re.compile(r"\d+\.\d+(?:\.\d+)*(?:[-+.][0-9A-Za-z.-]+)?")
_FOLDERS = (
    "~/.local/bin",
    "~/bin",
    "~/.npm-global/bin",
    "~/.npm-packages/bin",
    "~/.local/share/pnpm",
    "~/Library/pnpm",
    "~/.bun/bin",
    "~/.volta/bin",
    "~/.cargo/bin",
    "~/.opencode/bin",
    "~/.asdf/shims",
    "~/.local/share/mise/shims",
    "/usr/local/bin",
    "/opt/homebrew/bin",
    "/snap/bin",
)
_NODE_VERSIONS = ("~/.nvm/versions/node", "~/.local/share/fnm/node-versions", "~/.local/share/mise/installs/node")


def search_path(env: Mapping[str, str]) -> str:
    """PATH and the folders that installers use although they are not on everyone's PATH, in that order.

    An app that was started from a desktop does not get what a shell's start-up files add.
    """
    home = env.get("HOME", os.path.expanduser("~"))
    folders = [f for f in env.get("PATH", os.defpath).split(os.pathsep) if f]
    if env.get("NVM_BIN"):
        folders.append(env["NVM_BIN"])
    if prefix := _npm_prefix(env, home):
        folders.append(f"{prefix}/bin")
    folders += [folder.replace("~", home, 1) for folder in _FOLDERS]
    for versions in _NODE_VERSIONS:
        folders += _newest_first(Path(versions.replace("~", home, 1)))
    return os.pathsep.join(dict.fromkeys(folders))


def _npm_prefix(env: Mapping[str, str], home: str) -> str:
    """npm's own global folder, without running npm (0.3 s)."""
    for name in ("NPM_CONFIG_PREFIX", "npm_config_prefix"):
        if env.get(name):
            return env[name]
    try:
        text = Path(home, ".npmrc").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = re.search(r"^\s*prefix\s*=\s*(.+?)\s*$", text, re.MULTILINE)
    return found[1].replace("${HOME}", home).replace("~", home, 1).strip("\"'") if found else ""


def _newest_first(versions: Path) -> list[str]:
    try:
        names = [child.name for child in versions.iterdir()]
    except OSError:
        return []
    names.sort(key=lambda name: [int(n) for n in re.findall(r"\d+", name)], reverse=True)
    return [str(versions / name / inner) for name in names for inner in ("bin", "installation/bin")]


def detect(entry: Entry, chosen: str, env: Mapping[str, str], path: str) -> AgentInfo:
    """`chosen` is the program that the person named, "" for none; `path` comes from `search_path`."""
    spec = entry.spec
    if not spec.command and not chosen:
        return AgentInfo(
            spec, AgentStatus.NOT_INSTALLED, reason="Its command is given in the settings or with --agent-command."
        )
    program = _find(entry, chosen, env, path)
    if not program:
        reason = f"{spec.command[0]} was not found on PATH or where installers put it." if not chosen else ""
        return AgentInfo(
            spec,
            AgentStatus.NOT_INSTALLED,
            reason=reason or f"The chosen program {chosen} is not there or not executable.",
        )
    version = (_package_version(program) if entry.version_from_package else "") or _asked_version(
        spec, program, env, path
    )
    remarks = [
        f"{need.program} is missing, so it works only partly."
        + (f" Install it: {need.install}" if need.install else "")
        for need in entry.needs
        if not shutil.which(need.program, path=path)
    ]
    if not signed_in(spec, env):
        reason = "No sign of a sign-in was found." + (f" {spec.sign_in}" if spec.sign_in else "")
        return AgentInfo(spec, AgentStatus.SIGNED_OUT, program, version, " ".join([reason, *remarks]))
    return AgentInfo(spec, AgentStatus.READY, program, version, " ".join(remarks))


def _find(entry: Entry, chosen: str, env: Mapping[str, str], path: str) -> str:
    if chosen:
        home = env.get("HOME", os.path.expanduser("~"))
        words = chosen.replace("~", home, 1) if chosen.startswith("~") else chosen
        return shutil.which(words, path=path) or ""
    for name in (entry.spec.command[0], *entry.alternatives):
        if found := shutil.which(name, path=path):
            return os.path.abspath(found)
    return ""


def signed_in(spec: AgentSpec, env: Mapping[str, str]) -> bool:
    """False only when the entry names signs and none of them is there."""
    if not spec.signed_in_files and not spec.signed_in_env:
        return True
    if any(env.get(name) for name in spec.signed_in_env):
        return True
    home = env.get("HOME", os.path.expanduser("~"))
    for sign in spec.signed_in_files:
        file = re.sub(r"\$(\w+)", lambda m: env.get(m[1]) or "\0", sign.replace("~", home, 1))
        if "\0" not in file and os.path.exists(file):
            return True
    return False


def _package_version(program: str) -> str:
    """From the package.json of the npm package that a program belongs to; "" when it belongs to none."""
    for folder in list(Path(os.path.realpath(program)).parents)[:5]:
        try:
            data = json.loads((folder / "package.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(data, dict) and isinstance(data.get("version"), str) and data.get("name"):
            return str(data["version"])
    return ""


def _asked_version(spec: AgentSpec, program: str, env: Mapping[str, str], path: str) -> str:
    if not spec.version_command:
        return ""
    same = spec.command and spec.version_command[0] == spec.command[0]
    command = [program if same else spec.version_command[0], *spec.version_command[1:]]
    try:
        process = subprocess.Popen(
            command,
            # A script of npm finds its node beside itself, where that is not on PATH.
            env={**env, **dict(spec.env), "PATH": os.pathsep.join([os.path.dirname(program), path])},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return ""
    with process:
        try:
            output, _ = process.communicate(timeout=VERSION_SECONDS)
        except subprocess.TimeoutExpired:
            output = b""
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
    found = _VERSION.search(output[:10_000].decode("utf-8", "replace"))
    return found[0] if found else ""
