"""Propose a routine that has earned it as a standard change."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.approvals import requests
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.labels import log_label
from guardia.board.core.outbox import send
from guardia.board.core.plan import Plan
from guardia.board.standing import evidence, policy, proofs
from guardia.board.standing.lifecycle import StandingState
from guardia.board.standing.model import StandingApproval
from guardia.board.standing.policy import Limits, Terms
from guardia.i18n import t
from guardia.org import revisions

_PROPOSED_HOURS = time(9), time(18)
_PROPOSED_DAYS = timedelta(days=30)


def propose_if_earned(session: Session, plan: Plan, agent: Actor, now: datetime) -> int | None:
    """Propose the routine of a completed plan if its evidence suffices; return its number.

    Does nothing without `standing` in the chart, or while the routine is proposed or approved.
    """
    rules = revisions.running_chart(session).standing
    routine = evidence.routine_of(session, plan)
    if rules is None or routine is None:
        return None
    if policy.uncoverable(plan, requests.policy_for(session, plan.category)) is not None:
        return None
    earned = evidence.collect(session, routine)
    if len(earned.successes) < rules.successes:
        return None
    limits = Limits(rules.per_day, *_PROPOSED_HOURS, now + min(_PROPOSED_DAYS, rules.longest))
    drafted = Terms(
        0,
        routine,
        plan.citation.title,
        earned.tools,
        limits,
        proofs.running_policy(session, plan.category),
        earned.successes,
    )
    number = _insert(session, drafted, agent, now)
    return None if number is None else _announce(session, drafted, number, agent, now)


def _insert(session: Session, terms: Terms, agent: Actor, now: datetime) -> int | None:
    """Insert the row; `None` if the routine is already proposed or approved."""
    routine = terms.routine
    row = insert(StandingApproval).values(
        document=routine.document,
        version=routine.version,
        sha256=routine.sha256,
        title=terms.title,
        category=routine.category,
        institution=routine.institution,
        kind=routine.kind,
        state=StandingState.PROPOSED,
        terms={},
        proposed_by=str(agent),
        proposed_at=now,
    )
    return session.scalar(row.on_conflict_do_nothing().returning(StandingApproval.standing_id))


def _announce(session: Session, drafted: Terms, number: int, agent: Actor, now: datetime) -> int:
    terms = replace(drafted, number=number)
    session.get_one(StandingApproval, number).terms = terms.as_dict()
    count = len(terms.evidence)
    text = t("standing.proposed", number=number, title=terms.title, count=count)
    send(session, "alert", text, now, sr_id=None)
    log.append(
        session,
        EntryKind.STANDING_PROPOSED,
        actor=str(agent),
        now=now,
        detail={"standing": number, "terms": terms.as_dict(), "terms_hash": terms.hash},
        number=number,
        title=terms.title,
        count=count,
        institution=terms.routine.institution,
        category=log_label("web.policy", terms.routine.category),
    )
    return number
