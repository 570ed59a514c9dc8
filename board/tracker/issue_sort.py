"""Sorting of the issue list, and its pages by the last row's value: flat at any depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, TypeVarTuple

from sqlalchemy import ColumnElement, Date, DateTime, Select, Text, cast, func, literal, tuple_
from sqlalchemy import text as sql

from guardia.board.core.model import Issue

_Columns = TypeVarTuple("_Columns")

# As in the indexes of the table: without these exact expressions they are not used.
EXPRESSIONS: MappingProxyType[str, ColumnElement[Any]] = MappingProxyType(
    {
        "created": Issue.sr_id.expression,
        "updated": Issue.updated_at.expression,
        "priority": func.coalesce(Issue.priority, sql("'P9'")),
        "due": func.coalesce(Issue.due_on, sql("'infinity'::date")),
        "status": Issue.status.expression,
        "category": func.coalesce(Issue.category, sql("''")),
        "institution": func.coalesce(Issue.inst_id, sql("''")),
        "assignee": func.coalesce(Issue.assignee_id, sql("''")),
    }
)
_DESCENDING = frozenset({"created", "updated"})
"""Fields whose newest values come first unless a direction is given."""


@dataclass(frozen=True, slots=True)
class Sort:
    """A field of the issue and a direction; issues with the same value follow by number."""

    field: str
    descending: bool

    @property
    def expression(self) -> ColumnElement[Any]:
        """What is compared."""
        return EXPRESSIONS[self.field]

    def __str__(self) -> str:
        """Return it as the filter writes it."""
        return f"{self.field}-{'desc' if self.descending else 'asc'}"


NEWEST = Sort("created", descending=True)


def parse_sort(name: str) -> Sort:
    """Return the sorting that `updated-asc` or `updated` means."""
    field, dash, way = name.partition("-")
    return Sort(field, way == "desc" if dash else field in _DESCENDING)


def cursor_value(sort: Sort) -> ColumnElement[str]:
    """Return the value by which a list is sorted, as its cursors hold it."""
    return cast(sort.expression, Text)


def cursor_of(sort: Sort, sr_id: int, value: str) -> str:
    """Return the cursor of a row: its number, and the value by which the list is sorted."""
    return str(sr_id) if sort.field == "created" else f"{value}~{sr_id}"


def read_cursor(sort: Sort, cursor: str) -> tuple[Any, ...] | None:
    """Return what a cursor holds; `None` if it is one of another sorting."""
    value, tilde, number = cursor.rpartition("~")
    if not number.isdecimal() or len(number) > 18 or (sort.field == "created") == bool(tilde):
        return None
    if sort.field == "created":
        return (int(number),)
    try:
        _require_form(sort.field, value)
    except ValueError:
        return None
    given: ColumnElement[Any] = literal(value, Text)
    if sort.field == "updated":
        given = cast(given, DateTime(timezone=True))
    elif sort.field == "due":
        given = cast(given, Date)
    return (given, int(number))


def _require_form(field: str, value: str) -> None:
    """Raise `ValueError` if the database could not read a value."""
    if field == "updated":
        datetime.fromisoformat(value)
    elif field == "due" and value != "infinity":
        date.fromisoformat(value)


def ordered(query: Select[*_Columns], sort: Sort, *, backward: bool = False) -> Select[*_Columns]:
    """Return a query in the order of a sorting, or against it."""
    descending = sort.descending is not backward
    keys = _keys(sort)
    return query.order_by(*(key.desc() if descending else key for key in keys))


def beyond(sort: Sort, cursor: Sequence[Any], *, backward: bool) -> ColumnElement[bool]:
    """Return the condition for rows behind a cursor, or before it."""
    left = tuple_(*_keys(sort))
    right = tuple_(*cursor)
    lower = sort.descending is not backward
    return left < right if lower else left > right


def _keys(sort: Sort) -> list[ColumnElement[Any]]:
    number = Issue.sr_id.expression
    return [number] if sort.field == "created" else [sort.expression, number]
