"""Replace the text of a configuration file, as a patch that must fit exactly."""

from __future__ import annotations

import difflib
import xml.parsers.expat
from typing import Annotated, Any

from pydantic import StringConstraints

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.org.directory import Host
from guardia.tools.command import Command, Script
from guardia.tools.families.config.places import Apply, FileArgs, file_plan, file_rights
from guardia.tools.families.config.read import MAX_TEXT, digest, text_lines
from guardia.tools.families.config.shell import CHANGE_FILE, OPEN_FILE
from guardia.tools.families.service import PROCESS_KINDS
from guardia.tools.findings import Done
from guardia.tools.output import sanitize
from guardia.tools.privilege import AS_ROOT, privileged_script
from guardia.tools.tool import Tool, jmespath_literal, stdout_parser, success_findings

_MASK = "***"
_SHOWN_LINES = 400

# The patch comes as standard input, a line each: `=` keeps a line that must be equal, `*` keeps the
# line whatever it is (it holds a secret, which never leaves the server), `-` drops a line that must
# be equal, `+` adds one.
_REPLACE = Script(
    "config.replace",
    AS_ROOT
    + r"""
control=$1
shift
"""
    + OPEN_FILE
    + CHANGE_FILE
    + r"""
export patch
patch=$(cat; printf x)
show | awk '
BEGIN {
  count = split(substr(ENVIRON["patch"], 1, length(ENVIRON["patch"]) - 1), steps, "\n") - 1
  at = 1
}
function add() {
  while (at <= count && substr(steps[at], 1, 1) == "+") { print substr(steps[at], 2) cr; at++ }
}
function differs() { printf "line %d is not as planned\n", NR > "/dev/stderr"; failed = 1; exit 3 }
{
  cr = sub(/\r$/, "") ? "\r" : ""
  add()
  if (at > count) differs()
  kind = substr(steps[at], 1, 1)
  if (kind != "*" && substr(steps[at], 2) != $0) differs()
  if (kind != "-") print $0 cr
  at++
}
END {
  if (failed) exit 3
  add()
  if (at <= count) { print "the file is shorter than planned" > "/dev/stderr"; exit 3 }
}
' | stage
replace_file
""",
)

Text = Annotated[
    str, StringConstraints(max_length=MAX_TEXT, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")
]


class ReplaceArgs(FileArgs):
    """The new text, and the present one as it was read, with its secrets masked."""

    text: Text
    previous: Text
    apply: Apply = "reload"


def _replace(args: ReplaceArgs, host: Host) -> Command:
    steps = patch(text_lines(args.previous), text_lines(args.text))
    _require_well_formed(args)
    plan = file_plan(host, args, args.apply)
    control = host.service(args.service).control or ""
    command = privileged_script(host, _REPLACE, control, *plan.arguments)
    return command.with_input(*command.stdin, "".join(step + "\n" for step in steps))


def patch(before: list[str], after: list[str]) -> list[str]:
    """Return the steps from one text to another.

    Raises `Invalid` if they are equal, or if a line with a secret would be changed or added.
    """
    steps: list[str] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        if kind == "equal":
            steps += [("*" if _is_opaque(line) else "=") + line for line in before[i1:i2]]
            continue
        changed = before[i1:i2] + after[j1:j2]
        if any(_MASK in line or sanitize(line) != line for line in changed):
            raise Invalid(what="text", why=t("tools.config.secret"))
        steps += [f"-{line}" for line in before[i1:i2]] + [f"+{line}" for line in after[j1:j2]]
    if all(step[0] in "=*" for step in steps):
        raise Invalid(what="text", why=t("tools.config.same"))
    return steps


def _is_opaque(line: str) -> bool:
    """Return whether a line of the file may differ from what was shown of it."""
    return _MASK in line or not line.isascii()


def _require_well_formed(args: ReplaceArgs) -> None:
    """Refuse XML that no program could read; other formats are tested on the server."""
    if not args.file.endswith(".xml"):
        return
    try:
        xml.parsers.expat.ParserCreate().Parse(args.text.encode(), True)
    except xml.parsers.expat.ExpatError as error:
        raise Invalid(what="text", why=str(error)) from None


def _has(args: ReplaceArgs, text: str, key: str) -> tuple[Check, ...]:
    call = ToolCall(tool="config.read", args={"service": args.service, "file": args.file})
    sentence = t(f"tools.config.replace.{key}", file=args.file)
    expect = f"digest == {jmespath_literal(digest(text))}"
    return (Check(call=call, expect=expect, sentence=sentence),)


def _inverse(args: ReplaceArgs) -> ToolCall:
    back = args.model_copy(update={"text": args.previous, "previous": args.text})
    return ToolCall(tool="config.replace", args=back.model_dump())


def _difference(args: ReplaceArgs) -> str:
    rows = difflib.unified_diff(
        text_lines(args.previous), text_lines(args.text), args.file, args.file, lineterm="", n=2
    )
    return sanitize("\n".join(list(rows)[:_SHOWN_LINES]))


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="config.replace",
        risk=Risk.CHANGE,
        args=ReplaceArgs,
        command=_replace,
        parse=stdout_parser("config.replace", success_findings),
        findings=Done,
        precheck=lambda args: _has(args, args.previous, "precheck"),
        verify=lambda args: _has(args, args.text, "verify"),
        undo=_inverse,
        undo_verify=lambda args: _has(args, args.previous, "restored"),
        difference=_difference,
        kinds=PROCESS_KINDS,
        tried_on=("debian-12",),
        platforms=("linux", "systemd", "nginx", "apache"),
        requires=("awk",),
        rights=file_rights,
        timeout=120.0,
    ),
)
