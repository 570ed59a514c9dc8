"""Listening ports, name resolution, reachability, and the rules of the firewall."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints

from guardia.board.core.plan import Risk
from guardia.org.directory import Host, Service
from guardia.tools.command import Command, Script
from guardia.tools.findings import Count, FindingsModel, Line, Pid, Word
from guardia.tools.privilege import AS_ROOT, privileged_script
from guardia.tools.tool import Findings, Right, Tool, ToolArgs, stdout_parser

HostName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_]([A-Za-z0-9_.:-]{0,251}[A-Za-z0-9.])?$")
]
Milliseconds = Annotated[int, Field(ge=0, le=1_000_000)]
Port = Annotated[int, Field(ge=1, le=65535)]

_PORTS = Script(
    "network.ports",
    AS_ROOT
    + r"""
ss=$1
if command -v -- "$ss" >/dev/null; then
  as_root "$ss" -ltnp 2>/dev/null || "$ss" -ltnp
else
  netstat -ltnp 2>/dev/null
fi
echo units
for folder in /proc/[0-9]*; do
  while read -r line; do
    line=${line##*/}
    case $line in *.service) echo "${folder#/proc/} $line"; break ;; esac
  done 2>/dev/null < "$folder/cgroup" || true
done | head -n 5000
""",
)

_NAMES = Script(
    "network.names",
    r"""
name=$1
grep -E '^(nameserver|search|domain)[[:space:]]' /etc/resolv.conf 2>/dev/null | head -n 20 || true
begin=$(date +%s%N)
found=$(timeout -k 1 10 getent ahosts -- "$name" || true)
end=$(date +%s%N)
case $begin$end in *[!0-9]*) ;; *) echo "milliseconds $(((end - begin) / 1000000))" ;; esac
printf '%s\n' "$found" | while read -r address _; do
  if [ -n "$address" ]; then echo "address $address"; fi
done | awk '!seen[$0]++' | head -n 50
""",
)

_REACH = Script(
    "network.reach",
    r"""
begin=$(date +%s%N) status=0
said=$(timeout -k 1 5 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" 2>&1) || status=$?
end=$(date +%s%N)
case $begin$end in *[!0-9]*) ;; *) echo "milliseconds $(((end - begin) / 1000000))" ;; esac
echo "status $status"
case $said in
  *refused*) echo "outcome refused" ;;
  *'not known'*|*'Name or service'*|*'name resolution'*) echo "outcome unknown_name" ;;
  *unreachable*|*'No route'*) echo "outcome unreachable" ;;
  *) if [ "$status" = 0 ]; then echo "outcome open"
     elif [ "$status" = 124 ] || [ "$status" = 137 ]; then echo "outcome silent"
     else echo "outcome failed"; fi ;;
esac
""",
)

# The first program that is there and has rules is the one that filters.
_FIREWALL = Script(
    "network.firewall",
    AS_ROOT
    + r"""
firewalld=$1 ufw=$2 nft=$3 iptables=$4 denied=
there() { command -v -- "$1" >/dev/null; }
if there "$firewalld" && state=$(as_root "$firewalld" --state 2>&1) && [ "$state" = running ]; then
  echo "program firewalld"
  as_root "$firewalld" --list-all-zones | head -n 1000
  exit 0
fi
if there "$ufw" && rules=$(as_root "$ufw" status verbose 2>/dev/null); then
  case $rules in 'Status: active'*) printf 'program ufw\n%s\n' "$rules"; exit 0 ;; esac
fi
if there "$nft"; then
  if rules=$(as_root "$nft" list ruleset 2>/dev/null); then
    if [ -n "$rules" ]; then printf 'program nftables\n%s\n' "$rules" | head -n 1000; exit 0; fi
  else denied=1; fi
fi
if there "$iptables"; then
  if rules=$(as_root "$iptables" -S 2>/dev/null); then
    printf 'program iptables\n%s\n' "$rules" | head -n 1000
    exit 0
  else denied=1; fi
fi
if [ -n "$denied" ]; then
  echo "the account may not read the rules of the firewall: sudo does not permit it" >&2
  exit 3
