"""The program's own log: rotated files, no secrets."""

from __future__ import annotations

import logging
import sys
from pathlib import Path


class Redact(logging.Filter):
    """Takes tokens out of whatever is logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        # Imported here: most starts log nothing before the window is painted.
        from posthog_code.domain.redact import redact

        message = record.getMessage()
        clean = redact(message)
        if clean != message:
            record.msg, record.args = clean, ()
        return True


class LateFile(logging.Handler):
    """Rotated files, opened by the first record: most starts have nothing to tell."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._file: logging.Handler | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if self._file is None:
            # Imported here: it brings sockets and pickles for handlers that nobody uses.
            from logging.handlers import RotatingFileHandler

            try:
                self._file = RotatingFileHandler(self._path, maxBytes=2_000_000, backupCount=3, encoding="utf-8")
            except OSError:
                self._file = logging.StreamHandler(sys.stderr)
            self._file.setFormatter(self.formatter)
        self._file.emit(record)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()


def set_up(folder: Path, *, to_stderr: bool) -> None:
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    handlers: list[logging.Handler] = []
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handlers.append(LateFile(folder / "app.log"))
    except OSError:
        to_stderr = True
    if to_stderr or not handlers:
        handlers.append(logging.StreamHandler(sys.stderr))
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        handler.addFilter(Redact())
        root.addHandler(handler)
    for noisy in ("httpx", "httpcore", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
