"""Statements compiled once for all databases of a test process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from guardia.db import engine


@contextmanager
def shared_sql_cache() -> Iterator[None]:
    """SQLAlchemy keeps what it compiled by engine, and the product has one engine a process; each
    test has a database, so an engine, of its own. Theirs share what is kept: it is one server."""
    kept: dict[Any, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        sharing = partial(create_engine, execution_options={"compiled_cache": kept})
        patch.setattr(engine, "create_engine", sharing)
        patch.setattr(PGDialect_psycopg, "__eq__", lambda one, other: type(one) is type(other))
        patch.setattr(PGDialect_psycopg, "__hash__", lambda one: hash(type(one)))
        yield
