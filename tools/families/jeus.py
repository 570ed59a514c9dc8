"""JEUS: managed servers of a domain, by its console program `jeusadmin`."""

from __future__ import annotations

import re
from typing import Any, Final

from guardia.tools.command import Script
from guardia.tools.families.vendor_servers import ServerArgs, Vendor
from guardia.tools.tool import Findings, Tool

# The program signs in with the account of `bin/jeus.properties`; without one it would ask.
_ADMIN: Final = r"""
admin=$1/bin/jeusadmin
if [ ! -x "$admin" ]; then echo "no $admin" >&2; exit 3; fi
admin() {
  local said code=0
  said=$(timeout -k 3 "$1" "$admin" "$2" </dev/null 2>&1) || code=$?
  printf '%s\n' "$said"
  case $code/$said in
    0/*Exception*|0/*ailed*|0/*'not been'*|0/*rror\ *) return 1 ;;
    0/*) ;;
    *) return "$code" ;;
  esac
}
"""

_SERVERS = Script(
    "jeus.servers",
    _ADMIN
    + r"""
admin 60 server-info
""",
)

_START = Script(
    "jeus.start",
    _ADMIN
    + r"""
admin "$3" "start-server $2" >&2
""",
)

_STOP = Script(
    "jeus.stop",
    _ADMIN
    + r"""
admin "$3" "stop-server $2" >&2
""",
)

_STATES = re.compile(r"(RUNNING|SHUTDOWN|STARTING|STANDBY|SUSPENDED|SUSPENDING|SHUTTING|FAILED)")


def _read_servers(text: str) -> Findings:
    """Parse the table of `server-info`, whose cells are wrapped: `adminS` / `erver(*)`."""
    rows = _table(text)
    if not rows:
        raise ValueError("no table")
    head = [cell.replace(" ", "").lower() for cell in rows[0]]
    name, status = head.index("server"), head.index("status")
    pid = head.index("pid") if "pid" in head else None
    servers = []
    for row in rows[1:]:
        state = _STATES.search(row[status].upper())
        number = row[pid] if pid is not None else ""
        servers.append(
            {
                "name": row[name].replace("(*)", "")[:100],
                "state": state[1] if state else row[status][:100] or "-",
                "running": bool(state and state[1] == "RUNNING"),
                "pid": int(number) if number.isdecimal() else None,
            }
        )
    return {"servers": servers}


def _table(text: str) -> list[list[str]]:
    """Return the rows of a table that `+---+` lines separate, with the lines of a cell joined."""
    rows: list[list[str]] = []
    open_row: list[str] | None = None
    for line in map(str.strip, text.splitlines()):
        if line.startswith("+-"):
            rows += [open_row] if open_row else []
            open_row = None
        elif line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if open_row is None:
                open_row = cells
            elif len(cells) == len(open_row):
                open_row = [old + new for old, new in zip(open_row, cells, strict=True)]
    return rows


JEUS = Vendor(
    family="jeus",
    products=("jeus",),
    manual="TmaxSoft JEUS Domain 안내서 4장(서버 Lifecycle), JEUS Reference 안내서 4.2(jeusadmin)",
    list_servers=_SERVERS,
    read_servers=_read_servers,
    scripts={"start": _START, "stop": _STOP},
    args=ServerArgs,
)

TOOLS: tuple[Tool[Any], ...] = JEUS.tools()
