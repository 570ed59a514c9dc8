"""Package updates that the server knows of, and whether it must be rebooted.

Nothing is downloaded: in a closed network the lists are as old as the last update from the mirror.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import Field

from guardia.board.core.plan import Risk
from guardia.tools.command import Command, Script
from guardia.tools.findings import Count, FindingsModel, Line, Seconds, Word
from guardia.tools.tool import Findings, Tool, ToolArgs, stdout_parser

_SHOWN: Final = 100

_PACKAGES = Script(
    "host.packages",
    r"""
age() {
  local time
  time=$(stat -c %Y -- "$1" 2>/dev/null || true)
  if [ -n "$time" ]; then echo "age $(($(date +%s) - time))"; fi
}
if command -v apt-get >/dev/null; then
  echo "program apt"
  age /var/lib/apt/lists
  timeout -k 1 60 apt-get -s -o Debug::NoLocking=true upgrade 2>/dev/null | grep '^Inst ' || true
  timeout -k 1 10 dpkg --audit 2>/dev/null | head -n 5 | while read -r line; do
    echo "broken $line"
  done || true
elif command -v dnf >/dev/null || command -v yum >/dev/null; then
  program=$(command -v dnf || command -v yum)
  echo "program ${program##*/}"
  age /var/cache/dnf
  status=0
  listed=$(timeout -k 1 100 "$program" -q -C check-update 2>/dev/null) || status=$?
  if [ "$status" != 0 ] && [ "$status" != 100 ]; then
    echo "$program: no usable list of packages (exit $status)" >&2; exit 3
  fi
  printf '%s\n' "$listed" | while read -r name version repository rest; do
    case $name in Obsoleting) break ;; esac
    if [ -n "$repository" ] && [ -z "$rest" ]; then echo "Update $name $version $repository"; fi
  done
elif command -v zypper >/dev/null; then
  echo "program zypper"
  timeout -k 1 100 zypper --no-refresh -q list-updates 2>/dev/null |
    while IFS='|' read -r _ repository name _ version _; do
      case $version in *[0-9]*) echo "Update $name $version $repository" ;; esac
    done
else
  echo "no known package manager" >&2; exit 3
fi
""",
)

_REBOOT = Script(
    "host.reboot",
    r"""
read -r up _ < /proc/uptime
echo "uptime ${up%%.*}"
echo "running $(uname -r)"
for file in /run/reboot-required /var/run/reboot-required; do
  if [ -e "$file" ]; then
    echo "required"
    if [ -r "$file.pkgs" ]; then
      sort -u "$file.pkgs" | head -n 50 | while read -r name; do echo "package $name"; done
    fi
    break
  fi
done
if command -v needs-restarting >/dev/null; then
  status=0
  timeout -k 1 60 needs-restarting -r >/dev/null 2>&1 || status=$?
  if [ "$status" = 1 ]; then echo required; fi
fi
for file in /boot/vmlinuz-*; do
  name=${file#/boot/vmlinuz-}
  case $name in *rescue*|'*') ;; *) echo "installed $name" ;; esac
done
exit 0
""",
)


class UpdateFindings(FindingsModel):
    """A package that has a newer version."""

    name: Word
    version: Line
    security: bool | None
    """`None`: the package manager does not say."""


class PackagesFindings(FindingsModel):
    """Updates that are known on the server."""

    program: Word
    list_age_seconds: Seconds | None
    updates: Count
    security_updates: Count | None
    broken: bool
    packages: Annotated[list[UpdateFindings], Field(max_length=_SHOWN)]


class RebootFindings(FindingsModel):
    """Whether the server must be rebooted for its updates."""

    required: bool
    packages: Annotated[list[Word], Field(max_length=50)]
    running_kernel: Word
    installed_kernels: Annotated[list[Word], Field(max_length=50)]
    uptime_seconds: Seconds


_INST = re.compile(r"^Inst (\S+) (?:\[[^\]]*\] )?\((\S+) ([^\[)]*)")


def _read_packages(text: str) -> Findings:
    program, age, broken = "", None, False
    updates: list[Findings] = []
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word == "program":
            program = rest
        elif word == "age":
            age = float(max(0, int(rest)))
        elif word == "broken":
            broken = True
        elif word == "Update":
            name, version, repository = rest.split()[:3]
            update = {"name": name[:100], "version": version[:200]}
            updates.append(update | {"security": True if "security" in repository else None})
        elif found := _INST.match(line):
            name, version, origin = found.groups()
            security = "security" in origin.lower()
            updates.append({"name": name[:100], "version": version[:200], "security": security})
    updates.sort(key=lambda u: (u["security"] is not True, u["name"]))
    known = program == "apt"
    return {
        "program": program,
        "list_age_seconds": age,
        "updates": len(updates),
        "security_updates": sum(u["security"] is True for u in updates) if known else None,
        "broken": broken,
        "packages": updates[:_SHOWN],
    }


def _read_reboot(text: str) -> Findings:
    rows = [line.partition(" ")[::2] for line in text.splitlines()]
    facts = dict(rows)
    return {
        "required": "required" in facts,
        "packages": [value[:100] for name, value in rows if name == "package"][:50],
        "running_kernel": facts["running"],
        "installed_kernels": [value[:100] for name, value in rows if name == "installed"][:50],
        "uptime_seconds": float(facts["uptime"]),
    }


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="host.packages",
        risk=Risk.READ,
        args=ToolArgs,
        command=lambda _args, _host: Command.script(_PACKAGES),
        parse=stdout_parser("host.packages", _read_packages),
        findings=PackagesFindings,
        tried_on=("debian-12",),
        timeout=130.0,
        requires=("apt-get|dnf|yum|zypper",),
    ),
    Tool(
        name="host.reboot",
        risk=Risk.READ,
        args=ToolArgs,
        command=lambda _args, _host: Command.script(_REBOOT),
        parse=stdout_parser("host.reboot", _read_reboot),
        findings=RebootFindings,
        tried_on=("debian-12",),
        timeout=90.0,
    ),
)
