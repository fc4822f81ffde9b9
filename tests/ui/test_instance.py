"""A second start hands its link to the first one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from posthog_code.app.instance import SingleInstance

_SECOND = """
import sys
from pathlib import Path
from posthog_code.app.instance import SingleInstance
instance = SingleInstance(Path(sys.argv[1]))
assert not instance.acquire()
sys.exit(0 if instance.raise_other(sys.argv[2]) else 1)
"""


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("", ""),
        ("posthog-code://task/t-1", "posthog-code://task/t-1"),
        ("posthog-code://task/t\nrm -rf", "posthog-code://task/t rm -rf"),
        ("posthog-code://" + "x" * 5000, ("posthog-code://" + "x" * 5000)[:512]),
    ],
)
def test_a_second_start_hands_over_its_link(qtbot: QtBot, tmp_path: Path, given: str, wanted: str) -> None:
    lock, told = tmp_path / "lock", []
    first = SingleInstance(lock)
    assert first.acquire()
    first.listen(told.append)
    second = subprocess.Popen([sys.executable, "-c", _SECOND, str(lock), given])
    try:
        qtbot.waitUntil(lambda: bool(told), timeout=10_000)
        assert second.wait(10) == 0
    finally:
        first.release()
    assert told == [wanted]
