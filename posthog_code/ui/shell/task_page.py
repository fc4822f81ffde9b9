"""The page of a task: head, conversation, and the panels beside it."""

from __future__ import annotations

import shiboken6
from PySide6.QtCore import Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QStackedWidget, QWidget

from posthog_code.domain.ids import TaskId
from posthog_code.domain.state import Topic
from posthog_code.domain.text import count
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit.after_paint import after_paint
from posthog_code.ui.kit.tabs import Tab, TabStrip
from posthog_code.ui.preload import preload
from posthog_code.ui.shell.edge_handle import EdgeHandle
from posthog_code.ui.shell.layout_state import LayoutState
from posthog_code.ui.shell.panel_frame import PanelRail, PanelTabs
from posthog_code.ui.shell.panels import CONVERSATION, Panels, PanelSpec
from posthog_code.ui.shell.task_commands import TaskCommands
from posthog_code.ui.shell.task_header import TaskHeader
from posthog_code.ui.theme import notifier, theme

COMPACT_BELOW = 1100
_WIDE_FROM = 1920
_COUNT_KINDS = {"task", "tasks", "changes", "pull_request", "code_signals"}


class TaskPage(QWidget):
    """One for the window; it shows the task in view. Panels that are not seen hold no task."""

    focus_changed = Signal(bool)
    """Review focus was entered or left."""

    def __init__(
        self, ctx: UiContext, commands: TaskCommands, layout: LayoutState, panels: Panels, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._ctx, self._layout, self._panels = ctx, layout, panels
        self._task_id: TaskId | None = None
        self._made: dict[str, QWidget] = {}
        self._shown_task: dict[str, TaskId | None] = {}
        self._compact = False
        self._focus = False
        self._ready = False
        self._wanted: tuple[str, int, str] | None = None
        self.header = TaskHeader(ctx, commands, self)
        self.tabs = PanelTabs(self)
        self.rail = PanelRail(panels.side, self)
        self._stack = QStackedWidget(self)
        self._handle = EdgeHandle("Width of the conversation", self)
        self._tab = layout.tab
        self.tabs.strip.changed.connect(self.show_tab)
        self.tabs.focus_button.clicked.connect(self.toggle_focus)
        self.tabs.close_button.clicked.connect(self.close_panel)
        self.rail.chosen.connect(self.show_tab)
        self.rail.opened.connect(self.open_panel)
        self._handle.dragged.connect(self._on_dragged)
        self._handle.finished.connect(self._save)
        self._handle.reset.connect(self._on_reset)
        ctx.bridge.changed.connect(self._on_changed)
        notifier().changed.connect(self._lay_out)

    # what is shown

    @property
    def strip(self) -> TabStrip:
        return self.tabs.strip

    @property
    def tab(self) -> str:
        """The tab in view: a panel, or "conversation" in a narrow window."""
        return self._tab if self._tab in self._tab_ids() else self._tab_ids()[0]

    @property
    def focused(self) -> bool:
        return self._focus

    @property
    def compact(self) -> bool:
        """The window is narrow: the conversation is the first of the tabs."""
        return self.window().width() < COMPACT_BELOW

    def panel(self, panel_id: str) -> QWidget | None:
        """The panel's widget, when it has been made."""
        return self._made.get(panel_id)

    def set_task(self, task_id: TaskId | None, tab: str = "") -> None:
        self._task_id = task_id
        self._wanted = None
        self.header.set_task(task_id)
        if tab:
            self._tab = tab
            if tab != CONVERSATION.id:
                self._layout.panel_open = True
        self._refresh_tabs()
        if self._ready:
            self._fill()
        self._lay_out()

    def show_file(self, path: str, line: int = 0, side: str = "new") -> None:
        """Brings a file of the task's changes into view, as soon as there is a panel for it."""
        self._wanted = (path, line, side)
        self._show_wanted()

    def _show_wanted(self) -> None:
        show = getattr(self._made.get("changes"), "show_line", None)
        if self._wanted is not None and show is not None and self._shown_task.get("changes") == self._task_id:
            path, line, side = self._wanted
            self._wanted = None
            show(path, line, side)

    def _import_panels(self) -> None:
        modules = self._panels.modules()
        if modules and not self._ready:
            preload(modules, self, self.build_panels)
        else:
            self.build_panels()

    def build_panels(self) -> None:
        """Makes what is in view. It waits for the first paint, so that a window appears before panels are imported."""
        if shiboken6.isValid(self) and not self._ready:
            self._ready = True
            self._fill()
            self._lay_out()

    def show_tab(self, tab: str) -> None:
        self._tab = tab
        if tab != CONVERSATION.id:
            self._layout.tab = tab
            self._layout.panel_open = True
        if not self._is_side_open() and tab != CONVERSATION.id:
            self._layout.conversation_open = True
        self._refresh_tabs()
        self._fill()
        self._lay_out()
        self._save()
        panel = self._made.get(tab)
        if panel is not None:
            panel.setFocus()

    def open_panel(self) -> None:
        self._layout.panel_open = True
        self._changed_layout()

    def close_panel(self) -> None:
        if self._focus:
            self.toggle_focus()
        self._layout.panel_open = False
        self._layout.conversation_open = True
        self._changed_layout()

    def toggle_panel(self) -> None:
        if self._compact:
            self.show_tab(CONVERSATION.id if self.tab != CONVERSATION.id else self._layout.tab)
        elif self._layout.panel_open:
            self.close_panel()
        else:
            self.open_panel()

    def toggle_conversation(self) -> None:
        if self._compact:
            self.toggle_panel()
            return
        self._layout.conversation_open = not self._shows_conversation()
        self._layout.panel_open = self._layout.panel_open or not self._layout.conversation_open
        if self._layout.conversation_open and self._focus:
            self._focus = False
            self.focus_changed.emit(False)
        self._changed_layout()

    def toggle_focus(self) -> None:
        """Review focus: the panel alone, at full width."""
        self._focus = not self._focus
        self._layout.panel_open = self._layout.panel_open or self._focus
        self._changed_layout()
        self.focus_changed.emit(self._focus)

    def panel_modules(self) -> list[str]:
        return self._panels.modules()

    def panels_in_view(self) -> list[tuple[str, QWidget]]:
        """Titles and widgets of what can be seen, from left to right."""
        specs = [CONVERSATION, *self._panels.side]
        made = [(spec.title, self._made[spec.id]) for spec in specs if spec.id in self._made]
        return [(title, panel) for title, panel in made if panel.isVisible()]

    def panel_specs(self) -> tuple[PanelSpec, ...]:
        return self._panels.side

    def focus_conversation(self) -> None:
        """The place to write, brought into sight first."""
        if self._compact:
            self.show_tab(CONVERSATION.id)
        elif not self._shows_conversation():
            self.toggle_conversation()
        panel = self._made.get(CONVERSATION.id)
        if panel is not None:
            composer = getattr(panel, "composer", None)
            if composer is not None:
                composer.focus_text()
            else:
                panel.setFocus()

    def regions(self) -> list[QWidget]:
        """What F6 goes through, from left to right."""
        found: list[QWidget] = []
        if self._shows_conversation() and not self._compact and CONVERSATION.id in self._made:
            found.append(self._made[CONVERSATION.id])
        if self.tabs.isVisible():
            found.append(self.tabs.strip)
            if self.tab in self._made:
                found.append(self._made[self.tab])
        return found

    # panels

    def _specs(self) -> list[PanelSpec]:
        return [CONVERSATION, *self._panels.side] if self._compact else list(self._panels.side)

    def _tab_ids(self) -> list[str]:
        return [spec.id for spec in self._specs()] or [CONVERSATION.id]

    def _refresh_tabs(self) -> None:
        tabs = [Tab(spec.id, spec.title, self._count(spec.id), spec.keys) for spec in self._specs()]
        if tabs != list(self.strip.tabs()) or self.strip.current() != self.tab:
            self.strip.set_tabs(tabs, self.tab)
        self.rail.set_counts({spec.id: self._count(spec.id) for spec in self._panels.side})

    def _count(self, panel_id: str) -> str:
        task = self._ctx.state.tasks.get(self._task_id) if self._task_id else None
        if panel_id == "changes" and task is not None and task.stat.files:
            return count(task.stat.files)
        if task is None:
            return ""
        if panel_id == "pull_request" and (pull := self._ctx.state.pull_requests.get(task.id)) is not None:
            return f"{pull.passed}/{len(pull.checks)}" if pull.checks else ""
        if panel_id == "signals" and (signals := self._ctx.state.code_signals.get(task.id)) is not None:
            asking = sum(bool(row.ask) for row in signals.rows)
            return count(asking) if asking else ""
        return ""

    def _fill(self) -> None:
        """Makes the panels in view and gives them the task; the others let go of theirs."""
        if not self._ready:
            return
        seen = set()
        if self._shows_conversation():
            seen.add(CONVERSATION.id)
        if self._is_side_open():
            seen.add(self.tab)
        for spec in [CONVERSATION, *self._panels.side]:
            if spec.id in seen:
                panel = self._made.get(spec.id) or self._make(spec)
                self._hand(panel, spec.id, self._task_id)
            elif spec.id in self._made and self._shown_task.get(spec.id) != self._task_id:
                self._hand(self._made[spec.id], spec.id, None)
        if self._is_side_open() and self.tab in self._made:
            self._stack.setCurrentWidget(self._made[self.tab])
        self._show_wanted()

    def _make(self, spec: PanelSpec) -> QWidget:
        panel = self._panels.make(spec, self._ctx, self)
        self._made[spec.id] = panel
        if spec is not CONVERSATION or self._compact:
            self._stack.addWidget(panel)
        return panel

    def _hand(self, panel: QWidget, panel_id: str, task_id: TaskId | None) -> None:
        if self._shown_task.get(panel_id) != task_id or panel_id not in self._shown_task:
            self._shown_task[panel_id] = task_id
            panel.set_task(task_id)  # type: ignore[attr-defined]

    def _on_changed(self, topics: frozenset[Topic]) -> None:
        if any(topic.kind in _COUNT_KINDS and topic.id in ("", self._task_id) for topic in topics):
            self._refresh_tabs()

    # layout

    def _shows_conversation(self) -> bool:
        if self._compact:
            return self.tab == CONVERSATION.id
        return not self._focus and (self._layout.conversation_open or not self._layout.panel_open)

    def _is_side_open(self) -> bool:
        return self._compact or self._focus or (self._layout.panel_open and bool(self._panels.side))

    def _changed_layout(self) -> None:
        self._refresh_tabs()
        self._fill()
        self._lay_out()
        self._save()

    def _set_compact(self, on: bool) -> None:
        if on == self._compact:
            return
        self._compact = on
        conversation = self._made.get(CONVERSATION.id)
        if conversation is not None:
            if on:
                self._stack.addWidget(conversation)
            else:
                self._stack.removeWidget(conversation)
                conversation.setParent(self)
        if not on and self._tab == CONVERSATION.id:
            self._tab = self._layout.tab
        self._refresh_tabs()
        self._fill()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._lay_out()

    def _lay_out(self) -> None:
        self._set_compact(self.compact)
        look = theme()
        width, height = self.width(), self.height()
        head = self.header.fit()
        self.header.setGeometry(0, 0, width, head)
        body = max(0, height - head)
        conversation = self._made.get(CONVERSATION.id)
        side, shown = self._is_side_open(), self._shows_conversation()
        left = 0
        if self._compact:
            left = 0
        elif shown and side:
            left = self._conversation_width()
        elif shown:
            left = width - (look.size("layout.panel.rail") if self._panels.side else 0)
        if conversation is not None and not self._compact:
            conversation.setVisible(shown)
            conversation.setGeometry(0, head, left, body)
        self._handle.setVisible(shown and side and not self._compact)
        self._handle.place(left, head, body)
        self.rail.setVisible(not side and bool(self._panels.side))
        self.rail.setGeometry(left, head, width - left, body)
        self.tabs.setVisible(side)
        self._stack.setVisible(side)
        line = 1 if shown and side and not self._compact else 0
        tabs = look.size("layout.panelTabs")
        self.tabs.set_modes(compact=self._compact, focused=self._focus)
        self.tabs.setGeometry(left + line, head, width - left - line, tabs)
        self._stack.setGeometry(left + line, head + tabs, width - left - line, max(0, body - tabs))

    def _conversation_width(self) -> int:
        look = theme()
        wide = self.window().width() >= _WIDE_FROM
        wanted = self._layout.conversation_width or (560 if wide else look.size("layout.conversation.default"))
        most = self.width() - look.size("layout.panel.min")
        return max(look.size("layout.conversation.min"), min(wanted, most))

    def _on_dragged(self, by: int) -> None:
        self._layout.conversation_width = self._conversation_width() + by
        self._layout.conversation_width = self._conversation_width()
        self._lay_out()

    def _on_reset(self) -> None:
        self._layout.conversation_width = 0
        self._lay_out()
        self._save()

    def _save(self) -> None:
        self._layout.save(self._ctx.layout_path)

    def showEvent(self, event: object) -> None:
        self._lay_out()
        if not self._ready:
            after_paint(self, self._import_panels)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.fillRect(event.rect(), theme().color("surface.window"))
