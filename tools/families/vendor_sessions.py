"""Oracle and Tibero: sessions, lock waits, tablespaces, alert log, and killing one session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import Field

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.i18n import t
from guardia.org.directory import Host
from guardia.tools import target
from guardia.tools.command import Command, Script
from guardia.tools.families.vendor_sql import ORACLE, TIBERO, Vendor, number, parser, query, rows
from guardia.tools.findings import Count, FindingsModel, Line, Share, Word
from guardia.tools.output import sanitize
from guardia.tools.target import service_on
from guardia.tools.tool import (
    EvidenceChoice,
    Findings,
    ServiceArgs,
    Tool,
    jmespath_literal,
    stdout_parser,
)


@dataclass(frozen=True, slots=True)
class _Statements:
    """The statements of a vendor. Texts are last and without bars."""

    sessions: str
    locks: str
    tablespaces: str
    session: str
    """With `{sid}` and `{serial}`."""
    kill: str
    alert_log: str
    """Name of the alert log below the folder of logs; `*` is in place of the instance."""


_ORACLE: Final = _Statements(
    sessions="""
select line from (
  select sid||'|'||serial#||'|'||username||'|'||status||'|'||nvl(last_call_et,0)||'|'||
    nvl(sql_id,'')||'|'||nvl(event,'')||'|'||replace(machine||' '||program,'|',' ') as line
  from v$session where type = 'USER' and sid <> sys_context('userenv','sid')
  order by decode(status,'ACTIVE',0,1), last_call_et desc
) where rownum <= 100""",
    locks="""
select w.sid||'|'||w.serial#||'|'||w.username||'|'||nvl(w.seconds_in_wait,0)||'|'||b.sid||'|'||
  b.serial#||'|'||b.username||'|'||b.status||'|'||nvl(b.last_call_et,0)||'|'||
  decode(b.blocking_session,null,1,0)||'|'||replace(b.machine||' '||b.program,'|',' ')
from v$session w join v$session b on b.sid = w.blocking_session
where w.blocking_session is not null order by w.seconds_in_wait desc""",
    tablespaces="""
select tablespace_name||'|'||round(used_percent)||'|'||used_space||'|'||tablespace_size
from dba_tablespace_usage_metrics order by used_percent desc""",
    session="""
select count(*)||'|'||nvl(max(status),'-') from v$session
where sid = {sid} and serial# = {serial} and status <> 'KILLED'""",
    kill="alter system kill session '{sid},{serial}' immediate",
    alert_log="alert_*.log",
)
_TIBERO: Final = _Statements(
    sessions="""
select sid||'|'||serial#||'|'||username||'|'||status||'|'||nvl(elapsed_time,0)||'|'||
  nvl(sql_id,'')||'|'||nvl(wlock_wait,'')||'|'||replace(machine||' '||prog_name,'|',' ')
from v$session where type <> 'BACKGROUND' and username is not null order by status, sid""",
    locks="""
select w.sid||'|'||w.serial#||'|'||w.username||'|'||nvl(w.elapsed_time,0)||'|'||b.sid||'|'||
  b.serial#||'|'||b.username||'|'||b.status||'|'||nvl(b.elapsed_time,0)||'|'||
  decode(b.wlock_wait,null,1,0)||'|'||replace(b.machine||' '||b.prog_name,'|',' ')
from v$session w, v$session b, v$lock l, v$lock h
where l.sess_id = w.sid and l.requested > 0 and h.type = l.type and h.id1 = l.id1
  and h.id2 = l.id2 and h.lmode > 0 and b.sid = h.sess_id and b.sid <> w.sid""",
    tablespaces="""
select f.tablespace_name||'|'||round(100*(f.total-nvl(e.free,0))/f.total)||'|'||
  (f.total-nvl(e.free,0))||'|'||f.total
from (select tablespace_name, sum(blocks) total from dba_data_files group by tablespace_name) f
left join (select tablespace_name, sum(blocks) free from dba_free_space group by tablespace_name) e
on e.tablespace_name = f.tablespace_name order by 1""",
    session="""
select count(*)||'|'||nvl(max(status),'-') from v$session
where sid = {sid} and serial# = {serial}""",
    kill="alter system kill session ({sid}, {serial})",
    alert_log="sys.log",
)

