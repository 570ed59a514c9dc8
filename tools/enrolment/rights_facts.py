"""Which commands sudo permits on a server, asked one by one, and which files of it exist."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import Field, StringConstraints

from guardia.board.core.plan import Risk
from guardia.org.directory import Host
from guardia.tools.command import Command, Script
from guardia.tools.enrolment.shell import SECTIONS, Sections
from guardia.tools.findings import Count, FindingsModel, Line
from guardia.tools.privilege import privileged_script
from guardia.tools.tool import Findings, Tool, ToolArgs, stdout_parser

MAX_RIGHTS = 100
Word = Annotated[str, StringConstraints(min_length=1, max_length=500)]

_RIGHTS = Script(
    "enrol.rights",
    SECTIONS
    + r"""
number=0
elevate=$1
shift
if [ "$elevate" = password ]; then IFS= read -r root_password; fi
permitted() {
  if [ "$(id -u)" = 0 ]; then return 0; fi
  case $elevate in
    sudo) limit 5 sudo -n -l -- "$@" ;;
    password) printf '%s\n' "$root_password" | sudo -S -k -p '' -l -- "$@" ;;
    *) return 1 ;;
  esac
}
if ! type -P sudo >/dev/null; then failed no_sudo; fi
case $elevate in sudo|password) ;; *) failed elevate ;; esac
words=()
for word; do
  if [ "$word" != ';' ]; then words+=("${word#=}"); continue; fi
  if permitted "${words[@]}" >/dev/null 2>&1; then
    printf '%s\n' "$number" | emit allowed
  fi
  number=$((number + 1))
  words=()
done
exit 0
""",
)


class RightsFindings(FindingsModel):
    """The numbers of the commands that are permitted."""

    allowed: Annotated[list[Count], Field(max_length=MAX_RIGHTS)]
    unreadable: Annotated[list[Line], Field(max_length=50)]


class RightsArgs(ToolArgs):
    """Commands: full path and exact arguments, each as a JSON array."""

    commands: Annotated[
        tuple[Annotated[str, StringConstraints(max_length=4000)], ...],
        Field(strict=False, max_length=MAX_RIGHTS),
    ]


def _command(args: RightsArgs, host: Host) -> Command:
    words: list[str] = []
    for text in args.commands:
        words += [f"={word}" for word in json.loads(text)] + [";"]
    return privileged_script(host, _RIGHTS, *words)


def _read(text: str) -> Findings:
    found = Sections(text)
    return {
        "allowed": [int(line) for line in found.lines("allowed") if line.isdigit()],
        "unreadable": found.failed(),
    }


RIGHTS: Tool[RightsArgs] = Tool(
    name="enrol.rights",
    risk=Risk.READ,
    args=RightsArgs,
    command=_command,
    parse=stdout_parser("enrol.rights", _read),
    findings=RightsFindings,
    timeout=90.0,
)
