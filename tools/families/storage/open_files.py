"""Deleted files that processes still hold open: space that no listing of a folder shows.

Such a file is released by the process that holds it, so the finding names the process and its unit.
Truncating it through /proc could damage what the process does with it, and no tool does it.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from guardia.board.core.plan import Risk
from guardia.org.directory import Host, Service
from guardia.tools.command import Command, Script
from guardia.tools.findings import Count, FilePath, FindingsModel, Line, Pid, Word
from guardia.tools.privilege import AS_ROOT, privileged_script
from guardia.tools.tool import Findings, Right, Tool, ToolArgs, stdout_parser

_LSOF = ("-nP", "+L1", "-F", "pcLfsn")
_NOT_ON_A_VOLUME = ("/memfd:", "/dev/", "/SYSV", "/[aio]", "/proc/", "/anon_hugepage")

# lsof sees the files of all processes if sudo permits it. Without it, /proc shows those of the
# account's own processes, and the others are counted.
_DELETED = Script(
    "storage.deleted_open",
    AS_ROOT
    + r"""
lsof=$1
shift
unit() {
  local line
  while read -r line; do
    line=${line##*/}
    case $line in *.service|*.scope) printf '%s' "$line"; return ;; esac
  done 2>/dev/null < "/proc/$1/cgroup" || true
}
hidden=0
if listed=$(as_root "$lsof" "$@" 2>/dev/null) && [ -n "$listed" ]; then
  printf '%s\n' "$listed"
  pids=$(printf '%s\n' "$listed" | sed -n 's/^p//p')
else
  pids=
  for folder in /proc/[0-9]*; do
    pid=${folder#/proc/} found=0
    if [ ! -r "$folder/fd" ]; then
      if [ -d "$folder" ]; then hidden=$((hidden + 1)); fi
      continue
    fi
    for link in "$folder"/fd/*; do
      name=$(readlink -- "$link" 2>/dev/null || true)
      case $name in
        /*' (deleted)')
          size=$(stat -L -c %s -- "$link" 2>/dev/null || true)
          if [ "$found" = 0 ]; then
            found=1 pids="$pids $pid"
            owner=$(stat -c %U -- "$folder" 2>/dev/null || true)
            command=
            { read -r command < "$folder/comm"; } 2>/dev/null || true
            printf 'p%s\nc%s\nL%s\n' "$pid" "$command" "$owner"
          fi
          printf 'f%s\ns%s\nn%s\n' "${link##*/}" "${size:-0}" "$name" ;;
      esac
    done
  done
fi
for pid in $pids; do printf 'u%s %s\n' "$pid" "$(unit "$pid")"; done
echo "h$hidden"
""",
)


class DeletedFile(FindingsModel):
    """A file without a name, and who holds it open."""

    pid: Pid
    command: Line
    account: Word | None
    unit: Word | None
    file: Line
    path: FilePath
    bytes: Count


class DeletedFindings(FindingsModel):
    """Deleted files that are open, the largest first."""

    bytes: Count
    files: Annotated[list[DeletedFile], Field(max_length=50)]
    hidden_processes: Count
    """Processes whose files the account may not see."""


def _deleted(_args: ToolArgs, host: Host) -> Command:
    return privileged_script(host, _DELETED, host.facts.program("lsof"), *_LSOF)


def _rights(host: Host, _service: Service | None) -> tuple[Right, ...]:
    program = host.facts.program("lsof")
    return ((program, *_LSOF),) if program.startswith("/") else ()


def _read_deleted(text: str) -> Findings:
    units, files, hidden = {}, [], 0
    pid = command = account = number = size = ""
    for line in text.splitlines():
        kind, value = line[:1], line[1:]
        if kind == "p":
            pid, command, account = value, "", ""
        elif kind == "c":
            command = value
        elif kind == "L":
            account = value
        elif kind == "f":
            number, size = value, "0"
        elif kind == "s":
            size = value
        elif kind == "n":
            files.append((pid, command, account, number, value.removesuffix(" (deleted)"), size))
        elif kind == "u":
            owner, _, unit = value.partition(" ")
            units[owner] = unit
        elif kind == "h":
            hidden = int(value)
    return _findings(files, units, hidden)


def _findings(
    files: list[tuple[str, str, str, str, str, str]], units: dict[str, str], hidden: int
) -> Findings:
    shown: dict[tuple[str, str], Findings] = {}
    for pid, command, account, number, path, size in files:
        if path.startswith("/") and not path.startswith(_NOT_ON_A_VOLUME):
            # A file that a process has open twice is one file.
            shown[pid, path] = {
                "pid": int(pid),
                "command": command[:300],
                "account": account[:100] or None,
                "unit": units.get(pid, "")[:100] or None,
                "file": number[:20],
                "path": path[:4096],
                "bytes": int(size),
            }
    found = sorted(shown.values(), key=lambda f: (-f["bytes"], f["pid"], f["path"]))
    # Processes share files with their children: count each path once.
    total = sum({f["path"]: f["bytes"] for f in found}.values())
    return {"bytes": total, "files": found[:50], "hidden_processes": hidden}


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="storage.deleted_open",
        risk=Risk.READ,
        args=ToolArgs,
        command=_deleted,
        parse=stdout_parser("storage.deleted_open", _read_deleted),
        findings=DeletedFindings,
        tried_on=("debian-12",),
        timeout=90.0,
        requires=("lsof|readlink",),
        rights=_rights,
    ),
)
