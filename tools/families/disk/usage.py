"""Why a volume takes no more data: space, inodes, a quota, a read-only mount, deleted files."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from guardia.board.core.plan import Risk
from guardia.org.directory import Host
from guardia.tools import target
from guardia.tools.command import Command, Script
from guardia.tools.findings import Count, FilePath, FindingsModel, Pid, Share, Word
from guardia.tools.target import service_on
from guardia.tools.tool import Findings, ServiceArgs, Tool, stdout_parser

_FULL_PERCENT = 90
_MAX_DELETED = 10
_COMMAND_CHARACTERS = 100

# A deleted file keeps its blocks while a process has it open. The account sees such files of all
# processes only as root; otherwise those of its own.
_USAGE = Script(
    "disk.usage",
    r"""
logs=$(readlink -e -- "$1") || { echo "no such folder: $1" >&2; exit 3; }
printf 'path %s\n' "$1"
echo "space $(df -k --output=size,used,avail,pcent -- "$logs" | tail -n 1)"
echo "inodes $(df -k --output=itotal,iused,ipcent -- "$logs" | tail -n 1)"
mount=$(df --output=target -- "$logs" | tail -n 1)
while read -r _ target _ options _; do
  if [ "$(printf '%b' "$target")" = "$mount" ]; then last=$options; fi
done < /proc/mounts
case ,${last:-}, in *,ro,*) echo 'read_only 1' ;; esac
if command -v quota >/dev/null; then
  { quota -w -p -u "$(stat -c %U -- "$logs")" 2>/dev/null || true; } | tail -n +3 |
    while read -r device blocks soft hard _ files few many _; do
      if [ "$(df --output=source -- "$logs" | tail -n 1)" = "$device" ]; then
        echo "quota ${blocks%\*} $soft $hard ${files%\*} $few $many"
      fi
    done
fi
volume=$(stat -c %d -- "$logs")
{ find /proc/[0-9]*/fd -lname '/* (deleted)' -print0 2>/dev/null || true; } |
  while IFS= read -r -d '' link; do
    set -- $(stat -Lc '%d %i %b' -- "$link" 2>/dev/null || true)
    if [ "${1:-}" != "$volume" ]; then continue; fi
    pid=${link#/proc/}
    pid=${pid%%/*}
    printf 'deleted %s %s %s %s\n' "$2" "$3" "$pid" \
      "$({ tr '\0' ' ' < "/proc/$pid/cmdline"; } 2>/dev/null | head -c 200 || true)"
  done | sort -u -k 2,2 | sort -k 3,3nr | head -n 20 || true
""",
)


def _command(args: ServiceArgs, host: Host) -> Command:
    return Command.script(_USAGE, target.logs(service_on(host, args.service)))


class DeletedFile(FindingsModel):
    """A deleted file that a process keeps open."""

    pid: Pid
    command: Word
    kb: Count


class UsageFindings(FindingsModel):
    """What the volume has left, and what keeps files from being written."""

    path: FilePath
    size_kb: Count
    used_kb: Count
    available_kb: Count
    percent: Share
    inodes_percent: Share | None
    quota_percent: Share | None
    read_only: bool
    deleted: Annotated[list[DeletedFile], Field(max_length=_MAX_DELETED)]
    deleted_kb: Count
    cause: Word


def _read(text: str) -> Findings:
    rows: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        rows.setdefault(key, []).append(value)
    size, used, available, percent = rows["space"][0].split()
    found: Findings = {
        "path": rows["path"][0],
        "size_kb": int(size),
        "used_kb": int(used),
        "available_kb": int(available),
        "percent": int(percent.rstrip("%")),
        "inodes_percent": _inodes_percent(rows["inodes"][0]),
        "quota_percent": max(map(_quota_percent, rows.get("quota", ())), default=None),
        "read_only": "read_only" in rows,
        "deleted": [_deleted(row) for row in rows.get("deleted", ())][:_MAX_DELETED],
    }
    found["deleted_kb"] = sum(file["kb"] for file in found["deleted"])
    return found | {"cause": _cause(found)}


def _inodes_percent(row: str) -> int | None:
    """Return the share of used inodes, or `None` on a file system that has no fixed number."""
    total, _used, percent = row.split()
    return int(percent.rstrip("%")) if total.isdecimal() and int(total) else None


def _quota_percent(row: str) -> int:
    """Return the larger share of the owner's quota: of its blocks or of its files."""
    blocks, soft, hard, files, few, many = (int(n) if n.isdecimal() else 0 for n in row.split())
    shares = [
        100 * used // limit
        for used, limit in ((blocks, hard or soft), (files, many or few))
        if limit
    ]
    return max(shares, default=0)


def _deleted(row: str) -> Findings:
    _inode, blocks, pid, *command = row.split(" ", 3)
    shown = "".join(command).strip()[:_COMMAND_CHARACTERS]
    return {"pid": int(pid), "command": shown, "kb": int(blocks) // 2}


def _cause(found: Findings) -> str:
    """Name what keeps files from being written, the most certain cause first.

    Space comes before deleted files only if these are the smaller part of what is used.
    """
    if found["read_only"]:
        return "read_only"
    if (found["inodes_percent"] or 0) >= _FULL_PERCENT:
        return "inodes"
    if found["percent"] >= _FULL_PERCENT:
        return "deleted" if found["deleted_kb"] * 2 > found["used_kb"] else "space"
    return "quota" if (found["quota_percent"] or 0) >= _FULL_PERCENT else "none"


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="disk.usage",
        risk=Risk.READ,
        args=ServiceArgs,
        command=_command,
        parse=stdout_parser("disk.usage", _read),
        findings=UsageFindings,
    ),
)
