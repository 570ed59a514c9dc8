"""The log level of a service in its configuration."""

from __future__ import annotations

from typing import Any, Literal

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.i18n import t
from guardia.org.directory import Host
from guardia.tools import target
from guardia.tools.command import Command, Script
from guardia.tools.findings import Done, FindingsModel, Word
from guardia.tools.target import HTTP_KINDS, service_on
from guardia.tools.tool import (
    EvidenceChoice,
    Findings,
    ServiceArgs,
    Tool,
    jmespath_literal,
    stdout_parser,
    success_findings,
)

Level = Literal["TRACE", "DEBUG", "INFO", "WARN", "WARNING", "ERROR"]

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


class LevelFindings(FindingsModel):
    """The log level in its configuration."""

    level: Word


class SetLogLevelArgs(ServiceArgs):
    """A new log level and the one that it replaces."""

    level: Level
    previous: Level


def _log_level(args: ServiceArgs, host: Host) -> Command:
    return Command.script(_LOG_LEVEL, target.root(service_on(host, args.service)))


def _read_level(text: str) -> Findings:
    return {"level": text.split(maxsplit=1)[0].upper()[:16]}


def _set_log_level(args: SetLogLevelArgs, host: Host) -> Command:
    service = service_on(host, args.service)
    root, control = target.root(service), target.control(service)
    return Command.script(_SET_LOG_LEVEL, root, args.level, args.previous, control)


def _level_is(args: SetLogLevelArgs, level: str, sentence: str) -> tuple[Check, ...]:
    level_read = ToolCall(tool="service.log_level", args={"service": args.service})
    expect = f"level == {jmespath_literal(level)}"
    return (Check(call=level_read, expect=expect, sentence=sentence),)


def _inverse(args: SetLogLevelArgs) -> ToolCall:
    back = SetLogLevelArgs(service=args.service, level=args.previous, previous=args.level)
    return ToolCall(tool="service.set_log_level", args=back.model_dump())


TOOLS: tuple[Tool[Any], ...] = (
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
