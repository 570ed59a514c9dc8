"""Sessions of external agents: one token per claim, with refused requests in the audit log.

A token is bound to {agent, run, task, fence} and valid only while that claim is current: it ends
with the claim, with the beat, or when it expires. Only its hash is stored. Refusals are logged up
to a limit, enough to see what was tried; then the token is closed.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic.dataclasses import dataclass as pydantic_dataclass
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.claims import Claim, claimed_task
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.model import KillSwitchActivation, Task
from guardia.board.external_agents.model import ExternalAgentCall, ExternalAgentSession
from guardia.board.issues.comments import write_comment
from guardia.board.runs.claiming import CLAIMABLE_STATES
from guardia.db import events
from guardia.db.engine import repeat_on_conflict
from guardia.errors import GuardiaError, NoCallsLeft, NotFound, Stale, TokenNeeded
from guardia.text import CleanStr, trim

REFUSALS = 20
"""Refusals that are logged before the token is closed."""
_MAX_OUTPUT = 4000
"""Characters of a program's output that are stored."""


@dataclass(frozen=True, slots=True)
class AuthorizedSession:
    """A session whose token was accepted for one request."""

    session_id: int
    claim: Claim
    offer: dict[str, Any]
    left: int
    """Remaining requests."""
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """Status of a session, for the worker that supervises it."""

    open: bool
    overruled: bool
    """Whether the task was reclaimed or overridden, or the kill switch is on."""
    awaits_agent: bool
    """Whether the task is in a state in which its agent has work to do."""


@pydantic_dataclass(frozen=True, slots=True)
class SessionEnd:
    """How an external agent's session ended."""

    how: str
    """`ended`, `failed`, `flooded`, `timeout`, `overruled`, `closed`, `turn_over` or `closing`."""
    exit: int | None = None
    left: int = 0
    """Processes that the program left behind and the worker ended."""
    output: CleanStr = ""
    usage: dict[str, Any] | None = None
    """`models` with their tokens, and `micro_usd`, if the program reports them."""


@repeat_on_conflict
def open_session(
    board: BoardContext,
    claim: Claim,
    offer: dict[str, Any],
    *,
    kind: str,
    seconds: int,
    budget: int,
) -> tuple[int, str]:
    """Open a session for a claim, closing older sessions of the task. Returns its id and its token.

    The token expires after `seconds`. Raises `Stale` if the claim is no longer current.
    """
    now, token = board.clock(), secrets.token_urlsafe(32)
    with board.database.transaction() as session:
        claimed_task(session, claim)
        older = session.scalars(
            update(ExternalAgentSession)
            .where(
                ExternalAgentSession.task_id == claim.task_id,
                ExternalAgentSession.closed_at.is_(None),
            )
            .values(closed_at=now)
            .returning(ExternalAgentSession.session_id)
        )
        for number in older.all():
            notify(session, number)
        row = ExternalAgentSession(
            token_hash=hash_token(token),
            agent_id=claim.agent_id,
            run_id=claim.run_id,
            task_id=claim.task_id,
            sr_id=claim.sr_id,
            fence=claim.fence,
            offer=offer,
            budget=budget,
            opened_at=now,
            expires_at=now + timedelta(seconds=seconds),
        )
        session.add(row)
        session.flush()
        detail = {"session": row.session_id, "adapter": kind, "run": claim.run_id}
        _log_entry(session, EntryKind.OUTSIDE_OPENED, row, now, detail, adapter=kind)
        return row.session_id, token


def hash_token(token: str) -> str:
    """Return the hash under which a token is stored."""
    return hashlib.sha256(token.encode()).hexdigest()


@repeat_on_conflict
def authorize(board: BoardContext, token: str, task_id: int, asked: str) -> AuthorizedSession:
    """Accept a token for one request on its task, and count the request.

    Raises `TokenNeeded`, `NotFound` (another task), `Stale` (reclaimed or overridden) or
    `NoCallsLeft`. Each refusal of a known token is written to the audit log.
    """
    now = board.clock()
    with board.database.transaction() as session:
        row = session.scalar(
            select(ExternalAgentSession)
            .where(ExternalAgentSession.token_hash == hash_token(token))
            .with_for_update()
        )
        if row is None:
            raise TokenNeeded()
        error = _check_access(session, row, task_id, now)
        if error is None:
            row.calls += 1
            left = row.budget - row.calls
            return AuthorizedSession(
                row.session_id, _claim_of(row), row.offer, left, row.expires_at
            )
        _log_refusal(session, row, asked, error, now)
    raise error


def _claim_of(row: ExternalAgentSession) -> Claim:
    return Claim(row.task_id, row.sr_id, row.agent_id, row.run_id, row.fence)


