"""Largest files of a log folder by the space that they take, and which may be archived."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field

from guardia.board.core.plan import Risk
from guardia.org.directory import Host
from guardia.tools import target
from guardia.tools.command import Command, Script
from guardia.tools.families.disk.names import argument_name, shown_name
from guardia.tools.families.service_shell import SERVICE_PIDS
from guardia.tools.findings import Count, FilePath, FindingsModel, Moment, Word
from guardia.tools.target import service_on
from guardia.tools.tool import Findings, ServiceArgs, Tool, stdout_parser

_MAX_FILES = 20
_BLOCK = 512

# Names are sent as hexadecimal digits, because a server may name a file with any bytes. The list is
# taken twice, a second apart, to see what grows. What a file is is read from its first and last
# bytes; a log that was archived before begins with a hole, which reads as zeros.
_LARGEST = Script(
    "disk.largest",
    SERVICE_PIDS
    + r"""
logs=$(readlink -e -- "$1") || { echo "no such folder: $1" >&2; exit 3; }
printf '%s\n' "$1"
hex() { od -An -v -tx1 | tr -d ' \n'; }
look() {
  find "$logs/" -xdev -type f -printf '%b %s %T@ %P\0' 2>/dev/null | sort -z -k 1,1nr -k 2,2nr |
    head -z -n 40 || true
}
look | hex
echo
sleep 1
look | hex
echo
look | while IFS= read -r -d '' row; do
  name=${row#* * * }
  file=$logs/$name
  start=$({ head -c 16 -- "$file" 2>/dev/null || true; } | hex)
  zeros=$({ head -c 4096 -- "$file" 2>/dev/null || true; } | tr -cd '\0' | wc -c)
  tail=$({ tail -c 4096 -- "$file" 2>/dev/null || true; } | tr -cd '\0' | wc -c)
  echo "is $(printf %s "$name" | hex) ${start:--} $zeros $tail"
done
pids=$(service_pids "$2" "$3")
family=" $(with_children "$pids") "
pattern=$(printf %s "$logs" | sed 's/[][*?\\]/\\&/g')
{ find /proc/[0-9]*/fd -lname "$pattern/*" -printf '%p %l\0' 2>/dev/null || true; } |
  while IFS= read -r -d '' row; do
    link=${row%% *} name=${row#* }
    pid=${link#/proc/}
    pid=${pid%%/*}
    flags=
    while read -r key value; do
      if [ "$key" = flags: ]; then flags=$value; fi
    done 2>/dev/null < "/proc/$pid/fdinfo/${link##*/}" || true
    case $flags in *[12]) ;; *) continue ;; esac
    own=1
    if [ -n "$pids" ]; then case $family in *" $pid "*) ;; *) own=0 ;; esac; fi
    echo "written $(printf %s "${name#"$logs/"}" | hex) $own"
  done | sort -u | head -n 1000 || true
""",
)

_DUMPS = re.compile(r"(?i)\.(hprof|phd|m?dmp|dump|core|trm)(\.|$)|(^|/)(core|heapdump|javacore)\b")
_DATA = re.compile(
    r"(?i)\.(db|dbf|sqlite3?|ibd|frm|myd|myi|mdf|ldf|ora|wal|redo|ctl|sql|bak|backup|csv|xlsx?)"
    r"(\.|$)|(^|/)(ibdata|ib_logfile|redo)\d*"
)
_PACKED = re.compile(r"(?i)\.(gz|tgz|bz2|xz|zst|lz4|zip|7z|tar|jar|war)$")
_DUMP_STARTS = ("4a4156412050524f46494c45", "7f454c46", "4d444d50")
"""`JAVA PROFILE`, ELF (core files are ELF too) and Windows minidumps, in hexadecimal digits."""
_DATA_STARTS = ("53514c69746520666f726d6174",)
_PACKED_STARTS = ("1f8b", "425a68", "fd377a585a", "28b52ffd", "504b0304", "377abcaf")


class LargeFile(FindingsModel):
    """A file, what it is, and whether it may be archived."""

    path: FilePath
    name: FilePath
    bytes: Count
    length: Count
    modified: Moment
    growing: bool
    kind: Word
    written_by_others: bool
    can_be_archived: bool
    id: Word


class LargestFindings(FindingsModel):
    """The largest files, the largest first."""

    files: Annotated[list[LargeFile], Field(max_length=_MAX_FILES)]


def _command(args: ServiceArgs, host: Host) -> Command:
    service = service_on(host, args.service)
    folder = target.logs(service)
    return Command.script(_LARGEST, folder, service.root or "", service.port or 0)


def _read(text: str) -> Findings:
    folder, first, second, *facts = text.splitlines()
    before, after = _sizes(first), _sizes(second)
    starts = {bytes.fromhex(key): rest for key, *rest in _rows(facts, "is")}
    foreign = {bytes.fromhex(key) for key, own in _rows(facts, "written") if own == "0"}
    files = []
    for raw, (blocks, length, modified) in after.items():
        name = argument_name(raw)
        shown = name or shown_name(raw)
        kind = file_kind(shown, *starts.get(raw, ("-", "0", "1")))
        files.append(
            {
                "path": f"{folder}/{shown}",
                "name": shown,
                "bytes": blocks * _BLOCK,
                "length": length,
                "modified": datetime.fromtimestamp(modified, UTC).isoformat(timespec="seconds"),
                "growing": raw in before and before[raw] != after[raw],
                "kind": kind,
                "written_by_others": raw in foreign,
                "can_be_archived": kind == "log"
                and name is not None
                and blocks > 0
                and raw not in foreign,
                "id": copy_id(shown, length, modified),
            }
        )
    return {"files": files[:_MAX_FILES]}


def _rows(facts: list[str], key: str) -> list[list[str]]:
    return [row[1:] for fact in facts if (row := fact.split(" "))[0] == key]


def _sizes(look: str) -> dict[bytes, tuple[int, int, float]]:
    """Return blocks of 512 bytes, length and modification time of each file, the largest first."""
    rows = (row.split(b" ", 3) for row in bytes.fromhex(look).split(b"\0") if row)
    return {name: (int(b), int(length), float(when)) for b, length, when, name in rows}


def file_kind(name: str, start: str, zeros: str, tail_zeros: str) -> str:
    """Classify a file as `dump`, `data`, `packed`, `binary` or `log`.

    `start` is its first bytes in hexadecimal digits; `zeros` and `tail_zeros` count zero bytes in
    its first and last 4096 bytes.
    """
    if _DUMPS.search(name) or start.startswith(_DUMP_STARTS):
        return "dump"
    if _DATA.search(name) or start.startswith(_DATA_STARTS):
        return "data"
    if _PACKED.search(name) or start.startswith(_PACKED_STARTS):
        return "packed"
    has_text_start = zeros == "0" or start.strip("0") == ""
    return "log" if has_text_start and tail_zeros == "0" else "binary"


def copy_id(name: str, size: int, modified: float) -> str:
    """Return the id for a copy of this state of a file; another state gets another id."""
    return hashlib.sha256(f"{name}|{size}|{modified}".encode()).hexdigest()[:12]


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="disk.largest",
        risk=Risk.READ,
        args=ServiceArgs,
        command=_command,
        parse=stdout_parser("disk.largest", _read),
        findings=LargestFindings,
    ),
)
