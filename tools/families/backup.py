"""Freshness of backups: the newest files of a folder, their age, size and readability.

A service of kind `backup` names the folder (`root`).
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints

from guardia.board.core.plan import Risk
from guardia.org.directory import Host
from guardia.tools import target
from guardia.tools.command import Command, Script
from guardia.tools.findings import Count, FilePath, FindingsModel, Seconds, Word
from guardia.tools.target import service_on
from guardia.tools.tool import Findings, ServiceArgs, Tool, stdout_parser

KINDS: Final = ("backup",)
_SHOWN: Final = 20

_FRESHNESS = Script(
    "backup.freshness",
    r"""
folder=$(readlink -e -- "$1") || { echo "no such folder: $1" >&2; exit 3; }
pattern=$2 now=$(date +%s)
echo "now $now"
find "$folder" -xdev -maxdepth 4 -type f -name "$pattern" \
  ! -name '*.md5' ! -name '*.sha256' -exec stat -c '%Y %s %n' -- {} + 2>/dev/null |
  sort -k 1,1nr | awk 'NR <= 1000' || true
""",
)

# A dump that broke off is the usual way in which a backup that looks fresh cannot be restored.
_CHECK = Script(
    "backup.readable",
    r"""
folder=$(readlink -e -- "$1") || { echo "no such folder: $1" >&2; exit 3; }
path=$(readlink -e -- "$folder/$2") || { echo "no such file: $2" >&2; exit 3; }
case $path in "$folder"/*) ;; *) echo "outside of the folder: $2" >&2; exit 3 ;; esac
[ -f "$path" ] || { echo "not a regular file: $2" >&2; exit 3; }
head=$(head -c 8 -- "$path" | od -An -tx1 | tr -d ' \n') status=0
limited() { timeout -k 1 500 "$@" >/dev/null 2>&1 || status=$?; }
case $head in
  1f8b*) kind=gzip; limited gzip -t -- "$path" ;;
  425a68*) kind=bzip2; limited bzip2 -t -- "$path" ;;
  fd377a585a00*) kind=xz; limited xz -t -- "$path" ;;
  28b52ffd*) kind=zstd; limited zstd -q -t -- "$path" ;;
  5047444d50*) kind=pg_dump; limited pg_restore -l "$path" ;;
  *) kind=plain
    case $(tail -c 4096 -- "$path" | tr -d '\0') in
      *'PostgreSQL database dump complete'*|*'Dump completed'*) kind=sql ;;
    esac ;;
esac
echo "kind $kind"
echo "status $status"
echo "bytes $(stat -c %s -- "$path")"
""",
)


class FreshnessArgs(ServiceArgs):
    """Which files are backups."""

    pattern: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9가-힣._*?-]{1,100}$")] = "*"


class BackupFile(FindingsModel):
    """A backup."""

    path: FilePath
    bytes: Count
    hours: Seconds
    kind: Word
    """`pg_basebackup`, `pg_dump`, `mysqldump`, `rman`, `cubrid`, `tibero`, or `file`."""


class FreshnessFindings(FindingsModel):
    """Backups, the newest first, and how the newest compares with those before."""

    count: Count
    hours_since: Seconds | None
    """Hours since the newest backup."""
    newest_bytes: Count | None
    usual_bytes: Count | None
    """The middle one of the sizes before it."""
    shrunk: bool
    """Whether the newest is smaller than half of what is usual."""
    files: Annotated[list[BackupFile], Field(max_length=_SHOWN)]


class ReadableArgs(ServiceArgs):
    """One backup."""

    file: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9가-힣._][A-Za-z0-9가-힣._/ -]{0,300}$")
    ]


class ReadableFindings(FindingsModel):
    """Whether a backup can be read to its end; `None`: it has no format that says so."""

    kind: Word
    bytes: Count
    complete: bool | None


_KINDS = (
    ("pg_basebackup", ("base.tar", "basebackup", "backup_manifest", "pg_wal.tar")),
    ("pg_dump", ("pg_dump", "pgdump", ".dump", ".pgc")),
    ("mysqldump", ("mysqldump", "mysql", "mariadb", ".xbstream")),
    ("rman", ("rman", ".bkp", ".bck")),
    ("cubrid", ("_bk0v", "_bk1v", "_bk2v")),
    ("tibero", (".tbexp", "tbrmgr", "tbexport")),
)


def _kind(path: str) -> str:
    name = path.rpartition("/")[2].lower()
    return next((kind for kind, marks in _KINDS if any(m in name for m in marks)), "file")


def _read_freshness(text: str) -> Findings:
    first, *rows = text.splitlines()
    now = int(first.removeprefix("now "))
    files: list[Findings] = []
    for row in rows:
        time, size, path = row.split(" ", 2)
        hours = round(max(0, now - int(time)) / 3600, 1)
        files.append({"path": path, "bytes": int(size), "hours": hours, "kind": _kind(path)})
    before = sorted(f["bytes"] for f in files[1 : 1 + _SHOWN])
    usual = before[len(before) // 2] if before else None
    newest = files[0] if files else None
    return {
        "count": len(files),
        "hours_since": newest["hours"] if newest else None,
        "newest_bytes": newest["bytes"] if newest else None,
        "usual_bytes": usual,
        "shrunk": bool(newest and usual and newest["bytes"] * 2 < usual),
        "files": files[:_SHOWN],
    }


def _read_readable(text: str) -> Findings:
    facts = dict(line.split(" ", 1) for line in text.splitlines())
    kind, status, size = facts["kind"], int(facts["status"]), int(facts["bytes"])
    # 127: the program that could test it is not installed.
    said = None if kind == "plain" or status in (124, 126, 127) else status == 0
    return {"kind": kind, "bytes": size, "complete": False if size == 0 else said}


def _freshness(args: FreshnessArgs, host: Host) -> Command:
    folder = target.root(service_on(host, args.service, KINDS))
    return Command.script(_FRESHNESS, folder, args.pattern)


def _readable(args: ReadableArgs, host: Host) -> Command:
    folder = target.root(service_on(host, args.service, KINDS))
    return Command.script(_CHECK, folder, args.file)


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="backup.freshness",
        risk=Risk.READ,
        args=FreshnessArgs,
        command=_freshness,
        parse=stdout_parser("backup.freshness", _read_freshness),
        findings=FreshnessFindings,
        tried_on=("debian-12",),
        timeout=60.0,
        kinds=KINDS,
        requires=("find", "stat"),
    ),
    Tool(
        name="backup.readable",
        risk=Risk.READ,
        args=ReadableArgs,
        command=_readable,
        parse=stdout_parser("backup.readable", _read_readable),
        findings=ReadableFindings,
        tried_on=("debian-12",),
        timeout=520.0,
        kinds=KINDS,
        requires=("od", "timeout"),
    ),
)
