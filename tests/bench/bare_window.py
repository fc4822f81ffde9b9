"""The least that a window can be: the limit for start and memory. Prints the figures of `posthog-code bench start`."""

import os
import sys
import time

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication, QLabel, QMainWindow


class Watch(QObject):
    def __init__(self, since: float) -> None:
        super().__init__()
        self.since = since

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            watched.removeEventFilter(self)
            QApplication.postEvent(self, QEvent(QEvent.Type.User))
        return False

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.User:
            self.painted()
        return super().event(event)

    def painted(self) -> None:
        content, cpu = (time.monotonic() - self.since) * 1000, time.process_time() * 1000
        with open("/proc/self/statm") as file:
            memory = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
        print(f"bare content={content:.4g} cpu={cpu:.4g} memory={memory:.4g}", flush=True)
        app.exit()


app = QApplication(sys.argv)
window = QMainWindow()
window.resize(1440, 900)
label = QLabel("\n".join(["a few words to paint"] * 10))
window.setCentralWidget(label)
watch = Watch(float(sys.argv[1]))
label.installEventFilter(watch)
window.show()
sys.exit(app.exec())
