"""The server's clock: what keeps it right, and how far it is off."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field

from guardia.board.core.plan import Risk
from guardia.tools.command import Command, Script
from guardia.tools.findings import FindingsModel, Line, Word
from guardia.tools.tool import Findings, Tool, ToolArgs, stdout_parser

# Whichever of these is there: chrony, ntpd, or systemd-timesyncd.
_CLOCK = Script(
    "host.clock",
    r"""
echo "now $(date +%s)"
echo "zone $(date +%Z)"
if timedatectl=$(timeout -k 1 5 timedatectl show 2>/dev/null); then
  echo "timedatectl $(printf '%s' "$timedatectl" | tr '\n' ' ')"
fi
if tracking=$(timeout -k 1 5 chronyc -n tracking 2>/dev/null); then
  printf '%s\n' "$tracking" | while read -r line; do echo "chrony $line"; done
elif peers=$(timeout -k 1 5 ntpq -pn 2>/dev/null) && [ -n "$peers" ]; then
  printf '%s\n' "$peers" | while read -r line; do echo "ntp $line"; done
elif sync=$(timeout -k 1 5 timedatectl timesync-status 2>/dev/null) && [ -n "$sync" ]; then
  printf '%s\n' "$sync" | while read -r line; do echo "timesync $line"; done
fi
""",
)

Offset = Annotated[float, Field(ge=-1e10, le=1e10)]


class ClockFindings(FindingsModel):
    """The clock as the server sees it."""

    epoch: Annotated[int, Field(ge=0, le=2**40)]
    zone: Word
    keeper: Word
    """`chrony`, `ntp`, `systemd-timesyncd`, or `none`."""
    synchronized: bool | None
    offset_seconds: Offset | None
    """Positive: ahead of the source."""
    source: Line | None


_CHRONY_OFFSET = re.compile(r"([\d.]+) seconds (fast|slow) of NTP time")
_SPAN = re.compile(r"^([+-]?)([\d.]+)(us|ms|s|min|h)$")
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}


def _read_clock(text: str) -> Findings:
    lines: dict[str, list[str]] = {}
    for line in text.splitlines():
        kind, _, value = line.partition(" ")
        lines.setdefault(kind, []).append(value.strip())
    control = dict(w.partition("=")[::2] for w in " ".join(lines.get("timedatectl", [])).split())
    said = control.get("NTPSynchronized")
    found: Findings = {
        "epoch": int(lines["now"][0]),
        "zone": control.get("Timezone") or lines["zone"][0],
        "keeper": "none",
        "synchronized": None if said is None else said == "yes",
        "offset_seconds": None,
        "source": None,
    }
    if "chrony" in lines:
        return found | _chrony(_fields(lines["chrony"]))
    if "ntp" in lines:
        return found | _ntp(lines["ntp"])
    if "timesync" in lines:
        return found | _timesync(_fields(lines["timesync"]))
    return found


def _fields(lines: list[str]) -> dict[str, str]:
    return {k.strip(): v.strip() for k, _, v in (line.partition(": ") for line in lines)}


def _chrony(facts: dict[str, str]) -> Findings:
    offset = _CHRONY_OFFSET.search(facts.get("System time", ""))
    sign = -1 if offset and offset[2] == "slow" else 1
    return {
        "keeper": "chrony",
        "synchronized": facts.get("Leap status") == "Normal",
        "offset_seconds": sign * float(offset[1]) if offset else None,
        "source": facts.get("Reference ID", "")[:200] or None,
    }


def _ntp(lines: list[str]) -> Findings:
    """Read `ntpq -pn`: the source in use begins with `*`, its offset is in milliseconds."""
    chosen = next((line.split() for line in lines if line.startswith("*")), None)
    if chosen is None or len(chosen) < 10:
        return {"keeper": "ntp", "synchronized": False}
    return {
        "keeper": "ntp",
        "synchronized": True,
        "offset_seconds": round(-float(chosen[8]) / 1000, 6),
        "source": chosen[0].lstrip("*")[:200],
    }


def _timesync(facts: dict[str, str]) -> Findings:
    span = _SPAN.match(facts.get("Offset", ""))
    offset = None
    if span:
        # The offset of the source from here.
        offset = (1 if span[1] == "-" else -1) * float(span[2]) * _UNITS[span[3]]
    return {
        "keeper": "systemd-timesyncd",
        "offset_seconds": None if offset is None else round(offset, 6),
        "source": facts.get("Server", "")[:200] or None,
    }


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="host.clock",
        risk=Risk.READ,
        args=ToolArgs,
        command=lambda _args, _host: Command.script(_CLOCK),
        parse=stdout_parser("host.clock", _read_clock),
        findings=ClockFindings,
        tried_on=("debian-12",),
        requires=("timeout",),
    ),
)
