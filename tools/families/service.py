"""A service as its users and its system see it: health, processes, log level, restart."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.i18n import t
from guardia.org.directory import Host, Service
from guardia.tools import target
from guardia.tools.command import Command, Script
from guardia.tools.families.service_shell import (
    CONTROL,
    LISTENER,
    REQUEST,
    ROOT_CONTROL,
    SERVICE_PIDS,
    UNIT_CONTROL,
    UNIT_PIDS,
)
from guardia.tools.findings import Count, Done, FindingsModel, Line, Moment, Pid, Word
from guardia.tools.privilege import AS_ROOT, privileged_script
from guardia.tools.target import HTTP_KINDS, service_on
from guardia.tools.tool import (
    EvidenceChoice,
    Findings,
    Right,
    ServiceArgs,
    Tool,
    jmespath_literal,
    stdout_parser,
    success_findings,
)

Level = Literal["TRACE", "DEBUG", "INFO", "WARN", "WARNING", "ERROR"]

_ANSWER_SECONDS = 5
START_TIMEOUT = 3600.0
"""Seconds; the service's own `start_seconds` ends the wait earlier."""
_COMMAND_CHARACTERS = 200
DATABASE_KINDS = ("postgresql", "mysql", "oracle", "tibero", "cubrid")
PORT_KINDS = (*HTTP_KINDS, *DATABASE_KINDS)
PROCESS_KINDS = (*PORT_KINDS, "authlog", "system")
CUTTING_OFF = frozenset({"stop", "disable"})
"""Verbs that would cut a server off if they were applied to its own SSH."""

# Here-documents are avoided throughout, because bash writes them to a disk that may be full.
_HEALTH = Script(
    "service.health",
    LISTENER
    + REQUEST
    + r"""
port=$1 path=$2 scheme=$3 limit=$4
if ! address=$(listener "$port" "${5:-}"); then echo 'port_open 0'; exit 0; fi
echo 'port_open 1'
if [ -z "$path" ]; then exit 0; fi
if [ "$scheme" = tls ] && ! command -v openssl >/dev/null; then exit 0; fi
echo "asked $(date +%s%N)"
ask "$scheme" "$address" "$port" "$path" "$limit"
""",
)

_PROCESSES = Script(
    "service.processes",
    SERVICE_PIDS
    + r"""
echo "now $(date +%s)"
pids=$(service_pids "$1" "$2")
if [ -z "$pids" ]; then exit 0; fi
list=
for pid in $(with_children "$pids"); do list="$list${list:+,}$pid"; done
ps -ww -o pid=,stat=,etimes=,time=,args= -p "$list" || true
""",
)

_UNIT_PROCESSES = Script(
    "service.processes",
    SERVICE_PIDS
    + UNIT_PIDS
    + r"""
echo "now $(date +%s)"
list=$(unit_pids "$1" "$2" | tr -s ' ' '\n' | sed '/^$/d' | tr '\n' ',')
if [ -z "$list" ]; then exit 0; fi
ps -ww -o pid=,stat=,etimes=,time=,args= -p "${list%,}" || true
""",
)

_RESTART = Script(
    "service.restart",
    SERVICE_PIDS
    + LISTENER
    + REQUEST
    + CONTROL
    + r"""
control=$1 root=$2 port=$3 path=$4 scheme=$5 limit=$6 listen=${7:-}
run_control restart
""",
)

_RESTART_INIT = Script(
    "service.restart",
    AS_ROOT
    + SERVICE_PIDS
    + LISTENER
    + REQUEST
    + CONTROL
    + ROOT_CONTROL
    + r"""
control=$1 root=$2 port=$3 path=$4 scheme=$5 limit=$6 listen=${7:-}
run_control restart
""",
)

_RESTART_UNIT = Script(
    "service.restart",
    AS_ROOT
    + LISTENER
    + REQUEST
    + UNIT_CONTROL
    + r"""
unit=$1 port=$2 path=$3 scheme=$4 limit=$5 systemctl=$6 listen=$7
require_unit
call_unit restart
await_health
""",
)

_LOG_LEVEL = Script(
    "service.log_level",
    r"""
head -c 64 -- "$1/conf/log_level"
""",
)

_SET_LOG_LEVEL = Script(
    "service.set_log_level",
    r"""
file=$1/conf/log_level level=$2 previous=$3 control=$4
read -r now < "$file" || [ -n "$now" ]
now=${now^^}
if [ "$now" != "$previous" ] && [ "$now" != "$level" ]; then
  echo "log_level is $now, not $previous" >&2; exit 3
fi
new=$file.$$.new
trap 'rm -f -- "$new"' EXIT
cp -p -- "$file" "$new"
printf '%s\n' "$level" > "$new"
mv -fT -- "$new" "$file"
timeout -k 3 20 "$control" reload </dev/null
""",
)


