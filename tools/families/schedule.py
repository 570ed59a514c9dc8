"""Scheduled work: cron entries, systemd timers, and switching one timer on or off.

A service of kind `timer` names the timer in its `unit`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.errors import Refused
from guardia.i18n import t
from guardia.org.directory import Host, Service
from guardia.tools.command import Command, Script
from guardia.tools.findings import Done, FindingsModel, Line, Moment, Word
from guardia.tools.privilege import AS_ROOT, privileged_script
from guardia.tools.target import service_on
from guardia.tools.tool import (
    EvidenceChoice,
    Findings,
    Right,
    ServiceArgs,
    Tool,
    ToolArgs,
    jmespath_literal,
    stdout_parser,
    success_findings,
)

KINDS: Final = ("timer",)
_TIMER = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_.@-]{0,200}\.timer")
_ASSIGNMENT = re.compile(r"^\s*[A-Za-z_][A-Za-z0-9_]*\s*=")
State = Literal["on", "off", "stopped", "until-boot"]
"""Enabled and active; neither; enabled only; active only, that is until the next boot."""

_CRON = Script(
    "schedule.cron",
    r"""
show() {
  local name=$1
  echo "source $name"
  { grep -vE '^[[:space:]]*(#|$)' | head -n 200 | cut -c 1-500; } || true
}
own=$(crontab -l 2>/dev/null || true)
if [ -n "$own" ]; then printf '%s\n' "$own" | show "crontab $(id -un)"; fi
for file in /etc/crontab /etc/cron.d/*; do
  if [ -f "$file" ] && [ -r "$file" ]; then show "$file" < "$file"; fi
done
for folder in /etc/cron.hourly /etc/cron.daily /etc/cron.weekly /etc/cron.monthly; do
  if [ -d "$folder" ]; then
    for file in "$folder"/*; do
      if [ -x "$file" ] && [ -f "$file" ]; then echo "script $file"; fi
    done
  fi
done
running=0
for comm in /proc/[0-9]*/comm; do
  name=
  { read -r name < "$comm"; } 2>/dev/null || true
  case $name in cron|crond) running=1; break ;; esac
done
echo "running $running"
""",
)

# Times are printed in the zone of the environment.
_TIMERS = Script(
    "schedule.timers",
    r"""
export TZ=UTC
systemctl=$1
shift
if [ $# = 0 ]; then
  set -- $("$systemctl" list-unit-files --type=timer --no-legend --no-pager 2>/dev/null |
    while read -r name _; do case $name in *@.timer) ;; *.timer) echo "$name" ;; esac; done |
    head -n 200)
