"""Old files of a folder that people have registered for it: packed, removed, and put back.

The service of kind `files` names the folder (`logs`) and, on another volume, where the packed files
are kept (`root`/archive). A file is removed only after the packed copy was compared with it.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.i18n import t
from guardia.org.directory import Host
from guardia.tools import target
from guardia.tools.command import Command, Script
from guardia.tools.findings import Count, FindingsModel, Line, Share, Word
from guardia.tools.target import service_on
from guardia.tools.tool import (
    EvidenceChoice,
    Findings,
    ServiceArgs,
    Tool,
    stdout_parser,
)

KINDS: Final = ("files",)
_REQUIRES = ("find", "tar", "gzip", "xargs", "stat")
_TIMEOUT = 1800.0
_MAX_FILES: Final = 200_000

# `old` prints the old files below the folder, each ended by a null: files of its own volume that
# have one name. In a folder with the sticky bit an account can remove only its own.
_OLD: Final = r"""
fail() { echo "$1" >&2; exit 3; }
folder=$(readlink -e -- "$1") || fail "no such folder: $1"
case $folder in
  /|/bin|/boot|/dev|/etc|/home|/lib|/lib64|/opt|/proc|/root|/run|/sbin|/srv|/sys|/usr|/var|/usr/*)
    fail "a folder of the system: $folder" ;;
esac
root=$2 days=$3 pattern=$4
whose=()
if [ -k "$folder" ] && [ "$(id -u)" != 0 ]; then whose=(-user "$(id -u)"); fi
old() {
  (cd -- "$folder" && find . -xdev -type f -links 1 -mtime "+$days" -name "$pattern" \
    ${whose[@]+"${whose[@]}"} -print0 2>/dev/null) || true
}
"""

_OLD_FILES = Script(
    "storage.old_files",
    _OLD
    + r"""
count=0 shown=0
while IFS= read -r -d '' name; do
  count=$((count + 1))
  if [ "$shown" -lt 20 ]; then
    shown=$((shown + 1))
    case $name in *[$'\n\t']*) name='?' ;; esac
    printf 'file %s\n' "${name#./}"
  fi
done < <(old)
echo "count $count"
echo "kilobytes $(old | (cd -- "$folder" && xargs -0 -r du -k --) | (s=0
  while read -r n _; do s=$((s + n)); done; echo "$s"))"
df -P -i -- "$folder" | tail -n 1 | (read -r _ _ _ _ percent _; echo "inodes ${percent%\%}")
df -P -k -- "$folder" | tail -n 1 | (read -r _ _ _ _ percent _; echo "volume ${percent%\%}")
if [ -w "$folder" ]; then echo "writable 1"; fi
echo "now $(date +%s)"
""",
)

_PLACES: Final = r"""
keep=$root/archive copy=$keep/files.$id.tar.gz list=$keep/files.$id.list
"""

_CLEAN = Script(
    "storage.clean_files",
    _OLD
    + r"""
id=$5 most=$6
"""
    + _PLACES
    + r"""
[ ! -L "$keep" ] || fail "the archive is a link"
mkdir -p -- "$keep"
[ "$(stat -c %d -- "$keep")" != "$(stat -c %d -- "$folder")" ] ||
  fail "the archive is on the same volume: $keep"
[ ! -e "$copy" ] || fail "already used: $id"
umask 077
trap '[ -e "$list" ] || rm -f -- "$copy.new" "$list.new"' EXIT
old > "$list.new"
count=$(tr -cd '\0' < "$list.new" | wc -c)
[ "$count" -gt 0 ] || fail "no file is older than $days days"
[ "$count" -le "$most" ] || fail "$count files are more than $most: choose more days"
cd -- "$folder"
tar --null --no-recursion -czf "$copy.new" -T "$list.new"
tar --null -dzf "$copy.new" >/dev/null || fail "the files changed while they were packed"
sync -- "$copy.new" 2>/dev/null || sync
mv -f -- "$copy.new" "$copy"
mv -f -- "$list.new" "$list"
xargs -0 rm -f -- < "$list" || fail "not every file could be removed"
echo "count $count"
""",
)

_RESTORE = Script(
    "storage.restore_files",
    _OLD
    + r"""
id=$5
"""
    + _PLACES
    + r"""
[ -f "$copy" ] && [ -f "$list" ] || fail "no such archive: $id"
cd -- "$folder"
tar --skip-old-files -xpzf "$copy"
echo "count $(tr -cd '\0' < "$list" | wc -c)"
""",
)

_CLEANED = Script(
    "storage.cleaned_files",
    _OLD
    + r"""
id=$5
"""
    + _PLACES
    + r"""
archived=0 present=0
if [ -f "$copy" ] && [ -f "$list" ]; then
  while IFS= read -r -d '' name; do
    archived=$((archived + 1))
    if [ -e "$folder/$name" ]; then present=$((present + 1)); fi
  done < "$list"
fi
printf 'archived %s\npresent %s\n' "$archived" "$present"
""",
)


class OldFilesArgs(ServiceArgs):
    """The age of files in days, and a pattern of their names."""

    days: Annotated[int, Field(ge=1, le=3650)]
    pattern: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9가-힣._*?-]{1,100}$")] = "*"


class CleanArgs(OldFilesArgs):
    """The same, and the id of the packed copy."""

    generated = frozenset({"id"})

    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-z]{6,32}$")]


class OldFilesFindings(FindingsModel):
    """Old files, how full the volume is, and an id for a packed copy of them."""

    id: Word
    count: Count
    kilobytes: Count
    percent: Share
    inode_percent: Share | None
    removable: bool
    examples: Annotated[list[Line], Field(max_length=20)]


class CleanFindings(FindingsModel):
    """How many files were moved."""

    count: Count


class CleanedFindings(FindingsModel):
    """How many files are in the packed copy, and how many of them are in their place."""

    archived: Count
    present: Count


def _command(script: Script, args: OldFilesArgs, host: Host) -> Command:
    service = service_on(host, args.service, KINDS)
    words: tuple[str | int, ...] = (
        target.logs(service),
        target.root(service),
        args.days,
        args.pattern,
    )
    if isinstance(args, CleanArgs):
        words = (*words, args.id, _MAX_FILES)
    return Command.script(script, *words)


def _read_old(text: str) -> Findings:
    facts: dict[str, str] = {}
    examples = []
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == "file":
            examples.append(value[:300])
        else:
            facts[name] = value
    nodes = facts["inodes"]
    return {
        "id": hashlib.sha256(text.encode()).hexdigest()[:12],
        "count": int(facts["count"]),
        "kilobytes": int(facts["kilobytes"]),
        "percent": int(facts["volume"]),
        "inode_percent": int(nodes) if nodes.isdecimal() else None,
        "removable": "writable" in facts,
        "examples": examples,
    }


def _read_counts(text: str) -> Findings:
    return {name: int(value) for name, value in (line.split() for line in text.splitlines())}


def _has_old(args: CleanArgs) -> tuple[Check, ...]:
    wanted = args.model_dump(exclude={"id"})
    call = ToolCall(tool="storage.old_files", args=wanted)
    expect = f"removable && count > `0` && count <= `{_MAX_FILES}`"
    sentence = t("tools.storage.clean_files.precheck", days=args.days)
    return (Check(call=call, expect=expect, sentence=sentence),)


def _check(args: CleanArgs, expect: str, sentence: str) -> tuple[Check, ...]:
    call = ToolCall(tool="storage.cleaned_files", args=args.model_dump())
    return (Check(call=call, expect=expect, sentence=sentence),)


def _are_gone(args: CleanArgs) -> tuple[Check, ...]:
    sentence = t("tools.storage.clean_files.verify")
    return _check(args, "archived > `0` && present == `0`", sentence)


def _are_back(args: CleanArgs) -> tuple[Check, ...]:
    sentence = t("tools.storage.restore_files.verify")
    return _check(args, "archived > `0` && present == archived", sentence)


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="storage.old_files",
        risk=Risk.READ,
        args=OldFilesArgs,
        command=lambda args, host: _command(_OLD_FILES, args, host),
        parse=stdout_parser("storage.old_files", _read_old),
        findings=OldFilesFindings,
        tried_on=("debian-12",),
        timeout=120.0,
        kinds=KINDS,
        requires=_REQUIRES,
    ),
    Tool(
        name="storage.cleaned_files",
        risk=Risk.READ,
        args=CleanArgs,
        command=lambda args, host: _command(_CLEANED, args, host),
        parse=stdout_parser("storage.cleaned_files", _read_counts),
        findings=CleanedFindings,
        tried_on=("debian-12",),
        timeout=120.0,
        kinds=KINDS,
        requires=_REQUIRES,
    ),
    Tool(
        name="storage.clean_files",
        risk=Risk.CHANGE,
        args=CleanArgs,
        command=lambda args, host: _command(_CLEAN, args, host),
        parse=stdout_parser("storage.clean_files", _read_counts),
        findings=CleanFindings,
        tried_on=("debian-12",),
        precheck=_has_old,
        verify=_are_gone,
        undo=lambda args: ToolCall(tool="storage.restore_files", args=args.model_dump()),
        undo_verify=_are_back,
        choices=(EvidenceChoice("id", "storage.old_files", "[@]", "id"),),
        timeout=_TIMEOUT,
        kinds=KINDS,
        requires=_REQUIRES,
    ),
    Tool(
        name="storage.restore_files",
        risk=Risk.CHANGE,
        args=CleanArgs,
        command=lambda args, host: _command(_RESTORE, args, host),
        parse=stdout_parser("storage.restore_files", _read_counts),
        findings=CleanFindings,
        tried_on=("debian-12",),
        verify=_are_back,
        irreversible="tools.storage.restore_files.irreversible",
        timeout=_TIMEOUT,
        kinds=KINDS,
        requires=_REQUIRES,
    ),
)
