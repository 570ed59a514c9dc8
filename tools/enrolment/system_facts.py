"""What a server is: system, account, programs, rights, disks, clock, versions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from guardia.board.core.plan import Risk
from guardia.org.directory import Host
from guardia.tools.command import Command, Script
from guardia.tools.enrolment.shell import SECTIONS, Sections
from guardia.tools.findings import Count, FilePath, FindingsModel, Line, Seconds, Share
from guardia.tools.tool import Findings, Tool, ToolArgs, stdout_parser

ProgramName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}$")]

# Network file systems are left out: a server that does not answer would hold `df` for ever.
_SYSTEM = Script(
    "enrol.system",
    SECTIONS
    + r"""
account=$(id -un)
{ cat /etc/os-release || cat /usr/lib/os-release; } 2>/dev/null | emit os || failed os
uname -s | emit system
uname -r | emit kernel
uname -m | emit machine
{ cat /proc/1/comm 2>/dev/null || ps -p 1 -o comm= 2>/dev/null; } | emit init || failed init
printf '%s\n' "$account" | emit account
id -u | emit uid
id -Gn 2>/dev/null | emit groups
{ limit 3 getent passwd "$account" 2>/dev/null || grep "^$account:" /etc/passwd; } |
  head -n 1 | sed 's/.*://' | emit shell || failed shell
