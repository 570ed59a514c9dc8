"""A changed host key blocks its server until a person confirms the new key."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.cmdb import record_store, revisions
from guardia.board.core.acting import require_actor
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import ActorKind, Move
from guardia.board.core.model import Task
from guardia.board.core.outbox import send
from guardia.board.core.reasons import require_reason
from guardia.board.core.transitions import move_task
from guardia.board.issues.receiving import NewIssue, open_issue, open_task
from guardia.db.engine import repeat_on_conflict
from guardia.errors import NotFound
from guardia.i18n import t_default
from guardia.org import host_key, registry
from guardia.org.directory import PersonInfo
from guardia.org.model import Server
from guardia.org.ownership import owned_servers

CONFIRM = "server.confirm_key"
CHANNEL = "server"
"""Channel of issues that a server's own state opened."""
_WATCH = Actor.system("host-key")


@repeat_on_conflict
def report_changed(board: BoardContext, server_id: str) -> int | None:
    """Block a server that presented another host key, and open an issue for people.

    Returns the issue's number; `None` if the server is unknown or blocked already.
    """
    now = board.current_time()
    with board.database.transaction() as session:
        server = session.get(Server, server_id, with_for_update=True)
        if server is None or server.blocked:
            return None
        pinned = _fingerprint(server.host_key)
        server.blocked = t_default("cmdb.key.blocked")
        task = _open_issue(session, server, pinned, now)
        text = t_default("cmdb.key.title", server=server_id)
        send(session, "alert", text, now, sr_id=task.sr_id)
        detail = {"server": server_id, "pinned": pinned, "address": server.address}
        for kind, words in (
            (EntryKind.RECEIVED, {"sr": task.sr_id, "channel": CHANNEL, "who": "GUARDiA"}),
            (EntryKind.HOST_KEY_CHANGED, {"server": server_id, "fingerprint": pinned}),
        ):
            log.append(
                session,
                kind,
                actor=str(_WATCH),
                now=now,
                sr_id=task.sr_id,
                task_id=task.task_id,
                detail=detail,
                **words,
            )
        return task.sr_id


def _open_issue(session: Session, server: Server, pinned: str, now: datetime) -> Task:
    """Open the issue and hand it to people at once: no agent can work there."""
    owned = owned_servers().c
    owner = session.scalar(
        select(owned.owner_id)
        .where(owned.server_id == server.server_id)
        .order_by(owned.duty.desc(), owned.proficiency.desc(), owned.owner_id)
        .limit(1)
    )
    words = {"server": server.server_id, "fingerprint": pinned, "address": server.address}
    new_issue = NewIssue(
        text=t_default("cmdb.key.body", **words),
        title=t_default("cmdb.key.title", **words),
        channel=CHANNEL,
        sender="GUARDiA",
        institution=server.inst_id,
        kind="INCIDENT",
        category="SECURITY",
        priority="P2",
        engineer_id=owner,
        triage={"servers": [server.server_id]},
    )
    issue = open_issue(session, new_issue, now)
    task = open_task(session, issue.sr_id, now, server=server.server_id, engineer_id=owner)
    move_task(session, task, Move.HAND_OVER, actor=ActorKind.AGENT, now=now)
    return task


@repeat_on_conflict
def confirm(
    board: BoardContext, by: PersonInfo | Actor, server_id: str, key: str, reason: str
) -> None:
    """Pin a host key that a person has compared, and end the block. Raises `Missing` or `Invalid`.

    The key itself is given, not just a yes: a server that changes once more is not confirmed.
    """
    pinned, why = host_key.normalized(key), require_reason(reason)
    with board.database.transaction() as session:
        server = session.get(Server, server_id, with_for_update=True)
        if server is None:
            raise NotFound(what=server_id)
        actor = require_actor(by, CONFIRM, institution=server.inst_id)
        before, old = _fingerprint(server.host_key), registry.host_of(server)
        server.host_key, server.blocked = pinned, ""
        session.flush()
        revisions.note(
            session,
            "server",
            record_store.server_values(old),
            record_store.server_values(registry.host_of(server)),
            author=str(actor),
            now=board.clock(),
            source="guardia server confirm-key",
        )
        after = host_key.fingerprint(pinned)
        log.append(
            session,
            EntryKind.HOST_KEY_CONFIRMED,
            actor=str(actor),
            now=board.clock(),
            detail={"server": server_id, "before": before, "after": after, "reason": why},
            server=server_id,
            fingerprint=after,
            reason=why,
        )


def _fingerprint(key: str) -> str:
    return host_key.fingerprint(key) if key else "-"
