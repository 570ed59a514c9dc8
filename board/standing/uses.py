"""Approve an agent's plan by a standing approval."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.approvals import requests
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.model import Issue, Task
from guardia.board.core.outbox import reply_to_room
from guardia.board.core.plan import Plan
from guardia.board.standing import ending, evidence, policy, proofs
from guardia.board.standing.lifecycle import StandingState
from guardia.board.standing.model import StandingApproval
from guardia.board.standing.policy import Routine
from guardia.errors import Refused
from guardia.i18n import t, t_default

_CLOCK = Actor.system("clock")


@dataclass(frozen=True, slots=True)
class Cover:
    """The standing approval that covers a plan; its row is locked until the use is logged."""

    number: int
    terms_hash: str
    uses: int
    """How many uses there are on this day, with this one."""
    per_day: int

    kind: ClassVar[EntryKind] = EntryKind.STANDING_USED

    @property
    def detail(self) -> dict[str, Any]:
        """What the entry of the plan says about it."""
        return {"standing": self.number, "terms_hash": self.terms_hash, "use": self.uses}


def announce(session: Session, issue: Issue, cover: Cover, now: datetime) -> None:
    """Tell the room of an issue by which standing approval its plan is approved."""
    words = {"sr": issue.sr_id, "number": cover.number}
    text = t("standing.used", **words, uses=cover.uses, per_day=cover.per_day)
    reply_to_room(session, issue, text, now)


def require_in_force(session: Session, task: Task, now: datetime) -> None:
    """Raise `Refused` if the standing approval of a plan is over, or its hours are, by now."""
    use = proofs.use_of(session, task.task_id, task.plan_hash)
    if use is None:
        return
    found = proofs.read(session, use.detail["standing"])
    if found is None or found.ended_at is not None or now >= found.terms.limits.until:
        raise Refused(why=t("standing.not_in_force", number=use.detail["standing"]))
    if not found.terms.limits.contains(now):
        raise Refused(why=t("standing.not_now", number=use.detail["standing"]))


def find_cover(session: Session, plan: Plan, now: datetime) -> Cover | None:
    """Return the standing approval that covers a plan now; ends one that is no longer valid.

    Its row stays locked, so two plans at once cannot exceed its limit.
    """
    routine = evidence.routine_of(session, plan)
    if routine is None or policy.uncoverable(plan, requests.policy_for(session, plan.category)):
        return None
    row = _lock_open(session, routine)
    if row is None or _is_over(session, row, routine, now):
        return None
    found = proofs.read(session, row.standing_id)
    if found is None or not found.in_force or _has_failed(session, row, routine, found, now):
        return None
    used = proofs.count_uses(session, row.standing_id, now)
    if policy.refusal_of_use(found.terms, plan, routine, now, used) is not None:
        return None
    limits = found.terms.limits
    return Cover(row.standing_id, found.terms.hash, used + 1, limits.per_day)


def _has_failed(
    session: Session,
    row: StandingApproval,
    routine: Routine,
    found: proofs.Standing,
    now: datetime,
) -> bool:
    """Return whether the routine has failed since its approval, and revoke it if so."""
    last = evidence.collect(session, routine).last_failure
    if last is None or last < (found.approved_at or 0):
        return False
    why = t_default("standing.why.failure")
    ending.end(session, row, StandingState.REVOKED, why, _CLOCK, now)
    return True


def _lock_open(session: Session, routine: Routine) -> StandingApproval | None:
    query = select(StandingApproval).where(
        StandingApproval.document == routine.document,
        StandingApproval.institution == routine.institution,
        StandingApproval.kind == routine.kind,
        StandingApproval.category == routine.category,
        StandingApproval.state == StandingState.APPROVED,
    )
    return session.scalar(query.with_for_update().execution_options(populate_existing=True))


def _is_over(session: Session, row: StandingApproval, routine: Routine, now: datetime) -> bool:
    """Return whether a standing approval is over, and end it if so."""
    if (row.version, row.sha256) == (routine.version, routine.sha256):
        return ending.end_if_over(session, row, now)
    why = t_default("standing.why.version")
    ending.end(session, row, StandingState.REVOKED, why, _CLOCK, now)
    return True