def _check_access(
    session: Session, row: ExternalAgentSession, task_id: int, now: datetime
) -> GuardiaError | None:
    if row.closed_at is not None or row.expires_at <= now:
        return TokenNeeded()
    if task_id != row.task_id:
        return NotFound(what=f"task {task_id}")
    current = session.execute(
        select(Task.fence, Task.run_id).where(Task.task_id == row.task_id)
    ).one()
    if tuple(current) != (row.fence, row.run_id):
        return Stale(what=issue_ref(row.sr_id))
    return NoCallsLeft(limit=row.budget) if row.calls >= row.budget else None


@repeat_on_conflict
def record_refusal(board: BoardContext, session_id: int, asked: str, error: GuardiaError) -> None:
    """Log a refusal that happened later, when the worker executed the call."""
    now = board.clock()
    with board.database.transaction() as session:
        query = select(ExternalAgentSession).where(ExternalAgentSession.session_id == session_id)
        _log_refusal(session, session.scalars(query.with_for_update()).one(), asked, error, now)


def _log_refusal(
    session: Session, row: ExternalAgentSession, asked: str, error: GuardiaError, now: datetime
) -> None:
    row.refusals += 1
    if row.refusals > REFUSALS:
        return
    if row.refusals == REFUSALS and row.closed_at is None:
        row.closed_at = now
        notify(session, row.session_id)
    why = str(error)[:300]
    detail = {"session": row.session_id, "asked": asked, "error": type(error).__name__, "why": why}
    _log_entry(session, EntryKind.OUTSIDE_REFUSED, row, now, detail, asked=asked, why=why)


@repeat_on_conflict
def finish(board: BoardContext, agent_session: AuthorizedSession) -> None:
    """Close a session at the request of its agent."""
    with board.database.transaction() as session:
        session.execute(
            update(ExternalAgentSession)
            .where(ExternalAgentSession.session_id == agent_session.session_id)
            .values(closed_at=board.clock())
        )
        notify(session, agent_session.session_id)


def status(board: BoardContext, session_id: int) -> SessionStatus:
    """Return the current status of a session."""
    with board.database.reading() as session:
        row = session.execute(
            select(ExternalAgentSession, Task.fence, Task.status)
            .join(Task, Task.task_id == ExternalAgentSession.task_id)
            .where(ExternalAgentSession.session_id == session_id)
        ).one()
        found: ExternalAgentSession = row[0]
        killed = session.scalar(
            select(KillSwitchActivation.kill_id).where(KillSwitchActivation.released_at.is_(None))
        )
        overruled = row.fence != found.fence or killed is not None
        return SessionStatus(found.closed_at is None, overruled, row.status in CLAIMABLE_STATES)


@repeat_on_conflict
def close_session(board: BoardContext, claim: Claim, session_id: int, ending: SessionEnd) -> None:
    """Close a session and log its end, even if the claim is stale by now.

    The program's output becomes a comment only if the claim is still current.
    """
    now, output = board.clock(), trim(ending.output, _MAX_OUTPUT)
    with board.database.transaction() as session:
        is_current = _is_claim_current(session, claim)
        query = select(ExternalAgentSession).where(ExternalAgentSession.session_id == session_id)
        row = session.scalars(query.with_for_update()).one()
        row.closed_at = row.closed_at or now
        session.execute(
            update(ExternalAgentCall)
            .where(ExternalAgentCall.session_id == session_id, ExternalAgentCall.state != "ENDED")
            .values(state="ENDED", status=409, result={"message": ending.how}, ended_at=now)
        )
        notify(session, session_id)
        if output and is_current:
            write_comment(session, row.sr_id, Actor.agent(row.agent_id), _code_block(output), now)
        detail = {
            "session": session_id,
            "how": ending.how,
            "exit": ending.exit,
            "left": ending.left,
            "calls": row.calls,
            "refusals": row.refusals,
            "output": output,
            "usage": ending.usage,
        }
        words: dict[str, str | int] = {"how": ending.how}
        words |= {"calls": row.calls, "refusals": row.refusals}
        _log_entry(session, EntryKind.OUTSIDE_ENDED, row, now, detail, **words)


def _is_claim_current(session: Session, claim: Claim) -> bool:
    try:
        claimed_task(session, claim)
    except Stale:
        return False
    return True


def _code_block(output: str) -> str:
    """Return output as an indented Markdown block, which it cannot break out of."""
    return "\n".join(f"    {line}" for line in output.splitlines())


def notify(session: Session, session_id: int, **more: int) -> None:
    """Notify the worker and the API of a change of this session."""
    events.announce(session, outside=session_id, **more)


def _log_entry(
    session: Session,
    kind: EntryKind,
    row: ExternalAgentSession,
    now: datetime,
    detail: dict[str, Any],
    **words: str | int,
) -> None:
    log.append(
        session,
        kind,
        actor=str(Actor.agent(row.agent_id)),
        now=now,
        sr_id=row.sr_id,
        task_id=row.task_id,
        detail=detail,
        agent=row.agent_id,
        **words,
    )
