"""Every text in a database, for tests of what may be stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

from guardia.text import clean


def stored_texts(dsn: str) -> Iterator[tuple[str, str]]:
    """Yield each text of each board table with its column, including texts inside JSON."""
    with psycopg.connect(dsn) as connection:
        tables = connection.execute(
            "select table_name from information_schema.tables"
            " where table_name like 'tb\\_%' and table_type = 'BASE TABLE' order by 1"
        ).fetchall()
        for (table,) in tables:
            cursor = connection.execute(sql.SQL("select * from {}").format(sql.Identifier(table)))
            names = [column.name for column in cursor.description or ()]
            for row in cursor:
                for name, value in zip(names, row, strict=True):
                    yield from ((f"{table}.{name}", text) for text in texts_in(value))


def texts_in(value: Any) -> Iterator[str]:
    """Yield each text of a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from texts_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts_in(inner)


def unclean_texts(dsn: str) -> list[tuple[str, str]]:
    """Return the stored texts that are not in their clean form."""
    return [(where, text) for where, text in stored_texts(dsn) if clean(text) != text]
