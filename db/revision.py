"""The revision of a database's tables, and whether this program knows it. Light to import."""

from __future__ import annotations

from pathlib import Path

import psycopg

from guardia.errors import Misconfigured
from guardia.i18n import t

_VERSIONS = Path(__file__).parent / "migrations" / "versions"
_TIMEOUT = 10


def current(dsn: str) -> str | None:
    """Return the revision of a database, or `None` if it is empty."""
    with psycopg.connect(dsn, connect_timeout=_TIMEOUT) as connection:
        row = connection.execute("select to_regclass('alembic_version') is not null").fetchone()
        if not (row and row[0]):
            return None
        found = connection.execute("select version_num from alembic_version").fetchone()
        return str(found[0]) if found else None


def require_known(found: str | None) -> None:
    """Raise `Misconfigured` if a database has a revision of a newer program."""
    known = {file.name.partition("_")[0] for file in _VERSIONS.glob("[0-9]*.py")}
    if found is not None and found not in known:
        raise Misconfigured(what="PostgreSQL", why=t("db.embedded.too_new", found=found))
