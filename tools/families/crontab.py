"""The crontab of one account: its lines, and switching one of them on or off.

A line is switched off by a comment sign before it, and on by taking that away; nothing else of the
crontab changes, and no new command can get in.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.i18n import t
from guardia.org.directory import Host, Service
from guardia.tools.command import Command, Script
from guardia.tools.families import account
from guardia.tools.families.config.places import staged_path
from guardia.tools.findings import Count, Done, FindingsModel, Line
from guardia.tools.output import sanitize
from guardia.tools.privilege import AS_ROOT, privileged_script
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

State = Literal["on", "off"]
_MOST = 300
_VALUE = r"(\*|\d{1,2}|[A-Za-z]{3})"
_RANGE = rf"{_VALUE}(-{_VALUE})?(/\d{{1,2}})?"
_FIELD = rf"{_RANGE}(,{_RANGE})*"
_ENTRY = re.compile(rf"(@[a-z]+|({_FIELD}\s+){{4}}{_FIELD})\s+\S.*")
_OFF = re.compile(r"(?P<sign>#+[ \t]*)(?P<entry>[^#\s].*)")
_SIGN = r"^#{1,4}[ \t]{0,8}$"

_SHOW: Final = r"""
crontab=$1 name=$2
show() {
  if [ "$name" = "$(id -un)" ]; then "$crontab" -l 2>"$said" </dev/null
  else as_root "$crontab" -l -u "$name" 2>"$said"; fi
}
said=$(mktemp) || exit 3
read_crontab() {
  local code=0
  text=$(show; code=$?; echo x; exit "$code") || code=$?
  if [ "$code" != 0 ]; then
    # An account without a crontab has none of its lines.
    if grep -qi 'no crontab' "$said"; then text=x; else cat "$said" >&2; exit "$code"; fi
  fi
  text=${text%x}
}
"""

_LIST = Script(
    "schedule.crontab",
    AS_ROOT
    + _SHOW
    + r"""
trap 'rm -f -- "$said"' EXIT
read_crontab
printf %s "$text" | cut -c 1-1000
""",
)

# The whole line is compared, and it must be there once: anything else changes nothing.
_SET = Script(
    "schedule.set_cron_line",
    AS_ROOT
    + _SHOW
    + r"""
