"""*New task* with the workspace Cloud: its choices, and what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from PySide6.QtCore import QObject, Signal

from posthog_code.domain.cloud_lists import remote_name
from posthog_code.domain.cloud_requests import CloudDraft
from posthog_code.domain.state import AppState
from posthog_code.ui.cloud.choices import CloudChoices, Offer
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit.menu_rows import MenuItem
from posthog_code.ui.kit.select import Select

WORDS = "Runs on PostHog's machines, also while this one is off. You can watch it, and take it over at any time."
_DEFAULT = "default"


class OptionGrid(Protocol):
    """The part of the page's grid that is filled here."""

    def show_cloud(
        self,
        repositories: Sequence[MenuItem],
        repository: str,
        branches: Sequence[MenuItem],
        branch: str,
        environments: Sequence[MenuItem],
    ) -> None: ...


_ADAPTERS = (("claude", "Claude Code"), ("codex", "Codex"))


class CloudSide(QObject):
    """Remembers what was chosen for the cloud apart from what was chosen for this machine."""

    changed = Signal()

    def __init__(self, ctx: UiContext, parent: QObject) -> None:
        super().__init__(parent)
        self._ctx = ctx
        self.choices = CloudChoices(ctx, self)
        self.choices.changed.connect(self.changed)
        self.repository = ""
        """`owner/name`."""
        self.adapter = "claude"

    def ask(self, wanted: str) -> None:
        """The cloud was chosen, with the local repository `owner/name` in view."""
        self.choices.ask()
        self.repository = self.repository or wanted

    @property
    def offer(self) -> Offer:
        return self.choices.offer

    def show_on(self, grid: OptionGrid, wanted: str) -> None:
        """Fill the grid; `wanted` is the repository to begin with."""
        self.ask(wanted)
        branches, branch = self.branch_items()
        grid.show_cloud(self.repository_items(), self.repository, branches, branch, self.environment_items())

    def show_agents(self, agent: Select, model: Select) -> None:
        agent.set_items(self.adapter_items(), self.adapter)
        models = self.model_items()
        model.set_items(models, model.current() if model.current() in {one.id for one in models} else _DEFAULT)
        model.setVisible(bool(models))

    def repository_items(self) -> list[MenuItem]:
        """Those that a connection reaches, the ones of this machine first."""
        here = local_names(self._ctx.state)
        reached = self.offer.repositories
        items = [
            MenuItem(name, name, "ph.folder-simple", note="here") for name in here if name in reached or not reached
        ]
        return items + [MenuItem(name, name, "ph.cloud") for name in reached if name not in here]

    def branch_items(self) -> tuple[list[MenuItem], str]:
        names, default = self.choices.branches(self.repository)
        if not names:
            return [MenuItem(_DEFAULT, default or "The default branch", "ph.git-branch")], _DEFAULT
        ordered = sorted(names, key=lambda name: name != default)
        return [MenuItem(name, name, "ph.git-branch") for name in ordered], default or ordered[0]

    def environment_items(self) -> list[MenuItem]:
        items = [MenuItem(_DEFAULT, "Default", "ph.package", detail="the project's own")]
        for one in self.offer.environments:
            if not one.repositories or self.repository in one.repositories:
                items.append(MenuItem(one.id, one.name or one.id, "ph.package", detail=_network(one.network)))
        return items

    def adapter_items(self) -> list[MenuItem]:
        known = {model.adapter for model in self.offer.models}
        return [MenuItem(name, words, "ph.robot") for name, words in _ADAPTERS if not known or name in known]

    def model_items(self) -> list[MenuItem]:
        models = [model for model in self.offer.models if model.adapter == self.adapter]
        if not models:
            return []
        return [MenuItem(_DEFAULT, "Usual model"), *(MenuItem(one.id, one.name or one.id) for one in models)]

    def problem(self) -> tuple[str, str]:
        """What keeps a task from being started, and the page that mends it ("" for none)."""
        if self.choices.error is not None:
            error = self.choices.error
            return f"{error.title} {error.hint}".strip(), ""
        if self.choices.loaded and not self.offer.installations:
            return (
                "PostHog is not connected with GitHub. Connect it to start tasks in a repository.",
                self.offer.connect_url,
            )
        if self.offer.problem:
            return self.offer.problem, self.offer.connect_url
        return "", ""

    def draft(
        self, text: str, *, branch: str, environment: str, model: str, attachments: tuple[str, ...]
    ) -> CloudDraft:
        """What the choices amount to."""
        return CloudDraft(
            prompt=text,
            repository=self.repository,
            branch="" if branch == _DEFAULT else branch,
            environment="" if environment == _DEFAULT else environment,
            adapter=self.adapter,
            model="" if model == _DEFAULT else model,
            attachments=attachments,
        )


def local_names(state: AppState) -> list[str]:
    """`owner/name` of the repositories on this machine that have a remote."""
    ordered = sorted(state.repositories.values(), key=lambda r: (r.added_at, r.name))
    return list(dict.fromkeys(name for one in ordered if (name := remote_name(one.remote_url)[1])))


def _network(word: str) -> str:
    return {"trusted": "trusted network", "full": "full network", "custom": "allow-listed network"}.get(word, word)
