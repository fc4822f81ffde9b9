"""Which agents there are, and the command line that starts one."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import replace

from posthog_code.domain.agent import AgentInfo, AgentSpec, AgentStatus
from posthog_code.domain.errors import AgentFailed, NotFound
from posthog_code.domain.state import Topic
from posthog_code.ports.agent import AgentCatalogue
from posthog_code.services.store import Store

CUSTOM = "custom"


class Agents:
    def __init__(self, store: Store, catalogue: AgentCatalogue) -> None:
        self._store = store
        self._catalogue = catalogue

    def specs(self) -> tuple[AgentSpec, ...]:
        """The catalogue, with the agents that were added by hand."""
        custom = self._store.state.settings.custom_agents
        added = tuple(
            AgentSpec(id=f"{CUSTOM}:{name}", name=name, letter=name[:1].upper() or "?", command=tuple(_split(line)))
            for name, line in custom.items()
        )
        return self._catalogue.specs() + added

    def problems(self) -> tuple[str, ...]:
        """Catalogue files that could not be used, each with the reason."""
        return self._catalogue.problems()

    async def detect(self) -> tuple[AgentInfo, ...]:
        """Look again at what is installed."""
        found = await self._catalogue.detect(self._store.state.settings.agent_paths)
        added = tuple(_custom_info(spec) for spec in self.specs() if spec.id.startswith(f"{CUSTOM}:"))
        infos = found + added
        await self._store.update(lambda state: replace(state, agents=infos), Topic("agents"))
        return infos

    def info(self, agent_id: str) -> AgentInfo | None:
        return next((info for info in self._store.state.agents if info.spec.id == agent_id), None)

    def spec(self, agent_id: str) -> AgentSpec:
        for spec in self.specs():
            if spec.id == agent_id:
                return spec
        known = ", ".join(spec.id for spec in self.specs())
        raise NotFound(f"There is no agent called {agent_id}.", f"Known agents: {known}.")

    def command(self, agent_id: str, override: str = "") -> tuple[AgentSpec, tuple[str, ...]]:
        """The entry and its resolved command line. Raises AgentFailed when the program is not there."""
        spec = self.spec(agent_id)
        words = tuple(_split(override)) if override else spec.command
        if not words:
            raise AgentFailed(f"{spec.name} has no command.", "Give one with --agent-command, or in Settings, Agents.")
        chosen = self._store.state.settings.agent_paths.get(agent_id, "")
        info = self.info(agent_id)
        program = words[0]
        if not override and (chosen or (info and info.path)):
            program = chosen or (info.path if info else program)
        resolved = shutil.which(program)
        if resolved is None:
            hint = f"Install it with: {spec.install}" if spec.install and not override else "Check the path."
            raise AgentFailed(
                f"{spec.name} did not start.", f"The program {program} was not found. {hint}", " ".join(words)
            )
        return spec, (resolved, *words[1:])


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise AgentFailed(
            "The agent's command line cannot be read.", "Close every quote.", f"{line}: {error}"
        ) from error


def _custom_info(spec: AgentSpec) -> AgentInfo:
    path = shutil.which(spec.command[0]) if spec.command else None
    if path is None:
        return AgentInfo(spec, AgentStatus.NOT_INSTALLED, reason="The program was not found.")
    return AgentInfo(spec, AgentStatus.READY, path=path)