fi
echo "program none"
""",
)


class ListeningPort(FindingsModel):
    """A port at which a process listens."""

    address: Line
    port: Port
    process: Line | None
    pid: Pid | None
    unit: Word | None


class PortsFindings(FindingsModel):
    """Listening TCP ports; without rights, processes of other accounts are not named."""

    ports: Annotated[list[ListeningPort], Field(max_length=500)]


class NameArgs(ToolArgs):
    """The name of a host."""

    name: HostName


class NamesFindings(FindingsModel):
    """The addresses of a name, and which servers were asked."""

    resolved: bool
    addresses: Annotated[list[Word], Field(max_length=50)]
    name_servers: Annotated[list[Word], Field(max_length=20)]
    milliseconds: Milliseconds | None


class ReachArgs(ToolArgs):
    """A TCP port elsewhere."""

    address: HostName
    port: Port


class ReachFindings(FindingsModel):
    """Whether a connection succeeds: `open`, `refused`, `silent` (no answer in 5 s), ..."""

    reachable: bool
    outcome: Word
    milliseconds: Milliseconds | None


class FirewallFindings(FindingsModel):
    """The program that filters, and its rules as it prints them."""

    program: Word
    active: bool
    rules: Annotated[list[Line], Field(max_length=1000)]
    count: Count


_SS = re.compile(r"^(?:LISTEN|tcp6?)\s+\d+\s+\d+\s+(\S+):(\d+)\s+\S+\s*(.*)$")
_SS_PROCESS = re.compile(r'users:\(\("([^"]*)",pid=(\d+)')
_NETSTAT_PROCESS = re.compile(r"LISTEN\s+(\d+)/(.*)")


def _read_ports(text: str) -> Findings:
    table, _, listed = text.partition("\nunits\n")
    units = dict(line.split(" ", 1) for line in listed.splitlines() if " " in line)
    found = {}
    for line in table.splitlines():
        row = _SS.match(line)
        if row is None:
            continue
        address, port, rest = row.groups()
        ss, netstat = _SS_PROCESS.search(rest), _NETSTAT_PROCESS.match(rest)
        process, pid = ss.groups() if ss else netstat.groups()[::-1] if netstat else (None, None)
        found[address, port] = {
            "address": address.strip("[]")[:100],
            "port": int(port),
            "process": process.strip()[:100] if process else None,
            "pid": int(pid) if pid else None,
            "unit": units.get(pid or ""),
        }
    ports = sorted(found.values(), key=lambda p: (p["port"], p["address"]))
    return {"ports": ports[:500]}


def _read_names(text: str) -> Findings:
    rows = [line.split() for line in text.splitlines() if len(line.split()) > 1]
    addresses = [words[1] for words in rows if words[0] == "address"]
    took = [int(words[1]) for words in rows if words[0] == "milliseconds"]
    return {
        "resolved": bool(addresses),
        "addresses": addresses[:50],
        "name_servers": [words[1][:100] for words in rows if words[0] == "nameserver"][:20],
        "milliseconds": took[0] if took else None,
    }


def _read_reach(text: str) -> Findings:
    facts = dict(line.split(" ", 1) for line in text.splitlines())
    took = facts.get("milliseconds")
    return {
        "reachable": facts["outcome"] == "open",
        "outcome": facts["outcome"],
        "milliseconds": int(took) if took else None,
    }


def _read_firewall(text: str) -> Findings:
    head, _, rules = text.partition("\n")
    program = head.removeprefix("program ")
    lines = [line.rstrip()[:500] for line in rules.splitlines() if line.strip()]
    return {
        "program": program,
        "active": program != "none" and bool(lines),
        "rules": lines[:1000],
        "count": len(lines),
    }


_FILTERS: Final = ("firewall-cmd", "ufw", "nft", "iptables")
_FILTER_ARGUMENTS: Final = (
    ("--state",),
    ("--list-all-zones",),
    ("status", "verbose"),
    ("list", "ruleset"),
    ("-S",),
)


def _port_rights(host: Host, _service: Service | None) -> tuple[Right, ...]:
    program = host.facts.program("ss")
    return ((program, "-ltnp"),) if program.startswith("/") else ()


def _firewall_rights(host: Host, _service: Service | None) -> tuple[Right, ...]:
    programs = ("firewall-cmd", *_FILTERS)
    rights = (
        (host.facts.program(name), *arguments)
        for name, arguments in zip(programs, _FILTER_ARGUMENTS, strict=True)
    )
    return tuple(right for right in rights if right[0].startswith("/"))


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="network.ports",
        risk=Risk.READ,
        args=ToolArgs,
        command=lambda _args, host: privileged_script(host, _PORTS, host.facts.program("ss")),
        parse=stdout_parser("network.ports", _read_ports),
        findings=PortsFindings,
        tried_on=("debian-12",),
        requires=("ss|netstat",),
        rights=_port_rights,
    ),
    Tool(
        name="network.names",
        risk=Risk.READ,
        args=NameArgs,
        command=lambda args, _host: Command.script(_NAMES, args.name),
        parse=stdout_parser("network.names", _read_names),
        findings=NamesFindings,
        tried_on=("debian-12",),
        requires=("getent", "timeout"),
    ),
    Tool(
        name="network.reach",
        risk=Risk.READ,
        args=ReachArgs,
        command=lambda args, _host: Command.script(_REACH, args.address, args.port),
        parse=stdout_parser("network.reach", _read_reach),
        findings=ReachFindings,
        tried_on=("debian-12",),
        requires=("timeout",),
    ),
    Tool(
        name="network.firewall",
        risk=Risk.READ,
        args=ToolArgs,
        command=lambda _args, host: privileged_script(
            host, _FIREWALL, *(host.facts.program(name) for name in _FILTERS)
        ),
        parse=stdout_parser("network.firewall", _read_firewall),
        findings=FirewallFindings,
        requires=("nft|iptables|firewall-cmd|ufw",),
        rights=_firewall_rights,
    ),
)
