"""Phosphor icons, drawn from the font that QtAwesome installs.

The font and its table of names are read in place; QtAwesome itself is not imported, since that costs start-up time
and loads every font it has.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGlyphRun, QIcon, QIconEngine, QPainter, QPixmap, QRawFont

from posthog_code.ui.theme.apply import theme

MAX_CACHED = 600
_pixmaps: dict[tuple[object, ...], QPixmap] = {}


class UnknownIcon(LookupError):
    """The icon's name is not in the installed Phosphor font."""


@cache
def _fonts_dir() -> Path:
    spec = importlib.util.find_spec("qtawesome")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("QtAwesome is not installed, so there is no icon font.")
    return Path(next(iter(spec.submodule_search_locations))) / "fonts"


@cache
def _codes() -> Mapping[str, str]:
    """Hexadecimal code points by name."""
    path = sorted(_fonts_dir().glob("phosphor-charmap-*.json"))[-1]
    codes: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return codes


@cache
def _family() -> str:
    path = sorted(_fonts_dir().glob("phosphor-*.ttf"))[-1]
    number = QFontDatabase.addApplicationFont(str(path))
    families = QFontDatabase.applicationFontFamilies(number)
    if not families:
        raise FileNotFoundError(f"Qt could not load the icon font {path}.")
    return families[0]


@cache
def _raw_font(pixels: int) -> QRawFont:
    font = QFont(_family())
    font.setPixelSize(pixels)
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    return QRawFont.fromFont(font)


def character(name: str) -> str:
    """The character of an icon in the Phosphor font. Raises UnknownIcon."""
    try:
        return chr(int(_codes()[name.removeprefix("ph.")], 16))
    except KeyError:
        raise UnknownIcon(name) from None


def resolve(token: str | QColor) -> QColor:
    return token if isinstance(token, QColor) else theme().color(token)


def paint_icon(painter: QPainter, rect: QRectF, name: str, token: str | QColor) -> None:
    """Draw an icon in the middle of `rect`, as large as its shorter side."""
    size = min(rect.width(), rect.height())
    raw = _raw_font(max(1, round(size)))
    run = QGlyphRun()
    run.setRawFont(raw)
    glyphs = raw.glyphIndexesForString(character(name))
    run.setGlyphIndexes(glyphs)
    run.setPositions([QPointF(0, 0)])
    advance = raw.advancesForGlyphIndexes(glyphs)[0].x()
    height = raw.ascent() + raw.descent()
    x = rect.center().x() - advance / 2
    y = rect.center().y() - height / 2 + raw.ascent()
    painter.setPen(resolve(token))
    painter.drawGlyphRun(QPointF(x, y), run)


def pixmap(name: str, token: str | QColor, size: int, dpr: float = 1.0) -> QPixmap:
    """An icon as a pixmap of `size` logical pixels; cached by name, colour, size and device pixel ratio."""
    color = resolve(token)
    key = (name, color.rgba(), size, dpr)
    found = _pixmaps.get(key)
    if found is None:
        if len(_pixmaps) >= MAX_CACHED:
            _pixmaps.clear()
        found = QPixmap(round(size * dpr), round(size * dpr))
        found.setDevicePixelRatio(dpr)
        found.fill(Qt.GlobalColor.transparent)
        with QPainter(found) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            paint_icon(painter, QRectF(0, 0, size, size), name, color)
        _pixmaps[key] = found
    return found


def icon(name: str, token: str = "text.secondary", size: int = 16) -> QIcon:
    """A QIcon that takes its colour from the theme each time it is drawn."""
    character(name)
    return QIcon(_Engine(name, token, size))


class _Engine(QIconEngine):
    def __init__(self, name: str, token: str, size: int) -> None:
        super().__init__()
        self._name, self._token, self._size = name, token, size

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        token = "text.disabled" if mode == QIcon.Mode.Disabled else self._token
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_icon(painter, QRectF(rect), self._name, token)
        painter.restore()

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        token = "text.disabled" if mode == QIcon.Mode.Disabled else self._token
        return pixmap(self._name, token, min(size.width(), size.height()))

    def scaledPixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State, scale: float) -> QPixmap:
        token = "text.disabled" if mode == QIcon.Mode.Disabled else self._token
        logical = max(1, round(min(size.width(), size.height()) / scale))
        return pixmap(self._name, token, logical, scale)

    def actualSize(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QSize:
        return size

    def clone(self) -> QIconEngine:
        return _Engine(self._name, self._token, self._size)
