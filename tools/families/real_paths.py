"""Where paths lead on a server, once every link is followed."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from guardia.board.core.plan import Risk
from guardia.tools.command import Command, Script
from guardia.tools.findings import FindingsModel
from guardia.tools.tool import Findings, Tool, ToolArgs, stdout_parser

REAL_PATHS = "host.real_paths"
_MAX_PATHS = 100
_MAX_CHARACTERS = 1000

Path = Annotated[
    str, StringConstraints(pattern=r"^/[^\x00-\x1f\x7f]*$", max_length=_MAX_CHARACTERS)
]

# What does not exist yet is resolved as far as it does. A server whose readlink has no -f says
# nothing, and then nothing is known.
_SCRIPT = Script(
    "host.real_paths",
    r"""
for path in "$@"; do
  rest=
  known=$path
  while [ ! -e "$known" ] && [ ! -L "$known" ] && [ -n "${known%/*}" ]; do
    rest=/${known##*/}$rest
    known=${known%/*}
  done
  real=$(readlink -f -- "$known" 2>/dev/null || true)
  if [ -n "$real" ]; then
    real=${real%/}$rest
    real=${real:-/}
  fi
  printf '%s\t%s\n' "$path" "$real"
done
""",
)


class RealPathsArgs(ToolArgs):
    """Absolute paths."""

    paths: Annotated[tuple[Path, ...], Field(min_length=1, max_length=_MAX_PATHS, strict=False)]


class RealPath(FindingsModel):
    """A path and where it leads; empty if that is not known."""

    path: Annotated[str, StringConstraints(max_length=_MAX_CHARACTERS)]
    real: Annotated[str, StringConstraints(max_length=8000)]


class RealPathsFindings(FindingsModel):
    """The paths in the order in which they were given."""

    paths: Annotated[list[RealPath], Field(max_length=_MAX_PATHS)]


def _command(args: RealPathsArgs, _host: Any) -> Command:
    return Command.script(_SCRIPT, *args.paths)


def _read(text: str) -> Findings:
    rows = [line.split("\t", 1) for line in text.splitlines()]
    return {"paths": [{"path": path, "real": real} for path, real in rows]}


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name=REAL_PATHS,
        risk=Risk.READ,
        args=RealPathsArgs,
        command=_command,
        parse=stdout_parser(REAL_PATHS, _read),
        findings=RealPathsFindings,
    ),
)
