"""Running queries, statistics of slow ones, and cancelling one query."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.i18n import t
from guardia.org.directory import Host
from guardia.tools.command import Command
from guardia.tools.families.database.psql import KINDS, UTC, query, read_object
from guardia.tools.families.database.sessions import MAY_SIGNAL, SessionArgs, session_condition
from guardia.tools.findings import Count, FindingsModel, Line, Moment, Pid, Seconds, Word
from guardia.tools.tool import (
    EvidenceChoice,
    ServiceArgs,
    Tool,
    jmespath_literal,
    stdout_parser,
)

_START = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z$"

_QUERIES = f"""
select json_build_object('queries', coalesce(json_agg(x), '[]')) from (
  select a.pid, to_char(a.backend_start at time zone 'UTC', '{UTC}') as backend_start,
         to_char(a.query_start at time zone 'UTC', '{UTC}') as query_start,
         round(extract(epoch from clock_timestamp() - a.query_start)::numeric, 1) as seconds,
         a.usename as "user", a.application_name as application,
         a.wait_event_type as waits_for, left(a.query, 200) as query,
         {MAY_SIGNAL} as may_cancel
  from pg_stat_activity a
  where a.backend_type = 'client backend' and a.datname = current_database()
    and a.state = 'active' and a.pid <> pg_backend_pid()
  order by a.query_start, a.pid limit 30) x
"""

# The columns' names differ by version, so they are taken from a row as JSON.
_STATEMENTS = """
select json_build_object('available', true, 'statements', coalesce(json_agg(x), '[]')) from (
  select calls, round(total::numeric, 1) as total_ms, round((total / calls)::numeric, 2) as mean_ms,
         rows, query
  from (select s.calls, s.rows, left(s.query, 200) as query, coalesce(
          (to_jsonb(s) ->> 'total_exec_time')::float8, (to_jsonb(s) ->> 'total_time')::float8
        ) as total
        from pg_stat_statements s join pg_database d on d.oid = s.dbid
        where d.datname = current_database() and s.calls > 0) s
  order by total desc limit 20) x
"""
_HAS_STATEMENTS = "select to_regclass('pg_stat_statements') is not null"
_NO_STATEMENTS = "select json_build_object('available', false, 'statements', '[]'::json)"


class QueryArgs(SessionArgs):
    """One query of one session."""

    query_start: Annotated[str, StringConstraints(pattern=_START)]


class RunningQuery(FindingsModel):
    """A query that runs now."""

    pid: Pid
    backend_start: Moment | None
    query_start: Moment | None
    seconds: Seconds | None
    user: Word | None
    application: Line | None
    waits_for: Word | None
    query: Line | None
    may_cancel: bool | None


class QueriesFindings(FindingsModel):
    """Queries that run now, the oldest first. A role without `pg_monitor` sees only its own."""

    queries: Annotated[list[RunningQuery], Field(max_length=30)]


class QueryFindings(FindingsModel):
    """Whether exactly this query still runs."""

    running: bool


class StatementFindings(FindingsModel):
    """A kind of statement and the time that it has used."""

    calls: Count
    total_ms: Seconds
    mean_ms: Seconds
    rows: Count
    query: Line | None


class StatementsFindings(FindingsModel):
    """The statements that used the most time, if `pg_stat_statements` is installed."""

    available: bool
    statements: Annotated[list[StatementFindings], Field(max_length=20)]


class CancelFindings(FindingsModel):
    """Whether the query was there to be cancelled."""

    acted: bool


def _this_query(args: QueryArgs) -> str:
    start = datetime.fromisoformat(args.query_start).isoformat()
    return f"{session_condition(args)} and query_start = '{start}'::timestamptz"


def _query(args: QueryArgs, host: Host) -> Command:
    sql = f"""select json_build_object('running', count(*) > 0) from pg_stat_activity
              where {_this_query(args)} and state = 'active'"""
    return query(args.service, host, sql)


def _cancel(args: QueryArgs, host: Host) -> Command:
    sql = f"""select json_build_object('acted', coalesce(bool_or(pg_cancel_backend(pid)), false))
              from pg_stat_activity where {_this_query(args)} and state = 'active'
              and backend_type = 'client backend' and datname = current_database()
              and pid <> pg_backend_pid()"""
    return query(args.service, host, sql)


def _may_be_cancelled(args: QueryArgs) -> tuple[Check, ...]:
    call = ToolCall(tool="database.queries", args={"service": args.service})
    this = " && ".join(
        f"{name}=={jmespath_literal(getattr(args, name))}"
        for name in ("pid", "backend_start", "query_start")
    )
    expect = f"length(queries[?{this} && may_cancel]) > `0`"
    sentence = t("tools.database.cancel_query.precheck", pid=args.pid)
    return (Check(call=call, expect=expect, sentence=sentence),)


def _is_over(args: QueryArgs) -> tuple[Check, ...]:
    call = ToolCall(tool="database.query", args=args.model_dump())
    sentence = t("tools.database.cancel_query.verify", pid=args.pid)
    return (Check(call=call, expect="!running", within=10, sentence=sentence),)


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="database.queries",
        risk=Risk.READ,
        args=ServiceArgs,
        command=lambda args, host: query(args.service, host, _QUERIES),
        parse=stdout_parser("database.queries", read_object),
        findings=QueriesFindings,
        tried_on=("debian-12",),
        kinds=KINDS,
        platforms=KINDS,
        requires=("psql",),
    ),
    Tool(
        name="database.query",
        risk=Risk.READ,
        args=QueryArgs,
        command=_query,
        parse=stdout_parser("database.query", read_object),
        findings=QueryFindings,
        tried_on=("debian-12",),
        kinds=KINDS,
        platforms=KINDS,
        requires=("psql",),
    ),
    Tool(
        name="database.slow_queries",
        risk=Risk.READ,
        args=ServiceArgs,
        command=lambda args, host: query(
            args.service, host, _STATEMENTS, question=_HAS_STATEMENTS, other=_NO_STATEMENTS
        ),
        parse=stdout_parser("database.slow_queries", read_object),
        findings=StatementsFindings,
        tried_on=("debian-12",),
        kinds=KINDS,
        platforms=KINDS,
        requires=("psql",),
    ),
    Tool(
        name="database.cancel_query",
        risk=Risk.CHANGE,
        args=QueryArgs,
        command=_cancel,
        parse=stdout_parser("database.cancel_query", read_object),
        findings=CancelFindings,
        tried_on=("debian-12",),
        precheck=_may_be_cancelled,
        verify=_is_over,
        irreversible="tools.database.cancel_query.irreversible",
        choices=(
            EvidenceChoice(
                "pid",
                "database.queries",
                "queries[?may_cancel]",
                "pid",
                {"backend_start": "backend_start", "query_start": "query_start"},
            ),
        ),
        kinds=KINDS,
        platforms=KINDS,
        requires=("psql",),
    ),
)
