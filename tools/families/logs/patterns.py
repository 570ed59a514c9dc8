"""What repeats in a log: templates of its lines, how often, bursts, and what changed before."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Annotated, Any

from drain3 import TemplateMiner
from drain3.masking import MaskingInstruction
from drain3.template_miner_config import TemplateMinerConfig
from pydantic import Field, StringConstraints

from guardia.board.core.plan import Risk
from guardia.org.directory import Host, Service
from guardia.tools import target
from guardia.tools.command import Command, Script
from guardia.tools.families.journal import JOURNAL
from guardia.tools.families.logs.moments import LogLine
from guardia.tools.families.logs.source import (
    READ_LOG,
    WindowArgs,
    log_command,
    log_rights,
    read_window,
)
from guardia.tools.families.service import PROCESS_KINDS
from guardia.tools.findings import Count, FindingsModel, Line, Moment, Word
from guardia.tools.privilege import AS_ROOT
from guardia.tools.tool import Findings, Tool, stdout_parser

_MAX_TEMPLATES = 30
_MAX_CLUSTERS = 500
_BURST_LINES = 10
_BURST_FACTOR = 5
_CHANGED_BEFORE = timedelta(minutes=15)
_MESSAGE_CHARACTERS = 300
_RANK = {"ERROR": 0, "WARN": 1}
_MASKS = (
    (r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b", "ID"),
    (r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b", "IP"),
    (r"\b0x[0-9a-fA-F]+\b", "HEX"),
    (r"(?<![A-Za-z0-9_.])[-+]?\d+(?:\.\d+)?(?![A-Za-z0-9_])", "NUM"),
)
logging.getLogger("drain3").setLevel(logging.WARNING)

# What changed on the server: a version, a configuration, packages, the unit's last start.
_PATTERNS = Script(
    "logs.patterns",
    AS_ROOT
    + JOURNAL
    + READ_LOG
    + r"""
