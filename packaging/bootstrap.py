"""Makes a fresh machine ready: virtual environment, packages, the system libraries that Qt needs.

    python3 packaging/bootstrap.py [--dev] [--window] [--venv .venv] [-- COMMAND ...]

Standard library only; any Python 3.8 or newer can start it and hands over to a newer one where it finds it.
With a COMMAND it runs that inside the environment afterwards, under a virtual screen when --window is given and
there is no screen. As root on Debian or Ubuntu it installs missing system packages; else it names the exact line.
Exit code 3: something is missing here, and the words say what. Else the command's own.
"""

import argparse
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MINIMUM = (3, 11)
NEWER = ("python3.13", "python3.12", "python3.11", "python3.14", "python3")
# No environment below a path with one of these: venv refuses the separator, Qt loses the others from its own path.
AWKWARD = set('":;\\\n\r')
STAMP = "posthog-code.stamp"
# Tests that need these are skipped without them.
TEST_TOOLS = {"bwrap": ["bubblewrap"], "xvfb-run": ["xvfb", "xauth"]}


def main():
    parser = argparse.ArgumentParser(description="Set up PostHog Code.")
    parser.add_argument("--dev", action="store_true", help="also what the tests and checks need")
    parser.add_argument("--window", action="store_true", help="also what a window on a screen needs")
    parser.add_argument("--venv", default=os.environ.get("VENV", ""))
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if sys.version_info < MINIMUM:
        hand_over()
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    no_screen = options.window and sys.platform.startswith("linux") and not has_screen()
    check_system(options.window, no_screen, options.dev)
    venv = Path(options.venv).expanduser().absolute() if options.venv else default_venv()
    with only_one(venv):
        install(venv, options.dev)
    if command:
        run_inside(venv, command, no_screen)


def hand_over():
    """Go on under a newer Python from PATH; ends here when there is none."""
    for name in NEWER:
        program = shutil.which(name)
        probe = "import sys; sys.exit(sys.version_info < (%d, %d))" % MINIMUM
        if program and subprocess.run([program, "-c", probe], check=False).returncode == 0:
            os.execv(program, [program, str(Path(__file__).resolve()), *sys.argv[1:]])
    stop(
        "PostHog Code needs Python %d.%d or newer; this is %s." % (*MINIMUM, sys.version.split()[0]),
        "Install a newer one beside it (Debian, Ubuntu: sudo apt-get install python3.12 python3.12-venv)\n"
        "and run the same command again; one that is not on PATH is named so: make PYTHON=/opt/python/bin/python3 demo",
    )


def has_screen():
    offscreen = os.environ.get("QT_QPA_PLATFORM", "").startswith(("offscreen", "minimal", "vnc"))
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or offscreen)


def check_system(window, no_screen, dev):
    """Everything outside the virtual environment is there afterwards, or the program ends with the line to type."""
    system = system_facts()
    needed = missing_packages(system, window, no_screen)
    useful = missing_tools() if dev else []
    may_install = shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0
    if may_install and (needed or useful):
        say("Installing system packages: " + " ".join(needed + useful))
        apt_get("update", "-qq")
        if needed:
            apt_get("install", *needed)
            needed = missing_packages(system, window, no_screen)
        if useful:
            apt_get("install", *useful)
            useful = missing_tools()
    if needed:
        stop(
            "Some system packages are missing: %s." % " ".join(needed),
            "Install them with\n\n    %s\n\nand run the same command again." % system.install_line(needed),
        )
    if useful:
        say("Some tests will be skipped; all run after: " + system.install_line(useful))


