"""What a wheel and the desktop get: the resources beside the code, an entry that desktops accept."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from posthog_code.app import main

ROOT = Path(__file__).resolve().parents[2]


def test_a_wheel_carries_every_resource(tmp_path: Path) -> None:
    pytest.importorskip("setuptools")
    copy = tmp_path / "checkout"
    copy.mkdir()
    for name in ("pyproject.toml", "setup.py", "README.md"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, copy)
    for name in ("posthog_code", "resources"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
    built = tmp_path / "built"
    done = subprocess.run(
        [sys.executable, "setup.py", "--quiet", "build_py", "--build-lib", str(built)],
        cwd=copy, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    inside = built / "posthog_code" / "_resources"
    wanted = {p.relative_to(copy / "resources") for p in (copy / "resources").rglob("*") if p.is_file()}
    assert wanted and {p.relative_to(inside) for p in inside.rglob("*") if p.is_file()} == wanted
    assert not (built / "tests").exists() and not (built / "packaging").exists()
    # Nothing but the built folder: the package finds its resources there.
    asked = subprocess.run(
        [sys.executable, "-S", "-c", "from posthog_code.resources import resources_dir; print(resources_dir())"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(built)}, capture_output=True, text=True,
    )  # fmt: skip
    assert asked.stdout.strip() == str(inside), asked.stderr


def test_the_desktop_entry_is_sound() -> None:
    path = ROOT / "packaging" / "posthog-code.desktop"
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(path, encoding="utf-8")
    entry = parser["Desktop Entry"]
    assert (entry["Type"], entry["Terminal"]) == ("Application", "false")
    # %u: a posthog-code:// address that the desktop was asked to open.
    assert entry["Exec"] == "posthog-code %u" and entry["MimeType"] == "x-scheme-handler/posthog-code;"
    assert (ROOT / "resources" / "icon" / f"{entry['Icon']}.svg").is_file()
    if validate := shutil.which("desktop-file-validate"):
        done = subprocess.run([validate, str(path)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"LD_LIBRARY_PATH": "/bundle", "LD_LIBRARY_PATH_ORIG": "/theirs"}, {"LD_LIBRARY_PATH": "/theirs"}),
        ({"LD_LIBRARY_PATH": "/bundle", "HOME": "/h"}, {"HOME": "/h"}),
    ],
)
def test_a_frozen_build_keeps_its_libraries_to_itself(
    monkeypatch: pytest.MonkeyPatch, before: dict[str, str], after: dict[str, str]
) -> None:
    untouched = dict(before)
    main._leave_bundle(untouched)
    assert untouched == before
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    main._leave_bundle(before)
    assert before == after
