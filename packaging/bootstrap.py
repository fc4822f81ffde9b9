"""Makes a fresh machine ready: virtual environment, packages, the system libraries that Qt needs.

    python3 packaging/bootstrap.py [--dev] [--window] [--venv .venv] [-- COMMAND ...]

Standard library only, any Python 3.8 or newer can run it (it says so when the version is too old for the program).
With a COMMAND it runs that inside the environment afterwards, under a virtual screen when --window is given and
there is no screen. As root on Debian or Ubuntu it installs missing system packages; else it names the exact line.
"""

import argparse
import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MINIMUM = (3, 11)

# Shared library to Debian package. Without the first group even an offscreen Qt does not load.
BASE_LIBRARIES = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
}
WINDOW_LIBRARIES = {
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-shape.so.0": "libxcb-shape0",
}
# What Fedora and Arch call the same, for the line that is shown there.
OTHER_SYSTEMS = {
    "dnf": "sudo dnf install git mesa-libGL mesa-libEGL libxkbcommon libxkbcommon-x11 glib2 dbus-libs fontconfig "
    "xcb-util-cursor xcb-util-wm xcb-util-image xcb-util-keysyms xcb-util-renderutil dejavu-sans-fonts",
    "pacman": "sudo pacman -S git libglvnd libxkbcommon libxkbcommon-x11 glib2 dbus fontconfig xcb-util-cursor "
    "xcb-util-wm xcb-util-image xcb-util-keysyms xcb-util-renderutil ttf-dejavu",
}


def main():
    parser = argparse.ArgumentParser(description="Set up PostHog Code.")
    parser.add_argument("--dev", action="store_true", help="also what the tests and checks need")
    parser.add_argument("--window", action="store_true", help="also what a window on a screen needs")
    parser.add_argument("--venv", default=os.environ.get("VENV", str(ROOT / ".venv")))
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if sys.version_info < MINIMUM:
        stop(
            "PostHog Code needs Python %d.%d or newer; this is %s." % (*MINIMUM, sys.version.split()[0]),
            "Run it with another one, for example: make PYTHON=python3.12 demo",
        )
    command = [word for word in options.command if word != "--"]
    no_screen = options.window and sys.platform.startswith("linux") and not has_screen()
    check_system(window=options.window, no_screen=no_screen)
    venv = Path(options.venv)
    install(venv, options.dev)
    if command:
        run_inside(venv, command, no_screen)


def has_screen():
    offscreen = os.environ.get("QT_QPA_PLATFORM", "").startswith(("offscreen", "minimal", "vnc"))
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or offscreen)


def check_system(window, no_screen):
    missing = missing_packages(window, no_screen)
    if not missing:
        return
    line = "apt-get install -y --no-install-recommends " + " ".join(missing)
    may_install = shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0
    if may_install:
        say("Installing system packages: " + " ".join(missing))
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        subprocess.run(["apt-get", "update", "-qq"], env=environment, check=False)
        done = subprocess.run(line.split(), env=environment, check=False)
        missing = missing_packages(window, no_screen) if done.returncode == 0 else missing
        if not missing:
            return
    for tool, words in OTHER_SYSTEMS.items():
        if shutil.which(tool) and not shutil.which("apt-get"):
            line = words
    if line.startswith("apt-get"):
        line = "sudo " + line
    stop("Some system packages are missing: " + " ".join(missing) + ".", "Install them with:\n\n    " + line + "\n")


def missing_packages(window, no_screen):
    missing = []
    if not shutil.which("git"):
        missing.append("git")
    if not has_module("ensurepip") or not has_module("venv"):
        missing.append("python3-venv")
    if sys.platform.startswith("linux"):
        wanted = dict(BASE_LIBRARIES)
        if window:
            wanted.update(WINDOW_LIBRARIES)
        missing += [package for library, package in wanted.items() if not loads(library)]
        if not has_fonts():
            missing.append("fonts-dejavu-core")
        if no_screen and not shutil.which("xvfb-run"):
            missing += ["xvfb", "xauth"]
    return missing


def has_module(name):
    try:
        __import__(name)
    except ImportError:
        return False
    return True


def loads(library):
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def has_fonts():
    folders = [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".fonts"]
    folders.append(Path.home() / ".local" / "share" / "fonts")
    return any(next(folder.rglob("*.[to]t[fc]"), None) for folder in folders if folder.is_dir())


def install(venv, dev):
    """Create or refresh the environment; nothing happens when pyproject.toml is as it was."""
    python = inside(venv, "python")
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest() + ("+dev" if dev else "")
    stamp = venv / "posthog-code.stamp"
    have = stamp.read_text() if stamp.exists() else ""
    if have in (wanted, wanted + "+dev") and python.exists():
        return
    if not python.exists():
        say("Creating " + str(venv))
        run([sys.executable, "-m", "venv", str(venv)], "The virtual environment could not be made.")
    say("Installing packages (a few minutes the first time)")
    target = str(ROOT) + ("[dev]" if dev else "")
    run(
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-e", target],
        "The packages could not be installed; pip's words are above.",
    )
    stamp.write_text(wanted)


def run_inside(venv, command, no_screen):
    program = inside(venv, command[0])
    words = [str(program if program.exists() else command[0]), *command[1:]]
    if no_screen:
        say("There is no screen: the window opens on a virtual one (xvfb).")
        words = ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24", *words]
    os.environ["PATH"] = str(inside(venv, "").parent / inside(venv, "").name) + os.pathsep + os.environ["PATH"]
    try:
        os.execvp(words[0], words)
    except OSError as error:
        stop("%s cannot be run: %s" % (words[0], error), "Remove %s and try again." % venv)


def inside(venv, name):
    folder = venv / ("Scripts" if os.name == "nt" else "bin")
    return folder / name if name else folder


def run(words, failure):
    if subprocess.run(words, cwd=ROOT, check=False).returncode:
        stop(failure, "Mend that and run the same command again.")


def say(words):
    print("-- " + words, flush=True)


def stop(what, hint):
    sys.stderr.write("\n%s\n%s\n" % (what, hint))
    sys.exit(3)


if __name__ == "__main__":
    main()
