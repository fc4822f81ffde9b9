"""What all tests of the window share."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="package", autouse=True)
def collect_on_the_main_thread() -> Iterator[None]:
    """As in the program: Python collects on whichever thread allocates, and a widget must not die on a worker."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    gc.disable()  # the program's own loop switches it on again when it ends
    yield
    gc.collect(1)
