"""Tests of keyset pages over real rows: complete and ordered in both directions."""

from __future__ import annotations

import pytest
from board_env import BoardEnv
from sqlalchemy import select

from guardia.board.core.keyset import Keyset, Slice, cut_slice, read_slice
from guardia.board.core.model import Issue


def page(env: BoardEnv, **cursor: int) -> tuple[list[int], int | None, int | None]:
    """Return the numbers on a page of three issues, and its cursors."""
    with env.board.database.reading() as session:
        query, keyset = select(Issue.sr_id), Keyset(size=3, **cursor)
        found = read_slice(session, query, Issue.sr_id, keyset, key=lambda row: row[0])
    return [number for (number,) in found.rows], found.newer, found.older


@pytest.fixture
def seven(env: BoardEnv) -> BoardEnv:
    """Open issues 1 to 7."""
    for number in range(7):
        env.create_issue(text=f"요청 {number}")
    return env


def test_cursors_lead_through_all_rows_and_back(seven: BoardEnv) -> None:
    assert page(seven) == ([7, 6, 5], None, 5)
    assert page(seven, before=5) == ([4, 3, 2], 4, 2)
    assert page(seven, before=2) == ([1], 1, None)
    assert page(seven, after=1) == ([4, 3, 2], 4, 2)


def test_where_nothing_newer_remains_the_first_page_is_shown_whole(seven: BoardEnv) -> None:
    first = page(seven)
    for after in (4, 5, 7, 99):
        assert page(seven, after=after) == first
    assert page(seven, after=3) == ([6, 5, 4], 6, 4)


def test_a_page_beyond_the_oldest_row_is_empty(seven: BoardEnv) -> None:
    assert page(seven, before=1) == ([], None, None)


def test_a_list_without_rows_has_no_cursors(env: BoardEnv) -> None:
    for cursor in ({}, {"before": 3}, {"after": 3}):
        assert page(env, **cursor) == ([], None, None)


def test_rows_that_were_read_elsewhere_are_cut_alike() -> None:
    keyset = Keyset(before=9, size=2)
    assert cut_slice([8, 7, 6], keyset, key=int) == Slice((8, 7), newer=8, older=7)
    assert cut_slice([8, 7], keyset, key=int) == Slice((8, 7), newer=8, older=None)
