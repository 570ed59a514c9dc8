"""Archiving log files without loss, and restoring them.

The archive is at `<root>/archive`, on another file system than the logs: the full volume itself is
never written to. Space is released only after the copy has been read back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

from pydantic import StringConstraints

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.i18n import t
from guardia.org.directory import Host
from guardia.tools import target
from guardia.tools.command import Command, Script
from guardia.tools.families.disk.names import FileName
from guardia.tools.findings import Count, FilePath, FindingsModel, Word
from guardia.tools.target import service_on
from guardia.tools.tool import (
    EvidenceChoice,
    Findings,
    ServiceArgs,
    Tool,
    jmespath_literal,
    stdout_parser,
)

_CANDIDATES = "files[?can_be_archived != `false`]"
_TIMEOUT = 1800.0
"""Seconds: a log of tens of gigabytes is compressed at some 50 MB/s."""

# Shared by the three scripts. The file is opened once and used through its descriptor, so nothing
# can be put in its place. `zero` is quick: a hole is read from memory, data ends it at once.
_OPENED: Final = r"""
fail() { echo "$1" >&2; exit 3; }
sum() { sha256sum | { read -r digest _; printf '%s' "$digest"; }; }
part() { { tail -c "+$(($1 + 1))" -- "$3" || true; } | head -c "$2"; }
zero() { cmp -s -i "$1:0" -n "$2" -- "$3" /dev/zero; }
value() {
  while read -r key rest; do if [ "$key" = "$2" ]; then printf '%s' "$rest"; fi; done < "$1"
}
logs=$(readlink -e -- "$1") || fail "no such folder: $1"
root=$2 name=$3 id=$4
folder=$root/archive flat=${name//\//_}
if [ ${#flat} -gt 150 ]; then flat=${flat: -150}; fi
copy=$folder/$flat.$id.gz state=$folder/$flat.$id.state
open_log() {
  [ -f "$1" ] && [ ! -L "$1" ] || fail "not a regular file: $name"
  [ "$(readlink -e -- "$1")" = "$1" ] || fail "a link leads out of the folder: $name"
  exec 5<"$1"
  source=/proc/$$/fd/5
  [ "$(stat -Lc %h -- "$source")" = 1 ] || fail "the file has other names: $name"
}
"""

# Punch a hole over exactly the bytes that were copied and read back. The file keeps its length, so
# a writer continues at its offset, whether it appends or not, and loses nothing. The state file
# marks the copy as complete and is written just before the hole: if the script is killed at any
# point, either the original or the copy is complete. On a file system without holes, truncate only
# a file that no process has open for writing. The test for holes is made 1 TiB beyond the end, or
# as far as a small file system can address, where no writer can arrive during the test.
_ARCHIVE = Script(
    "disk.archive",
    _OPENED
    + r"""
open_log "$logs/$name"
[ ! -L "$folder" ] || fail "the archive is a link"
mkdir -p -- "$folder"
[ ! -e "$state" ] || fail "already archived: $name.$id"
length=$(stat -Lc %s -- "$source")
[ "$length" -gt 0 ] || fail "empty: $name"
inode=$(stat -Lc %d:%i -- "$source")
from=0
for other in "$folder"/*.state; do
  if [ -f "$other" ] && [ "$(value "$other" inode)" = "$inode" ]; then
    end=$(($(value "$other" from) + $(value "$other" bytes)))
    if [ "$end" -gt "$from" ] && [ "$end" -lt "$length" ]; then from=$end; fi
  fi
done
if [ "$from" -gt 0 ] && ! zero 0 "$from" "$source"; then from=0; fi
bytes=$((length - from))
way=hole
probe() { fallocate -p -o "$((length + $1))" -l 4096 -- "$source" 2>&1; }
if ! why=$(probe 1099511627776) && ! why=$(probe 1073741824); then
  way=truncate
  [ "$(id -u)" = 0 ] || fail "this file system releases no parts of a file ($why)"
  writers=$({ find -L /proc/[0-9]*/fd -maxdepth 1 -samefile "$source" 2>/dev/null || true; } |
    while read -r link; do
      pid=${link#/proc/}
      pid=${pid%%/*}
      while read -r key value; do
        if [ "$key" = flags: ]; then case $value in *[12]) printf ' %s' "$pid" ;; esac; fi
      done 2>/dev/null < "/proc/$pid/fdinfo/${link##*/}" || true
    done)
  [ -z "$writers" ] ||
    fail "this file system releases no parts of a file, and$writers has it open: rotate it first"
fi
sample=$(part "$from" 4194304 "$source" | wc -c)
packed=$(part "$from" 4194304 "$source" | gzip -c | wc -c)
free=$(df -k --output=avail -- "$folder" | tail -n 1)
need=$((bytes / 1024 * 2 * packed / sample + 64))
[ "$free" -gt "$need" ] || fail "no room in the archive:$free KiB free, $need KiB needed"
trap '[ -e "$state" ] || rm -f -- "$copy"' EXIT
part "$from" "$bytes" "$source" | gzip -c > "$copy"
sync -- "$copy"
digest=$(gzip -dc -- "$copy" | sum)
[ "$(part "$from" "$bytes" "$source" | sum)" = "$digest" ] || fail "the copy differs from $name"
printf 'bytes %s\nfrom %s\nlength %s\ninode %s\nsha256 %s\n' \
  "$bytes" "$from" "$length" "$inode" "$digest" > "$state"
sync -- "$state" "$folder"
if [ "$way" = hole ]; then
  fallocate -p -o "$from" -l "$bytes" -- "$source"
else
  [ "$(stat -Lc %s -- "$source")" = "$length" ] || fail "the file is being written: $name"
  : > "$source"
fi
printf 'bytes %s\nsha256 %s\narchive %s\n' "$bytes" "$digest" "$copy"
""",
)

# A file that was rotated keeps its inode, and a hole stays a hole under the new name.
_FOUND: Final = r"""
found() {
  if [ -f "$logs/$name" ] && [ "$(stat -c %d:%i -- "$logs/$name")" = "$1" ]; then
    printf '%s' "$logs/$name"
  else
    find "$logs/" -xdev -type f -inum "${1#*:}" -print -quit 2>/dev/null || true
  fi
}
"""

_ARCHIVED = Script(
    "disk.archived",
    _OPENED
    + _FOUND
    + r"""
if [ ! -f "$state" ]; then
  if [ -f "$logs/$name" ]; then echo "now $(($(stat -c %b -- "$logs/$name") * 512))"; fi
  echo 'complete 1'
  exit 0
fi
bytes=$(value "$state" bytes) from=$(value "$state" from) inode=$(value "$state" inode)
echo "bytes $bytes"
path=$logs/$name now=0
if [ -n "$inode" ]; then path=$(found "$inode"); fi
if [ -z "$path" ] || [ ! -f "$path" ]; then path=$logs/$name inode=; fi
if [ -f "$path" ]; then
  set -- $(stat -c '%b %s' -- "$path")
  if [ -n "$inode" ]; then
    grown=$(($2 - $(value "$state" length)))
    now=$(($1 * 512 - (grown > 0 ? grown : 0)))
    if [ "$now" -lt 0 ]; then now=0; fi
  else
    now=$2
  fi
  sample=$((bytes < 65536 ? bytes : 65536))
  if [ "$2" -ge "$((${from:-0} + bytes))" ] && ! zero "${from:-0}" "$sample" "$path" &&
    [ "$(part "${from:-0}" "$bytes" "$path" | sum)" = "$(gzip -dc -- "$copy" | sum)" ]
  then echo 'complete 1'; fi
fi
echo "now $now"
""",
)

# Nothing is restored that the volume cannot hold with a reserve: a full volume would be the outage
# again, and the content is safe in the archive. The bytes go back into their hole, at the same
# place, while the writer goes on. An archive of before holes were used is put before what the
# truncated file holds now.
_RESTORE = Script(
    "disk.restore",
    _OPENED
    + _FOUND
    + r"""
[ -f "$copy" ] && [ -f "$state" ] || fail "no such archive: $name.$id"
bytes=$(value "$state" bytes) from=$(value "$state" from) inode=$(value "$state" inode)
expected=$(value "$state" sha256)
whole=$(gzip -dc -- "$copy" | sum) || fail "the archive is damaged"
[ -z "$expected" ] || [ "$whole" = "$expected" ] || fail "the archive is damaged"
path=
if [ -n "$inode" ]; then path=$(found "$inode"); fi
way=hole
if [ -z "$path" ]; then
  path=$logs/$name way=before
  if [ ! -e "$path" ]; then [ ! -L "$path" ] || fail "not a regular file: $name"; : > "$path"; fi
fi
open_log "$path"
length=$(stat -Lc %s -- "$source")
if [ "$length" -ge "$((${from:-0} + bytes))" ] &&
  [ "$(part "${from:-0}" "$bytes" "$source" | sum)" = "$whole" ]
then echo "bytes $bytes"; exit 0; fi
if [ "$way" = hole ] && [ "$length" -lt "$((from + bytes))" ]; then way=before; fi
set -- $(df -k --output=size,avail -- "$logs" | tail -n 1)
need=$(((bytes + 1023) / 1024 + $1 / 50))
[ "$2" -ge "$need" ] || fail "no room for $name: $2 KiB free, $need KiB needed; kept in $copy"
if [ "$way" = hole ]; then
  if ! gzip -dc -- "$copy" |
    dd of="$source" bs=1M iflag=fullblock oflag=seek_bytes seek="$from" conv=notrunc status=none
  then
    fallocate -p -o "$from" -l "$bytes" -- "$source" || true
    fail "no room for $name: kept in $copy"
  fi
else
  later=$folder/$flat.$id.later
  cat -- "$source" > "$later"
  : > "$source"
  { gzip -dc -- "$copy"; cat -- "$later"; } >> "$source" || fail "see $copy and $later"
  rm -f -- "$later"
  from=0
fi
sync -- "$source"
[ "$(part "$from" "$bytes" "$source" | sum)" = "$whole" ] || fail "$name differs from the archive"
echo "bytes $bytes"
""",
)


class LogFileArgs(ServiceArgs):
    """A log file of the service and the id of its archived copy."""

    generated = frozenset({"id"})

    name: FileName
    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-z]{6,32}$")]


class CopyFindings(FindingsModel):
    """What was copied, and where it is."""

    bytes: Count
    sha256: Word | None = None
    archive: FilePath | None = None


class ArchivedFindings(FindingsModel):
    """Whether the file was archived, and whether all of it is in place again."""

    archived: bool
    bytes: Count | None
    original_bytes: Count
    complete: bool


def _archive_command(script: Script) -> Callable[[LogFileArgs, Host], Command]:
    def command(args: LogFileArgs, host: Host) -> Command:
        service = service_on(host, args.service)
        folders = (target.logs(service), target.root(service))
        return Command.script(script, *folders, args.name, args.id)

    return command


def _read_facts(text: str) -> Findings:
    facts: Findings = dict(line.split(" ", 1) for line in text.splitlines())
    facts["bytes"] = int(facts["bytes"])
    return facts


def _read_archived(text: str) -> Findings:
    facts = dict(line.split(" ", 1) for line in text.splitlines())
    archived = "bytes" in facts
    return {
        "archived": archived,
        "bytes": int(facts["bytes"]) if archived else None,
        "original_bytes": int(facts.get("now", 0)),
        "complete": "complete" in facts,
    }


def _can_be_archived(args: LogFileArgs) -> tuple[Check, ...]:
    largest = ToolCall(tool="disk.largest", args={"service": args.service})
    name = jmespath_literal(args.name)
    expect = f"length(files[?name=={name} && can_be_archived]) > `0`"
    sentence = t("tools.disk.archive.precheck", name=args.name)
    return (Check(call=largest, expect=expect, sentence=sentence),)


def _archive_check(args: LogFileArgs, expect: str, sentence: str) -> tuple[Check, ...]:
    archived = ToolCall(tool="disk.archived", args=args.model_dump())
    return (Check(call=archived, expect=expect, sentence=sentence),)


def _is_archived(args: LogFileArgs) -> tuple[Check, ...]:
    sentence = t("tools.disk.archive.verify", name=args.name)
    return _archive_check(args, "archived && original_bytes < bytes", sentence)


def _is_complete(args: LogFileArgs) -> tuple[Check, ...]:
    return _archive_check(args, "complete", t("tools.disk.restore.verify", name=args.name))


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="disk.archived",
        risk=Risk.READ,
        args=LogFileArgs,
        command=_archive_command(_ARCHIVED),
        parse=stdout_parser("disk.archived", _read_archived),
        findings=ArchivedFindings,
        timeout=_TIMEOUT,
        tried_on=("debian-12",),
    ),
    Tool(
        name="disk.archive",
        risk=Risk.CHANGE,
        args=LogFileArgs,
        command=_archive_command(_ARCHIVE),
        parse=stdout_parser("disk.archive", _read_facts),
        findings=CopyFindings,
        precheck=_can_be_archived,
        verify=_is_archived,
        undo=lambda args: ToolCall(tool="disk.restore", args=args.model_dump()),
        undo_verify=_is_complete,
        choices=(EvidenceChoice("name", "disk.largest", _CANDIDATES, "name", {"id": "id"}),),
        timeout=_TIMEOUT,
        tried_on=("debian-12",),
    ),
    Tool(
        name="disk.restore",
        risk=Risk.CHANGE,
        args=LogFileArgs,
        command=_archive_command(_RESTORE),
        parse=stdout_parser("disk.restore", _read_facts),
        findings=CopyFindings,
        verify=_is_complete,
        irreversible="tools.disk.restore.irreversible",
        timeout=_TIMEOUT,
        tried_on=("debian-12",),
    ),
)
