"""A service as its system runs it: unit or script, its state, start, stop, reload, start limits."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.errors import Refused
from guardia.i18n import t
from guardia.org.directory import Host, Service
from guardia.tools import target
from guardia.tools.command import Command, Script
from guardia.tools.families.journal import JOURNAL, journal_right
from guardia.tools.families.service import PROCESS_KINDS
from guardia.tools.families.service_restart import CUTTING_OFF, START_TIMEOUT, verb_rights
from guardia.tools.families.service_shell import SERVICE_PIDS, UNIT_CONTROL
from guardia.tools.findings import Count, Done, FindingsModel, Line, Moment, Word
from guardia.tools.privilege import AS_ROOT, privileged_script
from guardia.tools.tool import Findings, Right, ServiceArgs, Tool, stdout_parser, success_findings

_LINES = 20
_LINE_CHARACTERS = 300
_LOOPING = 3
"""Restarts of a unit that began to run only a minute ago."""
_SPAN = re.compile(r"([\d.]+)(us|ms|s|min|h|d)(?![a-z])")
_UNITS_OF_TIME = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_UNLIMITED = 2**64 - 1

# What depends on what is read from the unit itself: `list-dependencies` draws a tree for people.
# The plain account often may not read the journal; then sudo does, if it may.
_UNIT = Script(
    "service.unit",
    AS_ROOT
    + JOURNAL
    + r"""
unit=$1 systemctl=$2 journalctl=$3 lines=$4
echo "now $(date +%s)"
read -r up _ < /proc/uptime
echo "up $up"
"$systemctl" show --property=LoadState,ActiveState,SubState,Result,UnitFileState,NRestarts,Restart \
  --property=ExecMainStatus,ExecMainCode,MainPID,MemoryCurrent,StateChangeTimestampMonotonic \
  --property=NeedDaemonReload,CanReload,StartLimitBurst,StartLimitIntervalUSec -- "$unit"
needed=$("$systemctl" show --property=Requires,Requisite,BindsTo -- "$unit" | sed 's/^[^=]*=//')
for one in $needed; do
  case $one in *.slice|*.mount|sysinit.target|basic.target) continue ;; esac
  state=$("$systemctl" show --property=ActiveState -- "$one")
  printf 'needs %s %s\n' "$one" "${state#ActiveState=}"
done
printf 'log\n%s\n' "$(journal "$journalctl" short-iso "$lines" "$unit")"
""",
)

_SCRIPT_STATE = Script(
    "service.unit",
    SERVICE_PIDS
    + r"""
echo "now $(date +%s)"
pids=$(service_pids "$2" "$3")
code=0
said=$(timeout -k 3 20 "$1" status </dev/null 2>&1 | tail -n "$4") || code=$?
echo "code $code"
for pid in $pids; do echo "pid $pid"; done
printf 'log\n%s\n' "$said"
""",
)

_UNIT_VERB = Script(
    "service.unit-verb",
    AS_ROOT
    + UNIT_CONTROL
    + r"""
verb=$1 unit=$2 systemctl=$3 limit=$4
require_unit
call_unit "$verb"
case $verb in start|restart)
  # A program that ends at once would be called started: systemd waits only for its beginning.
  sleep 2
  if [ "$(shown ActiveState)" = failed ]; then
    echo "$unit failed after its start ($(shown Result))" >&2; exit 1
  fi ;;
esac
""",
)

# The output of a start script may be held open by the service, so nothing waits for its end.
_SCRIPT_VERB = Script(
    "service.script-verb",
    AS_ROOT
    + SERVICE_PIDS
    + r"""
