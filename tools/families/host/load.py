"""Load and memory of a server."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from guardia.board.core.plan import Risk
from guardia.tools.command import Command, Script
from guardia.tools.findings import FindingsModel
from guardia.tools.tool import Findings, Tool, ToolArgs, stdout_parser

_LOAD = Script(
    "host.load",
    r"""
read -r one five _ < /proc/loadavg
echo "load $one $five"
echo "cores $(nproc)"
grep -E '^(MemTotal|MemAvailable):' /proc/meminfo
""",
)


class LoadFindings(FindingsModel):
    """Load averages, processors and the share of memory in use."""

    load1: Annotated[float, Field(ge=0, le=1e6)]
    load5: Annotated[float, Field(ge=0, le=1e6)]
    cores: Annotated[int, Field(ge=1, le=100_000)]
    memory_percent: Annotated[int, Field(ge=0, le=100)]


def _read_load(text: str) -> Findings:
    rows = {row[0].rstrip(":"): row[1:] for row in map(str.split, text.splitlines())}
    total, available = int(rows["MemTotal"][0]), int(rows["MemAvailable"][0])
    return {
        "load1": float(rows["load"][0]),
        "load5": float(rows["load"][1]),
        "cores": int(rows["cores"][0]),
        "memory_percent": round(100 * (total - available) / total),
    }


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="host.load",
        risk=Risk.READ,
        args=ToolArgs,
        command=lambda _args, _host: Command.script(_LOAD),
        parse=stdout_parser("host.load", _read_load),
        findings=LoadFindings,
        tried_on=("fleet",),
    ),
)
