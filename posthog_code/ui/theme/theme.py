"""One look: a name, a text size and the tokens resolved to Qt's colours and fonts."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

from PySide6.QtGui import QColor, QFont, QFontDatabase, QFontMetricsF, QRawFont

from posthog_code.ui.theme.tokens import flatten, tokens

DESIGN_TEXT_SIZE = 13
MIN_TEXT_SIZE, MAX_TEXT_SIZE = 12, 18

_SCALED = ("type.", "row.", "icon.", "control.", "layout.taskHeader", "layout.panel", "layout.reviewBar")
"""Tokens that follow the text size; spaces, radii and columns stay."""
_UNSCALED = ("control.scrollbar", "control.splitter", "layout.panel.")

_HIGH_CONTRAST = {
    "border.subtle": "border.control",
    "text.muted": "text.secondary",
    "status.runningSoft": "surface.raised",
    "status.waitingSoft": "surface.raised",
    "status.questionSoft": "surface.raised",
    "status.successSoft": "surface.raised",
    "status.failedSoft": "surface.raised",
    "status.mergedSoft": "surface.raised",
    "status.draftSoft": "surface.raised",
    "status.cloudSoft": "surface.raised",
}


def parse_color(text: str) -> QColor:
    """`#RRGGBB` or `#RRGGBBAA`; Qt itself would read eight digits as `#AARRGGBB`."""
    digits = text.removeprefix("#")
    parts = [int(digits[at : at + 2], 16) for at in range(0, len(digits), 2)]
    return QColor(*parts)


@cache
def _is_thickened(family: str) -> bool:
    """Qt's FreeType engine darkens the stems of fonts with PostScript outlines, made for blending it does not do."""
    if not sys.platform.startswith("linux"):
        return False
    return not QRawFont.fromFont(QFont(family)).fontTable("CFF ").isEmpty()


@cache
def _installed() -> frozenset[str]:
    """The names of all families. To ask Qt for one by one takes as long for each."""
    return frozenset(name.casefold() for name in QFontDatabase.families())


