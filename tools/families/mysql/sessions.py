"""Sessions and chains of lock waits."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints

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
from guardia.tools.findings import Count, FindingsModel, Line, Word
from guardia.tools.tool import Findings, ServiceArgs, Tool, stdout_parser

# The privilege has a name of its own in each: CONNECTION ADMIN in MariaDB, CONNECTION_ADMIN in
# MySQL 8, SUPER before. A session of the own account may always be ended.
_MAY_KILL: Final = """
(p.user = substring_index(current_user(), '@', 1) or exists (
  select 1 from information_schema.user_privileges u
  where u.privilege_type in ('SUPER', 'CONNECTION ADMIN', 'CONNECTION_ADMIN')
    and u.grantee = concat('''', replace(current_user(), '@', '''@'''), '''')))"""

_COLUMNS: Final = """
p.id, p.user, p.host, p.db, p.command, p.time, p.state, replace(left(p.info, 200), '\\n', ' ')"""

_SESSIONS = f"""
select {_COLUMNS}, {_MAY_KILL} from information_schema.processlist p
where p.id <> connection_id() and p.command not in ('Daemon', 'Binlog Dump')
  and p.user not in ('system user', 'event_scheduler')
order by p.command = 'Sleep', p.time desc, p.id limit 100
"""

_SESSION_COLUMNS: Final = f"""
select {_COLUMNS}, {_MAY_KILL}, timestampdiff(second, t.trx_started, now()), w.n
"""

_OF_INFORMATION: Final = f"""
{_SESSION_COLUMNS}
from (select b.trx_mysql_thread_id as id, count(distinct r.trx_id) as n
      from information_schema.innodb_lock_waits l
      join information_schema.innodb_trx b on b.trx_id = l.blocking_trx_id
      join information_schema.innodb_trx r on r.trx_id = l.requesting_trx_id
      where b.trx_state <> 'LOCK WAIT' group by b.trx_mysql_thread_id) w
join information_schema.innodb_trx t on t.trx_mysql_thread_id = w.id
left join information_schema.processlist p on p.id = w.id
order by w.n desc, w.id limit 20
"""
_OF_PERFORMANCE: Final = f"""
{_SESSION_COLUMNS}
from (select b.trx_mysql_thread_id as id, count(distinct l.requesting_engine_transaction_id) as n
      from performance_schema.data_lock_waits l
      join information_schema.innodb_trx b on b.trx_id = l.blocking_engine_transaction_id
      where b.trx_state <> 'LOCK WAIT' group by b.trx_mysql_thread_id) w
join information_schema.innodb_trx t on t.trx_mysql_thread_id = w.id
left join information_schema.processlist p on p.id = w.id
order by w.n desc, w.id limit 20
"""

# Sessions that wait for a lock of a row, and those that wait for the lock of a table's definition.
_WAITERS: Final = """
select p.id, p.user, coalesce(timestampdiff(second, t.trx_wait_started, now()), p.time),
       coalesce(t.trx_state, p.state), replace(left(p.info, 200), '\\n', ' ')
from information_schema.processlist p
left join information_schema.innodb_trx t on t.trx_mysql_thread_id = p.id
where t.trx_state = 'LOCK WAIT' or p.state like 'Waiting for%lock'
order by 3 desc, 1 limit 50
"""

_LOCKS = Script(
    "mysql.locks",
    CLIENT
    + r"""
if [ "$(family)" = information ]; then roots=$1; else roots=$2; fi
echo roots
ask "$roots"
echo waiters
ask "$3"
""",
)

SessionUser = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.$@-]{1,80}$")]
SessionClient = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:%\[\]-]{1,261}$")]


class SessionArgs(ServiceArgs):
    """One session: its id is used again only after the database was restarted."""

    id: Annotated[int, Field(gt=0, lt=2**63)]
    user: SessionUser
    client: SessionClient


class SessionRow(FindingsModel):
    """A session."""

    id: Count
    user: Word | None
    client: Line | None
    database: Word | None
    command: Word | None
    seconds: Count | None
    state: Line | None
    query: Line | None
    may_kill: bool
    """Whether GUARDiA's account may end it."""


class RootRow(SessionRow):
    """A session that blocks others."""

    transaction_seconds: Count | None
    blocked: Count


class WaiterRow(FindingsModel):
    """A session that waits."""

    id: Count
    user: Word | None
    seconds: Count | None
    state: Line | None
    query: Line | None


class SessionsFindings(FindingsModel):
    """Sessions: those that work first. Without PROCESS only the account's own are visible."""

    sessions: Annotated[list[SessionRow], Field(max_length=100)]


class LocksFindings(FindingsModel):
    """Sessions that wait for locks, and those that block them."""

    waiting: Count
    roots: Annotated[list[RootRow], Field(max_length=20)]
    waiters: Annotated[list[WaiterRow], Field(max_length=50)]


class SessionFindings(FindingsModel):
    """Whether exactly this session is still there, and whether it runs something."""

    present: bool
    busy: bool


def session_condition(args: SessionArgs) -> str:
    """Build the condition for exactly this session; none of its values can hold a quote."""
    return f"p.id = {int(args.id)} and p.user = '{args.user}' and p.host = '{args.client}'"


def _row(cells: list[str | None]) -> Findings:
    return {
        "id": number(cells[0]),
        "user": text(cells[1], 100),
        "client": text(cells[2]),
        "database": text(cells[3], 100) or None,
        "command": text(cells[4], 100) or None,
        "seconds": number(cells[5]),
        "state": text(cells[6]),
        "query": text(cells[7]),
        "may_kill": cells[8] == "1",
    }


def _read_sessions(answer: str) -> Findings:
    return {"sessions": [_row(cells) for cells in rows(answer, 9)]}


def _read_locks(answer: str) -> Findings:
    roots, _, waiters = answer.removeprefix("roots\n").partition("waiters\n")
    waiting = [
        {
            "id": number(cells[0]),
            "user": text(cells[1], 100),
            "seconds": number(cells[2]),
            "state": text(cells[3]),
            "query": text(cells[4]),
        }
        for cells in rows(waiters, 5)
    ]
    return {
        "waiting": len(waiting),
        "roots": [
            _row(cells) | {"transaction_seconds": number(cells[9]), "blocked": number(cells[10])}
            for cells in rows(roots, 11)
        ],
        "waiters": waiting,
    }


def _session(args: SessionArgs, host: Host) -> Command:
    sql = f"""select count(*), coalesce(max(p.command <> 'Sleep'), 0)
              from information_schema.processlist p where {session_condition(args)}"""
    return query(args.service, host, sql)


def _read_session(answer: str) -> Findings:
    ((count, busy),) = rows(answer, 2)
    return {"present": count != "0", "busy": busy == "1"}


def _locks(args: ServiceArgs, host: Host) -> Command:
    questions = (" ".join(q.split()) for q in (_OF_INFORMATION, _OF_PERFORMANCE, _WAITERS))
    return run(_LOCKS, args.service, host, *questions)


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="mysql.sessions",
        risk=Risk.READ,
        args=ServiceArgs,
        command=lambda args, host: query(args.service, host, _SESSIONS),
        parse=stdout_parser("mysql.sessions", _read_sessions),
        findings=SessionsFindings,
        tried_on=("debian-12",),
        kinds=KINDS,
        platforms=KINDS,
        requires=PROGRAMS,
    ),
    Tool(
        name="mysql.session",
        risk=Risk.READ,
        args=SessionArgs,
        command=_session,
        parse=stdout_parser("mysql.session", _read_session),
        findings=SessionFindings,
        tried_on=("debian-12",),
        kinds=KINDS,
        platforms=KINDS,
        requires=PROGRAMS,
    ),
    Tool(
        name="mysql.locks",
        risk=Risk.READ,
        args=ServiceArgs,
        command=_locks,
        parse=stdout_parser("mysql.locks", _read_locks),
        findings=LocksFindings,
        tried_on=("debian-12",),
        kinds=KINDS,
        platforms=KINDS,
        requires=PROGRAMS,
    ),
)
