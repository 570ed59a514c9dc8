"""Rows of the history of an issue's assignment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import BindParameter, bindparam, select
from sqlalchemy.orm import Session

from guardia.board.assignment.model import IssueReport, Proposal, QueueEntry
from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import OPEN_STATES, State
from guardia.board.core.lookup import get_issue, lock_issues, lock_tasks
from guardia.board.core.model import Issue, Task
from guardia.db.statement import Statement
from guardia.errors import Refused
from guardia.i18n import t

CONFIRMED = ("ACCEPTED", "ASSIGNED")
"""States of rows that a person has decided: the issue is that person's or team's."""
_IN_FORCE = (*CONFIRMED, "DELEGATED")
_REFUSED = ("DECLINED", "LAPSED")
# Built once: composing them takes longer than running them.
_ISSUE: BindParameter[int] = bindparam("issue")
_ROWS = select(Proposal).where(Proposal.sr_id == _ISSUE).order_by(Proposal.proposal_id.desc())
_QUEUED = Statement(
    select(QueueEntry.entry_id).where(QueueEntry.sr_id == _ISSUE, QueueEntry.left_at.is_(None))
)
_LINKED = Statement(
    select(IssueReport.report_id).where(IssueReport.sr_id == _ISSUE, IssueReport.state == "LINKED")
)


def lock_open_issue(session: Session, sr_id: int) -> tuple[Issue, list[Task]]:
    """Lock an issue and its open tasks. Raises `Refused` if it has ended."""
    tasks = lock_tasks(session, Task.sr_id == sr_id)
    lock_issues(session, [sr_id])
    issue = get_issue(session, sr_id)
    session.refresh(issue)
    if State(issue.status) not in OPEN_STATES:
        raise Refused(why=t("assignment.ended", sr=sr_id))
    return issue, [task for task in tasks if State(task.status) in OPEN_STATES]


def rows(session: Session, sr_id: int) -> Sequence[Proposal]:
    """Return the rows of an issue, the newest first."""
    return session.scalars(_ROWS, {"issue": sr_id}).all()


def is_confirmed(found: Iterable[Proposal]) -> bool:
    """Return whether a person or team has the issue because a person decided so."""
    return any(row.state in CONFIRMED and row.kind != "agent" for row in found)


def refused_since_confirmed(found: Iterable[Proposal]) -> set[str]:
    """Return who declined or did not answer since the issue was last someone's."""
    refused: set[str] = set()
    for row in found:
        if row.state in (*CONFIRMED, "REPLACED") and row.kind != "agent":
            break
        if row.state in _REFUSED:
            refused.add(row.candidate_id)
    return refused


def withdraw_open(session: Session, sr_id: int, by: Actor, now: datetime) -> None:
    """Withdraw the proposal that waits for an answer, if any."""
    query = select(Proposal).where(Proposal.sr_id == sr_id, Proposal.state == "OPEN")
    for row in session.scalars(query.with_for_update()).all():
        settle(row, "WITHDRAWN", by, now)
    session.flush()


def replace_confirmed(
    session: Session, sr_id: int, kinds: Iterable[str], by: Actor, now: datetime
) -> None:
    """Mark who has the issue as replaced."""
    query = select(Proposal).where(
        Proposal.sr_id == sr_id, Proposal.state.in_(_IN_FORCE), Proposal.kind.in_(list(kinds))
    )
    for row in session.scalars(query.with_for_update()).all():
        settle(row, "REPLACED", by, row.answered_at or now)


def settle(row: Proposal, state: str, by: Actor, now: datetime, reason: str = "") -> None:
    """End a row with its state, who caused it, and why."""
    row.state, row.answered_by, row.answered_at = state, str(by), now
    row.reason = reason or row.reason


def leave_queue(session: Session, sr_id: int, by: Actor, now: datetime) -> None:
    """Take an issue out of the queue, if it is there."""
    query = select(QueueEntry).where(QueueEntry.sr_id == sr_id, QueueEntry.left_at.is_(None))
    for row in session.scalars(query.with_for_update()).all():
        row.left_at, row.left_by = now, str(by)
    session.flush()


def is_queued(session: Session, sr_id: int) -> bool:
    """Return whether an issue is in the queue."""
    return _QUEUED.first(session, {"issue": sr_id}) is not None


def is_linked(session: Session, sr_id: int) -> bool:
    """Return whether an issue is a report of another one."""
    return _LINKED.first(session, {"issue": sr_id}) is not None
