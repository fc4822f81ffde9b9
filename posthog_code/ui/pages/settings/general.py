"""Settings › General."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QWidget

from posthog_code.ui.context import UiContext
from posthog_code.ui.kit.inputs import TextField
from posthog_code.ui.kit.popup import MenuItem
from posthog_code.ui.kit.select import Select
from posthog_code.ui.kit.toggles import Segmented, Switch
from posthog_code.ui.pages.catalog import setting
from posthog_code.ui.pages.settings.rows import SettingsColumn

_SAVE_AFTER_MS = 500
_FIELD_WIDTH = 280


class GeneralSettings(SettingsColumn):
    """Looks, typing, diffs and tasks. Each control saves itself."""

    def __init__(self, ctx: UiContext, parent: QWidget | None = None) -> None:
        super().__init__("General", "How it looks, and how you like to work", parent)
        self._ctx = ctx
        self._switches: dict[str, Switch] = {}
        self._fields: dict[str, TextField] = {}
        looks = self.group("Appearance")
        self.theme = Segmented(
            [MenuItem("system", "System"), MenuItem("light", "Light"), MenuItem("dark", "Dark")], self, name="Theme"
        )
        self.theme.changed.connect(lambda value: self._save(theme=value))
        self.add_setting(looks, "theme", self.theme)
        self.text_size = Select(
            [MenuItem(str(size), f"{size} px") for size in range(12, 19)], self, name="Text size", placeholder=""
        )
        self.text_size.setFixedWidth(110)
        self.text_size.changed.connect(lambda value: self._save(text_size=int(value)))
        self.add_setting(looks, "text_size", self.text_size)
        self._switch(looks, "reduced_motion")
        writing = self.group("Conversation")
        self._switch(writing, "send_with_enter")
        diffs = self.group("Diffs")
        self.layout_choice = Segmented(
            [MenuItem("unified", "Unified"), MenuItem("split", "Split")], self, name="Diff layout"
        )
        self.layout_choice.changed.connect(lambda value: self._save(split_diff=value == "split"))
        self.add_setting(diffs, "split_diff", self.layout_choice)
        self._switch(diffs, "wrap_diff")
        self._switch(diffs, "color_blind_diffs")
        tasks = self.group("Tasks")
        self._switch(tasks, "run_setup")
        self._field(tasks, "branch_prefix", "posthog-code/")
        self._field(tasks, "worktrees_dir", "In the data folder")
        self._field(tasks, "editor_command", "code --wait")
        requests = self.group("Pull requests")
        self._switch(requests, "draft_pull_requests")
        self._field(requests, "github_api_url", "From the remote's address")
        self.finish()
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_SAVE_AFTER_MS)
        self._later.timeout.connect(self._save_fields)
        self.refresh()

    def _switch(self, card: object, name: str) -> None:
        switch = Switch(setting(name).title, self)
        switch.clicked.connect(lambda _on=False, name=name, switch=switch: self._save(**{name: switch.isChecked()}))
        self._switches[name] = switch
        self.add_setting(card, name, switch)  # type: ignore[arg-type]

    def _field(self, card: object, name: str, placeholder: str) -> None:
        field = TextField("", self, name=setting(name).title, placeholder=placeholder, mono=True)
        field.setFixedWidth(_FIELD_WIDTH)
        field.textChanged.connect(self._on_text)
        field.edit.editingFinished.connect(self._save_fields)
        self._fields[name] = field
        self.add_setting(card, name, field)  # type: ignore[arg-type]

    def switch(self, name: str) -> Switch:
        return self._switches[name]

    def field(self, name: str) -> TextField:
        return self._fields[name]

    def refresh(self) -> None:
        """Shows the settings. A field that is being typed in is left alone."""
        settings = self._ctx.state.settings
        self.theme.set_current(settings.theme)
        self.text_size.set_current(str(settings.text_size))
        self.layout_choice.set_current("split" if settings.split_diff else "unified")
        for name, switch in self._switches.items():
            switch.setChecked(bool(getattr(settings, name)))
        for name, field in self._fields.items():
            if not field.edit.hasFocus():
                field.setText(str(getattr(settings, name)))

    def _on_text(self, _text: str) -> None:
        self._later.start()

    def _save_fields(self) -> None:
        self._later.stop()
        settings = self._ctx.state.settings
        changed = {
            name: field.text().strip()
            for name, field in self._fields.items()
            if field.text().strip() != getattr(settings, name)
        }
        if changed:
            self._save(**changed)

    def _save(self, **fields: object) -> None:
        name = f"settings {' '.join(fields)}"
        if not self._ctx.actions.start(name, lambda: self._ctx.services.settings.set(**fields)):
            self._later.start()

    def hideEvent(self, event: object) -> None:
        if self._later.isActive():
            self._save_fields()