scan=$bytes
keep() { plain; }
systemctl=$1 started=$2 root=$3 config=$4
shift 4
changed() {
  local at
  at=$(stat -c %Y -- "$2" 2>/dev/null) || return 0
  printf '%s %s %s\n' "$1" "$at" "$2"
}
changes() {
  local up mono
  if [ -n "$root" ]; then
    changed release "$root/current"
    for file in "$root"/webapps/*.war "$root"/conf/*; do
      if [ -f "$file" ]; then changed file "$file"; fi
    done
  fi
  if [ -n "$config" ]; then changed configuration "$config"; fi
  for file in /var/lib/dpkg/status /var/lib/rpm/Packages /var/lib/rpm/rpmdb.sqlite; do
    if [ -f "$file" ]; then changed packages "$file"; fi
  done
  if [ -n "$started" ]; then
    mono=$("$systemctl" show --property=ActiveEnterTimestampMonotonic --value -- "$started" || true)
    read -r up _ < /proc/uptime
    if [ "${mono:-0}" != 0 ]; then
      echo "start $(($(date +%s) - ${up%.*} + mono / 1000000)) $started"
    fi
  fi
}
read_log "$@"
printf '\nchanges\n'
changes | head -n 100 || true
""",
)


class Burst(FindingsModel):
    """A minute in which far more lines came than usual."""

    at: Moment
    lines: Count


class TemplateFindings(FindingsModel):
    """Lines that differ only in their variable parts."""

    template: Line
    level: Annotated[str, StringConstraints(max_length=10)]
    count: Count
    first: Moment | None
    last: Moment | None
    example: Line
    burst: Burst | None
    after: Word | None
    """The change on the server shortly before its first line."""


class ServerChange(FindingsModel):
    """Something that changed on the server within the window."""

    kind: Annotated[str, StringConstraints(max_length=20)]
    name: Line
    at: Moment


class PatternFindings(FindingsModel):
    """Templates, errors first; the busiest minute; changes on the server in the window."""

    lines: Count
    errors: Count
    warnings: Count
    per_minute: Count
    """Lines in the median minute."""
    burst: Burst | None
    flood: bool
    """Whether the log grows so fast that the bound on bytes holds only a part of the window."""
    templates: Annotated[list[TemplateFindings], Field(max_length=_MAX_TEMPLATES)]
    changes: Annotated[list[ServerChange], Field(max_length=100)]
    cut: bool
    unreadable: Annotated[list[Word], Field(max_length=50)]


@dataclass
class _Group:
    """The lines of one template."""

    lines: list[LogLine] = field(default_factory=list)


def _patterns(args: WindowArgs, host: Host) -> Command:
    service = target.service_on(host, args.service)
    return log_command(host, _PATTERNS, args, extra=_places(host, service))


def _places(host: Host, service: Service) -> tuple[str, ...]:
    unit = target.unit(host, service) if target.is_systemd(host, service) else ""
    root = target.root(service) if service.root else ""
    config = target.config(service) if service.config else ""
    return host.facts.program("systemctl"), unit, root, config


def _read_patterns(text: str) -> Findings:
    logged, _, changed = text.rpartition("\nchanges\n")
    window = read_window(logged)
    changes = [c for c in map(_change, changed.splitlines()) if c["at"] >= window.start.isoformat()]
    levels = Counter(line.level for line in window.lines)
    minutes = _minutes(window.lines)
    return {
        "lines": len(window.lines),
        "errors": levels["ERROR"],
        "warnings": levels["WARN"],
        "per_minute": round(median(minutes.values())) if minutes else 0,
        "burst": _burst(minutes),
        "flood": window.cut,
        "templates": _templates(window.lines, changes),
        "changes": changes,
        "cut": window.cut,
        "unreadable": [name[:100] for name in window.unreadable[:50]],
    }


def _change(row: str) -> Findings:
    kind, at, name = row.split(" ", 2)
    moment = datetime.fromtimestamp(int(at), UTC).isoformat()
    return {"kind": kind, "name": name[:500], "at": moment}


def _minutes(lines: Iterable[LogLine]) -> Counter[datetime]:
    return Counter(line.at.replace(second=0, microsecond=0) for line in lines if line.at)


def _burst(minutes: Counter[datetime]) -> Findings | None:
    """Return the busiest minute if it exceeds the usual one by far."""
    if not minutes:
        return None
    at, count = max(minutes.items(), key=lambda item: (item[1], item[0]))
    usual = median(minutes.values()) if len(minutes) > 1 else 0
    is_burst = count >= _BURST_LINES and count >= _BURST_FACTOR * usual
    return {"at": at.isoformat(), "lines": count} if is_burst else None


def _templates(lines: Sequence[LogLine], changes: list[Findings]) -> list[Findings]:
    """Return the templates, errors first, then warnings, the most frequent first."""
    miner = TemplateMiner(config=_config())
    groups: dict[int, _Group] = {}
    for line in lines:
        if line.is_continued:
            continue
        found = miner.add_log_message(line.message[:_MESSAGE_CHARACTERS] or "-")
        groups.setdefault(found["cluster_id"], _Group()).lines.append(line)
    texts = {cluster.cluster_id: cluster.get_template() for cluster in miner.drain.clusters}
    rows = [
        _row(texts.get(number, group.lines[0].message), group.lines, changes)
        for number, group in groups.items()
    ]
    rows.sort(key=lambda row: (_RANK.get(row["level"], 2), -row["count"]))
    return rows[:_MAX_TEMPLATES]


def _config() -> TemplateMinerConfig:
    config = TemplateMinerConfig()
    config.drain_max_clusters = _MAX_CLUSTERS
    config.masking_instructions = [MaskingInstruction(mask, name) for mask, name in _MASKS]
    return config


def _row(template: str, lines: list[LogLine], changes: list[Findings]) -> Findings:
    times = [line.at for line in lines if line.at]
    first = min(times) if times else None
    levels = Counter(line.level for line in lines)
    return {
        "template": template[:_MESSAGE_CHARACTERS],
        "level": min(levels, key=lambda level: _RANK.get(level, 2)),
        "count": len(lines),
        "first": first.isoformat() if first else None,
        "last": max(times).isoformat() if times else None,
        "example": lines[-1].text,
        "burst": _burst(_minutes(lines)),
        "after": _cause(first, changes),
    }


def _cause(first: datetime | None, changes: list[Findings]) -> str | None:
    """Return the last change shortly before a template's first line."""
    if first is None:
        return None
    before = [
        c
        for c in changes
        if timedelta() <= first - datetime.fromisoformat(c["at"]) <= _CHANGED_BEFORE
    ]
    last = max(before, key=lambda c: str(c["at"]), default=None)
    return f"{last['kind']} {last['name']}"[:100] if last else None


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="logs.patterns",
        risk=Risk.READ,
        args=WindowArgs,
        command=_patterns,
        parse=stdout_parser("logs.patterns", _read_patterns),
        findings=PatternFindings,
        kinds=PROCESS_KINDS,
        tried_on=("debian-12",),
        rights=log_rights,
        timeout=60.0,
    ),
)