verb=$1 control=$2 root=$3 port=$4 limit=$5 privileged=$6
call() { if [ "$privileged" = 1 ]; then as_root "$control" "$verb"; else "$control" "$verb"; fi; }
exec 4> >({ head -c 4096 || true; } >&2; exec cat >/dev/null 2>&1)
call </dev/null >&4 2>&1 4>&- &
script=$!
exec 4>&-
end=$((SECONDS + limit)) code=
while [ "$SECONDS" -lt "$end" ]; do
  if [ -z "$code" ] && ! kill -0 "$script" 2>/dev/null; then code=0; wait "$script" || code=$?; fi
  pids=$(service_pids "$root" "$port")
  case $verb in
    stop) if [ -z "$pids" ]; then exit 0; fi ;;
    start|restart) if [ -n "$pids" ] && [ "${code:-1}" = 0 ]; then exit 0; fi ;;
  esac
  if [ -n "$code" ] && { [ "$code" != 0 ] || [ "$verb" = reload ]; }; then
    sleep 0.2
    exit "$code"
  fi
  sleep 0.3
done
echo "$control $verb: not done within $limit seconds" >&2
exit 3
""",
)


class NeededUnit(FindingsModel):
    """A unit that this one needs."""

    name: Word
    state: Word


class UnitFindings(FindingsModel):
    """The state of a unit, or what a script and its processes say. Unknown is `None`."""

    manager: Literal["systemd", "script"]
    found: bool
    active: bool
    state: Word
    """`active/running`, `failed/failed`, ...; of a script `running` or `stopped`."""
    result: Word | None
    """Why it ended: `exit-code`, `oom-kill`, `timeout`, `start-limit-hit`, ..."""
    start_limit_hit: bool
    """Whether it stays down because it ended too often in a row."""
    may_start: bool
    """Whether systemd would start it now: the time of a start limit is over."""
    restart_loop: bool
    """Whether systemd starts it again and again."""
    restarts: Count | None
    enabled: bool | None
    """Whether it starts with the system; `None` where it can be neither."""
    can_reload: bool
    needs_daemon_reload: bool
    exit_status: Annotated[int, Field(ge=0, le=255)] | None
    main_pid: Count | None
    memory_bytes: Count | None
    since: Moment | None
    needs: Annotated[list[NeededUnit], Field(max_length=100)]
    log: Annotated[list[Line], Field(max_length=_LINES)]
    """The last lines of its log, or what the script said."""
    log_readable: bool


def _unit_state(args: ServiceArgs, host: Host) -> Command:
    service = target.service_on(host, args.service)
    if target.is_systemd(host, service):
        systemctl, journalctl = map(host.facts.program, ("systemctl", "journalctl"))
        unit = target.unit(host, service)
        return privileged_script(host, _UNIT, unit, systemctl, journalctl, _LINES)
    return Command.script(
        _SCRIPT_STATE,
        target.control(service),
        service.root or "",
        service.port or 0,
        _LINES,
    )


def _read_state(text: str) -> Findings:
    head, _, tail = text.partition("\nlog\n")
    lines = [line[:_LINE_CHARACTERS] for line in tail.split("\n") if line.strip()][-_LINES:]
    log = {"log": lines, "log_readable": bool(lines)}
    rows = head.splitlines()
    return _read_script(rows, log) if any(r.startswith("code ") for r in rows) else _read(rows, log)


def _read(rows: list[str], log: Findings) -> Findings:
    facts = dict(row.split("=", 1) for row in rows if "=" in row)
    words = dict(row.split(" ", 1) for row in rows if row.startswith(("now ", "up ")))
    needs = [row.split()[1:3] for row in rows if row.startswith("needs ")]
    active, result = facts["ActiveState"], facts.get("Result", "")
    restarts = int(facts["NRestarts"]) if facts.get("NRestarts", "").isdecimal() else None
    changed = int(facts.get("StateChangeTimestampMonotonic") or 0) / 1e6
    ago = float(words["up"]) - changed
    limited = result == "start-limit-hit" or _is_limited(active, restarts, facts)
    return {
        "manager": "systemd",
        "found": facts["LoadState"] == "loaded",
        "active": active in ("active", "reloading"),
        "state": f"{active}/{facts['SubState']}",
        "result": result if result not in ("", "success") else None,
        "start_limit_hit": limited,
        "may_start": not limited or ago > _span(facts.get("StartLimitIntervalUSec", "")),
        "restart_loop": facts["SubState"] == "auto-restart"
        or (active == "active" and (restarts or 0) >= _LOOPING and ago < 60),
        "restarts": restarts,
        "enabled": _enabled(facts.get("UnitFileState", "")),
        "can_reload": facts.get("CanReload") == "yes",
        "needs_daemon_reload": facts.get("NeedDaemonReload") == "yes",
        "exit_status": _small(facts.get("ExecMainStatus", ""), 255),
        "main_pid": int(facts.get("MainPID") or 0) or None,
        "memory_bytes": _small(facts.get("MemoryCurrent", ""), _UNLIMITED - 1),
        "since": _moment(float(words["now"]) - ago) if changed else None,
        "needs": [{"name": name[:100], "state": state} for name, state in needs],
        **log,
    }


def _is_limited(active: str, restarts: int | None, facts: Findings) -> bool:
    """Return whether a unit that restarts by itself stays down: its `Result` names the last end."""
    burst = facts.get("StartLimitBurst", "0")
    most = int(burst) if burst.isdecimal() else 0
    restarting = facts.get("Restart", "no") != "no"
    return active == "failed" and restarting and 0 < most <= (restarts or 0)


def _span(text: str) -> float:
    """Parse a span of time as systemd prints it: `1min 30s`, `500ms`, `infinity`."""
    if not text or text == "infinity":
        return float("inf") if text else 0.0
    return sum(float(n) * _UNITS_OF_TIME[unit] for n, unit in _SPAN.findall(text))


def _enabled(state: str) -> bool | None:
    if state.startswith("enabled"):
        return True
    return False if state == "disabled" else None


def _small(text: str, most: int) -> int | None:
    return int(text) if text.isdecimal() and int(text) <= min(most, 2**53) else None


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()


def _read_script(rows: list[str], log: Findings) -> Findings:
    pids = [int(row.split()[1]) for row in rows if row.startswith("pid ")]
    code = next(int(row.split()[1]) for row in rows if row.startswith("code "))
    # Few scripts exit as the LSB demands; processes decide.
    return {
        "manager": "script",
        "found": True,
        "active": bool(pids),
        "state": "running" if pids else "stopped",
        "result": None,
        "start_limit_hit": False,
        "may_start": True,
        "restart_loop": False,
        "restarts": None,
        "enabled": None,
        "can_reload": True,
        "needs_daemon_reload": False,
        "exit_status": code if code <= 255 else None,
        "main_pid": pids[0] if pids else None,
        "memory_bytes": None,
        "since": None,
        "needs": [],
        **log,
    }


def _state_rights(host: Host, service: Service | None) -> tuple[Right, ...]:
    if service is None or not target.is_systemd(host, service):
        return ()
    return (journal_right(host, service, "short-iso", _LINES),)


def _verb(verb: str) -> Callable[[ServiceArgs, Host], Command]:
    """Return the command of a verb that units and scripts know."""

    def command(args: ServiceArgs, host: Host) -> Command:
        service = target.service_on(host, args.service)
        if target.is_systemd(host, service):
            return _unit_verb(verb, host, service)
        privileged = int(target.is_init_script(service))
        where = (target.control(service), target.root(service), service.port or 0)
        arguments = (verb, *where, service.start_seconds, privileged)
        return privileged_script(host, _SCRIPT_VERB, *arguments).leaving_children()

    return command


def _systemd_verb(verb: str) -> Callable[[ServiceArgs, Host], Command]:
    """Return the command of a verb that only units know."""
    return lambda args, host: _unit_verb(verb, host, target.service_on(host, args.service))


def _unit_verb(verb: str, host: Host, service: Service) -> Command:
    if verb in CUTTING_OFF and target.is_way_in(host, service):
        raise Refused(why=t("tools.target.way_in", server=host.server_id, service=service.name))
    unit, systemctl = target.unit(host, service), host.facts.program("systemctl")
    return privileged_script(host, _UNIT_VERB, verb, unit, systemctl, service.start_seconds)


@dataclass(frozen=True)
class _Expectation:
    """What must hold of `service.unit` before or after a verb, and how long to wait for it."""

    expect: str
    key: str
    within: int = 0

    def checks(self, args: ServiceArgs) -> tuple[Check, ...]:
        call = ToolCall(tool="service.unit", args={"service": args.service})
        sentence = t(f"tools.service.unit.{self.key}", service=args.service)
        return (Check(call=call, expect=self.expect, within=self.within, sentence=sentence),)


_RUNS = _Expectation("active", "runs", 60)
_RUNS_NOW = _Expectation("active", "runs")
_STOPPED = _Expectation("!active", "stopped", 30)
_MAY_START = _Expectation("found && !active && may_start", "may_start")
_FAILED = _Expectation("found && result && !active", "failed")
_CLEARED = _Expectation("!start_limit_hit && !result", "cleared", 10)
_MAY_RELOAD = _Expectation("active && can_reload", "may_reload")
_MAY_RESTART = _Expectation("found && may_start", "may_restart")
_ENABLED = _Expectation("enabled == `true`", "enabled")
_DISABLED = _Expectation("enabled == `false`", "disabled")


def _undone_by(verb: str) -> Callable[[ServiceArgs], ToolCall]:
    return lambda args: ToolCall(tool=f"service.{verb}", args={"service": args.service})


def _change(
    name: str, before: _Expectation, after: _Expectation, back: str = "", **more: Any
) -> Tool[Any]:
    """Declare the change `service.<name>`, undone by the change `back`."""
    verb = more.pop("verb", name)
    if back:
        more |= {"undo": _undone_by(back), "undo_verify": more.pop("undone").checks}
    else:
        more["irreversible"] = f"tools.service.{name}.irreversible"
    return Tool(
        name=f"service.{name}",
        risk=Risk.CHANGE,
        args=ServiceArgs,
        command=more.pop("command", None) or _systemd_verb(verb),
        parse=stdout_parser(f"service.{name}", success_findings),
        findings=Done,
        precheck=before.checks,
        verify=after.checks,
        kinds=PROCESS_KINDS,
        rights=verb_rights(verb, scripts=more["platforms"] == _BOTH),
        tried_on=("debian-12",),
        timeout=START_TIMEOUT,
        **more,
    )


_BOTH = ("systemd", "script")
_UNITS = ("systemd",)

TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="service.unit",
        risk=Risk.READ,
        args=ServiceArgs,
        command=_unit_state,
        parse=stdout_parser("service.unit", _read_state),
        findings=UnitFindings,
        kinds=PROCESS_KINDS,
        tried_on=("debian-12",),
        platforms=_BOTH,
        rights=_state_rights,
    ),
    _change(
        "start", _MAY_START, _RUNS, "stop", undone=_STOPPED, command=_verb("start"), platforms=_BOTH
    ),
    _change(
        "stop", _RUNS_NOW, _STOPPED, "start", undone=_RUNS, command=_verb("stop"), platforms=_BOTH
    ),
    _change(
        "restart_unit",
        _MAY_RESTART,
        _RUNS,
        command=_verb("restart"),
        platforms=_BOTH,
        verb="restart",
    ),
    _change("reload", _MAY_RELOAD, _RUNS_NOW, command=_verb("reload"), platforms=_BOTH),
    _change("reset_failed", _FAILED, _CLEARED, platforms=_UNITS, verb="reset-failed"),
    _change("enable", _DISABLED, _ENABLED, "disable", undone=_DISABLED, platforms=_UNITS),
    _change("disable", _ENABLED, _DISABLED, "enable", undone=_ENABLED, platforms=_UNITS),
)
