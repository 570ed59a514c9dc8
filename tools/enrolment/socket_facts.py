"""What runs on a server: listening sockets, their processes, their units, the control scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any

from pydantic import Field

from guardia.board.core.plan import Risk
from guardia.org.directory import Host
from guardia.tools.command import Command, Script
from guardia.tools.enrolment.shell import SECTIONS, Sections
from guardia.tools.findings import Count, FilePath, FindingsModel, Line, Pid
from guardia.tools.tool import Findings, Tool, ToolArgs, stdout_parser

_MAX_SOCKETS, _MAX_PROCESSES, _MAX_UNITS = 500, 1500, 500

_SOCKETS = Script(
    "enrol.sockets",
    SECTIONS
    + r"""
if [ -r /proc/net/tcp ]; then
  cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
    while read -r _ local _ state _ _ _ uid _ inode _; do
      [ "$state" = 0A ] && printf '%s %s %s\n' "$local" "$uid" "$inode"
    done | emit tcp
else
  failed tcp
fi
if type -P ss >/dev/null; then
  if limit 5 sudo -n -l "$(type -P ss)" -ltnpe >/dev/null 2>&1; then
    limit 8 sudo -n "$(type -P ss)" -ltnpe 2>/dev/null | emit ss
  else
    limit 8 ss -ltnpe 2>/dev/null | emit ss
  fi
elif type -P netstat >/dev/null; then
  limit 8 netstat -lntp 2>/dev/null | emit netstat
else
  failed ss
fi
limit 8 ps -ww -e -o pid= -o ppid= -o uid= -o args= 2>/dev/null | cut -c 1-1500 | emit process
if [ "${PIPESTATUS[0]}" != 0 ]; then failed process; fi
grep -s '' /proc/[0-9]*/cgroup 2>/dev/null | grep -E ':(name=systemd)?:/|::/' |
  grep -F .service | emit cgroup
inodes=$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
  while read -r _ _ _ state _ _ _ _ _ inode _; do
    [ "$state" = 0A ] && printf '%s|' "$inode"
  done)
ls -l /proc/[0-9]*/fd 2>/dev/null |
  awk '/^\/proc\//{folder=$1; next} / -> /{print folder, $0}' |
  grep -E "socket:\[(${inodes}none)\]|-> /.*(\.log|\.out|\.err|/logs?/.*)\$" | emit open
if [ "$(cat /proc/1/comm 2>/dev/null)" = systemd ] && type -P systemctl >/dev/null; then
  limit 10 systemctl show --no-pager --property=Id,MainPID,StandardOutput,TimeoutStartUSec \
    '*.service' 2>/dev/null | emit unit
  if [ "${PIPESTATUS[0]}" != 0 ]; then failed unit; fi
