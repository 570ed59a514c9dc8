"""Connections against their maximum, sizes, and the lag of replication."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from guardia.board.core.plan import Risk
from guardia.tools.families.database.psql import KINDS, query, read_object
from guardia.tools.findings import Count, FindingsModel, Line, Seconds, Share, Word
from guardia.tools.tool import ServiceArgs, Tool, stdout_parser

_CONNECTIONS = """
with used as (
  select usename, application_name, state from pg_stat_activity
  where backend_type = 'client backend'
), bounds as (
  select current_setting('max_connections')::int as most,
         current_setting('superuser_reserved_connections')::int as reserved,
         (select count(*) from used) as used
)
select json_build_object(
  'max', most, 'reserved', reserved, 'used', used,
  'percent', round(100.0 * used / greatest(most - reserved, 1)),
  'by', (select coalesce(json_agg(x), '[]') from (
    select usename as "user", application_name as application, state, count(*) as count
    from used group by 1, 2, 3 order by 4 desc, 1, 2, 3 limit 30) x))
from bounds
"""

_SIZE = """
select json_build_object(
  'bytes', pg_database_size(current_database()),
  'tables', (select coalesce(json_agg(x), '[]') from (
    select n.nspname as namespace, c.relname as "table", pg_total_relation_size(c.oid) as bytes,
           greatest(c.reltuples, 0)::bigint as rows
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema')
    order by 3 desc limit 20) x))
"""

# A role without pg_monitor sees that there are replicas, but neither their state nor their lag.
_REPLICATION = """
with here as (
  select pg_is_in_recovery() as standby,
         case when pg_is_in_recovery() then pg_last_wal_replay_lsn()
              else pg_current_wal_lsn() end as lsn
)
select json_build_object(
  'standby', standby,
  'behind_seconds', case when standby then case
      when pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() then 0
      else round(extract(
        epoch from clock_timestamp() - pg_last_xact_replay_timestamp())::numeric, 1)
      end end,
  'receiving', case when standby then
      exists (select from pg_stat_wal_receiver where status = 'streaming' or status is null) end,
  'replicas', (select coalesce(json_agg(x), '[]') from (
    select application_name as name, host(client_addr) as address, state, sync_state as sync,
           greatest(pg_wal_lsn_diff(lsn, replay_lsn), 0)::bigint as behind_bytes,
           round(extract(epoch from replay_lag)::numeric, 1) as behind_seconds
    from pg_stat_replication order by 1, 2 limit 50) x),
  'slots', (select coalesce(json_agg(x), '[]') from (
    select slot_name as name, active,
           greatest(pg_wal_lsn_diff(lsn, restart_lsn), 0)::bigint as kept_bytes
    from pg_replication_slots order by 3 desc nulls last limit 50) x))
from here
"""


class ConnectionGroup(FindingsModel):
    """Connections of one user, program and state."""

    user: Word | None
    application: Line | None
    state: Word | None
    count: Count


class ConnectionFindings(FindingsModel):
    """How many connections there are and may be, and whose they are."""

    max: Count
    reserved: Count
    used: Count
    percent: Share
    by: Annotated[list[ConnectionGroup], Field(max_length=30)]


class TableSize(FindingsModel):
    """A table with its indexes."""

    namespace: Word
    table: Word
    bytes: Count
    rows: Count


class SizeFindings(FindingsModel):
    """The size of the database and of its largest tables."""

    bytes: Count
    tables: Annotated[list[TableSize], Field(max_length=20)]


class Replica(FindingsModel):
    """A server that receives the changes of this one."""

    name: Line | None
    address: Word | None
    state: Word | None
    sync: Word | None
    behind_bytes: Count | None
    behind_seconds: Seconds | None


class ReplicationSlot(FindingsModel):
    """A slot, and how much log is kept for it."""

    name: Word
    active: bool
    kept_bytes: Count | None


class ReplicationFindings(FindingsModel):
    """Whether this is a standby, how far it is behind, and who follows."""

    standby: bool
    behind_seconds: Seconds | None
    receiving: bool | None
    replicas: Annotated[list[Replica], Field(max_length=50)]
    slots: Annotated[list[ReplicationSlot], Field(max_length=50)]


def _read(name: str, sql: str, findings: type[FindingsModel]) -> Tool[ServiceArgs]:
    """Declare a read that is one query."""
    return Tool(
        name=name,
        risk=Risk.READ,
        args=ServiceArgs,
        command=lambda args, host: query(args.service, host, sql),
        parse=stdout_parser(name, read_object),
        findings=findings,
        tried_on=("debian-12",),
        kinds=KINDS,
        platforms=KINDS,
        requires=("psql",),
    )


TOOLS: tuple[Tool[Any], ...] = (
    _read("database.connections", _CONNECTIONS, ConnectionFindings),
    _read("database.size", _SIZE, SizeFindings),
    _read("database.replication", _REPLICATION, ReplicationFindings),
)
