"""Where a service logs, and how it is read: journal, files, rotated and compressed ones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from guardia.errors import Refused
from guardia.i18n import t
from guardia.org.directory import Host, Service
from guardia.tools import target
from guardia.tools.command import Command, Script
from guardia.tools.families.disk.names import FileName
from guardia.tools.families.journal import journal_right
from guardia.tools.families.logs.moments import LogLine, parse_lines, zone_of
from guardia.tools.privilege import privileged_script
from guardia.tools.tool import Right, ServiceArgs

MAX_BYTES = 600_000
"""Bytes that are sent in one answer; the newest are kept."""
JOURNAL_LINES = 20_000
LINE_CHARACTERS = 500

Minutes = Annotated[int, Field(ge=1, le=10_080)]
Until = Annotated[
    str, StringConstraints(pattern=r"^(\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d))?$")
]

# `read_log` prints the log since `age` minutes ago, as lines that begin with `| `, the newest last:
# rotated and compressed files, then the current one. It sends the last $bytes of it. Files that
# only root reads are read by the exact command `tail -c BYTES FILE`, which sudoers can name.
READ_LOG: Final = r"""
unit=$1 journalctl=$2 tail=$3 lines=$4 bytes=$5 age=$6 minutes=$7 until=$8 folder=$9
shift 9
word=$1 encoded=$2
shift 2
packed() {
  case $1 in
    *.gz) gzip -dc -- "$1" ;;
    *.xz) xz -dc -- "$1" ;;
    *.bz2) bzip2 -dc -- "$1" ;;
    *) zstd -qdc -- "$1" ;;
  esac | tail -c "$scan"
}
content() {
  if [ ! -r "$1" ]; then as_root "$tail" -c "$bytes" "$1"; return; fi
  case $1 in
    *.gz|*.xz|*.bz2|*.zst) packed "$1" ;;
    *) tail -c "$scan" -- "$1" ;;
  esac
}
is_recent() {
  local found
  found=$(find "$1" -prune -type f -mmin "-$age" 2>/dev/null) || return 0
  [ -n "$found" ]
}
files() {
  local file rotated
  for file in "$@"; do
    for rotated in "$file"[.-]*; do
      if [ -f "$rotated" ] && [ ! -L "$rotated" ] && is_recent "$rotated"; then
        printf '%s\n' "$rotated"
      fi
    done
  done
  for file in "$@"; do printf '%s\n' "$file"; done
}
oldest_first() {
  local file
  files "$@" | while IFS= read -r file; do
    printf '%s %s\n' "$(stat -c %Y -- "$file" 2>/dev/null || echo 9999999999)" "$file"
  done | sort -n -s -k 1,1 | sed 's/^[0-9]* //'
}
from_journal() {
  local found
  found=$(journal "$journalctl" short-iso "$lines" "$unit")
  printf 'source journal\n'
  if [ -n "$found" ]; then printf '%s\n' "$found" | keep; else echo 'unreadable journal'; fi
}
leads_out() {
  [ "$(readlink -f -- "$1")" != "$(readlink -f -- "$folder")/${1#"$folder"/}" ]
}
from_files() {
  local file
  oldest_first "$@" | while IFS= read -r file; do
    printf 'source %s\n' "$file"
    # A link in a log folder may lead anywhere; the registered files may be links.
    if [ -n "$folder" ] && leads_out "$file"; then printf 'unreadable %s\n' "$file"; continue; fi
    { content "$file" 2>/dev/null || printf '\nunreadable-source\n'; } | keep
  done
}
plain() { LC_ALL=C tr -d '\000' | LC_ALL=C sed 's/^/| /'; }
read_log() {
  printf 'now %s\nzone %s\nminutes %s\nuntil %s\n' \
    "$(date +%s)" "$(date +%z)" "$minutes" "$until"
  if [ -n "$unit" ]; then from_journal; else from_files "$@"; fi | tail -c "$bytes"
}
"""


class WindowArgs(ServiceArgs):
    """A service, one of its log files or all, and the window of time."""

    name: FileName | None = None
    """A file in its log folder; without it the journal or the registered files."""
    minutes: Minutes = 60
    until: Until = ""
    """End of the window (ISO 8601 with a zone); empty: now."""


@dataclass(frozen=True, slots=True)
class Window:
    """Lines of a log within a window of time."""

    lines: tuple[LogLine, ...]
    unreadable: tuple[str, ...]
    cut: bool
    """Whether there was more than the bound on bytes permits."""
    start: datetime


def log_command(
    host: Host,
    script: Script,
    args: WindowArgs,
    words: tuple[str, str] = ("", ""),
    extra: tuple[str, ...] = (),
) -> Command:
    """Build the command of a script with `READ_LOG`. Raises `Refused` if there is no log."""
    service = target.service_on(host, args.service)
    folder, files = _files(host, service, args.name)
    unit = "" if files else target.unit(host, service)
    return privileged_script(
        host,
        script,
        unit,
        host.facts.program("journalctl"),
        host.facts.program("tail"),
        JOURNAL_LINES,
        MAX_BYTES,
        _age(args),
        args.minutes,
        args.until,
        folder,
        *words,
        *extra,
        *files,
    )


def _files(host: Host, service: Service, name: str | None) -> tuple[str, tuple[str, ...]]:
    """Return the log folder and the files; none if the journal is to be read."""
    if name is not None:
        folder = target.logs(service)
        return folder, (f"{folder}/{name}",)
    if service.log_files:
        return "", tuple(map(_require_path, service.log_files))
    if service.journal or (target.is_systemd(host, service) and not service.logs):
        return "", ()
    raise Refused(why=t("tools.logs.no_source", service=service.name))


def _require_path(path: str) -> str:
    if not re.fullmatch(r"/[^\x00-\x1f\x7f]*", path) or ".." in path.split("/"):
        raise Refused(why=t("tools.target.lacks", service=path[:80], what="log_files"))
    return path


def _age(args: WindowArgs) -> int:
    """Return the minutes from now back to the window's beginning."""
    if not args.until:
        return args.minutes
    behind = (datetime.now(UTC) - _instant(args.until)).total_seconds() / 60
    return args.minutes + max(0, int(behind) + 1)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


