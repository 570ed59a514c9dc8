"""Last lines of a service's log."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from guardia.board.core.plan import Risk
from guardia.org.directory import Host
from guardia.tools import target
from guardia.tools.command import Command, Script
from guardia.tools.families.disk.names import FileName
from guardia.tools.families.service import PROCESS_KINDS
from guardia.tools.findings import FindingsModel, Line
from guardia.tools.target import service_on
from guardia.tools.tool import Findings, ServiceArgs, Tool, stdout_parser

_LINE_CHARACTERS = 500

# Of a longer file the first line may be cut within a character, so it begins with its first ASCII
# character. Zeros are the hole of a log whose beginning was archived.
_TAIL = Script(
    "logs.tail",
    r"""
logs=$(readlink -e -- "$1") || { echo "no such folder: $1" >&2; exit 3; }
file=$logs/$2
if [ ! -f "$file" ] || [ "$(readlink -e -- "$file")" != "$file" ]; then
  echo "not a regular file: $2" >&2; exit 3
fi
cut=
if [ "$(stat -c %s -- "$file")" -gt 262144 ]; then cut='1s/^[\x80-\xff]*//'; fi
tail -c 262144 -- "$file" | tr -d '\0' | sed "$cut" | tail -n "$3"
""",
)


class TailArgs(ServiceArgs):
    """A log file of the service and the number of lines to read."""

    name: FileName
    lines: Annotated[int, Field(ge=1, le=500)] = 100


class TailFindings(FindingsModel):
    """The last lines, the newest last."""

    lines: Annotated[list[Line], Field(max_length=500)]


def _tail(args: TailArgs, host: Host) -> Command:
    folder = target.logs(service_on(host, args.service))
    return Command.script(_TAIL, folder, args.name, args.lines)


def _read_tail(text: str) -> Findings:
    return {"lines": [line[:_LINE_CHARACTERS] for line in text.split("\n") if line]}


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="logs.tail",
        risk=Risk.READ,
        args=TailArgs,
        command=_tail,
        parse=stdout_parser("logs.tail", _read_tail),
        findings=TailFindings,
        kinds=PROCESS_KINDS,
        tried_on=("fleet",),
    ),
)
