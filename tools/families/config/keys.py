"""Set one key of a configuration file, add it, or remove it."""

from __future__ import annotations

from typing import Any

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.org.directory import Host
from guardia.tools.command import Command, Script
from guardia.tools.families.config.places import Apply, file_plan, file_rights
from guardia.tools.families.config.read import KeyArgs, Value
from guardia.tools.families.config.shell import CHANGE_FILE, OPEN_FILE
from guardia.tools.families.service import PROCESS_KINDS
from guardia.tools.findings import Done
from guardia.tools.output import sanitize
from guardia.tools.privilege import AS_ROOT, privileged_script
from guardia.tools.tool import (
    EvidenceChoice,
    Tool,
    jmespath_literal,
    stdout_parser,
    success_findings,
)

# The line with the key and its present value is changed in place, so comments and order stay. A key
# that is added goes to the end of its section. Anything that is not exactly as planned changes
# nothing.
_SET = Script(
    "config.set",
    AS_ROOT
    + r"""
export style=$1 section=$2 key=$3 previous=$4 value=$5
control=$6
shift 6
"""
    + OPEN_FILE
    + CHANGE_FILE
    + r"""
show | awk '
function trimmed(text) { gsub(/^[ \t]+|[ \t]+$/, "", text); return text }
# Sets `at` to the length of what comes before the value, and `found` to the value.
function read_pair(line,   rest, name) {
  at = 0
  if (line ~ /^[ \t]*(#|;|$)/) return 0
  if (style == "ini") {
    if (!match(line, /[=:]/)) return 0
    name = trimmed(substr(line, 1, RSTART - 1)); at = RSTART
    rest = substr(line, at + 1)
  } else {
    if (!match(line, /^[ \t]*[^ \t]+[ \t]+/)) return 0
    name = trimmed(substr(line, 1, RLENGTH)); at = RLENGTH
    rest = substr(line, at + 1)
  }
  if (match(rest, /^[ \t]*/)) { at += RLENGTH; rest = substr(rest, RLENGTH + 1) }
  after = ""
  if (style == "semicolon") {
    if (!match(rest, /[ \t]*;[ \t]*(#.*)?$/)) return 0
    after = substr(rest, RSTART); rest = substr(rest, 1, RSTART - 1)
  }
  found = trimmed(rest)
  return style == "spaced" ? tolower(name) == tolower(key) : name == key
}
BEGIN { style = ENVIRON["style"]; section = ENVIRON["section"]; key = ENVIRON["key"]
  previous = ENVIRON["previous"]; value = ENVIRON["value"]; within = ""; depth = 0; last = 0 }
{
  cr = sub(/\r$/, "") ? "\r" : ""; ends = cr
  lines[NR] = $0; returns[NR] = cr; hit[NR] = 0
  if (style == "ini" && $0 ~ /^[ \t]*\[.*\][ \t]*$/) {
    within = $0; sub(/^[ \t]*\[/, "", within); sub(/\][ \t]*$/, "", within)
    within = trimmed(within)
    if (within == section) last = NR
  }
  if (style == "spaced" && $0 ~ /^[ \t]*(<[^\/]|[Mm]atch[ \t])/) { depth++; if (!first) first = NR }
  mine = style == "ini" ? within == section : style == "spaced" ? depth == 0 : 1
  if (style == "spaced" && $0 ~ /^[ \t]*<\//) depth--
  if (mine && $0 !~ /^[ \t]*$/) last = NR
  if (mine && read_pair($0)) {
    keys++
    if (found == previous) { hit[NR] = 1; hits++; starts[NR] = at; tails[NR] = after }
  }
}
END {
  if (previous != "" && hits != 1) {
    printf "%s with the value planned is there %d times\n", key, hits > "/dev/stderr"; exit 3 }
  if (previous == "" && keys > 0) { printf "%s is set already\n", key > "/dev/stderr"; exit 3 }
  if (previous == "" && (style == "semicolon" || (section != "" && !last))) {
    printf "there is no place to add %s\n", key > "/dev/stderr"; exit 3 }
  line = style == "ini" ? key " = " value : key " " value
  if (style == "ini" && section != "" && NR && lines[last] !~ / = /) line = key "=" value
  put = style == "spaced" && first ? first - 1 : last
  if (previous == "" && put == 0) print line ends
  for (n = 1; n <= NR; n++) {
    if (!hit[n]) print lines[n] returns[n]
    else if (value != "") print substr(lines[n], 1, starts[n]) value tails[n] returns[n]
    if (previous == "" && n == put) print line ends
  }
}' | stage
replace_file
""",
)


class SetArgs(KeyArgs):
    """A value and the one that it replaces. Empty: the key is not there."""

    value: Value
    previous: Value = ""
    apply: Apply = "reload"


def _set(args: SetArgs, host: Host) -> Command:
    for value in (args.value, args.previous):
        line = f"{args.key}={value}"
        if sanitize(line) != line or "***" in value:
            raise Invalid(what=args.key, why=t("tools.config.secret"))
    if args.value == args.previous:
        raise Invalid(what=args.key, why=t("tools.config.same"))
    plan = file_plan(host, args, args.apply)
    control = host.service(args.service).control or ""
    words = (args.style, args.section, args.key, args.previous, args.value, control)
    return privileged_script(host, _SET, *words, *plan.arguments)


def _is(args: SetArgs, value: str, key: str) -> tuple[Check, ...]:
    names = ("service", "file", "key", "section", "style")
    call = ToolCall(tool="config.value", args=args.model_dump(include=set(names)))
    expect = f"contains(values, {jmespath_literal(value)})" if value else "length(values) == `0`"
    shown = value or t("tools.config.absent")
    sentence = t(f"tools.config.set.{key}", key=args.key, value=shown)
    return (Check(call=call, expect=expect, sentence=sentence),)


def _inverse(args: SetArgs) -> ToolCall:
    back = args.model_copy(update={"value": args.previous, "previous": args.value})
    return ToolCall(tool="config.set", args=back.model_dump())


def _difference(args: SetArgs) -> str:
    place = args.file + (f" [{args.section}]" if args.section else "")
    sign, end = (" = ", "") if args.style == "ini" else (" ", ";" * (args.style == "semicolon"))
    rows = [f"--- {place}", f"+++ {place}"]
    rows += [f"-{args.key}{sign}{args.previous}{end}"] if args.previous else []
    rows += [f"+{args.key}{sign}{args.value}{end}"] if args.value else []
    return "\n".join(rows)


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="config.set",
        risk=Risk.CHANGE,
        args=SetArgs,
        command=_set,
        parse=stdout_parser("config.set", success_findings),
        findings=Done,
        precheck=lambda args: _is(args, args.previous, "precheck"),
        verify=lambda args: _is(args, args.value, "verify"),
        undo=_inverse,
        undo_verify=lambda args: _is(args, args.previous, "verify"),
        choices=(EvidenceChoice("previous", "config.value", "values"),),
        difference=_difference,
        kinds=PROCESS_KINDS,
        tried_on=("debian-12",),
        platforms=("linux", "systemd", "nginx", "apache"),
        requires=("awk",),
        rights=file_rights,
        timeout=120.0,
    ),
)
