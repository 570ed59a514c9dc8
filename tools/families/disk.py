"""Full volumes: what takes the space, and archiving it without loss.

The archive is at `<root>/archive`, on another file system than the logs: the full volume itself is
never written to, only truncated, and only after the copy has been read back.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import StringConstraints

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.org.directory import Host
from guardia.tools import target
from guardia.tools.command import Command, Script
from guardia.tools.target import service_on
from guardia.tools.tool import Findings, ServiceArgs, Tool, jmespath_literal, stdout_parser

FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")]
"""A file directly in a folder: no separators, no leading dash or dot."""
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")

_MAX_FILES = 20

_USAGE = Script(
    "disk.usage",
    r"""
df -k --output=size,used,avail,pcent -- "$1" | tail -n 1
printf '%s\n' "$1"
""",
)

# The list is taken twice, a second apart, to see what grows.
_FIND = Script(
    "disk.largest",
    r"""
printf '%s\n' "$1"
look() {
  find "$1" -maxdepth 1 -type f -name '[A-Za-z0-9_]*' ! -name '*[!A-Za-z0-9._-]*' \
    -printf '%s %T@ %f\n' 2>/dev/null | sort -rn | head -n 40 || true
}
look "$1"
sleep 1
echo '-- again'
look "$1"
""",
)

# Every piece is read back before it counts. What the writer appends in the meantime follows piece
# by piece until nothing is new; then the file is truncated at once, and the writer keeps its open
# file. What a fast writer adds in the last milliseconds is lost, as with logrotate's copytruncate.
# The state file marks the copy as complete. It is written just before the truncation, so whatever
# kills the script, either the original is complete or the copy is and can be restored.
_ARCHIVE = Script(
    "disk.archive",
    r"""
logs=$1 root=$2 name=$3 id=$4
source=$logs/$name folder=$root/archive
copy=$folder/$name.$id.gz state=$folder/$name.$id.state
fail() { echo "$1" >&2; exit 3; }
sum() { sha256sum | { read -r digest _; printf '%s' "$digest"; }; }
piece() { { tail -c "+$((taken + 1))" -- "$source" || true; } | head -c "$((bytes - taken))"; }
[ -f "$source" ] && [ ! -L "$source" ] || fail "not a regular file: $name"
[ ! -L "$folder" ] || fail "the archive is a link"
mkdir -p -- "$folder"
[ ! -e "$state" ] || fail "already archived: $name.$id"
bytes=$(stat -c %s -- "$source")
[ "$bytes" -gt 0 ] || fail "empty: $name"
sample=$(head -c 4194304 -- "$source" | wc -c)
packed=$(head -c 4194304 -- "$source" | gzip -c | wc -c)
free=$(df -k --output=avail -- "$folder" | tail -n 1)
need=$((bytes / 1024 * 2 * packed / sample + 64))
[ "$free" -gt "$need" ] || fail "no room in the archive:$free KiB free, $need KiB needed"
trap '[ -e "$state" ] || rm -f -- "$copy"' EXIT
: > "$copy"
taken=0 round=0
while [ "$bytes" -gt "$taken" ] && [ "$round" -lt 8 ]; do
  start=$(stat -c %s -- "$copy")
  piece | gzip -c >> "$copy"
  was=$(piece | sum)
  is=$(tail -c "+$((start + 1))" -- "$copy" | gzip -dc | sum)
  [ "$was" = "$is" ] || fail "the copy differs from $name"
  if [ "$round" = 0 ]; then sync -- "$copy"; fi
  taken=$bytes round=$((round + 1))
  bytes=$(stat -c %s -- "$source")
done
printf 'bytes %s\n' "$taken" > "$state"
: > "$source"
sync -- "$copy" "$state"
digest=$(gzip -dc -- "$copy" | sum)
printf 'sha256 %s\n' "$digest" >> "$state"
printf 'bytes %s\nsha256 %s\narchive %s\n' "$taken" "$digest" "$copy"
""",
)

_ARCHIVED = Script(
    "disk.archived",
    r"""
source=$1/$3 state=$2/archive/$3.$4.state
now=0
if [ -f "$source" ]; then now=$(stat -c %s -- "$source"); fi
echo "now $now"
if [ -f "$state" ]; then head -n 1 -- "$state"; fi
""",
)

# The writer may append during the restore, so both parts are appended, never written over: what
# came after the archiving is set aside on the archive's volume and follows what came before it.
_RESTORE = Script(
    "disk.restore",
    r"""
logs=$1 root=$2 name=$3 id=$4
source=$logs/$name copy=$root/archive/$name.$id.gz
state=$root/archive/$name.$id.state later=$root/archive/$name.$id.later
fail() { echo "$1" >&2; exit 3; }
sum() { sha256sum | { read -r digest _; printf '%s' "$digest"; }; }
[ -f "$copy" ] && [ -f "$state" ] || fail "no such archive: $name.$id"
[ ! -L "$source" ] || fail "not a regular file: $name"
[ -e "$source" ] || : > "$source"
{ read -r _ bytes; read -r _ expected || expected=; } < "$state"
whole=$(gzip -dc -- "$copy" | sum) || fail "the archive is damaged"
[ -z "$expected" ] || [ "$whole" = "$expected" ] || fail "the archive is damaged"
now=$(stat -c %s -- "$source")
if [ "$now" -ge "$bytes" ]; then
  begins=$(head -c "$bytes" -- "$source" | sum)
  if [ "$begins" = "$whole" ]; then echo "bytes $bytes"; exit 0; fi
