"""Volumes by bytes and inodes, what uses them by folder, and quotas."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field

from guardia.board.core.plan import Risk
from guardia.org.directory import Host, Service
from guardia.tools.command import Command, Script
from guardia.tools.families.paths import AbsolutePath
from guardia.tools.findings import Count, FilePath, FindingsModel, Line, Share, Word
from guardia.tools.output import sanitize
from guardia.tools.privilege import AS_ROOT, privileged_script
from guardia.tools.tool import Findings, Right, Tool, ToolArgs, stdout_parser

_MAX_FOLDERS: Final = 30
_PSEUDO = frozenset(
    {
        "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts",
        "devtmpfs", "efivarfs", "fuse.gvfsd-fuse", "fuse.lxcfs", "fusectl", "hugetlbfs", "iso9660",
        "mqueue", "nsfs", "proc", "pstore", "ramfs", "rpc_pipefs", "securityfs", "selinuxfs",
        "squashfs", "sysfs", "tracefs",
    }
)  # fmt: skip

# A network volume whose server is away makes df wait without end, so each has a limit.
_VOLUMES = Script(
    "storage.volumes",
    r"""
limited() {
  local status=0
  timeout -k 1 20 "$@" || status=$?
  if [ "$status" = 124 ]; then
    echo "df gave no answer for 20 seconds: a network volume may be away" >&2
    exit 3
  fi
}
echo mounts
cat /proc/mounts
echo bytes
limited df -P -k 2>/dev/null
echo inodes
limited df -P -i 2>/dev/null
""",
)

_FOLDERS = Script(
    "storage.folders",
    r"""
