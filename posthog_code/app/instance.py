"""One window for a data folder: a second start brings the first one to the front."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from posthog_code.domain.errors import StorageFailed


class SingleInstance:
    """Holds the folder's lock for the life of the process; the system drops it with the process."""

    def __init__(self, lock: Path) -> None:
        self._lock = lock
        self._fd = -1
        self._server: Any = None
        self._name = "posthog-code-" + hashlib.sha256(os.fsencode(lock)).hexdigest()[:16]

    def acquire(self) -> bool:
        """False when another window has the folder. Raises StorageFailed when the folder cannot be written."""
        try:
            self._lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._fd = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageFailed(
                f"The data folder {self._lock.parent} cannot be written.",
                "Check its permissions, or set POSTHOG_CODE_HOME to another folder.",
                str(error),
            ) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def listen(self, on_raise: Callable[[], None]) -> None:
        """Be told when somebody starts the program again."""
        from PySide6.QtNetwork import QLocalServer

        QLocalServer.removeServer(self._name)
        server = QLocalServer()
        server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)

        def connected() -> None:
            socket = server.nextPendingConnection()
            if socket is not None:
                socket.disconnectFromServer()
                socket.deleteLater()
            on_raise()

        server.newConnection.connect(connected)
        server.listen(self._name)
        self._server = server

    def raise_other(self) -> bool:
        """Ask the running window to come to the front; False when it does not answer."""
        from PySide6.QtNetwork import QLocalSocket

        socket = QLocalSocket()
        socket.connectToServer(self._name)
        return bool(socket.waitForConnected(1000))

    def release(self) -> None:
        if self._server is not None:
            self._server.close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
