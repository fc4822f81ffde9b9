"""The limit of a diff view: bytes counted into rows, the visible ones painted plain, no highlighting, no comments.

`plain_rows.py LINES` prints `first` (ms to the first painted screen) and `whole` (ms until every row is counted).
"""

import sys
import time
from bisect import bisect_right

from PySide6.QtCore import QTimer
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractScrollArea, QApplication

from posthog_code.app.bench_data import make_diff

_SLICE = 128 * 1024
_TINT = {"+": QColor(40, 70, 50), "-": QColor(80, 40, 45), "@": QColor(40, 50, 70)}


class Rows(QAbstractScrollArea):
    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.data, self.at, self.rows = data, 0, 0
        self.starts: list[int] = []
        self.firsts: list[int] = []
        self.first = 0.0
        self.step = QFontMetrics(self.font()).height() + 2
        self.timer = QTimer(self, interval=0)
        self.timer.timeout.connect(self.more)

    def more(self) -> None:
        """Count the rows of the next slice."""
        end = self.data.rfind(b"\n", self.at, self.at + _SLICE) + 1
        self.starts.append(self.at)
        self.firsts.append(self.rows)
        self.rows += self.data.count(b"\n", self.at, end)
        self.at = end
        self.verticalScrollBar().setRange(0, self.rows)
        self.viewport().update()
        if self.at >= len(self.data):
            self.timer.stop()
            QTimer.singleShot(0, self.done)

    def done(self) -> None:
        whole = (time.perf_counter() - started) * 1000
        if not self.first:
            self.viewport().repaint()
        print(f"rows first={self.first:.4g} whole={whole:.4g}", flush=True)
        app.exit()

    def lines(self, first: int, count: int) -> list[str]:
        """So many rows from `first` on; only the slices that hold them are split."""
        page = max(0, bisect_right(self.firsts, first) - 1)
        if not self.rows:
            return []
        until = bisect_right(self.firsts, first + count)
        end = self.starts[until] if until < len(self.starts) else self.at
        found = self.data[self.starts[page] : end].decode().split("\n")
        return found[first - self.firsts[page] :][:count]

    def paintEvent(self, event: QPaintEvent) -> None:
        port = self.viewport()
        top = self.verticalScrollBar().value()
        with QPainter(port) as painter:
            for number, text in enumerate(self.lines(top, port.height() // self.step + 1)):
                tint = _TINT.get(text[:1])
                if tint is not None:
                    painter.fillRect(0, number * self.step, port.width(), self.step, tint)
                painter.drawText(8, (number + 1) * self.step - 4, text)
        if self.rows and not self.first:
            self.first = (time.perf_counter() - started) * 1000


def begin() -> None:
    global started
    started = time.perf_counter()
    rows.more()
    if rows.at < len(data):
        rows.timer.start()


app = QApplication(sys.argv)
data = make_diff(int(sys.argv[1]))
rows = Rows(data)
rows.resize(1100, 860)
started = 0.0
rows.show()
QTimer.singleShot(200, begin)
sys.exit(app.exec())
