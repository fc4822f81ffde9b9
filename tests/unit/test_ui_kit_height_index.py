"""The height index gives what a plain list of heights gives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthog_code.ui.kit.height_index import HeightIndex

heights = st.lists(st.integers(0, 300), max_size=60)


def assert_like(index: HeightIndex, plain: list[int]) -> None:
    assert len(index) == len(plain)
    assert index.total == sum(plain)
    assert [index.offset_of(row) for row in range(len(plain) + 1)] == [
        sum(plain[:row]) for row in range(len(plain) + 1)
    ]
    assert [index.height(row) for row in range(len(plain))] == plain


def row_at(plain: list[int], y: int) -> int:
    top = 0
    for row, height in enumerate(plain):
        top += height
        if y < top:
            return row
    return len(plain) - 1


@given(heights)
def test_building_at_once_and_row_by_row_agree(plain: list[int]) -> None:
    assert_like(HeightIndex(plain), plain)
    grown = HeightIndex()
    for height in plain:
        grown.append(height)
    assert_like(grown, plain)


@given(heights, st.data())
def test_any_sequence_of_changes(plain: list[int], data: st.DataObject) -> None:
    index, plain = HeightIndex(plain), list(plain)
    for _ in range(data.draw(st.integers(0, 12))):
        change = data.draw(st.sampled_from(["append", "extend", "insert", "remove", "set", "truncate"]))
        if change == "append":
            height = data.draw(st.integers(0, 300))
            index.append(height)
            plain.append(height)
        elif change == "extend":
            more = data.draw(heights)
            index.extend(more)
            plain.extend(more)
        elif change == "insert":
            row, more = data.draw(st.integers(0, len(plain))), data.draw(heights)
            index.insert(row, more)
            plain[row:row] = more
        elif change == "truncate":
            count = data.draw(st.integers(0, len(plain) + 3))
            index.truncate(count)
            del plain[count:]
        elif plain and change == "remove":
            row = data.draw(st.integers(0, len(plain) - 1))
            count = data.draw(st.integers(0, len(plain) - row))
            index.remove(row, count)
            del plain[row : row + count]
        elif plain:
            row, height = data.draw(st.integers(0, len(plain) - 1)), data.draw(st.integers(0, 300))
            assert index.set(row, height) == height - plain[row]
            plain[row] = height
        assert_like(index, plain)


@given(st.lists(st.integers(0, 300), min_size=1, max_size=60), st.integers(-10, 20_000))
def test_row_at_finds_the_row_that_covers_a_point(plain: list[int], y: int) -> None:
    index = HeightIndex(plain)
    expected = 0 if y < 0 else row_at(plain, y)
    assert index.row_at(y) == expected


def test_edges() -> None:
    empty = HeightIndex()
    assert empty.row_at(0) == -1
    assert empty.offset_of(0) == 0
    with pytest.raises(IndexError):
        empty.height(0)
    with pytest.raises(IndexError):
        HeightIndex([1, 2]).offset_of(3)
    with pytest.raises(IndexError):
        HeightIndex([1, 2]).set(-1, 5)
    with pytest.raises(IndexError):
        HeightIndex([1, 2]).remove(1, 2)
