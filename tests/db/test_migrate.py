"""Migrations create exactly the tables that the models describe."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg.types.json import Jsonb
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool
from table_modules import table_modules

from guardia.db import migrate
from guardia.db.base import Base
from guardia.db.embedded import APPLICATION_ROLE, OWNER_ROLE, Cluster

_numbers = itertools.count(1)


@pytest.fixture
def empty(cluster: Cluster) -> Iterator[str]:
    """An empty database's name."""
    name = f"migrate_{next(_numbers)}"
    cluster.create_database(name, owner=OWNER_ROLE)
    yield name
    cluster.drop_database(name)


def is_own_table(thing: Any, name: str | None, kind: str, *_: Any) -> bool:
    """Return whether a table is not one of other libraries (queue, graphs)."""
    table = name if kind == "table" else thing.table.name
    return str(table).startswith("tb_")


@pytest.mark.slow
def test_tables_match_the_models(database: Any) -> None:
    for module in table_modules():
        importlib.import_module(module)
    engine = create_engine(
        database.owner.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool
    )
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": is_own_table})
        found = compare_metadata(context, Base.metadata)
        assert found == [], "\n".join(str(f) for f in found)
        # The comparison above must be able to fail.
        connection.exec_driver_sql("alter table tb_audit_checkpoint drop column signature")
        assert compare_metadata(context, Base.metadata) != []


def test_upgrading_twice_changes_nothing(database: Any) -> None:
    def tables() -> list[tuple[Any, ...]]:
        with psycopg.connect(database.owner) as connection:
            return connection.execute("select oid, relname from pg_class order by oid").fetchall()

    before = tables()
    migrate.upgrade(database.owner)
    assert tables() == before
    assert migrate.current(database.owner) == migrate.head()


@pytest.mark.slow
def test_an_installation_with_an_audit_log_is_upgraded(cluster: Cluster, empty: str) -> None:
    owner, app = cluster.dsn(OWNER_ROLE, empty), cluster.dsn(APPLICATION_ROLE, empty)
    migrate._apply_engine(owner)
    command.upgrade(migrate._config(owner), "0001")
    with psycopg.connect(owner) as connection:
        connection.execute(
            "insert into tb_audit_log values"
            " (1, now(), 'a', 'comment', null, null, 't', '{}', 'p', 'c')"
        )
    migrate.upgrade(owner)
    with psycopg.connect(app) as connection:
        assert connection.execute("select count(*) from tb_audit_log").fetchone() == (1,)
        assert connection.execute("select count(*) from tb_audit_checkpoint").fetchone() == (0,)


@pytest.mark.parametrize("word", ["update", "delete", "truncate"])
def test_no_role_can_rewrite_checkpoints(database: Any, word: str) -> None:
    sql = {
        "update": "update tb_audit_checkpoint set head = 'x'",
        "delete": "delete from tb_audit_checkpoint",
        "truncate": "truncate tb_audit_checkpoint",
    }[word]
    for dsn in (database.app, database.owner):
        with (
            psycopg.connect(dsn) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(sql)


@pytest.mark.slow
def test_filed_plans_of_before_are_numbered(cluster: Cluster, empty: str) -> None:
    owner = cluster.dsn(OWNER_ROLE, empty)
    migrate._apply_engine(owner)
    command.upgrade(migrate._config(owner), "0017")
    with psycopg.connect(owner) as connection:
        connection.execute(
            "insert into tb_sr_request (title, body, status, channel, created_at, updated_at)"
            " values ('t', 'b', 'RECEIVED', 'web', now(), now())"
        )
        connection.execute(
            "insert into tb_ops_task (sr_id, status, created_at, updated_at)"
            " values (1, 'RECEIVED', now(), now())"
        )
        for seq, kind, bound in ((1, "planned", "h1"), (2, "approved", "h1"), (3, "waived", "h2")):
            detail = Jsonb({"plan": {"server": "S"}, "plan_hash": bound})
            connection.execute(
                "insert into tb_audit_log values"
                " (%s, now() + make_interval(secs => %s), 'agent:db', %s, 1, 1, 't', %s, 'p', %s)",
                [seq, seq, kind, detail, str(seq)],
            )
    migrate.upgrade(owner)
    with psycopg.connect(owner) as connection:
        query = "select number, plan_hash, author from tb_plan_version order by number"
        found = connection.execute(query).fetchall()
    assert found == [(1, "h1", "agent:db"), (2, "h2", "agent:db")]


@pytest.mark.slow
def test_an_ended_issue_of_before_is_not_done_if_one_of_its_servers_is_not(
    cluster: Cluster, empty: str
) -> None:
    owner = cluster.dsn(OWNER_ROLE, empty)
    migrate._apply_engine(owner)
    command.upgrade(migrate._config(owner), "0017")
    ways = {"A": ("MANUAL", "ABORTED"), "B": ("MANUAL", "COMPLETED")}
    with psycopg.connect(owner) as connection:
        connection.execute(
            "insert into tb_sr_request (title, body, status, channel, created_at, updated_at)"
            " values ('t', 'b', 'RECEIVED', 'web', now(), now())"
        )
        for server, way in ways.items():
            connection.execute(
                "insert into tb_ops_task (sr_id, status, target_server, created_at, updated_at)"
                " values (1, 'RECEIVED', %s, now(), now())",
                [server],
            )
            for status in way:
                connection.execute(
                    "update tb_ops_task set status = %s where target_server = %s", [status, server]
                )
        connection.execute("update tb_sr_request set status = state_of_issue(sr_id)")
        assert connection.execute("select status from tb_sr_request").fetchone() == ("COMPLETED",)
    migrate.upgrade(owner)
    with psycopg.connect(owner) as connection:
        assert connection.execute("select status from tb_sr_request").fetchone() == ("ABORTED",)
