"""A database server of the fleet: PostgreSQL, its tables, and a small steady workload.

Each worker moves an amount from one account to the next lower one and locks the two in that order.
A session that holds the first account for long makes the workers queue up one behind the other.
"""

from __future__ import annotations

import asyncio
import random
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from guardia.db.embedded import FAST_SETTINGS, Cluster
from guardia.errors import Misconfigured
from guardia.tools.lab.layout import LabServer, write_private
from guardia.tools.lab.ports import ADDRESS

MONITOR_ROLE = "guardia_ops"
"""Role of the server's account: may see all sessions and terminate them."""

ACCOUNTS = 12
WORKERS = {"budget": 5, "edu": 2}
_PAUSE = (0.8, 1.8)  # seconds between two transactions of a worker
_LEDGER_SLOTS = 500  # slots are reused, so that nothing grows

SETTINGS = {
    **FAST_SETTINGS,
    "shared_buffers": "16MB",
    "max_connections": "40",
    "log_lock_waits": "on",
    "log_checkpoints": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "96MB",
    "max_logical_replication_workers": "0",
    "autovacuum_naptime": "5min",
    "checkpoint_timeout": "30min",
}

_TABLES = """
create table if not exists account (
    account_id int primary key,
    name text not null,
    balance bigint not null,
    updated_at timestamptz not null default now()
) with (fillfactor = 50);
create table if not exists ledger (
    slot int primary key,
    payer int not null references account,
    payee int not null references account,
    amount bigint not null,
    at timestamptz not null
) with (fillfactor = 50);
"""
_ACCOUNTS = """
insert into account (account_id, name, balance)
select n, format('%%s-%%s', %s::text, n), 1000000 from generate_series(1, %s) n
on conflict do nothing
"""
_DEBIT = "update account set balance = balance - %s, updated_at = now() where account_id = %s"
_CREDIT = "update account set balance = balance + %s, updated_at = now() where account_id = %s"
_RECORD_TRANSFER = """
insert into ledger values (%s, %s, %s, %s, now()) on conflict (slot) do update
set payer = excluded.payer, payee = excluded.payee, amount = excluded.amount, at = excluded.at
"""


def cluster(server: LabServer, data: Path, copies: Path) -> Cluster:
    """Build the server's PostgreSQL without starting it."""
    return Cluster(
        data,
        port=server.port,
        settings=SETTINGS,
        copies=copies,
        log=server.logs / "postgresql.log",
    )


def start(server: LabServer, data: Path, copies: Path) -> Cluster:
    """Start PostgreSQL and create what is missing. Corrupt data (power cut) is recreated."""
    running = cluster(server, data, copies)
    try:
        running.start()
    except Misconfigured:
        if not running.folder.files.exists():
            raise
        shutil.rmtree(running.folder.files)
        running.start()
    _create_schema(running, server)
    _write_client_files(running, server)
    return running


def _create_schema(running: Cluster, server: LabServer) -> None:
    name, app = server.spec.name, server.spec.app
    for role in (f"{app}_app", f"{app}_batch"):
        running.create_role(role)
    running.create_role(MONITOR_ROLE, member_of=("pg_monitor", "pg_signal_backend"))
    running.create_database(name, owner=f"{app}_app")
    with psycopg.connect(running.dsn(f"{app}_app", name)) as connection:
        connection.execute(_TABLES)
        connection.execute(_ACCOUNTS, (app, ACCOUNTS))
        batch = sql.Identifier(f"{app}_batch")
        connection.execute(sql.SQL("grant select, update on account to {}").format(batch))


def _write_client_files(running: Cluster, server: LabServer) -> None:
    """Set up `psql service=NAME` for the server's account without a password on a command line."""
    name, port = server.spec.name, server.port
    entry = f"[{name}]\nhost={ADDRESS}\nport={port}\ndbname={name}\nuser={MONITOR_ROLE}\n"
    password = f"{ADDRESS}:{port}:{name}:{MONITOR_ROLE}:{running.password(MONITOR_ROLE)}\n"
    write_private(server.home / ".pg_service.conf", entry.encode())
    write_private(server.home / ".pgpass", password.encode())


async def run_workload(running: Cluster, server: LabServer) -> None:
    """Run all workers until cancelled."""
    app = server.spec.app
    dsn = running.dsn(f"{app}_app", server.spec.name)
    await asyncio.gather(*(_worker(dsn, app, number) for number in range(1, WORKERS[app] + 1)))


async def _worker(dsn: str, app: str, number: int) -> None:
    """Run one session; it reconnects after being terminated or a server restart."""
    while True:
        with suppress(psycopg.Error, OSError):
            async with await psycopg.AsyncConnection.connect(
                dsn, application_name=f"{app}-was-{number}"
            ) as connection:
                while True:
                    await asyncio.sleep(random.uniform(*_PAUSE))
                    await _transfer(connection, number)
        await asyncio.sleep(1)


async def _transfer(connection: psycopg.AsyncConnection[Any], number: int) -> None:
    amount, slot = random.randrange(1, 1000), random.randrange(_LEDGER_SLOTS)
    async with connection.transaction():
        await connection.execute(_DEBIT, (amount, number + 1))
        await connection.execute(_CREDIT, (amount, number))
        await connection.execute(_RECORD_TRANSFER, (slot, number + 1, number, amount))
