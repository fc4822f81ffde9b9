"""The popup over the composer: files for @, the agent's commands for /."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject
from PySide6.QtGui import QKeyEvent, QTextCursor

from posthog_code.domain.session import AgentCommand
from posthog_code.ui.composer.editor import Editor
from posthog_code.ui.composer.mentions import Token, rank_files, token_at
from posthog_code.ui.kit.popup import MenuItem, PopupList
from posthog_code.ui.models import fuzzy

_COMMANDS_SHOWN = 60


class Suggestions(QObject):
    """Watches the editor's cursor and fills the popup; the editor keeps the focus and forwards its keys."""

    def __init__(self, editor: Editor, want_files: Callable[[], None], *, below: bool = False) -> None:
        """`want_files` is called when a mention begins: whoever made this then calls `set_files`.

        `below` opens the list under the caret as long as there is room, for an editor with something to read above it.
        """
        super().__init__(editor)
        self._editor = editor
        self._want_files = want_files
        self._below = below
        self._files: Sequence[str] = ()
        self._recent: list[str] = []
        self._commands: Sequence[AgentCommand] = ()
        self._popup: PopupList | None = None
        self._token: Token | None = None
        self._dismissed = ""
        """The token that Esc closed the popup for."""
        editor.textChanged.connect(self.refresh)
        editor.cursorPositionChanged.connect(self.refresh)

    def set_files(self, files: Sequence[str]) -> None:
        self._files = files
        self.refresh()

    def files(self) -> Sequence[str]:
        return self._files

    def set_recent(self, paths: Sequence[str]) -> None:
        """Files that come first: what was changed or mentioned lately."""
        self._recent = list(dict.fromkeys([*self._recent, *paths]))[-40:]

    def set_commands(self, commands: Sequence[AgentCommand]) -> None:
        self._commands = commands

    def is_open(self) -> bool:
        return self._popup is not None and self._popup.isVisible()

    def popup(self) -> PopupList | None:
        return self._popup

    def handle_key(self, event: QKeyEvent) -> bool:
        if self._popup is None or not self._popup.isVisible():
            return False
        return self._popup.handle_key(event)

    def close(self) -> None:
        if self._popup is not None:
            self._popup.close_popup()

    def refresh(self) -> None:
        cursor = self._editor.textCursor()
        if cursor.hasSelection() or not self._editor.hasFocus():
            self.close()
            return
        text = self._editor.toPlainText()
        token = token_at(text, len(_before(cursor)))
        if token is None:
            self._token, self._dismissed = None, ""
            self.close()
            return
        begins, self._token = self._token is None, token
        if begins and token.kind == "@":
            self._want_files()
        if self._dismissed == f"{token.kind}{token.start}":
            return
        items = self._file_items(token) if token.kind == "@" else self._command_items(token)
        if not items:
            self.close()
            return
        self._show(items)

    def _file_items(self, token: Token) -> list[MenuItem]:
        found = rank_files(token.query, self._files, self._recent)
        return [
            MenuItem(
                path,
                path.rsplit("/", 1)[-1],
                icon="ph.file-text",
                detail=path.rpartition("/")[0],
                marks=_name_marks(token.query, path),
            )
            for path in found
        ]

    def _command_items(self, token: Token) -> list[MenuItem]:
        query = token.query.strip().lower()
        starts = [c for c in self._commands if c.name.lower().startswith(query)]
        inside = [c for c in self._commands if query in c.name.lower() and c not in starts]
        found = (starts + inside)[:_COMMANDS_SHOWN]
        if len(found) == 1 and found[0].name.lower() == query and token.query != token.query.strip():
            return []
        return [
            MenuItem(
                c.name,
                f"/{c.name}",
                detail=" ".join(c.description.split())[:80],
                marks=tuple(range(at + 1, at + 1 + len(query))) if (at := c.name.lower().find(query)) >= 0 else (),
            )
            for c in found
        ]

    def _show(self, items: list[MenuItem]) -> None:
        window = self._editor.window()
        if self._popup is None:
            self._popup = PopupList((), window, takes_focus=False, name="Suggestions", max_height=260)
            self._popup.chosen.connect(self._insert)
            self._popup.closed.connect(self._closed)
            # The popup lives in the window, which outlives the editor.
            self._editor.destroyed.connect(self._popup.deleteLater)
        before = self._popup.current()
        self._popup.set_items(items, before if any(item.id == before for item in items) else items[0].id)
        anchor = self._editor.parentWidget() or self._editor
        width = min(420, anchor.width())
        caret = self._editor.cursorRect()
        under = self._editor.viewport().mapTo(window, caret.bottomLeft())
        if self._below and window.height() - under.y() >= self._popup.sizeHint().height():
            at = self._editor.viewport().mapTo(anchor, caret.bottomLeft())
            self._popup.popup(anchor, at=at, width=width)
        else:
            self._popup.popup(anchor, above=True, width=width)

    def _closed(self) -> None:
        if self._token is not None and self._editor.hasFocus():
            self._dismissed = f"{self._token.kind}{self._token.start}"

    def _insert(self, chosen: str) -> None:
        token = self._token
        if token is None:
            return
        cursor = self._editor.textCursor()
        end = cursor.position()
        cursor.setPosition(end - _units(token.query) - 1)
        cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
        if token.kind == "@":
            self.set_recent([chosen])
        self._token = None
        cursor.insertText(f"{token.kind}{chosen} ")
        self._editor.setTextCursor(cursor)


def _before(cursor: QTextCursor) -> str:
    """The text before the cursor."""
    made = QTextCursor(cursor.document())
    made.setPosition(cursor.position(), QTextCursor.MoveMode.KeepAnchor)
    return made.selectedText().replace("\u2029", "\n")


def _name_marks(query: str, path: str) -> tuple[int, ...]:
    """Characters of the file's name that the query hits."""
    hit, start = fuzzy.match(query, path) if query else None, path.rfind("/") + 1
    return tuple(place - start for place in hit.positions if place >= start) if hit is not None else ()


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