class HealthFindings(FindingsModel):
    """Whether the port is open, and the answer to one request."""

    port_open: bool
    answered: bool
    status: Annotated[int, Field(ge=100, le=999)] | None
    milliseconds: Annotated[int, Field(ge=0, le=1_000_000)] | None
    version: Word | None


class ProcessFindings(FindingsModel):
    """A process of the service."""

    pid: Pid
    state: Annotated[str, StringConstraints(min_length=1, max_length=1, pattern="[A-Za-z]")]
    started: Moment
    cpu_seconds: Count
    command: Line


class ProcessesFindings(FindingsModel):
    """Whether the service runs, and as which processes."""

    running: bool
    processes: Annotated[list[ProcessFindings], Field(max_length=10_000)]


class LevelFindings(FindingsModel):
    """The log level in its configuration."""

    level: Word


class SetLogLevelArgs(ServiceArgs):
    """A new log level and the one that it replaces."""

    level: Level
    previous: Level


def _health(args: ServiceArgs, host: Host) -> Command:
    service = service_on(host, args.service)
    has_check = service.kind in HTTP_KINDS and service.health is not None
    path = target.health(service) if has_check else ""
    scheme = "tls" if service.kind == "tls" else "plain"
    where = (target.port(service), path, scheme)
    return Command.script(_HEALTH, *where, _ANSWER_SECONDS, *_listen(service))


def _listen(service: Service) -> tuple[str, ...]:
    """Return the address at which it listens, if it is registered."""
    found = target.address(service)
    return (found,) if found else ()


def _read_health(text: str) -> Findings:
    head, _, answer = text.partition("\nanswered ")
    facts = dict(line.split(" ", 1) for line in head.splitlines())
    found: Findings = {
        "port_open": facts["port_open"] == "1",
        "answered": False,
        "status": None,
        "milliseconds": None,
        "version": None,
    }
    stamp, _, response = answer.partition("\n")
    status = response.partition("\n")[0].split()
    if len(status) >= 2 and status[0].startswith("HTTP/"):
        found |= {
            "answered": True,
            "status": int(status[1]) if status[1].isdecimal() else None,
            "milliseconds": round((int(stamp) - int(facts["asked"])) / 1e6),
            "version": _version(response.partition("\n\n")[2]),
        }
    return found


def _version(body: str) -> str | None:
    try:
        document = json.loads(body)
    except ValueError:
        return None
    version = document.get("version") if isinstance(document, dict) else None
    return version[:64] if isinstance(version, str) else None


def _processes(args: ServiceArgs, host: Host) -> Command:
    service = service_on(host, args.service)
    if target.is_systemd(host, service):
        systemctl = host.facts.program("systemctl")
        return Command.script(_UNIT_PROCESSES, target.unit(host, service), systemctl)
    return Command.script(_PROCESSES, target.root(service), service.port or 0)


def _read_processes(text: str) -> Findings:
    first, *rows = text.splitlines()
    now = int(first.removeprefix("now "))
    processes = [_process(row, now) for row in rows if row.strip()]
    running = any(p["state"] not in ("Z", "X") for p in processes)
    return {"running": running, "processes": processes}


def _process(row: str, now: int) -> Findings:
    pid, state, age, used, *rest = row.split(None, 4)
    return {
        "pid": int(pid),
        "state": state[0],
        "started": datetime.fromtimestamp(now - int(age), UTC).isoformat(),
        "cpu_seconds": _seconds(used),
        "command": "".join(rest)[:_COMMAND_CHARACTERS],
    }


def _seconds(used: str) -> int:
    """Parse `[days-]hours:minutes:seconds` as printed by ps."""
    days, _, clock = used.rpartition("-")
    hours, minutes, seconds = (int(part) for part in clock.split(":"))
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds


def control_arguments(service: Service) -> tuple[str | int, ...]:
    """Return what `CONTROL` needs. Raises `Refused` for a service that cannot be verified."""
    return (
        target.control(service),
        service.root or "",
        target.port(service),
        target.health(service),
        "tls" if service.kind == "tls" else "plain",
        service.start_seconds,
        *_listen(service),
    )


def _restart(args: ServiceArgs, host: Host) -> Command:
    service = service_on(host, args.service, HTTP_KINDS)
    if target.is_systemd(host, service):
        command = privileged_script(host, _RESTART_UNIT, *unit_arguments(host, service))
    elif target.is_init_script(service):
        command = privileged_script(host, _RESTART_INIT, *control_arguments(service))
    else:
        command = Command.script(_RESTART, *control_arguments(service))
    return command.leaving_children()


def unit_arguments(host: Host, service: Service) -> tuple[str | int, ...]:
    """Return what `UNIT_CONTROL` needs. Raises `Refused` for a service that cannot be verified."""
    return (
        target.unit(host, service),
        target.port(service),
        target.health(service),
        "tls" if service.kind == "tls" else "plain",
        service.start_seconds,
        host.facts.program("systemctl"),
        target.address(service),
    )


