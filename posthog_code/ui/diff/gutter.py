"""What is painted left of the line numbers, and what is found there."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF
from PySide6.QtGui import QPainter

from posthog_code.ui.diff.marks import Run, Sign
from posthog_code.ui.diff.surface import Surface
from posthog_code.ui.kit import painting
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.icons import paint_icon

_BAR = 2
_ICON = 13


def line_of(view: Surface, place: int) -> tuple[str, str, int]:
    """Path, side and line that the marks of a place hang on; line 0 where there is none."""
    row = view.row_at(place)
    if row < 0:
        return "", "new", 0
    old, new = view.index.numbers(row)
    path = view.index.files[view.index.file_of(row)].path
    return (path, "new", new) if new else (path, "old", 0 if view.columns.split else old)


def sign_at(view: Surface, place: int) -> Sign | None:
    return view.gutter.signs.get(line_of(view, place)) if view.gutter.signs else None


def run_at(view: Surface, place: int) -> Run | None:
    return view.gutter.run_at(*line_of(view, place)) if view.gutter.runs else None


def label_at(view: Surface, place: int) -> Run | None:
    """The run whose label stands at a place."""
    run = run_at(view, place)
    return run if run is not None and _begins(view, run, place, *line_of(view, place)) else None


def button(view: Surface, place: int, side: str, top: int, height: int) -> QRect:
    """The comment button of a line; beside a mark, which stays to be pressed."""
    rect = view.columns.button(side, top, height)
    if side != "old" and (sign_at(view, place) or label_at(view, place)) is not None:
        rect.moveLeft(view.columns.half(side).sign - 1)
    return rect


def in_column(view: Surface, x: int) -> bool:
    """Whether `x` is where marks stand."""
    half = view.columns.new
    return half.provenance <= x < half.numbers


def show_sign(view: Surface, place: int) -> bool:
    """Show what the sign of a place tells; False where there is none."""
    if sign_at(view, place) is None:
        return False
    view.signPressed.emit(*line_of(view, place))
    return True


def show_turn(view: Surface, place: int) -> bool:
    """Show the turn that has written a place; False where none has."""
    run = run_at(view, place)
    if run is None or not run.turn:
        return False
    view.turnPressed.emit(run.turn)
    return True


def words_at(view: Surface, place: int) -> str:
    """All that the marks of a place say."""
    sign, run = sign_at(view, place), run_at(view, place)
    told = [sign.words] if sign else []
    if run:
        who = "You changed this" if not run.turn else f"Turn {run.turn}"
        told.append(f"{who}: {run.words}" if run.words else who)
    return "\n".join(told)


def paint(p: QPainter, view: Surface, place: int, y: int, height: int) -> None:
    """The marks of one line."""
    if not view.gutter.signs and not view.gutter.runs:
        return
    half, look = view.columns.new, theme()
    path, side, line = line_of(view, place)
    run = view.gutter.run_at(path, side, line)
    if run is not None:
        p.fillRect(half.provenance, y, _BAR, height, look.color(run.token))
    sign = view.gutter.signs.get((path, side, line))
    box = QRectF(half.provenance + _BAR, y, half.numbers - half.provenance - _BAR, look.size("row.diffLine"))
    if sign is not None:
        size = look.px(_ICON)
        spot = QRectF(box.center().x() - size / 2, round(box.center().y() - size / 2), size, size)
        paint_icon(p, spot, sign.icon, sign.token)
    elif run is not None and _begins(view, run, place, path, side, line):
        font = look.sized_font("ui", 10, 500)
        painting.text(p, box, run.label, font, look.color("text.muted"), painting.CENTER)


def _begins(view: Surface, run: Run, place: int, path: str, side: str, line: int) -> bool:
    """Whether the label stands here: on the first changed line of a run, a removed one before what took its place."""
    if line != run.start:
        return False
    above = view.row_at(place - 1)
    if side == "old" or above < 0 or view.columns.split:
        return True
    old, new = view.index.numbers(above)
    before = view.gutter.run_at(path, "old", old) if old and not new else None
    return before is None or before.label != run.label
