"""The set-up of a fresh machine: what it finds missing, what it tells, what it leaves alone."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from posthog_code.app import system

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "packaging" / "bootstrap.py"


@pytest.fixture
def bootstrap(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("bootstrap", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def pip_calls(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The environment is really made, but without pip's time; what pip is asked for is kept."""
    asked: list[list[str]] = []

    def run(words: list[str], folder: Path, failure: str, hint: str) -> None:
        if "venv" in words:
            place = Path(words[-1])
            (place / "bin").mkdir(parents=True, exist_ok=True)
            (place / "pyvenv.cfg").write_text("")
            (place / "bin" / "python").unlink(missing_ok=True)
            (place / "bin" / "python").symlink_to(sys.executable)
        asked.append(words)

    monkeypatch.setattr(bootstrap, "run", run)
    monkeypatch.setattr(bootstrap, "works", lambda python: python.exists())
    return asked


def installs(calls: list[list[str]]) -> list[str]:
    return [words[-1] for words in calls if "pip" in words]


def creations(calls: list[list[str]]) -> int:
    return sum("venv" in words for words in calls)


def test_a_second_start_does_nothing(bootstrap: ModuleType, pip_calls: list[list[str]], tmp_path: Path) -> None:
    venv = tmp_path / 'an environment\'s "place"'
    for dev in (False, False, True, True, False):
        bootstrap.install(venv, dev)
    assert installs(pip_calls) == [".", ".[dev]"]
    assert creations(pip_calls) == 1


def test_changed_requirements_are_installed_into_the_same_environment(
    bootstrap: ModuleType, pip_calls: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap.install(tmp_path / "venv", True)
    place, _ = bootstrap.fingerprints()
    monkeypatch.setattr(bootstrap, "fingerprints", lambda: (place, "other"))
    bootstrap.install(tmp_path / "venv", False)
    assert installs(pip_calls) == [".[dev]", ".[dev]"]
    assert creations(pip_calls) == 1


@pytest.mark.parametrize("accident", ["interrupted", "moved", "interpreter gone"])
def test_an_environment_that_cannot_be_trusted_is_made_anew(
    bootstrap: ModuleType, pip_calls: list[list[str]], tmp_path: Path, accident: str
) -> None:
    venv = tmp_path / "venv"
    bootstrap.install(venv, False)
    if accident == "interrupted":
        (venv / bootstrap.STAMP).unlink()
    elif accident == "moved":
        (venv / bootstrap.STAMP).write_text("elsewhere\n")
    else:
        (venv / "bin" / "python").unlink()
        (venv / "bin" / "python").symlink_to(tmp_path / "gone")
    bootstrap.install(venv, False)
    assert creations(pip_calls) == 2


def test_a_folder_of_somebody_is_not_cleared(
    bootstrap: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(SystemExit) as ended:
        bootstrap.install(tmp_path, False)
    assert ended.value.code == 3
    assert "is no virtual environment" in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_pip_failure_is_told(bootstrap: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        bootstrap.run([sys.executable, "-c", "import sys; sys.exit(1)"], tmp_path, "It failed.", "Do this.")
    assert ended.value.code == 3
    assert "It failed.\nDo this." in capsys.readouterr().err


@pytest.mark.parametrize("name", ['a "quoted" place', "a:b", "back\\slash"])
def test_awkward_paths_get_an_environment_elsewhere(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for root, inside in ((tmp_path / "it's a place", True), (tmp_path / name, False)):
        root.mkdir()
        monkeypatch.setattr(bootstrap, "ROOT", root)
        venv = bootstrap.default_venv()
        assert (venv == root / ".venv") if inside else venv.is_relative_to(tmp_path / "cache" / "posthog-code")


def test_a_checkout_that_cannot_be_written_is_built_from_a_copy(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "posthog_code").mkdir()
    (tmp_path / "resources").mkdir()
    (tmp_path / "posthog_code" / "a.py").write_text("A = 1\n")
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "writable", lambda: False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert bootstrap.default_venv().is_relative_to(tmp_path / "cache")
    with bootstrap.source() as (folder, editable):
        assert not editable and folder != tmp_path
        assert (folder / "posthog_code" / "a.py").read_text() == "A = 1\n"
    before = bootstrap.fingerprints()
    (tmp_path / "posthog_code" / "a.py").write_text("A = 100\n")
    after = bootstrap.fingerprints()
    assert before[0] == after[0] and before[1] != after[1]


def test_what_is_missing_is_named_with_the_line(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(system, "loads", lambda library: library != "libEGL.so.1")
    monkeypatch.setattr(system, "has_fonts", lambda: False)
    monkeypatch.setattr(bootstrap, "has_module", lambda name: name != "ensurepip")
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name, **_: "" if name == "git" else f"/usr/bin/{name}")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SystemExit) as ended:
        bootstrap.check_system(window=True, no_screen=False, dev=False)
    assert ended.value.code == 3
    told = capsys.readouterr().err
    venv = "python{}.{}-venv".format(*sys.version_info[:2])
    assert f"sudo apt-get update && sudo apt-get install -y git {venv} libegl1 fonts-dejavu-core\n" in told


def test_other_systems_get_their_own_line() -> None:
    assert system.install_line(["libgl1"], lambda tool: tool if tool == "pacman" else None).startswith("sudo pacman")
    assert "mesa-libEGL" in system.install_line(["libegl1"], lambda tool: tool if tool == "dnf" else None)


def test_an_old_python_is_told_and_not_traced(tmp_path: Path) -> None:
    code = (
        "import runpy, sys; sys.version_info = (3, 10, 4, 'final', 0); sys.argv = ['bootstrap.py', '--dev'];"
        f"runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PATH": str(tmp_path)}, cwd=tmp_path
    )
    assert done.returncode == 3
    assert "needs Python 3.11 or newer" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({}, "There is no screen"),
        ({"DISPLAY": ":1"}, ""),
        ({"WAYLAND_DISPLAY": "wayland-0"}, ""),
        ({"QT_QPA_PLATFORM": "offscreen"}, ""),
    ],
)
def test_no_screen_is_said_before_qt_aborts(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], problem: str
) -> None:
    monkeypatch.setattr(system.sys, "platform", "linux")
    monkeypatch.setattr(system, "loads", lambda library: True)
    monkeypatch.setattr(system, "has_fonts", lambda: True)
    told = system.screen_problem(environment)
    assert told.startswith(problem) if problem else told == ""


def test_libraries_of_x11_are_asked_for_on_x11_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system.sys, "platform", "linux")
    monkeypatch.setattr(system, "loads", lambda library: library != "libxcb-cursor.so.0")
    monkeypatch.setattr(system, "has_fonts", lambda: True)
    assert "libxcb-cursor0" in system.screen_problem({"DISPLAY": ":1"})
    assert system.screen_problem({"WAYLAND_DISPLAY": "wayland-0"}) == ""
    assert system.screen_problem({"DISPLAY": ":1", "QT_QPA_PLATFORM": "offscreen"}) == ""
