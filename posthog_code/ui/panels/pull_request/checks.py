"""The list of checks: failures first, each with its log and the way to the agent."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from posthog_code.domain.check_rollup import ordered
from posthog_code.domain.pull_request import Check, CheckState, PullRequest
from posthog_code.ui.kit.buttons import Button, IconButton
from posthog_code.ui.kit.cards import Icon
from posthog_code.ui.kit.labels import ElidedLabel, Label, StateLabel
from posthog_code.ui.kit.rows import Row, RowList
from posthog_code.ui.panels.pull_request.log_block import LogBlock
from posthog_code.ui.panels.pull_request.words import CHECK_GLYPHS, CHECK_WORDS, check_time
from posthog_code.ui.theme import theme

PASSED_SHOWN = 3
"""Settled checks that are listed before the rest is folded."""
MOST_ROWS = 60
_LOUD = (CheckState.FAILED, CheckState.CANCELLED, CheckState.RUNNING)


class CheckRow(Row):
    """A check; a failed one can be sent to the agent and opened in the browser."""

    send = Signal(object)
    browse = Signal(str)

    def __init__(self, check: Check, now: float, parent: QWidget | None = None) -> None:
        failed = check.state is CheckState.FAILED
        super().__init__(parent, height=34 if failed else 30, name=f"{check.name}, {CHECK_WORDS[check.state]}")
        self.check = check
        self.send_button: Button | None = None
        mark = StateLabel(CHECK_GLYPHS[check.state], "", self)
        mark.set_glyph_size(14)
        self.row.addWidget(mark)
        name = ElidedLabel(check.name, self, font="bodyStrong" if failed else "body")
        name.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.row.addWidget(name)
        notes = [check.summary] if check.summary and check.state in _LOUD else []
        if check.required and check.state in _LOUD:
            notes.append("required")
        self.row.addWidget(ElidedLabel(" · ".join(notes), self, font="small", token="text.muted"), 1)
        if failed:
            self.send_button = Button("Send to agent", self, icon="ph.paper-plane-tilt", size="sm", keys="F")
            self.send_button.setAccessibleName(f"Send {check.name} to the agent")
            self.send_button.clicked.connect(self._send)
            self.row.addWidget(self.send_button)
        if failed and check.url:
            out = IconButton("ph.arrow-square-out", "Open in the browser", self, keys="B", size="sm")
            out.clicked.connect(self._browse)
            self.row.addWidget(out)
        spent = Label(check_time(check, now), self, font="small", token="text.muted")
        spent.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        spent.setMinimumWidth(max(theme().px(44), spent.sizeHint().width()))
        spent.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        self.row.addWidget(spent)

    def _send(self) -> None:
        self.send.emit(self.check)

    def _browse(self) -> None:
        self.browse.emit(self.check.url)


class _Opened(QWidget):
    """A check's row with its log below."""

    def __init__(self, row: CheckRow, text: str | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(row)
        if text is None:
            self.body: QWidget = _Quiet("Reading the log…", self)
        elif text:
            self.body = LogBlock(text, self)
        else:
            self.body = _Quiet("This check has no log here. Open it in the browser.", self)
        column.addWidget(self.body)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)


class _Quiet(Label):
    def __init__(self, text: str, parent: QWidget) -> None:
        super().__init__(text, parent, font="small", token="text.muted")
        self.setContentsMargins(34, 4, 12, 8)

    def sizeHint(self) -> QSize:
        return QSize(super().sizeHint().width(), theme().px(30))


class ChecksList(RowList):
    """Rows in the order of need; what passed is folded after a few."""

    send = Signal(object)
    browse = Signal(str)
    toggled = Signal(str)
    """Key of the check whose log is to be opened or closed."""
    unfold = Signal()

    def __init__(
        self,
        pull: PullRequest,
        now: float,
        opened: dict[str, str | None],
        unfolded: bool,
        parent: QWidget | None = None,
    ) -> None:
        """`opened` has the log by key of each opened check: None while it is read, "" when there is none."""
        super().__init__(parent)
        self.rows: list[CheckRow] = []
        self.fold: Row | None = None
        checks = ordered(pull.checks)
        loud = [check for check in checks if check.state in _LOUD]
        quiet = [check for check in checks if check.state not in _LOUD]
        shown = loud + (quiet if unfolded or len(quiet) <= PASSED_SHOWN + 1 else quiet[:PASSED_SHOWN])
        for check in shown[:MOST_ROWS]:
            row = CheckRow(check, now, self)
            row.send.connect(self.send)
            row.browse.connect(self.browse)
            row.pressed.connect(self._pressed)
            self.rows.append(row)
            key = check_key(check)
            self.add(_Opened(row, opened[key], self) if key in opened else row)
        hidden = [check for check in checks if check not in shown[:MOST_ROWS]]
        if hidden:
            self._add_fold(hidden)

    def _add_fold(self, hidden: list[Check]) -> None:
        names = ", ".join(check.name for check in hidden[:6])
        words = (
            f"{len(hidden)} more {'passed' if all(c.state is CheckState.PASSED for c in hidden) else 'checks'}: {names}"
        )
        self.fold = Row(self, name=words)
        self.fold.row.addWidget(Icon("ph.caret-right", "text.muted", self.fold, size=12))
        self.fold.row.addWidget(ElidedLabel(words, self.fold, token="text.muted"), 1)
        self.fold.pressed.connect(self.unfold)
        self.add(self.fold)

    def _pressed(self) -> None:
        row = self.sender()
        if isinstance(row, CheckRow):
            self.toggled.emit(check_key(row.check))


def check_key(check: Check) -> str:
    """Names a check over its re-runs: a new run has a new id."""
    return check.name
