"""Where the columns of the diff stand, unified and side by side."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRect

from posthog_code.ui.theme import theme

_PER_DIGIT = 7


@dataclass(frozen=True, slots=True)
class Half:
    """One column of code with its gutter, or the whole width when unified. Pixels from the left."""

    left: int
    provenance: int
    """Left of the column for marks and the comment button; equal to `numbers` when there is none."""
    numbers: int
    sign: int
    code: int
    right: int

    @property
    def width(self) -> int:
        return max(1, self.right - self.code)


@dataclass(frozen=True, slots=True)
class Columns:
    split: bool
    old: Half
    new: Half
    """The same as `old` when unified."""
    number: int
    """Width of a number column."""

    def half(self, side: str) -> Half:
        return self.old if side == "old" else self.new

    def side_at(self, x: int) -> str:
        """ "old", "new", or "" when unified."""
        return "" if not self.split else "new" if x >= self.new.left else "old"

    def button(self, side: str, top: int, height: int) -> QRect:
        """The comment button of a line."""
        half = self.half(side)
        size = min(height, theme().size("row.diffLine")) - 2
        left = half.provenance + 2 if half.numbers > half.provenance else half.sign - 1
        return QRect(left, top + 1, size, size)


def make_columns(width: int, split: bool, highest: int) -> Columns:
    """`highest` is the largest line number shown."""
    extra = _PER_DIGIT * max(0, len(str(highest)) - 3)
    look = theme()
    scale = look.scale
    mark = round(look.size("layout.diffGutter.provenance") * scale)
    sign = round(look.size("layout.diffGutter.sign") * scale)
    extra = round(extra * scale)
    if not split:
        number = round(look.size("layout.diffGutter.number") * scale) + extra
        half = Half(0, 0, mark, mark + 2 * number, mark + 2 * number + sign, width)
        return Columns(False, half, half, number)
    number = round(look.size("layout.diffGutter.splitNumber") * scale) + extra
    middle = width // 2
    old = Half(0, 0, 0, number, number + sign, middle - 1)
    start = middle
    new = Half(start, start, start + mark, start + mark + number, start + mark + number + sign, width)
    return Columns(True, old, new, number)
