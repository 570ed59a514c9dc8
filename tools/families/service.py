"""A service as its users and its system see it: health, processes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.org.directory import Host, Service
from guardia.tools import target
from guardia.tools.command import Command, Script
from guardia.tools.families.service_shell import (
    LISTENER,
    REQUEST,
    SERVICE_PIDS,
    UNIT_PIDS,
)
from guardia.tools.findings import Count, FindingsModel, Line, Moment, Pid, Word
from guardia.tools.target import HTTP_KINDS, service_on
from guardia.tools.tool import (
    Findings,
    ServiceArgs,
    Tool,
    stdout_parser,
)

_ANSWER_SECONDS = 5
_COMMAND_CHARACTERS = 200
DATABASE_KINDS = ("postgresql", "mysql", "oracle", "tibero", "cubrid")
PORT_KINDS = (*HTTP_KINDS, *DATABASE_KINDS)
PROCESS_KINDS = (*PORT_KINDS, "authlog", "system")
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


def _health(args: ServiceArgs, host: Host) -> Command:
    service = service_on(host, args.service)
    has_check = service.kind in HTTP_KINDS and service.health is not None
    path = target.health(service) if has_check else ""
    scheme = "tls" if service.kind == "tls" else "plain"
    where = (target.port(service), path, scheme)
    return Command.script(_HEALTH, *where, _ANSWER_SECONDS, *listen_argument(service))


def listen_argument(service: Service) -> tuple[str, ...]:
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


def healthy_checks(service: str, within: int, sentence: str, also: str = "") -> tuple[Check, ...]:
    """Require an HTTP 200 within `within` seconds; `also` adds a JMESPath condition."""
    health = ToolCall(tool="service.health", args={"service": service})
    expect = f"answered && status == `200`{also}"
    return (Check(call=health, expect=expect, within=within, sentence=sentence),)


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
)