class Theme:
    """Colours, sizes and fonts of one look. Immutable; a change of look makes a new one."""

    def __init__(
        self,
        name: str = "dark",
        *,
        text_size: int = DESIGN_TEXT_SIZE,
        color_blind: bool = False,
        high_contrast: bool = False,
        reduced_motion: bool = False,
    ) -> None:
        tree = tokens()
        self.name = name if name in tree["color"] else "dark"
        self.dark = self.name == "dark"
        self.text_size = max(MIN_TEXT_SIZE, min(MAX_TEXT_SIZE, text_size))
        self.scale = self.text_size / DESIGN_TEXT_SIZE
        self.color_blind = color_blind
        self.high_contrast = high_contrast
        self.reduced_motion = reduced_motion
        self._hex: dict[str, str] = flatten(tree["color"][self.name])
        if color_blind:
            self._hex.update(flatten(tree["colorBlind"][self.name], "diff."))
        if high_contrast:
            self._hex.update({weak: self._hex[strong] for weak, strong in _HIGH_CONTRAST.items()})
        self._values = flatten({key: value for key, value in tree.items() if key not in ("color", "colorBlind")})
        self._colors: dict[str, QColor] = {}
        self._fonts: dict[tuple[str, bool], QFont] = {}
        self._metrics: dict[str, QFontMetricsF] = {}
        self._families: dict[str, list[str]] = {}

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for themes that draw the same."""
        return (self.name, self.text_size, self.color_blind, self.high_contrast)

    def color(self, path: str) -> QColor:
        """The colour of a token, e.g. `"surface.window"`. Raises KeyError for an unknown one. Treat it as read-only."""
        color = self._colors.get(path)
        if color is None:
            color = self._colors[path] = parse_color(self._hex[path])
        return color

    def alpha(self, path: str, opacity: float) -> QColor:
        """The colour of a token with another opacity, 0.0 to 1.0."""
        color = QColor(self.color(path))
        color.setAlphaF(opacity)
        return color

    def blend(self, above: str, below: str) -> QColor:
        """What a translucent token looks like on an opaque one."""
        top, base = self.color(above), self.color(below)
        share = top.alphaF()

        def mix(over: int, under: int) -> int:
            return round(over * share + under * (1 - share))

        return QColor(mix(top.red(), base.red()), mix(top.green(), base.green()), mix(top.blue(), base.blue()))

    def css(self, path: str) -> str:
        """The colour of a token as a style sheet or rich text wants it."""
        color = self.color(path)
        if color.alpha() == 255:
            return color.name()
        return f"rgba({color.red()}, {color.green()}, {color.blue()}, {color.alpha()})"

    def value(self, path: str) -> Any:
        """A token outside the colours as it stands in the file, unscaled."""
        return self._values[path]

    def size(self, path: str) -> int:
        """A length in logical pixels, e.g. `"row.task"`; heights of rows and controls follow the text size."""
        value: float = self._values[path]
        if self.scale != 1.0 and path.startswith(_SCALED) and not path.startswith(_UNSCALED):
            return round(value * self.scale)
        return round(value)

    def px(self, design: float) -> int:
        """A length of the design (at text size 13) at the current text size."""
        return round(design * self.scale)

    def line(self, name: str) -> int:
        """Line height of a type style in pixels."""
        return self.size(f"type.{name}.line")

    def font(self, name: str, *, tabular: bool = False) -> QFont:
        """The font of a type style: body, bodyStrong, heading, title, display, reading, small, caption, code, ...

        `tabular` gives figures of equal width, for numbers that change or line up. Copy it before changing it.
        """
        found = self._fonts.get((name, tabular))
        if found is None:
            found = self._fonts[name, tabular] = self._make_font(name, tabular)
        return found

    def metrics(self, name: str) -> QFontMetricsF:
        """Metrics of `font(name)`, cached."""
        found = self._metrics.get(name)
        if found is None:
            found = self._metrics[name] = QFontMetricsF(self.font(name))
        return found

    def sized_font(self, family: str, size: int, weight: int = 400) -> QFont:
        """A font outside the type scale, for marks such as key caps: `family` is "ui" or "mono"."""
        font = QFont()
        font.setFamilies(self.families(family))
        font.setPixelSize(max(1, self.px(size)))
        font.setWeight(QFont.Weight(self._weight(family, weight)))
        if family == "mono":
            font.setFeature(QFont.Tag("calt"), 0)
        return font

    def families(self, family: str) -> list[str]:
        """The installed families of the "ui" or "mono" list, best first, never empty."""
        found = self._families.get(family)
        if found is None:
            wanted = [name for name in tokens()["font"][family] if "-" not in name and name != "monospace"]
            found = [name for name in wanted if name.casefold() in _installed()]
            kind = QFontDatabase.SystemFont.FixedFont if family == "mono" else QFontDatabase.SystemFont.GeneralFont
            system = QFontDatabase.systemFont(kind).family()
            if system and system not in found:
                found.append(system)
            self._families[family] = found
        return found

    def _weight(self, family: str, weight: int) -> int:
        """The weight that looks like `weight`: light words on dark ground come out one step too heavy where Qt thickens
        the stems of a font."""
        return weight - 100 if self.dark and _is_thickened(self.families(family)[0]) else weight

    def _make_font(self, name: str, tabular: bool) -> QFont:
        family = str(self._values[f"type.{name}.family"])
        font = QFont()
        font.setFamilies(self.families(family))
        font.setPixelSize(self.size(f"type.{name}.size"))
        font.setWeight(QFont.Weight(self._weight(family, self._values[f"type.{name}.weight"])))
        font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
        tracking = self._values[f"type.{name}.tracking"]
        if tracking:
            font.setLetterSpacing(QFont.SpacingType.AbsoluteSpacing, tracking)
        if family == "mono":
            font.setFeature(QFont.Tag("calt"), 0)  # ligatures would shift columns
            font.setFeature(QFont.Tag("zero"), 1)
            font.setFixedPitch(True)
        elif tabular:
            font.setFeature(QFont.Tag("tnum"), 1)
        return font
