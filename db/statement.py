"""Statements that are composed once and run by the driver.

Composing a statement and passing it through the session costs several times as much as running it.
A use case runs a dozen of them, so those of every move are kept compiled. Values still pass the
types of their columns, which clean foreign text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import psycopg
from sqlalchemy import ClauseElement, ColumnElement, Text, bindparam, literal_column, text
from sqlalchemy.dialects.postgresql.psycopg import dialect as create_dialect
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from guardia.db.columns import CleanText, cleaned
from guardia.db.engine import driver_connection

DIALECT = create_dialect()  # type: ignore[no-untyped-call]
_Converter = Callable[[Any], Any]


def constant(value: str) -> ColumnElement[str]:
    """Return a word of the code as a constant of the SQL, as in the condition of a partial index.

    The planner uses such an index only if it sees the value.
    """
    assert value.isidentifier(), value
    return literal_column(f"'{value}'", Text())


def _converter(kind: TypeEngine[Any]) -> _Converter | None:
    """Return how values of a type are converted: a text needs only to be cleaned."""
    if isinstance(kind, CleanText):
        return cleaned
    return kind.dialect_impl(DIALECT).bind_processor(DIALECT)


class Statement:
    """One statement of SQLAlchemy, whose values are `bindparam`s; results are plain tuples.

    Lists are compared with `= any(...)`: an `in` would need a text of its own for each length.
    """

    def __init__(self, composed: ClauseElement) -> None:
        self._composed = composed

    @classmethod
    def of(cls, query: str, **types: TypeEngine[Any]) -> Statement:
        """Return a statement written as SQL; `types` are those of its values `:name`."""
        return cls(text(query).bindparams(*(bindparam(n, type_=t) for n, t in types.items())))

    @cached_property
    def _compiled(self) -> tuple[str, Mapping[str, Any], tuple[tuple[str, _Converter], ...]]:
        """Return the text, values that are always the same, and how values are converted."""
        found = self._composed.compile(dialect=DIALECT)
        assert isinstance(found, SQLCompiler)
        assert not found.post_compile_params, f"any(...) instead of in: {found}"
        constants: dict[str, Any] = {}
        converters: dict[str, _Converter] = {}  # a value may be used twice
        for parameter, name in found.bind_names.items():
            if not parameter.required:
                constants[name] = parameter.effective_value
            convert = _converter(parameter.type)
            if convert is not None:
                converters[name] = convert
        for column in found.insert_prefetch:  # columns of a new row that the statement leaves out
            default: Any = column.default
            constants[column.key] = default.arg if default.is_scalar else default.arg(None)
        return str(found), constants, tuple(converters.items())

    def run(
        self, session: Session, values: Mapping[str, Any] | None = None
    ) -> psycopg.Cursor[tuple[Any, ...]]:
        """Run the statement in the session's transaction, after what is pending in it."""
        query, constants, converters = self._compiled
        session.flush()
        given = {**constants, **(values or {})}
        for name, convert in converters:
            given[name] = convert(given[name])
        return driver_connection(session).execute(query, given)

    def first(self, session: Session, values: Mapping[str, Any] | None = None) -> Any:
        """Return the first column of the first row, or `None`."""
        row = self.run(session, values).fetchone()
        return None if row is None else row[0]
