"""End standing approvals: by people, by a failure, by a change of the policy, by time."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.display_names import display_names_of
from guardia.board.core.model import Task
from guardia.board.core.outbox import send
from guardia.board.core.reasons import require_reason
from guardia.board.standing import proofs
from guardia.board.standing.lifecycle import OPEN, StandingState
from guardia.board.standing.model import StandingApproval
from guardia.db.engine import repeat_on_conflict
from guardia.errors import IllegalMove, NotFound
from guardia.i18n import t, t_default
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo

_CLOCK = Actor.system("clock")


def lock(session: Session, number: int) -> StandingApproval:
    """Lock a standing approval. Raises `NotFound` if there is none."""
    row = session.get(StandingApproval, number, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound(what=t("standing.number", number=number))
    return row


def end(
    session: Session,
    row: StandingApproval,
    state: StandingState,
    reason: str,
    by: Actor,
    now: datetime,
    task: Task | None = None,
) -> None:
    """End a locked standing approval and say so to those who approved it."""
    found = proofs.read(session, row.standing_id)
    people = [str(Actor.person(d.person)) for d in found.decisions] if found else []
    names = display_names_of(session, people)
    row.state, row.reason, row.ended_by, row.ended_at = state, reason, str(by), now
    state_word = t_default(f"standing.state.{state}")
    if state is not StandingState.REJECTED:
        who = ", ".join(names.get(p, p) for p in people) or t("board.nobody")
        words = {"title": row.title, "reason": reason, "state": state_word, "who": who}
        text = t("standing.ended", number=row.standing_id, **words)
        send(session, "alert", text, now, sr_id=task.sr_id if task else None)
    log.append(
        session,
        EntryKind.STANDING_ENDED,
        actor=str(by),
        now=now,
        sr_id=task.sr_id if task else None,
        task_id=task.task_id if task else None,
        detail={"standing": row.standing_id, "state": state, "reason": reason},
        number=row.standing_id,
        reason=reason,
        state=state_word,
    )


@repeat_on_conflict
def revoke(board: BoardContext, person: PersonInfo, number: int, reason: str) -> None:
    """Revoke a proposed or approved standing approval for a person."""
    require_permission(person, "standing.decide")
    why, now = require_reason(reason), board.clock()
    with board.database.transaction() as session:
        row = lock(session, number)
        if row.state not in OPEN:
            word = t(f"standing.state.{row.state}")
            raise IllegalMove(state=word, move=t("standing.revoke"))
        end(session, row, StandingState.REVOKED, why, Actor.of(person), now)


def revoke_for_task(
    session: Session,
    task: Task,
    why: str,
    by: Actor,
    now: datetime,
    use: proofs.Use | None = None,
) -> None:
    """Revoke the standing approval of a plan that failed or that a person overrode.

    `use` is that of the plan that was overridden, if the task has another plan by now.
    """
    use = use or proofs.use_of(session, task.task_id, task.plan_hash)
    if use is None:
        return
    row = lock(session, use.detail["standing"])
    if row.state == StandingState.APPROVED:
        end(session, row, StandingState.REVOKED, t_default(f"standing.why.{why}"), by, now, task)


@repeat_on_conflict
def process_due(board: BoardContext) -> int:
    """End what has expired, and what a change of its category's policy has overtaken."""
    ended = 0
    with board.database.reading() as session:
        numbers = list(
            session.scalars(
                select(StandingApproval.standing_id).where(StandingApproval.state.in_(OPEN))
            )
        )
    for number in numbers:
        now = board.clock()
        with board.database.transaction() as session:
            row = lock(session, number)
            ended += row.state in OPEN and end_if_over(session, row, now)
    return ended


def end_if_over(session: Session, row: StandingApproval, now: datetime) -> bool:
    """End a locked standing approval whose time or policy is over; return whether it was."""
    if proofs.running_policy(session, row.category) != row.terms["policy"]:
        why = t_default("standing.why.policy")
        end(session, row, StandingState.REVOKED, why, _CLOCK, now)
        return True
    if now < datetime.fromisoformat(row.terms["ends_at"]):
        return False
    end(session, row, StandingState.EXPIRED, t_default("standing.why.time"), _CLOCK, now)
    return True
