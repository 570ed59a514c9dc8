"""Dead rows of tables, and VACUUM with ANALYZE of one table."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.i18n import t
from guardia.org.directory import Host
from guardia.tools.command import Command
from guardia.tools.families.database.psql import KINDS, query, read_object
from guardia.tools.findings import Count, Done, FindingsModel, Seconds, Word
from guardia.tools.tool import (
    EvidenceChoice,
    ServiceArgs,
    Tool,
    jmespath_literal,
    stdout_parser,
    success_findings,
)

_VACUUM_SECONDS = 1800
# It waits no longer than this for its lock, so it never holds up the statements behind it.
_VACUUM_SETTINGS = f"set lock_timeout = '5s'; set statement_timeout = '{_VACUUM_SECONDS}s'"

Identifier = Annotated[
    str, StringConstraints(pattern=r'^[^"\x00-\x1f\x7f\s][^"\x00-\x1f\x7f]{0,62}$')
]

_MAY_MAINTAIN = """(me.rolsuper or pg_has_role(c.relowner, 'USAGE') or coalesce((
    select pg_has_role(oid, 'USAGE') from pg_roles where rolname = 'pg_maintain'), false))"""

_FACTS = f"""
  select s.schemaname as namespace, s.relname as "table", s.n_live_tup as live,
         s.n_dead_tup as dead,
         round(extract(epoch from clock_timestamp() -
               greatest(s.last_vacuum, s.last_autovacuum))::numeric, 1) as vacuumed_seconds_ago,
         round(extract(epoch from clock_timestamp() -
               greatest(s.last_analyze, s.last_autoanalyze))::numeric, 1) as analyzed_seconds_ago,
         {_MAY_MAINTAIN} as may_maintain
  from pg_stat_user_tables s join pg_class c on c.oid = s.relid
  cross join (select rolsuper from pg_roles where rolname = current_user) me
"""
_TABLES = f"""
select json_build_object('tables', coalesce(json_agg(x), '[]'))
from ({_FACTS} order by s.n_dead_tup desc, 1, 2 limit 30) x
"""


class TableArgs(ServiceArgs):
    """One table."""

    namespace: Identifier
    table: Identifier


class TableFindings(FindingsModel):
    """Rows of a table, when it was cleaned up, and whether GUARDiA's role may do it."""

    namespace: Word
    table: Word
    live: Count
    dead: Count
    vacuumed_seconds_ago: Seconds | None
    analyzed_seconds_ago: Seconds | None
    may_maintain: bool


class TablesFindings(FindingsModel):
    """Tables, those with the most dead rows first."""

    tables: Annotated[list[TableFindings], Field(max_length=30)]


def _table(args: TableArgs, host: Host) -> Command:
    condition = f"s.schemaname = {_literal(args.namespace)} and s.relname = {_literal(args.table)}"
    sql = f"""select json_build_object('tables', coalesce(json_agg(x), '[]'))
              from ({_FACTS} where {condition}) x"""
    return query(args.service, host, sql)


def _vacuum(args: TableArgs, host: Host) -> Command:
    sql = f'vacuum (analyze) "{args.namespace}"."{args.table}"'
    return query(args.service, host, sql, settings=_VACUUM_SETTINGS)


def _literal(text: str) -> str:
    """Quote a name as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def _check(args: TableArgs, condition: str, sentence: str, within: float = 0) -> tuple[Check, ...]:
    names = (
        f"namespace=={jmespath_literal(args.namespace)} && table=={jmespath_literal(args.table)}"
    )
    call = ToolCall(tool="database.table", args=args.model_dump())
    expect = f"length(tables[?{names} && {condition}]) > `0`"
    return (Check(call=call, expect=expect, within=within, sentence=sentence),)


def _may_vacuum(args: TableArgs) -> tuple[Check, ...]:
    sentence = t("tools.database.vacuum.precheck", table=args.table)
    return _check(args, "may_maintain", sentence)


def _is_vacuumed(args: TableArgs) -> tuple[Check, ...]:
    sentence = t("tools.database.vacuum.verify", table=args.table)
    recent = f"vacuumed_seconds_ago && vacuumed_seconds_ago < `{_VACUUM_SECONDS}`"
    return _check(args, recent, sentence, within=10)


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="database.tables",
        risk=Risk.READ,
        args=ServiceArgs,
        command=lambda args, host: query(args.service, host, _TABLES),
        parse=stdout_parser("database.tables", read_object),
        findings=TablesFindings,
        tried_on=("debian-12",),
        kinds=KINDS,
        platforms=KINDS,
        requires=("psql",),
    ),
    Tool(
        name="database.table",
        risk=Risk.READ,
        args=TableArgs,
        command=_table,
        parse=stdout_parser("database.table", read_object),
        findings=TablesFindings,
        tried_on=("debian-12",),
        kinds=KINDS,
        platforms=KINDS,
        requires=("psql",),
    ),
    Tool(
        name="database.vacuum",
        risk=Risk.CHANGE,
        args=TableArgs,
        command=_vacuum,
        parse=stdout_parser("database.vacuum", success_findings),
        findings=Done,
        tried_on=("debian-12",),
        precheck=_may_vacuum,
        verify=_is_vacuumed,
        irreversible="tools.database.vacuum.irreversible",
        choices=(
            EvidenceChoice(
                "table",
                "database.tables",
                "tables[?may_maintain]",
                "table",
                {"namespace": "namespace"},
            ),
        ),
        timeout=_VACUUM_SECONDS + 30,
        kinds=KINDS,
        platforms=KINDS,
        requires=("psql",),
    ),
)
