"""Python overrides of Qt virtuals keep the references of None, True and False (docs/decisions.md).

A release of PySide6 that drops one per call aborts an interpreter older than 3.12 after some thousand repaints.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

CALLS = 3000
CHILD = """
import json, sys
from PySide6.QtCore import QAbstractListModel, QEvent, QModelIndex, QObject, QSize, Qt
from PySide6.QtGui import QPaintEvent, QRegion
from PySide6.QtWidgets import QApplication, QWidget

class Painted(QWidget):
    painted = 0
    def paintEvent(self, event): Painted.painted += 1
    def customEvent(self, event): pass
    def resizeEvent(self, event): return None
    def event(self, event): return super().event(event)

class Filter(QObject):
    def eventFilter(self, watched, event): return False

class Rows(QAbstractListModel):
    def rowCount(self, parent=QModelIndex()): return 1
    def data(self, index, role=Qt.ItemDataRole.DisplayRole): return None

app = QApplication([])
widget, watcher, rows = Painted(), Filter(), Rows()
widget.installEventFilter(watcher)
index = rows.index(0)
user = QEvent(QEvent.Type.User)

def once(number):
    app.sendEvent(widget, user)
    app.sendEvent(widget, QPaintEvent(QRegion(0, 0, 9, 9)))
    widget.resize(20 + number % 2, 20)
    rows.data(index)
    index.data()

widget.show()
for number in range(50):
    once(number)
before = [sys.getrefcount(thing) for thing in (None, True, False)]
calls = int(sys.argv[1])
for number in range(calls):
    once(number)
after = [sys.getrefcount(thing) for thing in (None, True, False)]
print(json.dumps({"painted": Painted.painted, "change": [b - a for a, b in zip(before, after)]}), flush=True)
"""


def test_overrides_of_virtuals_keep_the_references_of_constants() -> None:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(CALLS)], capture_output=True, text=True, timeout=60, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert told["painted"] >= CALLS
    # The interpreter keeps a few more or less itself; a fault counts in thousands.
    assert all(abs(change) < CALLS / 10 for change in told["change"]), told