folder=$1 end=$((SECONDS + 100)) complete=1
[ -d "$folder" ] || { echo "no such folder: $folder" >&2; exit 3; }
measure() {
  local left=$((end - SECONDS)) size count
  if [ "$left" -le 0 ]; then complete=0; return; fi
  size=$(timeout -k 1 "$left" du -skx -- "$1" 2>/dev/null) || complete=0
  count=$(timeout -k 1 "$left" find "$1" -xdev 2>/dev/null | wc -l) || complete=0
  size=${size%%[!0-9]*}
  printf '%s\t%s\t%s\n' "${size:-0}" "$((count - 1))" "$1"
}
shopt -s nullglob dotglob
for one in "${folder%/}"/*/; do
  one=${one%/}
  if [ ! -L "$one" ]; then measure "$one"; fi
done | sort -k 1,1nr | head -n 200
loose=0 size=0
for one in "${folder%/}"/*; do
  if [ -f "$one" ] && [ ! -L "$one" ]; then loose=$((loose + 1)); fi
done
echo "loose $loose"
if [ "$SECONDS" -ge "$end" ] || [ ! -r "$folder" ]; then echo incomplete; fi
""",
)

_QUOTAS = Script(
    "storage.quotas",
    AS_ROOT
    + r"""
if ! command -v -- "$1" >/dev/null; then echo "repquota is not installed" >&2; exit 3; fi
as_root "$1" -a -p
""",
)


class VolumeFindings(FindingsModel):
    """A mounted volume."""

    mount: FilePath
    device: Line
    type: Word
    read_only: bool
    bytes: Count
    free_bytes: Count
    percent: Share
    inodes: Count | None
    free_inodes: Count | None
    inode_percent: Share | None


class VolumesFindings(FindingsModel):
    """Mounted volumes, the fullest first."""

    volumes: Annotated[list[VolumeFindings], Field(max_length=200)]
    worst_percent: Share
    worst_inode_percent: Share


class FolderArgs(ToolArgs):
    """A folder of the server."""

    path: AbsolutePath


class FolderFindings(FindingsModel):
    """A folder with all below it on the same volume."""

    path: FilePath
    bytes: Count
    entries: Count


class FoldersFindings(FindingsModel):
    """Folders directly below, the largest first, and the files beside them."""

    folders: Annotated[list[FolderFindings], Field(max_length=_MAX_FOLDERS)]
    most_entries: FilePath | None
    loose_files: Count
    complete: bool


class QuotaFindings(FindingsModel):
    """What an account uses of its quota; a limit of 0 is none."""

    account: Word
    kilobytes: Count
    soft_kilobytes: Count
    hard_kilobytes: Count
    files: Count
    soft_files: Count
    hard_files: Count
    exceeded: bool


class QuotasFindings(FindingsModel):
    """Accounts with a quota, those that exceed it first."""

    quotas: Annotated[list[QuotaFindings], Field(max_length=500)]
    exceeded: Count


def _table(text: str) -> dict[str, list[str]]:
    """Return the columns of `df -P` by mount point: device, total, used, free, percent, mount."""
    found = {}
    for line in text.splitlines()[1:]:
        cells = line.split(None, 5)
        if len(cells) == 6:
            found[cells[5]] = cells
    return found


def _read_volumes(text: str) -> Findings:
    mounts, _, rest = text.removeprefix("mounts\n").partition("\nbytes\n")
    sizes, _, nodes = rest.partition("\ninodes\n")
    kinds = {}
    for line in mounts.splitlines():
        device, mount, kind, options, *_ = line.split()
        name = mount.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        kinds[name] = (device, kind, "ro" in options.split(","))
    inodes = _table(nodes)
    volumes = [
        _volume(mount, cells, kinds[mount], inodes.get(mount))
        for mount, cells in _table(sizes).items()
        if mount in kinds and kinds[mount][1] not in _PSEUDO and int(cells[1]) > 0
    ]
    volumes.sort(key=lambda v: (-max(v["percent"], v["inode_percent"] or 0), v["mount"]))
    return {
        "volumes": volumes[:200],
        "worst_percent": max((v["percent"] for v in volumes), default=0),
        "worst_inode_percent": max((v["inode_percent"] or 0 for v in volumes), default=0),
    }


def _volume(
    mount: str, cells: list[str], facts: tuple[str, str, bool], nodes: list[str] | None
) -> Findings:
    total, used, free = (int(cell) for cell in cells[1:4])
    known = nodes is not None and nodes[1].isdecimal() and int(nodes[1]) > 0
    count, left = (int(nodes[1]), int(nodes[3])) if known and nodes else (None, None)
    return {
        "mount": mount,
        "device": facts[0][:300],
        "type": facts[1][:100],
        "read_only": facts[2],
        "bytes": total * 1024,
        "free_bytes": max(free, 0) * 1024,
        "percent": -(-100 * used // max(used + max(free, 0), 1)),
        "inodes": count,
        "free_inodes": left,
        "inode_percent": None if count is None else -(-100 * (count - (left or 0)) // count),
    }


def _read_folders(text: str) -> Findings:
    rows: list[Findings] = []
    loose, complete = 0, True
    for line in text.splitlines():
        cells = line.split("\t", 2)
        if len(cells) == 3:
            rows.append({"path": cells[2], "bytes": int(cells[0]) * 1024, "entries": int(cells[1])})
        elif line.startswith("loose "):
            loose = int(line.split()[1])
        elif line == "incomplete":
            complete = False
    most = max(rows, key=lambda row: row["entries"], default=None)
    return {
        "folders": rows[:_MAX_FOLDERS],
        "most_entries": most["path"] if most else None,
        "loose_files": loose,
        "complete": complete,
    }


def _quotas(_args: ToolArgs, host: Host) -> Command:
    return privileged_script(host, _QUOTAS, host.facts.program("repquota"))


def _quota_rights(host: Host, _service: Service | None) -> tuple[Right, ...]:
    program = host.facts.program("repquota")
    return ((program, "-a", "-p"),) if program.startswith("/") else ()


def _read_quotas(text: str) -> Findings:
    found: list[Findings] = []
    for line in text.splitlines():
        cells = line.split()
        # name, flags, used, soft, hard, grace, files, soft, hard, grace
        if len(cells) == 10 and set(cells[1]) <= {"+", "-"}:
            used, soft, hard, _, files, soft_files, hard_files, _ = (int(c) for c in cells[2:])
            found.append(
                {
                    "account": sanitize(cells[0])[:100],
                    "kilobytes": used,
                    "soft_kilobytes": soft,
                    "hard_kilobytes": hard,
                    "files": files,
                    "soft_files": soft_files,
                    "hard_files": hard_files,
                    "exceeded": "+" in cells[1],
                }
            )
    limited = [q for q in found if any(q[k] for k in q if k.startswith(("soft", "hard")))]
    limited.sort(key=lambda q: (not q["exceeded"], -q["kilobytes"]))
    return {"quotas": limited[:500], "exceeded": sum(q["exceeded"] for q in limited)}


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="storage.volumes",
        risk=Risk.READ,
        args=ToolArgs,
        command=lambda _args, _host: Command.script(_VOLUMES),
        parse=stdout_parser("storage.volumes", _read_volumes),
        findings=VolumesFindings,
        tried_on=("debian-12",),
        timeout=60.0,
        requires=("df", "timeout"),
    ),
    Tool(
        name="storage.folders",
        risk=Risk.READ,
        args=FolderArgs,
        command=lambda args, _host: Command.script(_FOLDERS, args.path),
        parse=stdout_parser("storage.folders", _read_folders),
        findings=FoldersFindings,
        tried_on=("debian-12",),
        timeout=130.0,
        requires=("du", "find", "timeout"),
    ),
    Tool(
        name="storage.quotas",
        risk=Risk.READ,
        args=ToolArgs,
        command=_quotas,
        parse=stdout_parser("storage.quotas", _read_quotas),
        findings=QuotasFindings,
        timeout=60.0,
        requires=("repquota",),
        rights=_quota_rights,
    ),
)