(unset LC_ALL; limit 3 locale charmap 2>/dev/null) | emit charmap || failed charmap
printf '%s\n' "${LANG-}" | emit lang
cat /etc/locale.conf /etc/default/locale /etc/sysconfig/i18n 2>/dev/null | emit locales
for program; do
  path=$(type -P "$program") && case $path in /*) printf '%s\n' "$path" ;; esac
done | emit program
if type -P sudo >/dev/null; then
  if limit 8 sudo -n -l 2>/dev/null | emit sudo; [ "${PIPESTATUS[0]}" != 0 ]; then failed sudo; fi
else
  failed no_sudo
fi
if [ -r /proc/mounts ]; then
  mounts=()
  while read -r _ place kind _; do
    case $kind in
      ext*|xfs|btrfs|zfs|tmpfs|overlay|vfat|jfs|reiserfs|f2fs)
        mounts+=("$(printf '%b' "$place")") ;;
    esac
  done </proc/mounts
  if [ "${#mounts[@]}" != 0 ]; then
    limit 5 df -P -k "${mounts[@]}" 2>/dev/null | emit disk
    limit 5 df -P -i "${mounts[@]}" 2>/dev/null | emit inodes
  fi
else
  limit 5 df -P -k 2>/dev/null | emit disk
  failed inodes
fi
printf '%s\n' "${EPOCHREALTIME:-$(date +%s)}" | emit clock
version() {
  local name=$1
  shift
  type -P "$1" >/dev/null || return 0
  limit 4 "$@" 2>&1 | head -n 1 | sed "s/^/$name /" | emit version
}
version postgresql psql --version
version mysql mysql --version
version mariadb mariadb --version
version java java -version
version nginx nginx -v
version apache apache2 -v
version apache httpd -v
version php php --version
version python python3 --version
version node node --version
version docker docker --version
version redis redis-server --version
version haproxy haproxy -v
version openssl openssl version
version bash bash --version
exit 0
""",
)


class Disk(FindingsModel):
    """A mounted file system."""

    place: FilePath
    percent: Share
    free_kilobytes: Count
    inode_percent: Share | None


class SystemFindings(FindingsModel):
    """A server as its plain account sees it."""

    os: Line
    os_version: Line
    os_name: Line
    system: Line
    kernel: Line
    machine: Line
    init: Line
    account: Line
    uid: Count
    groups: Annotated[list[Line], Field(max_length=200)]
    shell: Line
    encoding: Line
    locales: Annotated[list[Line], Field(max_length=20)]
    programs: Annotated[list[FilePath], Field(max_length=400)]
    sudo: Annotated[list[Line], Field(max_length=400)]
    disks: Annotated[list[Disk], Field(max_length=200)]
    clock: Seconds
    versions: Annotated[list[Line], Field(max_length=20)]
    unreadable: Annotated[list[Line], Field(max_length=50)]


class SystemArgs(ToolArgs):
    """The programs to look for."""

    programs: Annotated[tuple[ProgramName, ...], Field(strict=False, max_length=300)] = ()


def _command(args: SystemArgs, _host: Host) -> Command:
    return Command.script(_SYSTEM, *args.programs)


_ASSIGNMENT = re.compile(r'(?:export )?([A-Z_]+)="?([^"]*)"?')


def _read(text: str) -> Findings:
    found = Sections(text)
    release = _assignments(found.lines("os"))
    system = found.first("system")
    return {
        "os": (release.get("ID") or system).lower()[:60],
        "os_version": release.get("VERSION_ID", "")[:60],
        "os_name": (release.get("PRETTY_NAME") or system)[:200],
        "system": system[:60],
        "kernel": found.first("kernel")[:100],
        "machine": found.first("machine")[:60],
        "init": found.first("init").rpartition("/")[2][:60],
        "account": found.first("account")[:100],
        "uid": int(found.first("uid")),
        "groups": found.first("groups").split()[:200],
        "shell": found.first("shell")[:200],
        "encoding": _encoding(found),
        "locales": [line.strip()[:200] for line in found.lines("locales") if "=" in line][:20],
        "programs": [line for line in found.lines("program") if line.startswith("/")][:400],
        "sudo": [line[:1000] for line in found.lines("sudo")][:400],
        "disks": _disks(found)[:200],
        "clock": float(found.first("clock").replace(",", ".")),
        "versions": [line.strip()[:200] for line in found.lines("version")][:20],
        "unreadable": found.failed(),
    }


def _assignments(lines: list[str]) -> dict[str, str]:
    matches = (_ASSIGNMENT.fullmatch(line.strip()) for line in lines)
    return {m[1]: m[2] for m in matches if m}


def _encoding(found: Sections) -> str:
    """Return the character set that programs of this server write.

    A login over SSH may have no locale of its own; then the system's default counts.
    """
    charmap = found.first("charmap")
    if charmap and "ANSI" not in charmap and charmap != "US-ASCII":
        return charmap.lower()[:40]
    named = _assignments(found.lines("locales"))
    tail = (named.get("LANG") or "").partition(".")[2]
    return (tail or charmap).lower()[:40]


_VERSION = re.compile(r"(?<![\w.])v?(\d+(?:\.\d+)+)")
_SINGLE = re.compile(r"\b(?:version|openjdk|java)\W+(\d+)\b")


def software_versions(lines: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return each program with its version, read from the first line that it printed."""
    found: dict[str, str] = {}
    for line in lines:
        name, _, text = line.partition(" ")
        text = text.partition("Distrib")[2] or text  # MariaDB's client, after its own version
        match = _VERSION.search(re.sub(r'[/"]', " ", text)) or _SINGLE.search(text)
        if match:
            # Java 8 calls itself 1.8.0.
            found.setdefault(name, match[1].removeprefix("1.") if name == "java" else match[1])
    return tuple(found.items())


def _disks(found: Sections) -> list[dict[str, Any]]:
    inodes = {" ".join(row[5:]): _percent(row[4]) for row in found.rows("inodes", 6)}
    rows = ((" ".join(row[5:]), row) for row in found.rows("disk", 6) if row[0] != "Filesystem")
    unique = {place: row for place, row in rows if row[3].isdigit()}
    return [
        {
            "place": place,
            "percent": _percent(row[4]) or 0,
            "free_kilobytes": int(row[3]),
            "inode_percent": inodes.get(place),
        }
        for place, row in unique.items()
    ]


def _percent(text: str) -> int | None:
    digits = text.removesuffix("%")
    return int(digits) if digits.isdigit() else None


SYSTEM: Tool[SystemArgs] = Tool(
    name="enrol.system",
    risk=Risk.READ,
    args=SystemArgs,
    command=_command,
    parse=stdout_parser("enrol.system", _read),
    findings=SystemFindings,
    timeout=45.0,
)
