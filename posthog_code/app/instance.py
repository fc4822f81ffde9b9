"""One window for a data folder: a second start brings the first one to the front, and hands it a link."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from posthog_code.domain.errors import StorageFailed

_PATIENCE_MS = 1000


class SingleInstance:
    """Holds the folder's lock for the life of the process; the system drops it with the process."""

    def __init__(self, lock: Path) -> None:
        self._lock = lock
        self._fd = -1
        self._server: Any = None

    @property
    def _name(self) -> str:
        """Of the socket. Short: a socket's path has at most 107 bytes."""
        # Imported here: nobody asks before the window is painted.
        import hashlib

        return "posthog-code-" + hashlib.sha256(os.fsencode(self._lock)).hexdigest()[:16]

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

    def listen(self, on_raise: Callable[[str], None]) -> None:
        """Be told when somebody starts the program again, with the link that they gave it or ""."""
        from PySide6.QtNetwork import QLocalServer, QLocalSocket

        from posthog_code.domain.deep_links import LONGEST

        QLocalServer.removeServer(self._name)
        server = QLocalServer()
        server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)

        def read(socket: QLocalSocket) -> None:
            line = bytes(socket.readLine(4 * LONGEST).data()).decode("utf-8", "replace").strip()
            socket.disconnectFromServer()
            socket.deleteLater()
            on_raise(line)

        def connected() -> None:
            while (socket := server.nextPendingConnection()) is not None:
                # The other side sends what it has and hangs up: then all of it is here.
                if socket.state() == QLocalSocket.LocalSocketState.ConnectedState:
                    socket.disconnected.connect(partial(read, socket))
                else:
                    read(socket)

        server.newConnection.connect(connected)
        server.listen(self._name)
        self._server = server

    def raise_other(self, link: str = "") -> bool:
        """Ask the running window to come to the front and show what a link names; False when it does not answer."""
        from PySide6.QtNetwork import QLocalSocket

        from posthog_code.domain.deep_links import LONGEST

        socket = QLocalSocket()
        socket.connectToServer(self._name)
        if not socket.waitForConnected(_PATIENCE_MS):
            return False
        socket.write(link[:LONGEST].replace("\n", " ").encode() + b"\n")
        socket.flush()
        socket.disconnectFromServer()
        left = QLocalSocket.LocalSocketState.UnconnectedState
        return socket.state() == left or bool(socket.waitForDisconnected(_PATIENCE_MS))

    def release(self) -> None:
        if self._server is not None:
            self._server.close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
