"""Lock chains, and termination of the session that blocks the others."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints, field_validator

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.i18n import t
from guardia.org.directory import Host
from guardia.tools.command import Command
from guardia.tools.families.database.psql import KINDS, UTC, query, read_object
from guardia.tools.findings import Count, FindingsModel, Line, Moment, Pid, Seconds, Word
from guardia.tools.tool import (
    EvidenceChoice,
    ServiceArgs,
    Tool,
    jmespath_literal,
    stdout_parser,
)

# As `pg_terminate_backend` decides: only superusers end a superuser's session.
MAY_SIGNAL: Final = """(select me.rolsuper or (not coalesce(r.rolsuper, true) and (
             pg_has_role(a.usesysid, 'USAGE') or pg_has_role('pg_signal_backend', 'USAGE')))
           from pg_roles me left join pg_roles r on r.oid = a.usesysid
           where me.rolname = current_user)"""

# pg_locks and pg_blocking_pids are open to every role, unlike other sessions' rows in
# pg_stat_activity: an account without pg_monitor sees the chain, but not the queries.
_LOCKS = f"""
with recursive waiting as (
  select w.pid, pg_blocking_pids(w.pid) as by,
         coalesce(w.since, a.query_start) as since, left(a.query, 200) as query
  from (select pid, min((to_jsonb(l) ->> 'waitstart')::timestamptz) as since
        from pg_locks l where not granted group by pid) w
  join pg_stat_activity a on a.pid = w.pid and a.datname = current_database()
), blocked as (
  select * from waiting where cardinality(by) > 0
), edges as (
  select distinct pid as waiter, unnest(by) as blocker from blocked
), reach (root, waiter) as (
  select blocker, waiter from edges where blocker not in (select pid from blocked)
  union select r.root, e.waiter from reach r join edges e on e.blocker = r.waiter
), roots as (
  select r.root as pid, count(*) as blocked from reach r group by r.root
)
select json_build_object(
  'waiting', (select count(*) from blocked),
  'roots', (select coalesce(json_agg(x), '[]') from (
    select r.pid, to_char(a.backend_start at time zone 'UTC', '{UTC}') as backend_start,
           a.state, a.usename as "user", a.application_name as application,
           round(extract(epoch from clock_timestamp() - a.xact_start)::numeric, 1) as xact_seconds,
           left(a.query, 200) as query, r.blocked, {MAY_SIGNAL} as may_terminate
    from roots r join pg_stat_activity a on a.pid = r.pid
    order by r.blocked desc, r.pid limit 20) x),
  'waiters', (select coalesce(json_agg(x), '[]') from (
    select pid, by as blocked_by,
           round(extract(epoch from clock_timestamp() - since)::numeric, 1) as seconds, query
    from blocked order by since, pid limit 50) x))
"""

_ACTIVITY = """
select json_build_object(
  'sessions', count(*),
  'active', count(*) filter (where state = 'active'),
  'idle_in_transaction', count(*) filter (where state like 'idle in transaction%'),
  'longest_seconds', coalesce(round(extract(epoch from
     max(clock_timestamp() - xact_start))::numeric, 1), 0))
from pg_stat_activity
where backend_type = 'client backend' and datname = current_database()
  and pid <> pg_backend_pid()
"""


class SessionArgs(ServiceArgs):
    """One session. Its start distinguishes it from a later one with the same process id."""

    pid: Annotated[int, Field(gt=0, lt=2**31)]
    backend_start: Annotated[
        str,
        StringConstraints(
            pattern=r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}(:?\d{2})?)$"
        ),
    ]

    @field_validator("backend_start")
    @classmethod
    def _valid_time(cls, text: str) -> str:
        datetime.fromisoformat(text)  # month 13 matches the pattern but raises ValueError here
        return text


class RootSession(FindingsModel):
    """A session that blocks others. An account without `pg_monitor` sees little of it."""

    pid: Pid
    backend_start: Moment | None
    state: Word | None
    user: Word | None
    application: Line | None
    xact_seconds: Seconds | None
    query: Line | None
    blocked: Count
    may_terminate: bool | None = None
    """Whether GUARDiA's account may end it."""


