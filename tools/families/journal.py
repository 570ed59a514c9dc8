"""Reading the journal of a unit: as the account if it may, otherwise by one exact command."""

from __future__ import annotations

from typing import Final, Literal

from guardia.org.directory import Host, Service
from guardia.tools import target
from guardia.tools.tool import Right

# `journal JOURNALCTL OUTPUT LINES UNIT`; `AS_ROOT` comes before this.
JOURNAL: Final = r"""
journal() {
  local found
  set -- "$1" --quiet --no-pager "--output=$2" "--lines=$3" "--unit=$4"
  found=$("$@" 2>/dev/null || true)
  if [ -z "$found" ] && [ "$elevate" != none ]; then found=$(as_root "$@" 2>/dev/null || true); fi
  printf '%s' "$found"
}
"""


def journal_right(
    host: Host, service: Service, output: Literal["cat", "short-iso"], lines: int
) -> Right:
    """Return the command that `journal` runs as root. Raises `Refused` without a unit."""
    shown = ("--quiet", "--no-pager", f"--output={output}", f"--lines={lines}")
    return (host.facts.program("journalctl"), *shown, f"--unit={target.unit(host, service)}")