_ALERT_LOG = Script(
    "vendor.alert_log",
    r"""
folder=$(readlink -e -- "$1") || { echo "no such folder: $1" >&2; exit 3; }
for file in "$folder"/$2 "$folder"/*/trace/$2; do
  if [ -f "$file" ] && [ ! -L "$file" ]; then
    echo "file $file"
    tail -c 1048576 -- "$file" | { grep -aE "$3" || true; } | tail -n 200 | cut -c 1-500
    exit 0
  fi
done
echo "no $2 below $folder" >&2
exit 3
""",
)


class SessionArgs(ServiceArgs):
    """One session: its number, and the serial number that makes it another than an earlier one."""

    sid: Annotated[int, Field(gt=0, lt=2**31)]
    serial: Annotated[int, Field(ge=0, lt=2**31)]


class SessionRow(FindingsModel):
    """A session."""

    sid: Count
    serial: Count
    user: Word | None
    status: Word
    seconds: Count | None
    statement: Line | None
    waits_for: Line | None
    program: Line


class SessionsFindings(FindingsModel):
    """Sessions of users."""

    sessions: Annotated[list[SessionRow], Field(max_length=100)]


class BlockerRow(FindingsModel):
    """A session that blocks others and does not wait itself."""

    sid: Count
    serial: Count
    user: Word | None
    status: Word
    seconds: Count | None
    program: Line
    blocked: Count


class WaiterRow(FindingsModel):
    """A session that waits, and for which."""

    sid: Count
    user: Word | None
    seconds: Count | None
    blocked_by: Count


class LocksFindings(FindingsModel):
    """Chains of sessions that wait for locks."""

    waiting: Count
    roots: Annotated[list[BlockerRow], Field(max_length=20)]
    waiters: Annotated[list[WaiterRow], Field(max_length=100)]


class TablespaceRow(FindingsModel):
    """A tablespace; its sizes are in blocks."""

    name: Word
    percent: Share
    used_blocks: Count
    blocks: Count


class TablespacesFindings(FindingsModel):
    """Tablespaces, the fullest first."""

    tablespaces: Annotated[list[TablespaceRow], Field(max_length=500)]
    worst_percent: Share


class AlertFindings(FindingsModel):
    """The last errors in the alert log."""

    file: Line
    count: Count
    lines: Annotated[list[Line], Field(max_length=200)]


class SessionFindings(FindingsModel):
    """Whether exactly this session is still there."""

    present: bool
    status: Word | None


class KillFindings(FindingsModel):
    """Whether the database accepted the statement."""

    acted: bool


def _read_sessions(text: str) -> Findings:
    return {
        "sessions": [
            {
                "sid": number(sid),
                "serial": number(serial),
                "user": user[:100] or None,
                "status": status[:100],
                "seconds": number(seconds),
                "statement": statement[:100] or None,
                "waits_for": event[:200] or None,
                "program": program[:200],
            }
            for sid, serial, user, status, seconds, statement, event, program in rows(text, 8)
        ][:100]
    }


def _read_locks(text: str) -> Findings:
    roots: dict[int, Findings] = {}
    waiters = []
    for cells in rows(text, 11):
        waits, blocks = cells[:4], cells[4:]
        sid = number(blocks[0]) or 0
        waiters.append(
            {
                "sid": number(waits[0]),
                "user": waits[2][:100] or None,
                "seconds": number(waits[3]),
                "blocked_by": sid,
            }
        )
        if blocks[5] == "1":
            root = roots.setdefault(sid, _root(blocks))
            root["blocked"] += 1
    return {
        "waiting": len({w["sid"] for w in waiters}),
        "roots": sorted(roots.values(), key=lambda r: (-r["blocked"], r["sid"]))[:20],
        "waiters": waiters[:100],
    }


def _root(cells: list[str]) -> Findings:
    return {
        "sid": number(cells[0]),
        "serial": number(cells[1]),
        "user": cells[2][:100] or None,
        "status": cells[3][:100],
        "seconds": number(cells[4]),
        "program": cells[6][:200],
        "blocked": 0,
    }


def _read_tablespaces(text: str) -> Findings:
    found: list[Findings] = [
        {
            "name": name[:100],
            "percent": number(percent),
            "used_blocks": number(used),
            "blocks": number(total),
        }
        for name, percent, used, total in rows(text, 4)
    ]
    found.sort(key=lambda one: -(one["percent"] or 0))
    return {
        "tablespaces": found[:500],
        "worst_percent": max((one["percent"] or 0 for one in found), default=0),
    }


