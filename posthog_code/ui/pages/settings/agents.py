"""Settings › Agents."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QMenu, QVBoxLayout, QWidget

from posthog_code.domain.agent import AgentInfo, AgentStatus
from posthog_code.ui import platform
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit.buttons import Button, IconButton
from posthog_code.ui.kit.cards import Icon
from posthog_code.ui.kit.inputs import TextField
from posthog_code.ui.kit.labels import AgentTile, ElidedLabel, Label
from posthog_code.ui.kit.popup import MenuItem
from posthog_code.ui.kit.select import Select
from posthog_code.ui.models.agents import STATUS_WORDS
from posthog_code.ui.models.new_task import agent_items, default_agent, mode_items
from posthog_code.ui.pages.settings.rows import SettingsColumn, add_row, clear_rows
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.icons import icon

CUSTOM = "custom:"


class AgentSettings(SettingsColumn):
    """What is installed, what is added by hand, and what new tasks start with."""

    def __init__(self, ctx: UiContext, parent: QWidget | None = None) -> None:
        super().__init__("Agents", "Which agents you use, and how they start", parent)
        self._ctx = ctx
        self._shown: tuple[object, ...] | None = None
        self._dialog: QFileDialog | None = None
        self.check = Button("Check again", self, kind="ghost", icon="ph.arrow-clockwise")
        self.check.clicked.connect(self._on_check)
        self.head.addWidget(self.check)
        self.installed = self.group("Installed")
        self.custom = CustomAgentForm(ctx, self)
        defaults = self.group("Defaults")
        self.agent = Select((), self, name="Agent for new tasks", placeholder="The first that is ready")
        self.agent.setFixedWidth(200)
        self.agent.changed.connect(lambda value: self._save(default_agent=value))
        self.add_setting(defaults, "default_agent", self.agent)
        self.mode = Select((), self, name="Mode for new tasks", placeholder="The agent's own")
        self.mode.setFixedWidth(200)
        self.mode.changed.connect(lambda value: self._save(default_mode=value))
        self.add_setting(defaults, "default_mode", self.mode)
        self.finish()
        self.refresh()

    def refresh(self) -> None:
        """Shows the agents; rows are made anew only when one of them changed."""
        state = self._ctx.state
        usual = default_agent(state)
        self.agent.set_items(agent_items(state), usual)
        items, current = mode_items(state, usual, state.settings.default_mode)
        self.mode.set_items(items or [MenuItem("", "The agent's own")], current)
        self.mode.setEnabled(bool(items))
        shown = (state.agents, state.settings.agent_paths, usual)
        if shown == self._shown:
            return
        self._shown = shown
        self.custom.setParent(None)
        clear_rows(self.installed)
        for info in state.agents:
            add_row(self.installed, _AgentRow(self, info, info.spec.id == usual))
        if not state.agents:
            waiting = Label("Looking for agents…", self.installed, token="text.muted")
            waiting.setContentsMargins(14, 14, 14, 14)
            add_row(self.installed, waiting)
        add_row(self.installed, self.custom)
        self.custom.show()

    def reveal(self, setting_id: str) -> None:
        super().reveal(setting_id)
        if setting_id == "custom_agent":
            self.custom.open_form()

    def _on_check(self) -> None:
        self._ctx.actions.start("agents.detect", self._ctx.services.agents.detect, busy=self.check)

    def _save(self, **fields: object) -> None:
        self._ctx.actions.start(f"settings {' '.join(fields)}", lambda: self._ctx.services.settings.set(**fields))

    # one agent

    def use(self, info: AgentInfo) -> None:
        self._save(default_agent=info.spec.id)

    def copy(self, line: str) -> None:
        platform.copy_text(line)
        self._ctx.toasts.show("Copied", line, kind="success", timeout=4.0)

    def choose_program(self, info: AgentInfo) -> None:
        dialog = QFileDialog(self, f"Choose the program of {info.spec.name}")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(partial(self.set_program, info.spec.id))
        dialog.open()

    def set_program(self, agent_id: str, path: str) -> None:
        """`path` "" forgets the choice. Agents are looked for again."""
        settings, services = self._ctx.state.settings, self._ctx.services
        paths = {key: value for key, value in settings.agent_paths.items() if key != agent_id}
        if path:
            paths[agent_id] = path

        async def change() -> None:
            await services.settings.set(agent_paths=paths)
            await services.agents.detect()

        self._ctx.actions.start("agents.program", change)

    def remove(self, info: AgentInfo) -> None:
        settings, services = self._ctx.state.settings, self._ctx.services
        name = info.spec.id.removeprefix(CUSTOM)
        before = dict(settings.custom_agents)
        kept = {key: value for key, value in before.items() if key != name}

        async def put(agents: dict[str, str]) -> None:
            await services.settings.set(custom_agents=agents)
            await services.agents.detect()

        def undo() -> None:
            self._ctx.actions.start("agents.custom", lambda: put(before))

        self._ctx.actions.start("agents.custom", lambda: put(kept))
        self._ctx.toasts.show(f"Removed {info.spec.name}", actions=[("Undo", undo)], timeout=10.0)

    def menu_of(self, info: AgentInfo, parent: QWidget) -> QMenu:
        menu = QMenu(parent)
        use = menu.addAction(icon("ph.check"), "Use for new tasks")
        use.setEnabled(info.status is not AgentStatus.NOT_INSTALLED)
        use.triggered.connect(lambda: self.use(info))
        choose = menu.addAction(icon("ph.folder-simple"), "Choose the program…")
        choose.triggered.connect(lambda: self.choose_program(info))
        if info.spec.id in self._ctx.state.settings.agent_paths:
            forget = menu.addAction(icon("ph.arrow-counter-clockwise"), "Look on the PATH again")
            forget.triggered.connect(lambda: self.set_program(info.spec.id, ""))
        if info.spec.install:
            line = menu.addAction(icon("ph.copy"), "Copy the install line")
            line.triggered.connect(lambda: self.copy(info.spec.install))
        if info.spec.homepage:
            home = menu.addAction(icon("ph.arrow-square-out"), "Open its website")
            home.triggered.connect(lambda: platform.open_url(info.spec.homepage))
        if info.spec.id.startswith(CUSTOM):
            menu.addSeparator()
            remove = menu.addAction(icon("ph.trash"), "Remove")
            remove.triggered.connect(lambda: self.remove(info))
        return menu


class _AgentRow(QWidget):
    """One agent: tile, name, version, where it is; its state and what to do about it."""

    def __init__(self, page: AgentSettings, info: AgentInfo, usual: bool) -> None:
        super().__init__(page)
        self.setAccessibleName(info.spec.name)
        self._page, self._info = page, info
        title = QHBoxLayout()
        title.setSpacing(8)
        title.addWidget(Label(info.spec.name, self, font="bodyStrong"))
        title.addWidget(Label(info.version, self, font="small", token="text.muted"))
        title.addStretch(1)
        words = QVBoxLayout()
        words.setSpacing(1)
        words.addLayout(title)
        elide = "end" if info.reason else "middle"
        words.addWidget(ElidedLabel(_detail(info, usual), self, font="small", token="text.muted", mode=elide))
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 8, 10, 8)
        row.setSpacing(8)
        tile = AgentTile(info.spec.letter, self, size=28)
        tile.setToolTip(info.spec.name)
        row.addWidget(tile)
        row.addSpacing(6)
        row.addLayout(words, 1)
        word, mark, token = STATUS_WORDS[info.status]
        if not info.spec.command:
            word = "Not set"  # the entry for any command: there is nothing to install
        if mark:
            row.addWidget(Icon(mark, token, self))
        row.addWidget(Label(word, self, font="small", token=token))
        row.addSpacing(4)
        if info.status is AgentStatus.NOT_INSTALLED and info.spec.install:
            button = Button("Copy install line", self, icon="ph.copy", size="sm")
            button.setToolTip(info.spec.install)
            button.clicked.connect(lambda: page.copy(info.spec.install))
            row.addWidget(button)
        elif info.status is AgentStatus.SIGNED_OUT and info.spec.sign_in:
            button = Button("How to sign in", self, icon="ph.copy", size="sm")
            button.setToolTip(info.spec.sign_in)
            button.clicked.connect(lambda: page.copy(info.spec.sign_in))
            row.addWidget(button)
        self._more = IconButton("ph.dots-three", f"More about {info.spec.name}", self)
        self._more.clicked.connect(self._on_more)
        row.addWidget(self._more)
        self.setMinimumHeight(theme().size("row.setting"))

    def _on_more(self) -> None:
        menu = self._page.menu_of(self._info, self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self._more.mapToGlobal(QPoint(0, self._more.height() + 4)))


class CustomAgentForm(QWidget):
    """A button that opens two fields: a name and a command line."""

    def __init__(self, ctx: UiContext, parent: QWidget) -> None:
        super().__init__(parent)
        self._ctx = ctx
        self.open_button = Button("Add a custom agent", self, kind="ghost", icon="ph.plus")
        self.open_button.clicked.connect(self.open_form)
        self.name = TextField("", self, name="Name of the agent", placeholder="Name")
        self.name.setFixedWidth(150)
        self.command = TextField("", self, name="Command line", placeholder="command --acp", mono=True)
        self._add = Button("Add", self, kind="primary")
        self._add.clicked.connect(self.add)
        self._cancel = Button("Cancel", self, kind="ghost")
        self._cancel.clicked.connect(self._close)
        self.command.returnPressed.connect(self.add)
        self._form = QWidget(self)
        row = QHBoxLayout(self._form)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.setAlignment(Qt.AlignmentFlag.AlignTop)
        for widget, stretch in ((self.name, 0), (self.command, 1), (self._add, 0), (self._cancel, 0)):
            row.addWidget(widget, stretch, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 6, 12, 6)
        column.addWidget(self.open_button)
        column.addWidget(self._form)
        self._form.hide()

    def open_form(self) -> None:
        self.open_button.hide()
        self._form.show()
        self.name.edit.setFocus()

    def _close(self) -> None:
        for field in (self.name, self.command):
            field.setText("")
            field.set_error("")
        self._form.hide()
        self.open_button.show()

    def add(self) -> None:
        name, command = self.name.text().strip(), self.command.text().strip()
        known = self._ctx.state.settings.custom_agents
        self.name.set_error("" if name and name not in known else "Taken" if name else "Give it a name")
        self.command.set_error("" if command else "Give the command that starts it")
        if not name or not command or name in known:
            return
        services = self._ctx.services

        async def put() -> None:
            await services.settings.set(custom_agents={**known, name: command})
            await services.agents.detect()

        if self._ctx.actions.start("agents.custom", put):
            self._close()


def _detail(info: AgentInfo, usual: bool) -> str:
    parts = ["Default agent"] if usual else []
    if info.status is AgentStatus.NOT_INSTALLED and info.spec.install:
        parts.append(info.spec.install)
    elif info.reason:
        parts.append(info.reason)
    elif info.path:
        parts.append(info.path)
    return " · ".join(parts)
