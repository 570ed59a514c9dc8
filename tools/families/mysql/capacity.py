"""Connections against their maximum, sizes, slow statements, and replication."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field

from guardia.board.core.plan import Risk
from guardia.org.directory import Host
from guardia.tools.command import Command, Script
from guardia.tools.families.mysql.client import (
    CLIENT,
    KINDS,
    PROGRAMS,
    number,
    query,
    rows,
    run,
    text,
)
from guardia.tools.findings import Count, FindingsModel, Line, Seconds, Share, Word
from guardia.tools.tool import Findings, ServiceArgs, Tool, stdout_parser

_CONNECTIONS = Script(
    "mysql.connections",
    CLIENT
    + r"""
ask "select @@max_connections"
ask "show global status where variable_name in
  ('Threads_connected', 'Threads_running', 'Max_used_connections', 'Aborted_connects')"
echo by
ask "select user, substring_index(host, ':', 1), command, count(*)
  from information_schema.processlist
  group by 1, 2, 3 order by 4 desc, 1, 2, 3 limit 30"
""",
)

_SIZE: Final = """
select table_schema, table_name, coalesce(data_length + index_length, 0), coalesce(table_rows, 0),
       (select coalesce(sum(data_length + index_length), 0) from information_schema.tables)
from information_schema.tables where table_type = 'BASE TABLE'
order by 3 desc, 1, 2 limit 20
"""

# The statements' digests are there if performance_schema is switched on; it is off by default in
# MariaDB.
_SLOW = Script(
    "mysql.slow_queries",
    CLIENT
    + r"""
settings=$(ask "select @@performance_schema, @@slow_query_log, @@long_query_time")
printf '%s\n' "$settings"
ask "show global status like 'Slow_queries'"
echo statements
case $settings in 0*) exit 0 ;; esac
ask "select count_star, round(sum_timer_wait / 1e9, 1), round(avg_timer_wait / 1e9, 2),
    sum_rows_examined, left(digest_text, 200)
  from performance_schema.events_statements_summary_by_digest
  where digest_text is not null order by sum_timer_wait desc limit 20" 2>/dev/null || echo denied
""",
)

# `show replica status` is MySQL 8.0.22 and MariaDB 10.5.1 on; without rows this is no replica. The
# names of its fields differ, so it is read by line.
_REPLICATION = Script(
    "mysql.replication",
    CLIENT
    + r"""
words+=(--vertical --column-names)
ask 'show all slaves status' 2>/dev/null || ask 'show replica status' 2>/dev/null ||
  ask 'show slave status'
echo
echo '*** sources'
ask "select id, user, host, time, state from information_schema.processlist
  where command in ('Binlog Dump', 'Binlog Dump GTID') order by id limit 50"