def log_rights(host: Host, service: Service | None) -> tuple[Right, ...]:
    """Return the exact commands that read a log which only root may read."""
    if service is None:
        return ()
    if service.log_files:
        tail = host.facts.program("tail")
        return tuple((tail, "-c", str(MAX_BYTES), path) for path in service.log_files)
    if target.is_systemd(host, service) and (service.journal or not service.logs):
        return (journal_right(host, service, "short-iso", JOURNAL_LINES),)
    return ()


def read_window(text: str) -> Window:
    """Parse what `read_log` prints and keep the lines of the window."""
    rows = text.split("\n")
    facts = dict((row + " ").split(" ", 1) for row in rows[:4])
    now, zone = datetime.fromtimestamp(int(facts["now"]), UTC), zone_of(facts["zone"])
    minutes, until = int(facts["minutes"]), facts["until"].strip()
    end = _instant(until) if until else now + timedelta(minutes=5)
    start = (_instant(until) if until else now) - timedelta(minutes=minutes)
    lines, unreadable = _sources(rows[4:], now, zone)
    return Window(
        tuple(one for one in lines if one.at is None or start <= one.at <= end),
        tuple(unreadable),
        len(rows) > 4 and not rows[4].startswith("source "),
        start,
    )


def _sources(rows: list[str], now: datetime, zone: timezone) -> tuple[list[LogLine], list[str]]:
    """Return the lines of all sources and the names of those that could not be read."""
    lines: list[LogLine] = []
    unreadable: list[str] = []
    name, texts = "", list[str]()
    for row in [*rows, "source "]:
        if row.startswith("| "):
            texts.append(row[2 : 2 + LINE_CHARACTERS])
        elif row.startswith("unreadable "):
            unreadable.append(row.split(" ", 1)[1])
        elif row.startswith("source "):
            if "unreadable-source" in texts[-1:]:
                unreadable.append(name)
                del texts[-1]
            lines += parse_lines((text for text in texts if text.strip()), now, zone)
            name, texts = row[7:], []
    return lines, unreadable
