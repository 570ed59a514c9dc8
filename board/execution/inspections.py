"""Write-ahead log of reads that a person runs on a server outside of any task.

Such a read enrols a server, checks it, or answers a question of an operator. It needs no grant, and
can only be a read: `tools.gate.Gate.inspect` is the only caller.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.canonical import digest
from guardia.board.audit.kinds import EntryKind
from guardia.board.cmdb import blocking
from guardia.board.core.acting import require_actor
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.kill_switch import kill_switch_is_on
from guardia.board.core.plan import ToolCall
from guardia.board.execution.commands import MAX_OUTPUT, CommandResult, hashable
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Refused
from guardia.i18n import t
from guardia.org.directory import Host, PersonInfo

ACTION = "server.inspect"
"""The permission that a read outside of a task needs."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """A person's read of a server that is in the audit log and may now be sent."""

    by: Actor
    server: str
    call: ToolCall
    command: str
    """The command line with its secrets masked."""
    seq: int


@repeat_on_conflict
def record_inspection(
    board: BoardContext,
    by: PersonInfo | Actor,
    host: Host,
    call: ToolCall,
    command: str,
    run: int | None = None,
) -> Inspection:
    """Log the read that is about to run; `run` is that of the remote console, if it is one.

    `host` need not be in the CMDB: a server that is being enrolled is not, so the entry names its
    address. Raises `Forbidden`, `Refused` while the kill switch is on, and `ServerBlocked`.
    """
    actor, now = require_actor(by, ACTION, institution=host.institution), board.clock()
    with board.database.transaction() as session:
        _require_allowed(session, host)
        link = log.append(
            session,
            EntryKind.INSPECTION,
            actor=str(actor),
            now=now,
            detail={
                "server": host.server_id,
                "address": f"{host.address}:{host.port}",
                "account": host.account,
                "tool": call.tool,
                "args": call.args,
                "command": command,
                **({} if run is None else {"run": run}),
            },
            server=host.server_id,
            address=f"{host.address}:{host.port}",
            title=t(f"tools.{call.tool}.title"),
        )
        return Inspection(actor, host.server_id, call, command, link.seq)


def _require_allowed(session: Session, host: Host) -> None:
    if kill_switch_is_on(session):
        raise Refused(why=t("board.switch_on"))
    blocking.require_usable(session, host.server_id)


@repeat_on_conflict
def record_inspection_result(
    board: BoardContext, inspection: Inspection, outcome: CommandResult
) -> None:
    """Log the result of a person's read: its digest, not its text."""
    now = board.clock()
    found = {"findings": hashable(outcome.findings), "output": outcome.output[:MAX_OUTPUT]}
    with board.database.transaction() as session:
        log.append(
            session,
            EntryKind.INSPECTED if outcome.ok else EntryKind.INSPECTION_FAILED,
            actor=str(inspection.by),
            now=now,
            detail={
                "inspection": inspection.seq,
                "server": inspection.server,
                "tool": inspection.call.tool,
                "ok": outcome.ok,
                "milliseconds": outcome.milliseconds,
                "sha256": digest(found),
                **({} if outcome.ok else {"why": outcome.output[:500]}),
            },
            server=inspection.server,
            title=t(f"tools.{inspection.call.tool}.title"),
            milliseconds=outcome.milliseconds,
        )
