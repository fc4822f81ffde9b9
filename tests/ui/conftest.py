"""What all tests of the window share."""

from __future__ import annotations

from pytestqt.qtbot import QtBot

# Milliseconds. Two busy cores need longer for what an idle one does at once; what never comes fails all the same.
QtBot.waitUntil.__kwdefaults__["timeout"] = 20_000
QtBot.waitSignal.__kwdefaults__["timeout"] = 20_000
