"""What Qt needs of the operating system, and the line that installs it.

Standard library only and nothing of ours: `packaging/bootstrap.py` reads this before any package is installed.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

# Shared library to Debian package. Without the first group even an offscreen Qt does not load.
BASE_LIBRARIES = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
}
X11_LIBRARIES = {
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
}
FONT_PACKAGE = "fonts-dejavu-core"
_ELSEWHERE = {
    "dnf": "sudo dnf install git mesa-libGL mesa-libEGL libxkbcommon libxkbcommon-x11 glib2 dbus-libs fontconfig "
    "libX11-xcb libxcb xcb-util-cursor xcb-util-wm xcb-util-image xcb-util-keysyms xcb-util-renderutil "
    "dejavu-sans-fonts xorg-x11-server-Xvfb",
    "zypper": "sudo zypper install git Mesa-libGL1 Mesa-libEGL1 libxkbcommon0 libxkbcommon-x11-0 libglib-2_0-0 "
    "libdbus-1-3 fontconfig libX11-xcb1 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 "
    "libxcb-render-util0 dejavu-fonts xorg-x11-server-Xvfb",
    "pacman": "sudo pacman -S --needed git libglvnd libxkbcommon libxkbcommon-x11 glib2 dbus fontconfig libxcb "
    "xcb-util-cursor xcb-util-wm xcb-util-image xcb-util-keysyms xcb-util-renderutil ttf-dejavu xorg-server-xvfb",
}
"""Everything at once for systems whose packages are named otherwise."""

Which = Callable[[str], "str | None"]


def loads(library: str) -> bool:
    """Whether the dynamic loader finds a shared library."""
    # Imported here: a start of the window asks only when Qt has given up.
    import ctypes

    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def missing_libraries(*, window: bool) -> list[str]:
    """Debian packages of the shared libraries that Qt needs and that are not here; for an X11 window more than without.

    Always empty on other systems than Linux, where Qt brings what it needs.
    """
    if not sys.platform.startswith("linux"):
        return []
    wanted = BASE_LIBRARIES | (X11_LIBRARIES if window else {})
    return [package for library, package in wanted.items() if not loads(library)]


def has_fonts() -> bool:
    """Whether any font is installed; without one a window shows no text at all."""
    if not sys.platform.startswith("linux"):
        return True
    home = Path.home()
    folders = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), home / ".fonts", home / ".local/share/fonts")
    return any(next(folder.rglob("*.[to]t[fc]"), None) for folder in folders if folder.is_dir())


def install_line(packages: Sequence[str], which: Which = shutil.which) -> str:
    """The line a person types to install Debian packages, or what they are called on this system."""
    if not which("apt-get"):
        for tool, line in _ELSEWHERE.items():
            if which(tool):
                return line
    return f"sudo apt-get update && sudo apt-get install -y {' '.join(packages)}"


def screen_problem(environment: Mapping[str, str] = os.environ, *, libraries: bool = True) -> str:
    """Why no window can open here, with the way on; "" when one can.

    Loading the libraries that Qt will load takes time: without `libraries` that is left out.
    """
    if not sys.platform.startswith("linux"):
        return ""
    platform = environment.get("QT_QPA_PLATFORM", "")
    headless = platform.startswith(("offscreen", "minimal", "vnc", "linuxfb", "eglfs"))
    x11 = platform.startswith("xcb") or not (platform or environment.get("WAYLAND_DISPLAY"))
    missing = missing_libraries(window=x11 and not headless) if libraries else []
    if not has_fonts():
        missing.append(FONT_PACKAGE)
    if missing:
        return (
            "Qt needs system packages that are not installed. This installs them:\n\n"
            f"    {install_line(missing)}\n\n"
            "posthog-code doctor looks at the whole machine. The commands work without them.\n"
        )
    if headless or environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"):
        return ""
    return (
        "There is no screen: neither DISPLAY nor WAYLAND_DISPLAY is set.\n"
        "Over ssh, connect with ssh -X, or work without a window: posthog-code run, tasks, show, diff, prompt.\n"
    )
