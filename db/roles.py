"""Roles and databases of a cluster, created by its superuser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import sql

Connection = psycopg.Connection[tuple[Any, ...]]


def create_role(
    connection: Connection, name: str, password: Callable[[], str], groups: tuple[str, ...]
) -> None:
    """Create a role that may log in and is a member of `groups`, unless it exists.

    The server receives the password's verifier, so the password appears in none of its logs.
    """
    if connection.execute("select 1 from pg_roles where rolname = %s", [name]).fetchone():
        return
    verifier = connection.pgconn.encrypt_password(
        password().encode(), name.encode(), b"scram-sha-256"
    )
    role = sql.Identifier(name)
    statement = sql.SQL("create role {} login password {}")
    connection.execute(statement.format(role, sql.Literal(verifier.decode())))
    for group in groups:
        connection.execute(sql.SQL("grant {} to {}").format(sql.Identifier(group), role))


def create_database(connection: Connection, name: str, owner: str, template: str | None) -> None:
    """Create a database, empty or as a copy of `template`, unless it exists."""
    if connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
        return
    statement = sql.SQL("create database {} owner {}").format(
        sql.Identifier(name), sql.Identifier(owner)
    )
    if template is not None:
        copy = sql.SQL(" template {} strategy file_copy").format(sql.Identifier(template))
        statement = sql.Composed([statement, copy])
    connection.execute(statement)


def drop_database(connection: Connection, name: str) -> None:
    """Drop a database if it exists, ending its sessions."""
    connection.execute(
        sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
    )
