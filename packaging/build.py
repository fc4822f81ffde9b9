"""Builds the program for machines without Python, and tries the result before it calls it done.

    python packaging/build.py [--out dist]

Makes OUT/posthog-code/ (PyInstaller, one folder) with its desktop file and icons in share/, and runs the smoke test.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ICON_SIZES = (16, 24, 32, 48, 64, 128, 256, 512)
# Imported by name, when the first file of a language is read.
GRAMMARS = (
    "tree_sitter_javascript",
    "tree_sitter_typescript",
    "tree_sitter_python",
    "tree_sitter_go",
    "tree_sitter_ruby",
)
# What some dependency mentions and nobody needs at run time.
LEFT_OUT = (
    "tkinter",
    "mypy",
    "hypothesis",
    "pytest",
    "_pytest",
    "setuptools",
    "pip",
    "IPython",
    "numpy",
    "PIL",
    "qtpy",
)


def main() -> int:
    parser = argparse.ArgumentParser(description="Build PostHog Code with PyInstaller.")
    parser.add_argument("--out", default=str(ROOT / "dist"))
    options = parser.parse_args()
    out = Path(options.out).absolute()
    if importlib.util.find_spec("PyInstaller") is None:
        run([sys.executable, "-m", "pip", "install", "--quiet", "pyinstaller>=6.11"])
    build(out)
    app = out / "posthog-code"
    share(app / "share")
    faults = smoke_test(app / ("posthog-code.exe" if os.name == "nt" else "posthog-code"))
    for fault in faults:
        sys.stderr.write(fault + "\n")
    size = sum(f.stat().st_size for f in app.rglob("*") if f.is_file() and not f.is_symlink())
    print(f"-- {app}: {size / 1e6:.0f} MB, smoke test {'failed' if faults else 'passed'}")
    return 1 if faults else 0


def build(out: Path) -> None:
    qtawesome = Path(importlib.util.find_spec("qtawesome").origin).parent / "fonts"  # type: ignore[union-attr, arg-type]
    separator = ";" if os.name == "nt" else ":"
    with tempfile.TemporaryDirectory() as work:
        run(
            [
                sys.executable, "-m", "PyInstaller", "--noconfirm", "--clean", "--log-level", "ERROR",
                "--name", "posthog-code", "--distpath", str(out), "--workpath", work, "--specpath", work,
                "--add-data", f"{ROOT / 'resources'}{separator}resources",
                "--add-data", f"{qtawesome}{separator}qtawesome/fonts",
                "--collect-submodules", "posthog_code",
                "--collect-submodules", "keyring.backends",
                "--collect-submodules", "pygments.lexers",
                "--hidden-import", "qtawesome",
                *(word for name in GRAMMARS for word in ("--hidden-import", name)),
                *(word for name in LEFT_OUT for word in ("--exclude-module", name)),
                str(ROOT / "posthog_code" / "__main__.py"),
            ]
        )  # fmt: skip


def share(folder: Path) -> None:
    """What a desktop looks for, laid out as below /usr/share: copy it there or to ~/.local/share."""
    applications = folder / "applications"
    applications.mkdir(parents=True)
    entry = Path(shutil.copy(ROOT / "packaging" / "posthog-code.desktop", applications))
    if shutil.which("desktop-file-validate"):
        run(["desktop-file-validate", str(entry)])
    drawing = ROOT / "resources" / "icon" / "posthog-code.svg"
    icons = folder / "icons" / "hicolor"
    scalable = icons / "scalable" / "apps"
    scalable.mkdir(parents=True)
    shutil.copy(drawing, scalable)
    draw_icons(drawing, icons)


def draw_icons(drawing: Path, icons: Path) -> None:
    """The drawing as PNG in the sizes that desktops ask for, by Qt's own renderer."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtCore import Qt
    from PySide6.QtGui import QGuiApplication, QImage, QPainter
    from PySide6.QtSvg import QSvgRenderer

    _app = QGuiApplication.instance() or QGuiApplication([])
    renderer = QSvgRenderer(str(drawing))
    if not renderer.isValid():
        raise SystemExit(f"{drawing} is no drawing that Qt reads.")
    for size in ICON_SIZES:
        image = QImage(size, size, QImage.Format.Format_ARGB32)
        image.fill(Qt.GlobalColor.transparent)
        with QPainter(image) as painter:
            renderer.render(painter)
        place = icons / f"{size}x{size}" / "apps"
        place.mkdir(parents=True, exist_ok=True)
        if not image.save(str(place / "posthog-code.png")):
            raise SystemExit(f"{place} cannot be written.")


def smoke_test(program: Path) -> list[str]:
    """The build answers, runs its own agent, makes the demo world with its GitHub, and paints the window.

    On a machine that is not this one: no Python, an own home, and a person's LD_LIBRARY_PATH that git and agents must
    get back unchanged. Gives what went wrong.
    """
    faults: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = bare_environment(folder)

        def attempt(*words: str, code: int = 0) -> str:
            done = subprocess.run(
                [str(program), *words], cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                timeout=180, check=False,
            )  # fmt: skip
            if done.returncode != code:
                faults.append(f"{' '.join(words)}: exit code {done.returncode}\n{done.stderr.decode()[-2000:]}")
            return done.stdout.decode()

        attempt("--version")
        attempt("warden")
        attempt("tasks", "--json")
        attempt("run", "--repo", "repository", "--agent", "demo", "--permissions", "allow", "--json", "Say hello")
        tasks = json.loads(attempt("tasks", "--json") or "[]")
        if len(tasks) != 1:
            faults.append(f"one task was made, and {len(tasks)} are listed")
        attempt("shots", "--out", "pictures", "--only", "task-changes", "--theme", "dark")
        picture = folder / "pictures" / "task-changes-dark.png"
        if not picture.exists() or picture.stat().st_size < 20_000:
            faults.append("the window painted nothing")
        if os.name == "posix":
            told = set((folder / "told").read_text().split("\n")) - {""}
            if told != {"/their/own"}:
                faults.append(f"git was started with LD_LIBRARY_PATH {told}")
    return faults


def bare_environment(folder: Path) -> dict[str, str]:
    """A home with a repository, and a git first on PATH that tells what it was started with."""
    repository = folder / "repository"
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    run(["git", "init", "--quiet", "-b", "main", str(repository)])
    run(["git", "-C", str(repository), *identity, "commit", "--quiet", "--allow-empty", "-m", "Begin"])
    keep = {k: v for k, v in os.environ.items() if k in ("PATH", "SystemRoot", "TEMP", "TMP", "LANG")}
    environment = keep | {
        "HOME": str(folder),
        "USERPROFILE": str(folder),
        "POSTHOG_CODE_HOME": str(folder / "home"),
        "QT_QPA_PLATFORM": "offscreen",
        "LD_LIBRARY_PATH": "/their/own",
    }
    if os.name == "posix":
        real = shutil.which("git") or "git"
        wrapper = folder / "bin" / "git"
        wrapper.parent.mkdir()
        wrapper.write_text(f'#!/bin/sh\necho "$LD_LIBRARY_PATH" >> "{folder / "told"}"\nexec "{real}" "$@"\n')
        wrapper.chmod(0o755)
        environment["PATH"] = f"{wrapper.parent}{os.pathsep}{environment.get('PATH', os.defpath)}"
    return environment


def run(words: list[str]) -> None:
    subprocess.run(words, cwd=ROOT, check=True)


if __name__ == "__main__":
    sys.exit(main())
