"""What recorded checks have measured on a server in a month: the newest value of each tool.

Nothing is measured for the paper itself. A value has the moment at which it was read; what no check
has read stays empty.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from guardia.board.core.labels import format_time
from guardia.board.core.model import Task
from guardia.board.execution.model import CommandOutput
from guardia.board.papers.paper import Value
from guardia.board.papers.periods import ReportMonth
from guardia.board.remote_console.model import RemoteRun, RemoteTarget
from guardia.board.remote_console.policy import TargetState
from guardia.i18n import t

Findings = Mapping[str, Any]
_MONTH_AND_MINUTE = slice(5, 16)


def _text(name: str, *needed: str) -> Callable[[Findings], str | None]:
    """Return a function that words findings, if they have all values that the words need."""

    def worded(found: Findings) -> str | None:
        values = {key: found.get(key) for key in needed}
        if any(value is None or isinstance(value, list | dict) for value in values.values()):
            return None
        return t(f"papers.measured.{name}", **values)

    return worded


def _clock(found: Findings) -> str | None:
    if found.get("synchronized") is False:
        return t("papers.measured.clock_off")
    return _text("clock", "offset_seconds")(found)


def _waiting(found: Findings) -> str | None:
    waiting = found.get("waiting")
    return None if waiting is None else t("papers.measured.locks", count=_count(waiting))


def _running(found: Findings) -> str | None:
    running = found.get("running")
    return None if running is None else t(f"papers.measured.{'running' if running else 'stopped'}")


def _count(value: Any) -> int:
    return len(value) if isinstance(value, list | dict) else int(value)


MEASURES: Mapping[str, tuple[str, Callable[[Findings], str | None]]] = MappingProxyType(
    {
        "load": ("host.load", _text("load", "load1", "cores")),
        "memory": ("host.load", _text("percent", "memory_percent")),
        "disk": ("storage.volumes", _text("volumes", "worst_percent")),
        "processes": ("service.processes", _running),
        "backup": ("backup.freshness", _text("backup", "hours_since")),
        "certificate": ("certificate.expiry", _text("certificate", "not_after", "days")),
        "patches": ("host.packages", _text("patches", "security_updates")),
        "locks": ("database.locks", _waiting),
        "clock": ("host.clock", _clock),
        "replication": ("database.replication", _text("replication", "behind_seconds")),
    }
)
"""The tool whose findings give a fact, and how they are worded."""
_TOOLS = sorted({tool for tool, _ in MEASURES.values()})


def measured(session: Session, server: str, month: ReportMonth) -> dict[str, Value]:
    """Return each fact that was measured in a month, with its service and its time."""
    newest: dict[tuple[str, str], tuple[datetime, Findings]] = {}
    for tool, args, findings, at in _reads(session, server, month):
        place = (tool, str(args.get("service") or ""))
        if place not in newest or newest[place][0] < at:
            newest[place] = (at, findings)
    lines: dict[str, list[str]] = defaultdict(list)
    for name, (tool, worded) in MEASURES.items():
        for (read, service), (at, findings) in sorted(newest.items(), key=lambda one: one[0]):
            text = worded(findings) if read == tool else None
            if text:
                when = format_time(at)[_MONTH_AND_MINUTE]
                lines[name].append(f"{service}: {text} ({when})" if service else f"{text} ({when})")
    return {name: "\n".join(found) for name, found in lines.items()}


def _reads(
    session: Session, server: str, month: ReportMonth
) -> Iterator[tuple[str, dict[str, Any], Findings, datetime]]:
    """Yield the newest read of each tool and service: of the remote console, and of agents."""
    console = select(RemoteRun.tool, RemoteRun.args, RemoteTarget.findings, RemoteTarget.ended_at)
    console = console.join(RemoteTarget, RemoteTarget.run_id == RemoteRun.run_id).where(
        RemoteTarget.server_id == server,
        RemoteTarget.state == TargetState.OK.value,
        RemoteRun.tool.in_(_TOOLS),
        RemoteTarget.ended_at >= month.begins,
        RemoteTarget.ended_at < month.ends,
    )
    agents = select(
        CommandOutput.tool, CommandOutput.args, CommandOutput.findings, CommandOutput.created_at
    )
    agents = agents.join(Task, Task.task_id == CommandOutput.task_id).where(
        Task.target_server == server,
        CommandOutput.tool.in_(_TOOLS),
        CommandOutput.created_at >= month.begins,
        CommandOutput.created_at < month.ends,
    )
    for query in (console, agents):
        tool, args, _, at = query.selected_columns
        service = args["service"].astext
        newest = query.ext(distinct_on(tool, service)).order_by(tool, service, at.desc())
        yield from (tuple(row) for row in session.execute(newest))
