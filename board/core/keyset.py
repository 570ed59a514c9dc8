"""Pages of a list by an integer key, newest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar, TypeVarTuple

from sqlalchemy import Row, Select
from sqlalchemy.orm import InstrumentedAttribute, Session

_Row = TypeVar("_Row")
_Columns = TypeVarTuple("_Columns")
_Column = InstrumentedAttribute[int]


@dataclass(frozen=True, slots=True)
class Keyset:
    """Cursor and size of a page; at most one of `before` and `after` is used."""

    before: int | None = None
    """Only rows with a lower key."""
    after: int | None = None
    """Only rows with a higher key."""
    size: int = 25


@dataclass(frozen=True, slots=True)
class Slice(Generic[_Row]):
    """One page of a list."""

    rows: tuple[_Row, ...]
    newer: int | None
    """Cursor for `after`; `None` on the newest page."""
    older: int | None
    """Cursor for `before`; `None` on the oldest page."""


def read_slice(
    session: Session,
    query: Select[*_Columns],
    column: _Column,
    page: Keyset,
    key: Callable[[Row[*_Columns]], int],
) -> Slice[Row[*_Columns]]:
    """Read one page of a query; `key` returns the value of `column` in a row."""
    found = session.execute(_bounded(query, column, page).limit(page.size + 1)).all()
    if page.after is not None and len(found) <= page.size:
        # Nothing newer remains, so this is the first page: show a whole one.
        return read_slice(session, query, column, replace(page, before=None, after=None), key)
    return cut_slice(found, page, key)


def _bounded(query: Select[*_Columns], column: _Column, page: Keyset) -> Select[*_Columns]:
    if page.after is not None:
        return query.where(column > page.after).order_by(column)
    if page.before is not None:
        query = query.where(column < page.before)
    return query.order_by(column.desc())


def cut_slice(found: Sequence[_Row], page: Keyset, key: Callable[[_Row], int]) -> Slice[_Row]:
    """Return the page of rows read with one extra row, which shows that more follow."""
    more, rows = len(found) > page.size, found[: page.size]
    if page.after is not None:
        rows = rows[::-1]
        return Slice(tuple(rows), key(rows[0]), key(rows[-1]))
    newer = key(rows[0]) if page.before is not None and rows else None
    return Slice(tuple(rows), newer, key(rows[-1]) if more else None)
