"""One cache of compiled statements for all databases of a test process."""

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
    """Share SQLAlchemy's compiled statements between engines.

    SQLAlchemy caches per engine, and the product has one engine per process; each test has its own
    database and thus its own engine. All are the same server, so they can share one cache.
    """
    cache: dict[Any, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        sharing = partial(create_engine, execution_options={"compiled_cache": cache})
        patch.setattr(engine, "create_engine", sharing)
        patch.setattr(PGDialect_psycopg, "__eq__", lambda one, other: type(one) is type(other))
        patch.setattr(PGDialect_psycopg, "__hash__", lambda one: hash(type(one)))
        yield
