"""Settings › Signals: what makes a report urgent, what agents are told, where reports come from."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget

from posthog_code.domain.priority import DEFAULT_WEIGHTS, LABELS, LARGEST_WEIGHT, weights
from posthog_code.ui.cloud.links import sources_url
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.inputs import TextField
from posthog_code.ui.kit.toggles import Switch
from posthog_code.ui.pages.catalog import setting
from posthog_code.ui.pages.settings.rows import SettingRow, SettingsColumn, add_row

_SAVE_AFTER_MS = 500
_FIELD_WIDTH = 76
_MEANS = {
    "people": "How many people it happened to in the last seven days",
    "frequency": "How often it happened in the last seven days",
    "trend": "Whether it happens more often than in the days before",
    "severity": "The judged priority, and the kind of signal",
    "value": "Money that it costs, or a payment or sign-in in its way",
    "closeness": "Code that you wrote, changed lately, or are asked to review",
    "age": "A new report counts most; it fades over two months",
    "cost": "Taken away for what tasks have used on it already",
}


class SignalSettings(SettingsColumn):
    """Weights are numbers beside each other: twice the number counts twice as much. Each saves itself."""

    def __init__(self, ctx: UiContext, parent: QWidget | None = None) -> None:
        super().__init__("Signals", "How reports of the inbox are ranked, and what agents are told", parent)
        self._ctx = ctx
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_SAVE_AFTER_MS)
        self._later.timeout.connect(self._save)
        self.fields: dict[str, TextField] = {}
        ranking = self.group("What makes a report urgent")
        self.reset = Button("Reset", self, icon="ph.arrow-counter-clockwise")
        self.reset.setAccessibleName("Reset the weights")
        self.reset.clicked.connect(self._on_reset)
        self.add_setting(ranking, "priority_weights", self.reset)
        for factor, label in LABELS.items():
            field = TextField("", self, name=label)
            field.setFixedWidth(_FIELD_WIDTH)
            field.edit.setAlignment(Qt.AlignmentFlag.AlignRight)
            field.edit.setMaxLength(6)
            field.edit.installEventFilter(self)
            field.textChanged.connect(partial(self._on_text, factor))
            field.edit.editingFinished.connect(self._save)
            self.fields[factor] = field
            detail = f"{_MEANS.get(factor, '')} · usually {DEFAULT_WEIGHTS[factor]:g}"
            add_row(ranking, SettingRow(label, detail, field, ranking))
        tasks = self.group("Tasks")
        self.context = Switch(setting("code_context").title, self)
        self.context.clicked.connect(self._on_context)
        self.add_setting(tasks, "code_context", self.context)
        sources = self.group("Sources")
        self.choose = Button("Choose sources", self, icon="ph.arrow-square-out")
        self.choose.clicked.connect(self._on_sources)
        self.add_setting(sources, "sources", self.choose)
        self.finish()
        self.refresh()

    def refresh(self) -> None:
        """Shows the settings. A field that is being typed in is left alone."""
        settings = self._ctx.state.settings
        known = weights(settings.priority_weights)
        for factor, field in self.fields.items():
            if not field.edit.hasFocus():
                field.setText(f"{known[factor]:g}")
        self.reset.setEnabled(bool(settings.priority_weights))
        self.context.setChecked(settings.code_context)
        signed_in = self._ctx.state.account.signed_in
        self.choose.setEnabled(signed_in)
        self.choose.setToolTip("" if signed_in else "Sign in to PostHog first")

    def _on_text(self, factor: str, text: str) -> None:
        wrong = _number(text) is None
        self.fields[factor].set_error(f"0 to {LARGEST_WEIGHT:g}" if wrong else "")
        if not wrong:
            self._later.start()

    def _save(self) -> None:
        """What differs from the defaults; a field that holds no number keeps what it was."""
        self._later.stop()
        settings = self._ctx.state.settings
        wanted = dict(settings.priority_weights)
        for factor, field in self.fields.items():
            value = _number(field.text())
            if value is None:
                continue
            if value == DEFAULT_WEIGHTS[factor]:
                wanted.pop(factor, None)
            else:
                wanted[factor] = f"{value:g}"
        if wanted != dict(settings.priority_weights):
            self._put(wanted)

    def _put(self, wanted: dict[str, str]) -> None:
        set_ = self._ctx.services.settings.set
        if not self._ctx.actions.start("settings weights", lambda: set_(priority_weights=wanted)):
            self._later.start()

    def _on_reset(self) -> None:
        before = dict(self._ctx.state.settings.priority_weights)
        for factor, field in self.fields.items():
            field.setText(f"{DEFAULT_WEIGHTS[factor]:g}")
        self._later.stop()
        self._put({})
        undo = ("Undo", lambda: self._put(before))
        self._ctx.toasts.show("Weights are as they come.", "", "info", [undo], 10.0, "settings.weights")

    def _on_context(self) -> None:
        on = self.context.isChecked()
        self._ctx.actions.start("settings code_context", lambda: self._ctx.services.settings.set(code_context=on))

    def _on_sources(self) -> None:
        self._ctx.open_url(sources_url(self._ctx))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Up and down change a number by one."""
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            by = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1}.get(Qt.Key(event.key()), 0)
            field = next((one for one in self.fields.values() if one.edit is watched), None)
            value = _number(field.text()) if field is not None else None
            if by and field is not None and value is not None:
                field.setText(f"{max(0.0, min(LARGEST_WEIGHT, value + by)):g}")
                return True
        return False

    def hideEvent(self, event: object) -> None:
        if self._later.isActive():
            self._save()


def _number(text: str) -> float | None:
    """A weight; None when it is none."""
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        return None
    return value if 0.0 <= value <= LARGEST_WEIGHT else None
