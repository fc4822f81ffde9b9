"""Positions against a naive sum over all places."""

from __future__ import annotations

import random

import pytest

from posthog_code.domain.diff_index import DiffIndex, Row
from posthog_code.ui.diff import geometry as module
from posthog_code.ui.diff.geometry import Geometry, Heights
from posthog_code.ui.diff.rows import Places, make_places
from tests.ui.diff_world import DIFF, index_of, long_diff


def naive(index: DiffIndex, places: Places, geometry: Geometry, cards: dict[int, int], lines: object) -> list[int]:
    """Height of each place, its card included."""
    found = []
    for place in range(len(places)):
        left, right = places.pair(place)
        row = right if right >= 0 else left
        folded = index.file_of(row) in geometry.folded
        kind = index.kinds[row]
        if kind == Row.FILE:
            height = 34 + (8 if row else 0) + (0 if folded else cards.get(place, 0))
        elif folded:
            height = 0
        else:
            height = (26 if kind == Row.HUNK else 20 * (lines(place) if callable(lines) else 1)) + cards.get(place, 0)
        found.append(height)
    return found


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("part", [3, 512])
def test_positions(split: bool, part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PART", part)
    rng = random.Random(part)
    data = DIFF + long_diff(12)
    for size in (len(data), 150):
        index = DiffIndex()
        places = make_places(index, split)
        geometry = Geometry(index, places, Heights())
        for start in range(0, len(data), size):
            index.feed(data[start : start + size])
            places.update()
            geometry.extend()
        index.finish()
        places.update()
        geometry.extend()
        for step in range(30):
            cards = {rng.randrange(len(places)): rng.randrange(30, 90) for _ in range(rng.randrange(4))}
            geometry.set_cards(cards)
            if step % 3 == 0:
                number = rng.randrange(len(index.files))
                geometry.folded ^= {number}
                geometry.refold(number)
            wrap = (lambda place: 1 + place % 3) if step % 4 == 3 else None
            geometry.set_wrap(wrap)
            if wrap:
                while geometry.measure(0, geometry.height):
                    pass
            heights = naive(index, places, geometry, cards, wrap)
            _compare(geometry, places, heights, cards)


def _compare(geometry: Geometry, places: Places, heights: list[int], cards: dict[int, int]) -> None:
    assert geometry.height == sum(heights)
    y = 0
    for place in range(len(places)):
        if heights[place]:
            assert geometry.top(place) == y
            assert geometry.place_at(y) == place
            assert geometry.place_at(y + heights[place] - 1) == place
            assert not geometry.is_hidden(place)
            assert geometry.row_height(place) + geometry.card_room(place) == heights[place]
        y += heights[place]
    shown = list(geometry.visible(0, geometry.height))
    tops = [sum(heights[:place]) for place in range(len(places))]
    assert shown == [(place, tops[place]) for place in range(len(places)) if heights[place]]
    middle = geometry.height // 2
    expected = [
        p for p in range(len(places)) if heights[p] and tops[p] < middle + 100 and tops[p] + heights[p] > middle
    ]
    assert [place for place, _ in geometry.visible(middle, middle + 100)] == expected


def test_an_empty_diff_has_no_height() -> None:
    index = index_of(b"")
    geometry = Geometry(index, make_places(index, False), Heights())
    assert geometry.height == 0 and list(geometry.visible(0, 100)) == []
