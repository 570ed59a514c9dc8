"""Propose an issue to the person who fits best; accept, decline, and go on to the next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from guardia.board.assignment import history, notices, queue, ranking
from guardia.board.assignment.model import Proposal
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.cmdb.responsibility import Responsible, recommendation
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.model import Issue, Task
from guardia.board.core.outbox import reply_to_room
from guardia.board.core.reasons import require_reason
from guardia.board.issues import visibility
from guardia.db.engine import repeat_on_conflict
from guardia.errors import NotFound, Stale
from guardia.i18n import t, t_default
from guardia.org import revisions
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo

ACTION = "issue.assign"


@dataclass(frozen=True, slots=True)
class Chosen:
    """An agent or person that the dispatcher has chosen, with the score and why."""

    kind: str
    candidate_id: str
    score: int
    reasons: tuple[str, ...] = ()


def record_delegation(
    session: Session, sr_id: int, chosen: tuple[Chosen, ...], by: Actor, now: datetime
) -> None:
    """Keep whom the dispatcher gave an issue; no answer is needed."""
    for one in chosen:
        session.add(
            Proposal(
                sr_id=sr_id,
                kind=one.kind,
                candidate_id=one.candidate_id,
                score=one.score,
                reasons=list(one.reasons),
                state="DELEGATED",
                proposed_by=str(by),
                proposed_at=now,
            )
        )


def propose_within(session: Session, issue: Issue, by: Actor, now: datetime) -> None:
    """Propose an issue that people have to work on, unless someone has it already.

    The last call of a use case: it writes to the audit log. If no one fits, the issue goes to the
    queue of unassigned issues.
    """
    session.flush()
    found = history.rows(session, issue.sr_id)
    waits = any(row.state == "OPEN" for row in found) or history.is_queued(session, issue.sr_id)
    if waits or history.is_confirmed(found) or history.is_linked(session, issue.sr_id):
        return
    refused = history.refused_since_confirmed(found)
    rules = revisions.assignment_rules(session)
    ranked = [one for one in ranking.rank(session, issue, now) if one.person.id not in refused]
    if not ranked or len(refused) >= rules.proposals:
        why = t("assignment.no_one_left" if refused else "assignment.no_one_fits")
        queue.enter_within(session, issue, why, by, now)
        return
    _propose(session, issue, ranked, by, now)


def _propose(
    session: Session, issue: Issue, ranked: list[Responsible], by: Actor, now: datetime
) -> None:
    best = ranked[0]
    within = revisions.assignment_rules(session).time_to_answer(issue.priority)
    text = recommendation(best.candidate, issue.category or "")
    row = Proposal(
        sr_id=issue.sr_id,
        kind="person",
        candidate_id=best.person.id,
        score=best.score,
        reasons=[text, *best.reasons],
        ranking=ranking.as_stored(ranked),
        state="OPEN",
        proposed_by=str(by),
        proposed_at=now,
        due_at=now + within,
    )
    session.add(row)
    session.flush()
    notices.ask_to_take(session, issue, best.person.id, row.proposal_id, text, within, now)
    log.append(
        session,
        EntryKind.ASSIGNMENT_PROPOSED,
        actor=str(by),
        now=now,
        sr_id=issue.sr_id,
        detail={
            "proposal": row.proposal_id,
            "person": best.person.id,
            "score": best.score,
            "ranking": row.ranking,
        },
        text=text,
    )


@repeat_on_conflict
def accept(board: BoardContext, person: PersonInfo, number: int) -> int:
    """Accept a proposal as the person to whom it was made; returns the issue's number."""
    require_permission(person, ACTION)
    now, by = board.clock(), Actor.of(person)
    with board.database.transaction() as session:
        known = session.get(Proposal, number)
        if known is not None and known.state == "ACCEPTED" and known.candidate_id == person.id:
            return known.sr_id  # a messenger may deliver a press twice
        row, issue, tasks = _lock_own(session, person, number)
        history.settle(row, "ACCEPTED", by, now)
        history.leave_queue(session, issue.sr_id, by, now)
        give_to(issue, tasks, person.id, now)
        reply_to_room(session, issue, t("assignment.accepted", sr=issue.sr_id, who=by.label), now)
        _log_answer(session, row, "assignment_accepted", by, now)
        return issue.sr_id


@repeat_on_conflict
def decline(board: BoardContext, person: PersonInfo, number: int, reason: str) -> int:
    """Decline a proposal with a reason; the next best is asked. Returns the issue's number."""
    require_permission(person, ACTION)
    why, now, by = require_reason(reason), board.clock(), Actor.of(person)
    with board.database.transaction() as session:
        row, issue, tasks = _lock_own(session, person, number)
        history.settle(row, "DECLINED", by, now, why)
        _take_from(issue, tasks, person.id)
        _log_answer(session, row, "assignment_declined", by, now)
        propose_within(session, issue, by, now)
        return issue.sr_id


def lapse_within(session: Session, row: Proposal, by: Actor, now: datetime) -> None:
    """End a proposal that was not answered in time, and ask the next best."""
    issue, tasks = history.lock_open_issue(session, row.sr_id)
    history.settle(row, "LAPSED", by, now)
    _take_from(issue, tasks, row.candidate_id)
    _log_answer(session, row, "assignment_lapsed", by, now)
    propose_within(session, issue, by, now)


def give_to(issue: Issue, tasks: list[Task], person_id: str | None, now: datetime) -> None:
    """Make a person responsible for an issue and its open tasks; `None`: no one."""
    issue.assignee_id, issue.updated_at = person_id, now
    for task in tasks:
        task.owner_id = person_id


def _take_from(issue: Issue, tasks: list[Task], person_id: str) -> None:
    """Release a person who does not take the issue."""
    if issue.assignee_id == person_id:
        issue.assignee_id = None
    for task in tasks:
        if task.owner_id == person_id:
            task.owner_id = None


def _lock_own(
    session: Session, person: PersonInfo, number: int
) -> tuple[Proposal, Issue, list[Task]]:
    """Lock a person's own waiting proposal. Raises `NotFound` if it is another's."""
    known = session.get(Proposal, number)
    if known is None or known.candidate_id != person.id or known.kind != "person":
        raise NotFound(what=t("assignment.number", number=number))
    visibility.find_issue(session, person, known.sr_id)
    issue, tasks = history.lock_open_issue(session, known.sr_id)
    row = session.get_one(Proposal, number, with_for_update=True, populate_existing=True)
    if row.state != "OPEN":
        raise Stale(what=issue.ref)
    return row, issue, tasks


def _log_answer(session: Session, row: Proposal, kind: str, by: Actor, now: datetime) -> None:
    session.flush()
    log.append(
        session,
        EntryKind(kind),
        actor=str(by),
        now=now,
        sr_id=row.sr_id,
        detail={"proposal": row.proposal_id, "person": row.candidate_id, "reason": row.reason},
        who=notices.person_label(session, row.candidate_id),
        reason=row.reason or t_default("assignment.no_reason"),
    )
