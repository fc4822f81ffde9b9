"""Builds the program for machines without Python, and tries the result before it calls it done.

    python packaging/build.py [--out dist]

Makes OUT/posthog-code/ (PyInstaller, one folder), its desktop file and icon, and runs the smoke test on it.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(description="Build PostHog Code with PyInstaller.")
    parser.add_argument("--out", default=str(ROOT / "dist"))
    options = parser.parse_args()
    out = Path(options.out).absolute()
    if importlib.util.find_spec("PyInstaller") is None:
        run([sys.executable, "-m", "pip", "install", "--quiet", "pyinstaller>=6.11"])
    build(out)
    app = out / "posthog-code"
    shutil.copy(ROOT / "packaging" / "posthog-code.desktop", app)
    shutil.copy(ROOT / "resources" / "icon" / "posthog-code.svg", app)
    return smoke_test(app / ("posthog-code.exe" if os.name == "nt" else "posthog-code"))


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
                "--exclude-module", "tkinter",
                str(ROOT / "posthog_code" / "__main__.py"),
            ]
        )  # fmt: skip


def smoke_test(program: Path) -> int:
    """The build answers, makes the demo world with its own agent and GitHub, and paints the window."""
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ, POSTHOG_CODE_HOME=folder, QT_QPA_PLATFORM="offscreen")
        environment.pop("PYTHONPATH", None)
        pictures = Path(folder) / "pictures"
        for words in (
            ["--version"],
            ["tasks", "--json"],
            ["shots", "--out", str(pictures), "--only", "task-changes", "--theme", "dark"],
        ):
            done = subprocess.run([str(program), *words], env=environment, capture_output=True, timeout=180, check=False)
            if done.returncode:
                sys.stderr.write(f"{words[0]} failed ({done.returncode}):\n{done.stderr.decode()}\n")
                return 1
        picture = pictures / "task-changes-dark.png"
        if not picture.exists() or picture.stat().st_size < 20_000:
            sys.stderr.write("The window painted nothing.\n")
            return 1
    size = sum(f.stat().st_size for f in program.parent.rglob("*") if f.is_file())
    print(f"-- {program.parent}: {size / 1e6:.0f} MB, smoke test passed")
    return 0


def run(words: list[str]) -> None:
    subprocess.run(words, cwd=ROOT, check=True)


if __name__ == "__main__":
    sys.exit(main())