""",
)


class ConnectionGroup(FindingsModel):
    """Connections of one user, client and command."""

    user: Word | None
    client: Line | None
    command: Word | None
    count: Count


class ConnectionFindings(FindingsModel):
    """How many connections there are, were and may be, and whose they are."""

    max: Count
    used: Count
    running: Count
    percent: Share
    most_used: Count
    refused: Count
    by: Annotated[list[ConnectionGroup], Field(max_length=30)]


class TableSize(FindingsModel):
    """A table with its indexes."""

    database: Word
    table: Word
    bytes: Count
    rows: Count


class SizeFindings(FindingsModel):
    """The size of all that the account sees, and of the largest tables."""

    bytes: Count
    tables: Annotated[list[TableSize], Field(max_length=20)]


class StatementFindings(FindingsModel):
    """A kind of statement and the time that it has used."""

    calls: Count
    total_ms: Seconds
    mean_ms: Seconds
    rows_examined: Count
    query: Line | None


class StatementsFindings(FindingsModel):
    """Whether statements are measured, and those that used the most time."""

    available: bool
    permitted: bool
    """Whether the account may read them: SELECT on performance_schema."""
    slow_log: bool
    long_query_seconds: Seconds
    slow: Count
    statements: Annotated[list[StatementFindings], Field(max_length=20)]


class SourceFindings(FindingsModel):
    """A server whose changes this one applies."""

    source: Line | None
    receiving: bool
    applying: bool
    behind_seconds: Count | None
    error: Line | None


class ReplicaFindings(FindingsModel):
    """A server that receives the changes of this one."""

    user: Word | None
    client: Line | None
    seconds: Count | None
    state: Line | None


class ReplicationFindings(FindingsModel):
    """From where this server receives changes, and who follows."""

    standby: bool
    sources: Annotated[list[SourceFindings], Field(max_length=50)]
    replicas: Annotated[list[ReplicaFindings], Field(max_length=50)]


def _read_connections(answer: str) -> Findings:
    head, _, groups = answer.partition("by\n")
    first, *status = head.splitlines()
    facts = {name: int(value) for name, value in (line.split("\t") for line in status)}
    most, used = int(first), facts["Threads_connected"]
    return {
        "max": most,
        "used": used,
        "running": facts["Threads_running"],
        "percent": round(100 * used / max(most, 1)),
        "most_used": facts["Max_used_connections"],
        "refused": facts["Aborted_connects"],
        "by": [
            {
                "user": text(user, 100),
                "client": text(client),
                "command": text(command, 100),
                "count": number(count),
            }
            for user, client, command, count in rows(groups, 4)
        ],
    }


def _read_size(answer: str) -> Findings:
    found = list(rows(answer, 5))
    tables = [
        {
            "database": text(schema, 100),
            "table": text(table, 100),
            "bytes": number(size),
            "rows": number(count),
        }
        for schema, table, size, count, _ in found
    ]
    return {"bytes": number(found[0][4]) if found else 0, "tables": tables}


def _read_slow(answer: str) -> Findings:
    head, _, statements = answer.partition("statements\n")
    first, _, count = head.partition("\n")
    ((available, slow_log, seconds),) = rows(first, 3)
    ((_, slow),) = rows(count, 2)
    permitted = statements.strip() != "denied"
    return {
        "available": available == "1",
        "permitted": permitted,
        "slow_log": slow_log in ("1", "ON"),
        "long_query_seconds": float(seconds or 0),
        "slow": number(slow) or 0,
        "statements": [
            {
                "calls": number(calls),
                "total_ms": float(total or 0),
                "mean_ms": float(mean or 0),
                "rows_examined": number(examined),
                "query": text(digest),
            }
            for calls, total, mean, examined, digest in rows(statements if permitted else "", 5)
        ],
    }


def _read_replication(answer: str) -> Findings:
    sources, _, replicas = answer.partition("*** sources\n")
    found = [_source(fields) for fields in _records(sources)]
    followers = [
        {
            "user": text(fields.get("user"), 100),
            "client": text(fields.get("host")),
            "seconds": number(fields.get("time")),
            "state": text(fields.get("state")),
        }
        for fields in _records(replicas)
    ]
    return {"standby": bool(found), "sources": found, "replicas": followers}


def _records(answer: str) -> list[dict[str, str]]:
    """Return the records of a vertical answer: `name: value`, each after a line of stars."""
    found: list[dict[str, str]] = []
    for line in answer.splitlines():
        if line.startswith("*") and line.rstrip().endswith("*"):
            found.append({})
        elif found and ": " in line + " ":
            name, _, value = (line + " ").partition(": ")
            found[-1][name.strip()] = value.strip()
    return found


def _source(fields: dict[str, str]) -> Findings:
    def first(*names: str) -> str:
        return next((fields[name] for name in names if fields.get(name)), "")

    behind = first("Seconds_Behind_Source", "Seconds_Behind_Master")
    return {
        "source": first("Source_Host", "Master_Host")[:200] or None,
        "receiving": first("Replica_IO_Running", "Slave_IO_Running") == "Yes",
        "applying": first("Replica_SQL_Running", "Slave_SQL_Running") == "Yes",
        "behind_seconds": int(behind) if behind.isdecimal() else None,
        "error": text(first("Last_SQL_Error", "Last_IO_Error", "Last_Error")) or None,
    }


def _scripted(name: str, script: Script, reader: Any, findings: type[FindingsModel]) -> Tool[Any]:
    """Declare a read that is a script."""

    def command(args: ServiceArgs, host: Host) -> Command:
        return run(script, args.service, host)

    return Tool(
        name=name,
        risk=Risk.READ,
        args=ServiceArgs,
        command=command,
        parse=stdout_parser(name, reader),
        findings=findings,
        tried_on=("debian-12",),
        kinds=KINDS,
        platforms=KINDS,
        requires=PROGRAMS,
    )


TOOLS: tuple[Tool[Any], ...] = (
    _scripted("mysql.connections", _CONNECTIONS, _read_connections, ConnectionFindings),
    _scripted("mysql.slow_queries", _SLOW, _read_slow, StatementsFindings),
    _scripted("mysql.replication", _REPLICATION, _read_replication, ReplicationFindings),
    Tool(
        name="mysql.size",
        risk=Risk.READ,
        args=ServiceArgs,
        command=lambda args, host: query(args.service, host, _SIZE),
        parse=stdout_parser("mysql.size", _read_size),
        findings=SizeFindings,
        tried_on=("debian-12",),
        kinds=KINDS,
        platforms=KINDS,
        requires=PROGRAMS,
    ),
)