before=$3 after=$4 staged=$5
fail() { echo "$1" >&2; exit 3; }
trap 'rm -f -- "$said" "$staged"' EXIT
read_crontab
count() { printf %s "$text" | grep -cxF -- "$1" || true; }
found=$(count "$before")
if [ "$found" = 0 ] && [ "$(count "$after")" = 1 ]; then exit 0; fi
[ "$found" = 1 ] || fail "the line is $found times in the crontab of $name"
rm -f -- "$staged" || fail "another account owns $staged"
(umask 077; set -C; printf %s "$text" | before=$before after=$after awk '
BEGIN { before = ENVIRON["before"]; after = ENVIRON["after"] }
{ print ($0 == before ? after : $0) }' > "$staged") || fail "$staged cannot be written"
# What cron cannot read, it refuses, and the old crontab stays.
if [ "$name" = "$(id -un)" ]; then "$crontab" "$staged" </dev/null
else as_root "$crontab" -u "$name" "$staged"; fi
""",
)


class CronLine(FindingsModel):
    """A line of a crontab that runs something, or did before it became a comment."""

    line: Line
    """Without the comment sign."""
    state: State
    sign: Line
    """The comment sign before it; empty if it is on."""
    times: Count
    """How often it is there; a line that is there twice cannot be switched."""


class CrontabFindings(FindingsModel):
    """The crontab of an account."""

    lines: Annotated[list[CronLine], Field(max_length=_MOST)]


class CronLineArgs(ServiceArgs):
    """A line of an account's crontab, and what it becomes."""

    line: Annotated[
        str,
        StringConstraints(
            max_length=900, pattern=r"^[^\x00-\x1f\x7f#\s][^\x00-\x08\x0a-\x1f\x7f]*$"
        ),
    ]
    state: State
    previous: State
    sign: Annotated[str, StringConstraints(pattern=_SIGN)] = "#"
    """The comment sign of the line while it is off."""

    @model_validator(mode="after")
    def _is_a_change(self) -> CronLineArgs:
        if self.state == self.previous:
            raise PydanticCustomError("same", t("tools.schedule.set_cron_line.same"))
        if not _ENTRY.fullmatch(self.line):
            raise PydanticCustomError("entry", t("tools.schedule.set_cron_line.entry"))
        if sanitize(self.line) != self.line or "***" in self.line:
            raise PydanticCustomError("secret", t("tools.schedule.set_cron_line.secret"))
        return self

    def text(self, state: str) -> str:
        """Return the line of the crontab in one state."""
        return self.line if state == "on" else self.sign + self.line


def _list(args: ServiceArgs, host: Host) -> Command:
    name = account.name_of(account.service_of(args, host))
    return privileged_script(host, _LIST, host.facts.program("crontab"), name)


def _set(args: CronLineArgs, host: Host) -> Command:
    name = account.changeable(args, host)
    words = (name, args.text(args.previous), args.text(args.state), _staged(host, name))
    return privileged_script(host, _SET, host.facts.program("crontab"), *words)


def _staged(host: Host, name: str) -> str:
    return staged_path(host, f"crontab:{name}")


def _list_rights(host: Host, service: Service | None) -> tuple[Right, ...]:
    if service is None:
        return ()
    return ((host.facts.program("crontab"), "-l", "-u", account.name_of(service)),)


def _set_rights(host: Host, service: Service | None) -> tuple[Right, ...]:
    if service is None:
        return ()
    name, crontab = account.name_of(service), host.facts.program("crontab")
    return *_list_rights(host, service), (crontab, "-u", name, _staged(host, name))


def _read(text: str) -> Findings:
    lines = text.splitlines()
    found: list[Findings] = []
    for line in dict.fromkeys(lines):
        off = _OFF.fullmatch(line)
        entry = off["entry"] if off else line
        if _ENTRY.fullmatch(entry):
            found.append(
                {
                    "line": entry,
                    "state": "off" if off else "on",
                    "sign": off["sign"] if off else "",
                    "times": lines.count(line),
                }
            )
    return {"lines": found[:_MOST]}


def _is(args: CronLineArgs, state: str, sentence: str) -> tuple[Check, ...]:
    call = ToolCall(tool="schedule.crontab", args={"service": args.service})
    wanted = f"line == {jmespath_literal(args.line)} && state == '{state}' && times == `1`"
    return (Check(call=call, expect=f"lines[?{wanted}] | length(@) == `1`", sentence=sentence),)


def _becomes(args: CronLineArgs, state: str) -> tuple[Check, ...]:
    return _is(args, state, t("tools.schedule.set_cron_line.verify", state=_shown(state)))


def _shown(state: str) -> str:
    return t(f"tools.schedule.set_cron_line.{state}")


def _inverse(args: CronLineArgs) -> ToolCall:
    back = args.model_copy(update={"state": args.previous, "previous": args.state})
    return ToolCall(tool="schedule.set_cron_line", args=back.model_dump())


def _difference(args: CronLineArgs) -> str:
    return f"-{args.text(args.previous)}\n+{args.text(args.state)}\n"


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="schedule.crontab",
        risk=Risk.READ,
        args=ServiceArgs,
        command=_list,
        parse=stdout_parser("schedule.crontab", _read),
        findings=CrontabFindings,
        tried_on=("debian-12",),
        kinds=account.KINDS,
        requires=("crontab",),
        rights=_list_rights,
    ),
    Tool(
        name="schedule.set_cron_line",
        risk=Risk.CHANGE,
        args=CronLineArgs,
        command=_set,
        parse=stdout_parser("schedule.set_cron_line", success_findings),
        findings=Done,
        tried_on=("debian-12",),
        precheck=lambda args: _is(
            args,
            args.previous,
            t("tools.schedule.set_cron_line.precheck", previous=_shown(args.previous)),
        ),
        verify=lambda args: _becomes(args, args.state),
        undo=_inverse,
        undo_verify=lambda args: _becomes(args, args.previous),
        difference=_difference,
        choices=(
            EvidenceChoice(
                "line", "schedule.crontab", "lines[?times == `1`]", "line", {"previous": "state"}
            ),
        ),
        kinds=account.KINDS,
        requires=("crontab",),
        rights=_set_rights,
    ),
)