def apt_get(*words):
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    quiet = ["-y", "-qq", "--no-install-recommends", "-o", "Dpkg::Use-Pty=0"] if words[0] == "install" else []
    with subprocess.Popen(
        ["apt-get", words[0], *quiet, *words[1:]],
        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        told = process.communicate()[0].decode("utf-8", "replace")
    if process.returncode:
        sys.stderr.write(told)


def system_facts():
    """posthog_code.app.system: the one list of libraries, read without installing anything."""
    sys.path.insert(0, str(ROOT))
    sys.dont_write_bytecode = True
    try:
        from posthog_code.app import system
    finally:
        sys.path.pop(0)
    return system


def missing_packages(system, window, no_screen):
    missing = []
    if not shutil.which("git"):
        missing.append("git")
    if not (has_module("ensurepip") and has_module("venv")):
        # Debian leaves both out of python3 and has a package for each version.
        missing.append("python%d.%d-venv" % sys.version_info[:2] if sys.platform == "linux" else "python3-venv")
    missing += system.missing_libraries(window=window)
    if not system.has_fonts():
        missing.append(system.FONT_PACKAGE)
    if no_screen:
        missing += missing_tools("xvfb-run")
    return missing


def missing_tools(*names):
    if not sys.platform.startswith("linux"):
        return []
    return [package for name in names or TEST_TOOLS if not shutil.which(name) for package in TEST_TOOLS[name]]


def has_module(name):
    # In another process: one that was missing is looked for again after its package was installed.
    return (
        subprocess.run([sys.executable, "-c", "import " + name], stderr=subprocess.DEVNULL, check=False).returncode == 0
    )


def writable():
    return os.access(str(ROOT), os.W_OK)


def default_venv():
    """In the checkout, or in the person's cache folder when the checkout cannot be written or has an awkward path."""
    if writable() and not AWKWARD & set(str(ROOT)):
        return ROOT / ".venv"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "posthog-code" / ("venv-" + hashlib.sha256(str(ROOT).encode()).hexdigest()[:12])


@contextlib.contextmanager
def only_one(venv):
    """`make demo` and `make test` may be started side by side: the second waits for the first one's set-up."""
    if os.name == "nt":
        yield
        return
    import fcntl

    try:
        venv.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(str(venv) + ".lock", os.O_CREAT | os.O_RDWR, 0o644)
    except OSError as error:
        stop("%s cannot be written: %s." % (venv.parent, error.strerror), "Name another place: VENV=/folder make demo")
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("Another set-up is at work on %s; waiting for it." % venv)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def install(venv, dev):
    """Create or refresh the environment; nothing happens when it is made of what is here now."""
    python = inside(venv, "python")
    place, contents = fingerprints()
    stamp = venv / STAMP
    have = stamp.read_text().split() if stamp.exists() else []
    sound = place in have and works(python)
    if sound and contents in have and (not dev or "dev" in have):
        return
    if not sound:
        make_venv(venv)
    dev = dev or (sound and "dev" in have)
    say("Installing packages into %s (a few minutes the first time)" % venv)
    with source() as (folder, editable):
        target = ".[dev]" if dev else "."
        run(
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
            + (["-e", target] if editable else [target]),
            folder,
            "The packages could not be installed; pip's words are above.",
            "Without a network, or with a mirror of your own, pip's settings decide where packages come from:\n"
            "https://pip.pypa.io/en/stable/topics/configuration/. Then run the same command again.",
        )
    stamp.write_text("\n".join([place, contents] + (["dev"] if dev else [])) + "\n")


def fingerprints():
    """Two: of what an environment stands on (interpreter, place), and of what is installed in it."""
    place = [sys.version, sys.base_prefix, str(ROOT)]
    contents = [(ROOT / "pyproject.toml").read_text(encoding="utf-8")]
    if not writable():
        files = (f for name in ("posthog_code", "resources") for f in sorted((ROOT / name).rglob("*")) if f.is_file())
        contents += ["%s %d %d" % (f, f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    return tuple(hashlib.sha256("\0".join(p).encode("utf-8", "surrogateescape")).hexdigest() for p in (place, contents))


@contextlib.contextmanager
def source():
    """Where pip builds from: the checkout, or a copy of one that cannot be written (a build leaves files in it)."""
    if writable():
        yield ROOT, True
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "checkout"
        copy.mkdir()
        for name in ("pyproject.toml", "README.md", "setup.py", "posthog_code", "resources"):
            place = ROOT / name
            if place.is_dir():
                shutil.copytree(str(place), str(copy / name), ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
            elif place.exists():
                shutil.copy(str(place), str(copy))
        subprocess.run(["chmod", "-R", "u+w", str(copy)], check=False)
        yield copy, False


def make_venv(venv):
    if venv.exists() and not (venv / "pyvenv.cfg").exists() and any(venv.iterdir()):
        stop("%s is there and is no virtual environment." % venv, "Name another place: VENV=/folder make demo")
    say("Creating " + str(venv))
    run(
        [sys.executable, "-m", "venv", "--clear", str(venv)],
        ROOT,
        "The virtual environment could not be made.",
        "Is there space on the disk, and may you write there? Another place is named so: VENV=/folder make demo",
    )


def works(python):
    """An interrupted set-up leaves a venv without pip; an upgrade of the system one without an interpreter."""
    if not python.exists():
        return False
    probe = [str(python), "-c", "import pip"]
    return subprocess.run(probe, stderr=subprocess.DEVNULL, check=False).returncode == 0


def run_inside(venv, command, no_screen):
    program = inside(venv, command[0])
    words = [str(program if program.exists() else command[0]), *command[1:]]
    if no_screen:
        say("There is no screen: the window opens on a virtual one (xvfb).")
        words = ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24", *words]
    os.environ["PATH"] = str(inside(venv, "python").parent) + os.pathsep + os.environ.get("PATH", os.defpath)
    sys.stdout.flush()
    try:
        os.execvp(words[0], words)
    except OSError as error:
        stop("%s cannot be run: %s" % (words[0], error), "Remove %s and try again." % venv)


def inside(venv, name):
    return venv / ("Scripts" if os.name == "nt" else "bin") / name


def run(words, folder, failure, hint):
    # Someone's pip settings for their own environments would send the packages elsewhere.
    environment = {
        k: v for k, v in os.environ.items() if k not in ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PYTHONHOME")
    }
    environment["PIP_USER"] = "0"
    if subprocess.run(words, cwd=str(folder), env=environment, stdin=subprocess.DEVNULL, check=False).returncode:
        stop(failure, hint)


def say(words):
    print("-- " + words, flush=True)


def stop(what, hint):
    sys.stderr.write("\n%s\n%s\n" % (what, hint))
    sys.exit(3)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