fi
free=$(df -k --output=avail -- "$logs" | tail -n 1)
[ "$free" -ge $(((bytes + 1023) / 1024)) ] || fail "no room for $name:$free KiB free"
cat -- "$source" > "$later"
: > "$source"
{ gzip -dc -- "$copy"; cat -- "$later"; } >> "$source" || fail "see $copy and $later"
rm -f -- "$later"
echo "bytes $bytes"
""",
)


class LogFileArgs(ServiceArgs):
    """A log file of the service and the id of its archived copy."""

    name: FileName
    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-z]{6,32}$")]


def _logs_command(script: Script) -> Callable[[ServiceArgs, Host], Command]:
    def command(args: ServiceArgs, host: Host) -> Command:
        return Command.script(script, target.logs(service_on(host, args.service)))

    return command


def _archive_command(script: Script) -> Callable[[LogFileArgs, Host], Command]:
    def command(args: LogFileArgs, host: Host) -> Command:
        service = service_on(host, args.service)
        folders = (target.logs(service), target.root(service))
        return Command.script(script, *folders, args.name, args.id)

    return command


def _read_usage(text: str) -> Findings:
    figures, path = text.splitlines()
    size, used, available, percent = figures.split()
    return {
        "path": path,
        "size_kb": int(size),
        "used_kb": int(used),
        "available_kb": int(available),
        "percent": int(percent.rstrip("%")),
    }


def _read_largest(text: str) -> Findings:
    folder, _, looks = text.partition("\n")
    first, _, second = looks.partition("-- again\n")
    before, after = _sizes(first), _sizes(second)
    files = [
        {
            "path": f"{folder}/{name}",
            "name": name,
            "bytes": size,
            "modified": datetime.fromtimestamp(modified, UTC).isoformat(timespec="seconds"),
            "growing": name in before and before[name][0] != size,
            "id": copy_id(name, size, modified),
        }
        for name, (size, modified) in after.items()
    ]
    return {"files": files[:_MAX_FILES]}


def _sizes(look: str) -> dict[str, tuple[int, float]]:
    """Return size and modification time of the files whose names are valid arguments."""
    rows = (line.split(" ", 2) for line in look.splitlines())
    return {
        row[2]: (int(row[0]), float(row[1]))
        for row in rows
        if len(row) == 3 and _FILE_NAME.fullmatch(row[2])
    }


def copy_id(name: str, size: int, modified: float) -> str:
    """Return the id for a copy of this state of a file; another state gets another id."""
    return hashlib.sha256(f"{name}|{size}|{modified}".encode()).hexdigest()[:12]


def _read_facts(text: str) -> Findings:
    facts: Findings = dict(line.split(" ", 1) for line in text.splitlines())
    facts["bytes"] = int(facts["bytes"])
    return facts


def _read_archived(text: str) -> Findings:
    facts = dict(line.split(" ", 1) for line in text.splitlines())
    archived = "bytes" in facts
    taken = int(facts["bytes"]) if archived else None
    return {"archived": archived, "bytes": taken, "original_bytes": int(facts["now"])}


def _file_exists(args: LogFileArgs) -> tuple[Check, ...]:
    largest = ToolCall(tool="disk.largest", args={"service": args.service})
    return (
        Check(call=largest, expect=f"length(files[?name=={jmespath_literal(args.name)}]) > `0`"),
    )


def _archive_check(args: LogFileArgs, expect: str) -> tuple[Check, ...]:
    return (Check(call=ToolCall(tool="disk.archived", args=args.model_dump()), expect=expect),)


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="disk.usage",
        risk=Risk.READ,
        args=ServiceArgs,
        command=_logs_command(_USAGE),
        parse=stdout_parser("disk.usage", _read_usage),
    ),
    Tool(
        name="disk.largest",
        risk=Risk.READ,
        args=ServiceArgs,
        command=_logs_command(_FIND),
        parse=stdout_parser("disk.largest", _read_largest),
    ),
    Tool(
        name="disk.archived",
        risk=Risk.READ,
        args=LogFileArgs,
        command=_archive_command(_ARCHIVED),
        parse=stdout_parser("disk.archived", _read_archived),
    ),
    Tool(
        name="disk.archive",
        risk=Risk.CHANGE,
        args=LogFileArgs,
        command=_archive_command(_ARCHIVE),
        parse=stdout_parser("disk.archive", _read_facts),
        precheck=_file_exists,
        verify=lambda args: _archive_check(args, "archived && original_bytes < bytes"),
        undo=lambda args: ToolCall(tool="disk.restore", args=args.model_dump()),
        undo_verify=lambda args: _archive_check(args, "archived && original_bytes >= bytes"),
        timeout=600.0,
    ),
    Tool(
        name="disk.restore",
        risk=Risk.CHANGE,
        args=LogFileArgs,
        command=_archive_command(_RESTORE),
        parse=stdout_parser("disk.restore", _read_facts),
        verify=lambda args: _archive_check(args, "archived && original_bytes >= bytes"),
        irreversible="tools.disk.restore.irreversible",
        timeout=600.0,
    ),
)
