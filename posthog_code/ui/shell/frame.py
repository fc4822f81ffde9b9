"""Sidebar and page side by side; the sidebar narrows to a rail, and may open over the page."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QTimer, Signal
from PySide6.QtGui import QCursor, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QStackedWidget, QWidget

from posthog_code.ui.shell.edge_handle import EdgeHandle
from posthog_code.ui.shell.layout_state import LayoutState
from posthog_code.ui.shell.sidebar import Sidebar
from posthog_code.ui.theme import notifier, theme

RAIL_BELOW = 1280
_OPEN_AFTER_MS, _CLOSE_AFTER_MS = 350, 250


class Frame(QWidget):
    """The window's two parts, laid out by hand: there is nothing between them but a line."""

    changed = Signal()

    def __init__(self, layout: LayoutState, parent: QWidget) -> None:
        super().__init__(parent)
        self._layout = layout
        self._sidebar: Sidebar | None = None
        self._over = False
        self._focus = False
        self.pages = QStackedWidget(self)
        self._handle = EdgeHandle("Width of the sidebar", self)
        self._handle.dragged.connect(self._on_dragged)
        self._handle.finished.connect(self.changed)
        self._handle.reset.connect(self._on_reset)
        self._hover = QTimer(self)
        self._hover.setSingleShot(True)
        self._hover.timeout.connect(self._on_hovered)
        self._inside = False
        self._rest = QPoint(-1, -1)
        notifier().changed.connect(self._lay_out)

    def set_sidebar(self, sidebar: Sidebar) -> None:
        self._sidebar = sidebar
        sidebar.setParent(self)
        sidebar.hovered.connect(self._on_pointer)
        sidebar.list.task_opened.connect(self._on_task_opened)
        self._lay_out()

    @property
    def narrow(self) -> bool:
        """The room is too small for a docked sidebar, unless it is pinned open."""
        return self.width() < RAIL_BELOW

    @property
    def docked_wide(self) -> bool:
        if self._focus:
            return False
        return self._layout.sidebar_pinned if self.narrow else not self._layout.sidebar_hidden

    @property
    def over(self) -> bool:
        """The sidebar is open over the page."""
        return self._over

    def set_focus_mode(self, on: bool) -> None:
        self._focus = on
        self._set_over(False)

    def toggle_sidebar(self) -> None:
        """Docked or rail in a wide window; in a narrow one it opens over the page."""
        if self.narrow or self._focus:
            if self.docked_wide:
                self._layout.sidebar_pinned = False
                self._lay_out()
            else:
                self._set_over(not self._over)
        else:
            self._layout.sidebar_hidden = not self._layout.sidebar_hidden
            self._lay_out()
        self.changed.emit()

    def close_over(self) -> bool:
        """True when the sidebar was open over the page."""
        was = self._over
        self._set_over(False)
        return was

    def _set_over(self, on: bool) -> None:
        self._over = on and not self.docked_wide
        self._lay_out()
        if self._over and self._sidebar is not None:
            self._sidebar.raise_()

    # pointer

    def _on_pointer(self, inside: bool) -> None:
        self._inside = inside
        if self.docked_wide or (inside and QCursor.pos() == self._rest):
            # The window came under a pointer that did not move.
            return
        self._hover.start(_OPEN_AFTER_MS if inside else _CLOSE_AFTER_MS)

    def _on_hovered(self) -> None:
        if not self.docked_wide:
            self._set_over(self._inside)

    def _on_task_opened(self, _task_id: str) -> None:
        self._hover.stop()
        self._set_over(False)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        event.ignore()

    # layout

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._rest = QCursor.pos()
        if not self.narrow:
            self._over = False
        self._lay_out()

    def _wide(self) -> int:
        look = theme()
        wanted = self._layout.sidebar_width or look.size("layout.sidebar.default")
        return max(look.size("layout.sidebar.min"), min(wanted, look.size("layout.sidebar.max")))

    def _lay_out(self) -> None:
        if self._sidebar is None:
            return
        rail = theme().size("layout.sidebar.rail")
        docked = self._wide() if self.docked_wide else rail
        shown = self._wide() if self._over else docked
        self._sidebar.set_rail(shown == rail)
        self._sidebar.setGeometry(0, 0, shown, self.height())
        self.pages.setGeometry(docked, 0, max(0, self.width() - docked), self.height())
        self._handle.setVisible(self.docked_wide)
        self._handle.place(docked - 1, 0, self.height())

    def _on_dragged(self, by: int) -> None:
        self._layout.sidebar_width = self._wide() + by
        self._layout.sidebar_width = self._wide()
        self._lay_out()

    def _on_reset(self) -> None:
        self._layout.sidebar_width = 0
        self._lay_out()
        self.changed.emit()