fi
if [ $# = 0 ]; then exit 0; fi
"$systemctl" show --no-pager -p Id -p LoadState -p UnitFileState -p ActiveState -p Unit \
  -p NextElapseUSecRealtime -p LastTriggerUSec -- "$@"
echo '== services'
units=$("$systemctl" show --no-pager -p Unit -- "$@" | sed -n 's/^Unit=//p')
if [ -n "$units" ]; then
  "$systemctl" show --no-pager -p Id -p Result -p ExecMainStatus -- $units
fi
""",
)

_SET_TIMER = Script(
    "schedule.set_timer",
    AS_ROOT
    + r"""
systemctl=$1 unit=$2
shift 2
for verb; do as_root "$systemctl" "$verb" "$unit"; done
""",
)

_VERBS: dict[str, tuple[str, str]] = {
    "on": ("enable", "start"),
    "off": ("disable", "stop"),
    "stopped": ("enable", "stop"),
    "until-boot": ("disable", "start"),
}


class CronEntry(FindingsModel):
    """A line of a crontab, or a script that runs by the folder it is in."""

    source: Line
    line: Line


class CronFindings(FindingsModel):
    """Entries of crontabs that the account may read, and whether cron runs."""

    running: bool
    entries: Annotated[list[CronEntry], Field(max_length=1000)]


class TimerFindings(FindingsModel):
    """A timer, when it runs, and how its last run ended."""

    unit: Word
    exists: bool
    state: State
    next: Moment | None
    last: Moment | None
    runs: Word | None
    """The unit that it starts."""
    result: Word | None
    """`success`, or how the last run failed."""


class TimersFindings(FindingsModel):
    """All timers."""

    timers: Annotated[list[TimerFindings], Field(max_length=200)]


class SetTimerArgs(ServiceArgs):
    """The state of a timer, and the one before."""

    state: State
    previous: State


def _unit(service: Service) -> str:
    unit = service.unit or ""
    if not _TIMER.fullmatch(unit):
        raise Refused(why=t("tools.target.lacks", service=service.name, what="unit"))
    return unit


def _timer(args: ServiceArgs, host: Host) -> Command:
    unit = _unit(service_on(host, args.service, KINDS))
    return Command.script(_TIMERS, host.facts.program("systemctl"), unit)


def _set_timer(args: SetTimerArgs, host: Host) -> Command:
    unit = _unit(service_on(host, args.service, KINDS))
    systemctl = host.facts.program("systemctl")
    return privileged_script(host, _SET_TIMER, systemctl, unit, *_VERBS[args.state])


def _rights(host: Host, service: Service | None) -> tuple[Right, ...]:
    if service is None:
        return ()
    systemctl, unit = host.facts.program("systemctl"), _unit(service)
    return tuple((systemctl, verb, unit) for verb in ("enable", "disable", "start", "stop"))


def _read_cron(text: str) -> Findings:
    entries, source, running = [], "", False
    for line in text.splitlines():
        kind, _, value = line.partition(" ")
        if kind == "source":
            source = value
        elif kind == "script" and value.startswith("/etc/cron."):
            entries.append({"source": value.rpartition("/")[0], "line": value})
        elif kind == "running" and value in ("0", "1"):
            running = value == "1"
        elif line.strip() and not _ASSIGNMENT.match(line):
            entries.append({"source": source[:300], "line": " ".join(line.split())})
    return {"running": running, "entries": entries[:1000]}


def _read_timers(text: str) -> Findings:
    timers, _, services = text.partition("== services\n")
    results = {s.get("Id", ""): s.get("Result", "") for s in _blocks(services)}
    return {"timers": [_timer_facts(block, results) for block in _blocks(timers)]}


def _read_timer(text: str) -> Findings:
    (found,) = _read_timers(text)["timers"]
    one: Findings = found
    return one


def _blocks(text: str) -> list[dict[str, str]]:
    """Return the units of `systemctl show`: lines `Name=value`, divided by empty lines."""
    return [
        dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line)
        for block in text.split("\n\n")
        if "=" in block
    ]


def _timer_facts(facts: dict[str, str], results: dict[str, str]) -> Findings:
    enabled = facts.get("UnitFileState", "") in ("enabled", "enabled-runtime", "static")
    active = facts.get("ActiveState", "") in ("active", "activating", "reloading")
    states = {(True, True): "on", (False, False): "off", (True, False): "stopped"}
    return {
        "unit": facts["Id"],
        "exists": facts.get("LoadState") == "loaded",
        "state": states.get((enabled, active), "until-boot"),
        "next": _moment(facts.get("NextElapseUSecRealtime", "")) if active else None,
        "last": _moment(facts.get("LastTriggerUSec", "")),
        "runs": facts.get("Unit") or None,
        "result": results.get(facts.get("Unit", "")) or None,
    }


def _moment(text: str) -> str | None:
    """Read `Mon 2026-11-30 12:00:00 UTC`; a timer that never ran has none."""
    found = re.search(r"(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2})", text)
    if found is None:
        return None
    return datetime.fromisoformat(" ".join(found.groups())).replace(tzinfo=UTC).isoformat()


def _state_is(args: SetTimerArgs, state: str, sentence: str) -> tuple[Check, ...]:
    call = ToolCall(tool="schedule.timer", args={"service": args.service})
    expect = f"exists && state == {jmespath_literal(state)}"
    return (Check(call=call, expect=expect, within=5, sentence=sentence),)


def _verified(args: SetTimerArgs, state: str) -> tuple[Check, ...]:
    return _state_is(args, state, t("tools.schedule.set_timer.verify", state=state))


def _inverse(args: SetTimerArgs) -> ToolCall:
    back = SetTimerArgs(service=args.service, state=args.previous, previous=args.state)
    return ToolCall(tool="schedule.set_timer", args=back.model_dump())


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="schedule.cron",
        risk=Risk.READ,
        args=ToolArgs,
        command=lambda _args, _host: Command.script(_CRON),
        parse=stdout_parser("schedule.cron", _read_cron),
        findings=CronFindings,
        tried_on=("debian-12",),
    ),
    Tool(
        name="schedule.timers",
        risk=Risk.READ,
        args=ToolArgs,
        command=lambda _args, host: Command.script(_TIMERS, host.facts.program("systemctl")),
        parse=stdout_parser("schedule.timers", _read_timers),
        findings=TimersFindings,
        tried_on=("debian-12",),
        platforms=("systemd",),
        requires=("systemctl",),
    ),
    Tool(
        name="schedule.timer",
        risk=Risk.READ,
        args=ServiceArgs,
        command=_timer,
        parse=stdout_parser("schedule.timer", _read_timer),
        findings=TimerFindings,
        tried_on=("debian-12",),
        kinds=KINDS,
        platforms=("systemd",),
        requires=("systemctl",),
    ),
    Tool(
        name="schedule.set_timer",
        risk=Risk.CHANGE,
        args=SetTimerArgs,
        command=_set_timer,
        parse=stdout_parser("schedule.set_timer", success_findings),
        findings=Done,
        tried_on=("debian-12",),
        precheck=lambda args: _state_is(
            args,
            args.previous,
            t("tools.schedule.set_timer.precheck", previous=args.previous),
        ),
        verify=lambda args: _verified(args, args.state),
        undo=_inverse,
        undo_verify=lambda args: _verified(args, args.previous),
        choices=(EvidenceChoice("previous", "schedule.timer", "[state]"),),
        timeout=60.0,
        kinds=KINDS,
        platforms=("systemd",),
        requires=("systemctl",),
        rights=_rights,
    ),
)