fi
for script in /etc/init.d/* /etc/rc.d/init.d/*; do
  if [ -f "$script" ] && [ -x "$script" ]; then printf '%s\n' "$script"; fi
done | emit script
for script in /etc/init.d/* /etc/rc.d/init.d/*; do
  if [ -f "$script" ] && [ -x "$script" ]; then
    grep -oE '/[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+' "$script" 2>/dev/null | sort -u | head -n 40 |
      while read -r path; do printf '%s %s\n' "$script" "$path"; done
  fi
done | emit mention
exit 0
""",
)


class Socket(FindingsModel):
    """A listening TCP socket."""

    address: Line
    port: Annotated[int, Field(ge=0, le=65535)]
    uid: Count
    pid: Pid | None
    """`None`: the account may not see it."""
    unit: Line


class Process(FindingsModel):
    """A process with its command line."""

    pid: Pid
    parent: Count
    uid: Count
    command: Line
    unit: Line


class Unit(FindingsModel):
    """A running systemd service."""

    name: Line
    pid: Pid
    journal: bool
    start_seconds: Count


class OpenLog(FindingsModel):
    """A log file that a process holds open."""

    pid: Pid
    path: FilePath


class Mention(FindingsModel):
    """A path that a control script contains."""

    script: FilePath
    path: FilePath


class SocketFindings(FindingsModel):
    """What listens and what runs, as far as the account may see it."""

    sockets: Annotated[list[Socket], Field(max_length=_MAX_SOCKETS)]
    processes: Annotated[list[Process], Field(max_length=_MAX_PROCESSES)]
    units: Annotated[list[Unit], Field(max_length=_MAX_UNITS)]
    logs: Annotated[list[OpenLog], Field(max_length=500)]
    scripts: Annotated[list[FilePath], Field(max_length=500)]
    mentions: Annotated[list[Mention], Field(max_length=1500)]
    unreadable: Annotated[list[Line], Field(max_length=50)]


_OPEN_FILE = re.compile(r"/proc/([0-9]{1,10})/fd: .* -> (.*)")
_USERS = re.compile(r"pid=([0-9]{1,10})")
_SERVICE = re.compile(r"/([^/\s]{1,200}\.service)(?:/|\s|$)")
_CGROUP_LINE = re.compile(r"/proc/([0-9]{1,10})/cgroup:.*?/([^/\s]{1,200}\.service)(?:/\S*)?")


def _read(text: str) -> Findings:
    found = Sections(text)
    units_by_pid = {
        int(m[1]): m[2] for m in map(_CGROUP_LINE.fullmatch, found.lines("cgroup")) if m
    }
    sockets = _sockets(found, units_by_pid)
    return {
        "sockets": sockets[:_MAX_SOCKETS],
        "processes": list(_processes(found, units_by_pid))[:_MAX_PROCESSES],
        "units": list(_units(found.lines("unit")))[:_MAX_UNITS],
        "logs": _logs(found),
        "scripts": found.lines("script")[:500],
        "mentions": [{"script": row[0], "path": row[1]} for row in found.rows("mention", 2)][:1500],
        "unreadable": found.failed(),
    }


def _logs(found: Sections) -> list[dict[str, Any]]:
    unique = dict.fromkeys(
        (pid, to)
        for pid, to in _open_files(found)
        if to.startswith("/") and not to.endswith(" (deleted)")
    )
    return [{"pid": pid, "path": path} for pid, path in unique][:500]


def _open_files(found: Sections) -> Iterator[tuple[int, str]]:
    """Yield the process and the target of each open file that was printed."""
    for line in found.lines("open"):
        match = _OPEN_FILE.fullmatch(line.strip())
        if match:
            yield int(match[1]), match[2]


def _sockets(found: Sections, units_by_pid: dict[int, str]) -> list[dict[str, Any]]:
    """Return each listening socket once; what `ss` and `/proc` say is put together."""
    owners = {
        to.removeprefix("socket:[").removesuffix("]"): pid
        for pid, to in _open_files(found)
        if to.startswith("socket:[")
    }
    sockets: dict[tuple[str, int], dict[str, Any]] = {}
    for local, uid, inode in (row[:3] for row in found.rows("tcp", 3)):
        address, port = _hex_endpoint(local)
        pid = owners.get(inode)
        sockets[address, port] = _socket(address, port, int(uid), pid, units_by_pid)
    for address, port, pid, unit in (*_ss(found.lines("ss")), *_netstat(found.lines("netstat"))):
        known = sockets.setdefault((address, port), _socket(address, port, 0, pid, units_by_pid))
        if pid is not None and known["pid"] is None:
            known.update(pid=pid, unit=units_by_pid.get(pid, ""))
        known["unit"] = known["unit"] or unit
    return [sockets[key] for key in sorted(sockets)]


def _socket(
    address: str, port: int, uid: int, pid: int | None, units_by_pid: dict[int, str]
) -> dict[str, Any]:
    unit = units_by_pid.get(pid, "") if pid is not None else ""
    return {"address": address, "port": port, "uid": uid, "pid": pid, "unit": unit}


def _hex_endpoint(text: str) -> tuple[str, int]:
    """Return the address and port of a line of `/proc/net/tcp`: words in the host's byte order."""
    address, _, port = text.partition(":")
    raw = bytes.fromhex(address)
    words = b"".join(raw[i : i + 4][::-1] for i in range(0, len(raw), 4))
    if len(words) == 4:
        return str(IPv4Address(words)), int(port, 16)
    six = IPv6Address(words)
    return str(six.ipv4_mapped or six), int(port, 16)


def _ss(lines: list[str]) -> Iterator[tuple[str, int, int | None, str]]:
    for line in lines:
        words = line.split()
        if len(words) < 5 or words[0] != "LISTEN":
            continue
        endpoint = _endpoint(words[3])
        pid, cgroup = _USERS.search(line), _SERVICE.search(line.partition("cgroup:")[2])
        if endpoint is not None:
            unit = cgroup[1] if cgroup else ""
            yield *endpoint, int(pid[1]) if pid else None, unit


def _netstat(lines: list[str]) -> Iterator[tuple[str, int, int | None, str]]:
    for line in lines:
        words = line.split()
        if len(words) < 6 or not words[0].startswith("tcp"):
            continue
        endpoint, pid = _endpoint(words[3]), words[-1].partition("/")[0]
        if endpoint is not None:
            yield *endpoint, int(pid) if pid.isdigit() else None, ""


def _endpoint(text: str) -> tuple[str, int] | None:
    address, _, port = text.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        return None
    address = address.strip("[]").partition("%")[0].removeprefix("::ffff:")
    return {"*": "0.0.0.0", "": "0.0.0.0"}.get(address, address), int(port)


def _processes(found: Sections, units_by_pid: dict[int, str]) -> Iterator[dict[str, Any]]:
    for line in found.lines("process"):
        words = line.split(None, 3)
        if len(words) < 4 or not all(word.isdigit() for word in words[:3]):
            continue
        pid = int(words[0])
        if words[3].startswith("[") or pid < 1:  # a thread of the kernel
            continue
        yield {
            "pid": pid,
            "parent": int(words[1]),
            "uid": int(words[2]),
            "command": words[3][:1000],
            "unit": units_by_pid.get(pid, ""),
        }


def _units(lines: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the running units; a blank line ends each."""
    current: dict[str, str] = {}
    for line in (*lines, ""):
        key, equals, value = line.partition("=")
        if equals:
            current[key] = value
            continue
        pid = current.get("MainPID", "0")
        if pid.isdigit() and int(pid) and current.get("Id"):
            yield {
                "name": current["Id"][:200],
                "pid": int(pid),
                "journal": current.get("StandardOutput", "journal").startswith(
                    ("journal", "inherit")
                ),
                "start_seconds": _seconds(current.get("TimeoutStartUSec", "")),
            }
        current = {}


_SPAN = re.compile(r"([0-9]{1,6})(min|ms|us|h|s)")
_SPAN_SECONDS = {"h": 3600, "min": 60, "s": 1}


def _seconds(text: str) -> int:
    """Return a span as systemd prints it in seconds; 0 for one without an end."""
    found = _SPAN.findall(text)
    return sum(int(number) * _SPAN_SECONDS.get(unit, 0) for number, unit in found)


def _command(_args: ToolArgs, _host: Host) -> Command:
    return Command.script(_SOCKETS)


SOCKETS: Tool[ToolArgs] = Tool(
    name="enrol.sockets",
    risk=Risk.READ,
    args=ToolArgs,
    command=_command,
    parse=stdout_parser("enrol.sockets", _read),
    findings=SocketFindings,
    timeout=45.0,
)
