"""Load, store and update objects of a model by statements that are composed once.

The session's own loading and flushing costs several times as much as the statement, at every move.
The objects are in the session as if it had loaded them: what changes later is flushed as usual.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Generic, TypeVar

from sqlalchemy import Column, Select, Table, bindparam, insert, inspect, update
from sqlalchemy.orm import Mapper, Session, make_transient_to_detached
from sqlalchemy.orm.attributes import set_committed_value

from guardia.db.base import Base
from guardia.db.statement import DIALECT, Statement

_E = TypeVar("_E", bound=Base)


class Entities(Generic[_E]):
    """A query of whole rows of one table, as objects of its model.

    Like the session's own queries, it returns an object that the session already has as it is.
    """

    def __init__(self, model: type[_E], query: Select[Any]) -> None:
        """`query` begins with `select(model)`."""
        self._model, self._mapper = model, _mapper(model)
        columns = self._mapper.columns
        self._names = [self._mapper.get_property_by_column(c).key for c in columns]
        self._readers = [
            (name, reader)
            for name, column in zip(self._names, columns, strict=True)
            if (reader := column.type.dialect_impl(DIALECT).result_processor(DIALECT, None))
        ]
        self._query = Statement(query.with_only_columns(*columns))

    def all(self, session: Session, values: Mapping[str, Any]) -> list[_E]:
        """Return all objects that the query finds."""
        return [self._object(session, row) for row in self._query.run(session, values).fetchall()]

    def first(self, session: Session, values: Mapping[str, Any]) -> _E | None:
        """Return the first object that the query finds, or `None`."""
        row = self._query.run(session, values).fetchone()
        return None if row is None else self._object(session, row)

    def known(self, session: Session, key: Any) -> _E | None:
        """Return the object with this key if the session has it, or `None`."""
        return session.identity_map.get(self._mapper.identity_key_from_primary_key((key,)))

    def _object(self, session: Session, row: tuple[Any, ...]) -> _E:
        values = dict(zip(self._names, row, strict=True))
        for name, reader in self._readers:
            values[name] = reader(values[name])
        made = self._model()
        made.__dict__.update(values)
        known: _E | None = session.identity_map.get(self._mapper.identity_key_from_instance(made))
        if known is not None:
            return known
        return _join(session, made)


class Insertion(Generic[_E]):
    """The insertion of a row of one table from an object of its model.

    Columns that are generated or `computed` by the statement are returned to the object.
    """

    def __init__(self, model: type[_E], **computed: Any) -> None:
        self._model, self._computed = model, computed
        self._columns = {str(column.key): column for column in _table(model).columns}
        self._returned = [
            name
            for name, column in self._columns.items()
            if column.identity is not None or name in computed or _is_filled_in(column)
        ]
        self._defaults = {n: c.default for n, c in self._columns.items() if c.default is not None}
        self._statements: dict[tuple[str, ...], Statement] = {}

    def store(self, session: Session, made: _E) -> _E:
        """Insert a new object at once. What it leaves out has its default, or no value."""
        own = made.__dict__
        values = {name: own[name] for name in self._columns if name in own}
        values |= {n: _value(d) for n, d in self._defaults.items() if n not in values}
        row = self._statement(tuple(values)).run(session, values).fetchone()
        assert row is not None
        own.update(dict.fromkeys(self._columns))
        own.update(values, **dict(zip(self._returned, row, strict=True)))
        return _join(session, made)

    def _statement(self, names: tuple[str, ...]) -> Statement:
        """Return the statement for these columns: one left out is not the same as a JSON null."""
        if names not in self._statements:
            given = {name: bindparam(name) for name in names} | self._computed
            composed = insert(_table(self._model)).values(given)
            returned = (self._columns[name] for name in self._returned)
            self._statements[names] = Statement(composed.returning(*returned))
        return self._statements[names]


def pending_values(changed: Base) -> dict[str, Any]:
    """Return what has been set on an object and not been written yet."""
    names = inspect(changed).committed_state
    return {name: changed.__dict__[name] for name in names}


def write(session: Session, changed: _E, **values: Any) -> None:
    """Set values on an object and write them at once."""
    keys = {f"_{c.key}": changed.__dict__[str(c.key)] for c in _table(type(changed)).primary_key}
    take_as_written(changed, values)
    _update(type(changed), tuple(values)).run(session, {**values, **keys})


def write_pending(session: Session, changed: Base) -> None:
    """Write what has been set on an object."""
    if new := pending_values(changed):
        write(session, changed, **new)


def take_as_written(changed: Base, values: Mapping[str, Any]) -> None:
    """Set values on an object that a statement writes, so that the session does not."""
    for name, value in values.items():
        set_committed_value(changed, name, value)


def _join(session: Session, made: _E) -> _E:
    make_transient_to_detached(made)
    session.add(made)
    return made


def _mapper(model: type[_E]) -> Mapper[_E]:
    return inspect(model)


def _table(model: type[Base]) -> Table:
    table = _mapper(model).local_table
    assert isinstance(table, Table)
    return table


def _is_filled_in(column: Column[Any]) -> bool:
    """Return whether the database alone determines the value of a new row."""
    return column.server_default is not None and column.default is None


def _value(default: Any) -> Any:
    return default.arg if default.is_scalar else default.arg(None)


@cache
def _update(model: type[Base], names: tuple[str, ...]) -> Statement:
    table = _table(model)
    composed = update(table).values({name: bindparam(name) for name in names})
    return Statement(composed.where(*(c == bindparam(f"_{c.key}") for c in table.primary_key)))