def verb_rights(
    verb: str, *, scripts: bool = True
) -> Callable[[Host, Service | None], tuple[Right, ...]]:
    """Return the rights to one verb of a unit, or of a script of the system if it knows it."""

    def rights(host: Host, service: Service | None) -> tuple[Right, ...]:
        if service is None:
            return ()
        if verb in CUTTING_OFF and target.is_way_in(host, service):
            return ()
        if target.is_systemd(host, service):
            return ((host.facts.program("systemctl"), verb, target.unit(host, service)),)
        is_script = scripts and target.is_init_script(service)
        return ((str(service.control), verb),) if is_script else ()

    return rights


def _log_level(args: ServiceArgs, host: Host) -> Command:
    return Command.script(_LOG_LEVEL, target.root(service_on(host, args.service)))


def _read_level(text: str) -> Findings:
    return {"level": text.split(maxsplit=1)[0].upper()[:16]}


def _set_log_level(args: SetLogLevelArgs, host: Host) -> Command:
    service = service_on(host, args.service)
    root, control = target.root(service), target.control(service)
    return Command.script(_SET_LOG_LEVEL, root, args.level, args.previous, control)


def healthy_checks(service: str, within: int, sentence: str, also: str = "") -> tuple[Check, ...]:
    """Require an HTTP 200 within `within` seconds; `also` adds a JMESPath condition."""
    health = ToolCall(tool="service.health", args={"service": service})
    expect = f"answered && status == `200`{also}"
    return (Check(call=health, expect=expect, within=within, sentence=sentence),)


def _level_is(args: SetLogLevelArgs, level: str, sentence: str) -> tuple[Check, ...]:
    level_read = ToolCall(tool="service.log_level", args={"service": args.service})
    expect = f"level == {jmespath_literal(level)}"
    return (Check(call=level_read, expect=expect, sentence=sentence),)


def _inverse(args: SetLogLevelArgs) -> ToolCall:
    back = SetLogLevelArgs(service=args.service, level=args.previous, previous=args.level)
    return ToolCall(tool="service.set_log_level", args=back.model_dump())


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="service.health",
        risk=Risk.READ,
        args=ServiceArgs,
        command=_health,
        parse=stdout_parser("service.health", _read_health),
        findings=HealthFindings,
        kinds=PORT_KINDS,
        tried_on=("fleet", "debian-12", "debian-12-sysvinit"),
        timeout=15.0,
    ),
    Tool(
        name="service.processes",
        risk=Risk.READ,
        args=ServiceArgs,
        command=_processes,
        parse=stdout_parser("service.processes", _read_processes),
        findings=ProcessesFindings,
        kinds=PROCESS_KINDS,
        requires=("ps",),
        tried_on=("fleet", "debian-12", "debian-12-sysvinit"),
        timeout=15.0,
    ),
    Tool(
        name="service.restart",
        risk=Risk.CHANGE,
        args=ServiceArgs,
        command=_restart,
        parse=stdout_parser("service.restart", success_findings),
        findings=Done,
        verify=lambda args: healthy_checks(
            args.service, 30, t("tools.service.restart.verify", service=args.service)
        ),
        irreversible="tools.service.restart.irreversible",
        kinds=HTTP_KINDS,
        platforms=("linux", "systemd", "script"),
        rights=verb_rights("restart"),
        tried_on=("fleet", "debian-12", "debian-12-sysvinit"),
        timeout=START_TIMEOUT,
    ),
    Tool(
        name="service.log_level",
        risk=Risk.READ,
        args=ServiceArgs,
        command=_log_level,
        parse=stdout_parser("service.log_level", _read_level),
        findings=LevelFindings,
        kinds=HTTP_KINDS,
        platforms=("script",),
        tried_on=("fleet", "debian-12"),
    ),
    Tool(
        name="service.set_log_level",
        risk=Risk.CHANGE,
        args=SetLogLevelArgs,
        command=_set_log_level,
        parse=stdout_parser("service.set_log_level", success_findings),
        findings=Done,
        precheck=lambda args: _level_is(
            args,
            args.previous,
            t("tools.service.set_log_level.precheck", previous=args.previous),
        ),
        verify=lambda args: _level_is(
            args, args.level, t("tools.service.set_log_level.verify", level=args.level)
        ),
        undo=_inverse,
        undo_verify=lambda args: _level_is(
            args, args.previous, t("tools.service.set_log_level.verify", level=args.previous)
        ),
        choices=(EvidenceChoice("previous", "service.log_level", "[level]"),),
        kinds=HTTP_KINDS,
        platforms=("script",),
        tried_on=("fleet", "debian-12"),
    ),
)
