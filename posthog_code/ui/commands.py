"""Commands: one list that shortcuts, the palette, menus and tooltips all come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Command:
    """Something that can be done by name."""

    id: str
    """Dotted, e.g. "task.archive"."""
    title: str
    """A verb with its object, in sentence case."""
    run: Callable[[], object]
    keys: tuple[str, ...] = ()
    """QKeySequence strings. Bare letters are shown but never bound to the window: their panel handles them."""
    enabled: Callable[[], bool] = _always
    group: str = ""
    icon: str = ""
    detail: str = ""
    """A few words shown beside the title in the palette."""
    hidden: bool = False
    """Not listed in the palette (e.g. one of nine numbered keys)."""


class CommandRegistry(QObject):
    """All commands. Each key sequence has one action on the window, which runs the newest enabled command of it."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._commands: dict[str, Command] = {}
        self._window: QWidget | None = None
        self._may_run: Callable[[], bool] = _always
        self._actions: dict[str, QAction] = {}

    def register(self, command: Command, owner: QObject | None = None) -> Callable[[], None]:
        """Adds a command, in place of one of the same id. It goes when `owner` does, or by the returned call."""
        self._commands.pop(command.id, None)
        self._commands[command.id] = command
        for keys in command.keys:
            self._bind(keys)

        def unregister() -> None:
            if self._commands.get(command.id) is command:
                del self._commands[command.id]

        if owner is not None:
            owner.destroyed.connect(unregister)
        self.changed.emit()
        return unregister

    def all(self) -> tuple[Command, ...]:
        return tuple(self._commands.values())

    def find(self, command_id: str) -> Command | None:
        return self._commands.get(command_id)

    def run(self, command_id: str) -> bool:
        """Runs a command by id; False when there is none or it is not enabled now."""
        command = self._commands.get(command_id)
        if command is None or not command.enabled():
            return False
        command.run()
        return True

    def keys_text(self, command_id: str) -> str:
        """The first key sequence as the platform writes it, "" for none."""
        command = self._commands.get(command_id)
        if command is None or not command.keys:
            return ""
        return QKeySequence(command.keys[0]).toString(QKeySequence.SequenceFormat.NativeText)

    def tooltip(self, command_id: str, text: str = "") -> str:
        """ "New task (Ctrl+N)"."""
        command = self._commands.get(command_id)
        text = text or (command.title if command else "")
        keys = self.keys_text(command_id)
        return f"{text} ({keys})" if keys else text

    def attach(self, window: QWidget, may_run: Callable[[], bool] = _always) -> None:
        """Binds all keys to `window`, also those of commands that are registered later.

        Keys do nothing while `may_run` says no (a dialog is open over the window).
        """
        self._window = window
        self._may_run = may_run
        for command in self._commands.values():
            for keys in command.keys:
                self._bind(keys)

    def _bind(self, keys: str) -> None:
        sequence = QKeySequence(keys)
        name = sequence.toString(QKeySequence.SequenceFormat.PortableText)
        if self._window is None or not name or name in self._actions or _is_bare(name):
            return
        action = QAction(self._window)
        action.setShortcut(sequence)
        action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        action.setProperty("keys", name)
        action.triggered.connect(self._on_triggered)
        self._window.addAction(action)
        self._actions[name] = action

    def _on_triggered(self) -> None:
        if not self._may_run():
            return
        sender = self.sender()
        name = sender.property("keys") if sender is not None else ""
        for command in reversed(self._commands.values()):
            if any(_portable(keys) == name for keys in command.keys) and command.enabled():
                command.run()
                return


def _portable(keys: str) -> str:
    return QKeySequence(keys).toString(QKeySequence.SequenceFormat.PortableText)


def _is_bare(name: str) -> bool:
    """A single character, alone or with Shift: it must stay typeable."""
    return len(name.removeprefix("Shift+")) == 1