class WaitingSession(FindingsModel):
    """A session that waits, and the sessions that block it (0: a prepared transaction)."""

    pid: Pid
    blocked_by: Annotated[
        list[Annotated[int, Field(ge=0, lt=2**31)]], Field(min_length=1, max_length=10_000)
    ]
    seconds: Seconds | None
    query: Line | None


class LockFindings(FindingsModel):
    """Chains of sessions that wait for locks."""

    waiting: Count
    roots: Annotated[list[RootSession], Field(max_length=20)]
    waiters: Annotated[list[WaitingSession], Field(max_length=50)]


class ActivityFindings(FindingsModel):
    """How many sessions there are, and how long the oldest transaction is."""

    sessions: Count
    active: Count
    idle_in_transaction: Count
    longest_seconds: Seconds


class SessionFindings(FindingsModel):
    """Whether the session is still there."""

    present: bool
    state: Word | None


class ActedFindings(FindingsModel):
    """Whether the session was there to be ended."""

    acted: bool


def session_condition(args: SessionArgs) -> str:
    """Build the condition for exactly this session; none of its values can hold a quote."""
    start = datetime.fromisoformat(args.backend_start).isoformat()
    return f"pid = {int(args.pid)} and backend_start = '{start}'::timestamptz"


def _session(args: SessionArgs, host: Host) -> Command:
    sql = f"""select json_build_object('present', count(*) > 0, 'state', min(state))
              from pg_stat_activity where {session_condition(args)}"""
    return query(args.service, host, sql)


def _terminate(args: SessionArgs, host: Host) -> Command:
    sql = f"""select json_build_object('acted', coalesce(bool_or(pg_terminate_backend(pid)), false))
              from pg_stat_activity where {session_condition(args)}
              and backend_type = 'client backend' and datname = current_database()
              and pid <> pg_backend_pid()"""
    return query(args.service, host, sql)


def _still_blocking(args: SessionArgs) -> tuple[Check, ...]:
    pid, start = jmespath_literal(args.pid), jmespath_literal(args.backend_start)
    locks = ToolCall(tool="database.locks", args={"service": args.service})
    this = f"pid=={pid} && backend_start=={start} && may_terminate != `false`"
    expect = f"length(roots[?{this}]) > `0`"
    sentence = t("tools.database.terminate_session.precheck", pid=args.pid)
    return (Check(call=locks, expect=expect, sentence=sentence),)


def _session_gone(args: SessionArgs) -> tuple[Check, ...]:
    session = ToolCall(tool="database.session", args=args.model_dump())
    sentence = t("tools.database.terminate_session.verify", pid=args.pid)
    return (Check(call=session, expect="!present", within=10, sentence=sentence),)


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="database.locks",
        risk=Risk.READ,
        args=ServiceArgs,
        kinds=KINDS,
        platforms=KINDS,
        requires=("psql",),
        tried_on=("fleet", "debian-12"),
        command=lambda args, host: query(args.service, host, _LOCKS),
        parse=stdout_parser("database.locks", read_object),
        findings=LockFindings,
    ),
    Tool(
        name="database.activity",
        risk=Risk.READ,
        args=ServiceArgs,
        kinds=KINDS,
        platforms=KINDS,
        requires=("psql",),
        tried_on=("fleet", "debian-12"),
        command=lambda args, host: query(args.service, host, _ACTIVITY),
        parse=stdout_parser("database.activity", read_object),
        findings=ActivityFindings,
    ),
    Tool(
        name="database.session",
        risk=Risk.READ,
        args=SessionArgs,
        kinds=KINDS,
        platforms=KINDS,
        requires=("psql",),
        tried_on=("fleet", "debian-12"),
        command=_session,
        parse=stdout_parser("database.session", read_object),
        findings=SessionFindings,
    ),
    Tool(
        name="database.terminate_session",
        risk=Risk.CHANGE,
        args=SessionArgs,
        kinds=KINDS,
        platforms=KINDS,
        requires=("psql",),
        tried_on=("fleet", "debian-12"),
        command=_terminate,
        parse=stdout_parser("database.terminate_session", read_object),
        findings=ActedFindings,
        precheck=_still_blocking,
        verify=_session_gone,
        choices=(
            EvidenceChoice(
                "pid",
                "database.locks",
                "roots[?may_terminate != `false`]",
                "pid",
                {"backend_start": "backend_start"},
            ),
        ),
        irreversible="tools.database.terminate_session.irreversible",
    ),
)
