"""Migrate a database to this version: our tables, procrastinate's, and the application's rights."""

from __future__ import annotations

from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from procrastinate.schema import SchemaManager
from sqlalchemy.engine import make_url

from guardia.db.revision import current, require_known

APPLICATION_ROLE = "guardia_app"


def _config(owner_dsn: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["url"] = make_url(owner_dsn).set(drivername="postgresql+psycopg")
    return config


def head() -> str:
    """Return the revision that this version of the program needs."""
    script = ScriptDirectory(str(Path(__file__).parent / "migrations"))
    return str(script.get_current_head())


def upgrade(owner_dsn: str) -> None:
    """Apply the missing migrations; does nothing on a database that is up to date."""
    found = current(owner_dsn)
    require_known(found)
    if found == head():
        return
    _apply_engine(owner_dsn)
    command.upgrade(_config(owner_dsn), "head")


def _apply_engine(owner_dsn: str) -> None:
    # procrastinate's schema is not idempotent: apply it only if its tables are missing.
    with psycopg.connect(owner_dsn) as connection:
        row = connection.execute("select to_regclass('procrastinate_jobs') is null").fetchone()
        if row and row[0]:
            connection.execute(SchemaManager.get_schema())