def _read_session(text: str) -> Findings:
    ((count, status),) = rows(text, 2)
    return {"present": int(count) > 0, "status": status if status != "-" else None}


def _read_alert(text: str) -> Findings:
    first, *lines = text.splitlines()
    shown = [sanitize(line.strip())[:500] for line in lines if line.strip()]
    return {"file": first.removeprefix("file "), "count": len(shown), "lines": shown[-200:]}


def _still_blocking(kind: str, args: SessionArgs) -> tuple[Check, ...]:
    this = f"sid==`{args.sid}` && serial==`{args.serial}`"
    return (
        Check(
            call=ToolCall(tool=f"{kind}.locks", args={"service": args.service}),
            expect=f"length(roots[?{this}]) > `0`",
            sentence=t(f"tools.{kind}.kill_session.precheck", sid=args.sid),
        ),
    )


def _gone(kind: str, args: SessionArgs) -> tuple[Check, ...]:
    return (
        Check(
            call=ToolCall(tool=f"{kind}.session", args=args.model_dump()),
            expect=f"!present || status == {jmespath_literal('KILLED')}",
            within=15,
            sentence=t(f"tools.{kind}.kill_session.verify", sid=args.sid),
        ),
    )


def _declare(vendor: Vendor, statements: _Statements) -> tuple[Tool[Any], ...]:
    """Declare the tools of a vendor."""
    common: dict[str, Any] = {
        "kinds": (vendor.kind,),
        "platforms": (vendor.kind,),
        "requires": (vendor.program,),
        "manual": vendor.manual,
    }

    def read(verb: str, sql: str, reader: Any, findings: type[FindingsModel]) -> Tool[Any]:
        name = f"{vendor.kind}.{verb}"
        return Tool(
            name=name,
            risk=Risk.READ,
            args=ServiceArgs,
            command=lambda args, host: query(vendor, args.service, host, sql),
            parse=parser(vendor, name, reader),
            findings=findings,
            **common,
        )

    def with_session(sql: str, args: SessionArgs, host: Host) -> Command:
        whole = sql.format(sid=int(args.sid), serial=int(args.serial))
        return query(vendor, args.service, host, whole)

    def alert_log(args: ServiceArgs, host: Host) -> Command:
        folder = target.logs(service_on(host, args.service, (vendor.kind,)))
        errors = f"{vendor.error}[0-9]+|deadlock|Deadlock|DEADLOCK"
        return Command.script(_ALERT_LOG, folder, statements.alert_log, errors)

    return (
        read("sessions", statements.sessions, _read_sessions, SessionsFindings),
        read("locks", statements.locks, _read_locks, LocksFindings),
        read("tablespaces", statements.tablespaces, _read_tablespaces, TablespacesFindings),
        Tool(
            name=f"{vendor.kind}.alert_log",
            risk=Risk.READ,
            args=ServiceArgs,
            command=alert_log,
            parse=stdout_parser(f"{vendor.kind}.alert_log", _read_alert),
            findings=AlertFindings,
            kinds=(vendor.kind,),
            platforms=(vendor.kind,),
            manual=vendor.manual,
        ),
        Tool(
            name=f"{vendor.kind}.session",
            risk=Risk.READ,
            args=SessionArgs,
            command=lambda args, host: with_session(statements.session, args, host),
            parse=parser(vendor, f"{vendor.kind}.session", _read_session),
            findings=SessionFindings,
            **common,
        ),
        Tool(
            name=f"{vendor.kind}.kill_session",
            risk=Risk.CHANGE,
            args=SessionArgs,
            command=lambda args, host: with_session(statements.kill, args, host),
            parse=parser(vendor, f"{vendor.kind}.kill_session", lambda _text: {"acted": True}),
            findings=KillFindings,
            precheck=lambda args: _still_blocking(vendor.kind, args),
            verify=lambda args: _gone(vendor.kind, args),
            irreversible=f"tools.{vendor.kind}.kill_session.irreversible",
            choices=(
                EvidenceChoice("sid", f"{vendor.kind}.locks", "roots", "sid", {"serial": "serial"}),
            ),
            **common,
        ),
    )


TOOLS: tuple[Tool[Any], ...] = (*_declare(ORACLE, _ORACLE), *_declare(TIBERO, _TIBERO))
