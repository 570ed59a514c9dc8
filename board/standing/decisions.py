"""People set the limits of a standing approval, approve it or reject it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from guardia.board.approvals import deciding_roles, start_time
from guardia.board.approvals import policy as approval_policy
from guardia.board.approvals.policy import Denial, StepDecision, evaluate_chain
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.signing_keys import DECISION_KEYS
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.reasons import require_reason
from guardia.board.standing import ending, evidence, proofs
from guardia.board.standing.lifecycle import StandingState
from guardia.board.standing.model import StandingApproval
from guardia.board.standing.policy import Limits, Terms
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Forbidden, Forged, Invalid, Refused, Stale
from guardia.i18n import t
from guardia.org import revisions
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.org.standing import StandingRules


@repeat_on_conflict
def set_limits(
    board: BoardContext, person: PersonInfo, number: int, limits: Limits, terms_hash: str
) -> str:
    """Set the limits of a proposal; voids approvals given so far. Returns the new hash.

    Raises `Invalid` beyond what the chart's `standing` permits, `Stale` if the terms have changed.
    """
    require_permission(person, "standing.decide")
    now = board.clock()
    with board.database.transaction() as session:
        row, found = _proposal(session, board, number, terms_hash)
        _require_within_rules(_rules(session), limits, now)
        terms = replace(found.terms, limits=limits)
        row.terms = terms.as_dict()
        log.append(
            session,
            EntryKind.STANDING_TERMS,
            actor=str(Actor.of(person)),
            now=now,
            detail={"standing": number, "terms": terms.as_dict(), "terms_hash": terms.hash},
            number=number,
            times=limits.per_day,
            hours=f"{limits.begins:%H:%M}~{limits.ends:%H:%M}",
            until=start_time.format_local(session, limits.until),
            who=f"{person.name} {person.title}",
        )
        return terms.hash


@repeat_on_conflict
def approve(board: BoardContext, person: PersonInfo, number: int, terms_hash: str) -> StandingState:
    """Approve the current step for the terms that the person saw; return the new state.

    The evidence is counted again: every entry of the proposal must still be a success.
    """
    require_permission(person, "standing.decide")
    board.sign_checkpoint()
    now = board.clock()
    with board.database.transaction() as session:
        row, found = _proposal(session, board, number, terms_hash)
        _require_within_rules(_rules(session), found.terms.limits, now)
        _require_evidence(session, found.terms)
        decision = _permitted(session, found, person, now)
        decisions = (*found.decisions, decision)
        if proofs.is_complete(session, found.terms, decisions):
            row.state, row.approved_at = StandingState.APPROVED, now
        _log_decision(session, board, found.terms, decision, person, now)
        return StandingState(row.state)


@repeat_on_conflict
def reject(
    board: BoardContext, person: PersonInfo, number: int, terms_hash: str, reason: str
) -> None:
    """Reject a proposal."""
    require_permission(person, "standing.decide")
    why, now = require_reason(reason), board.clock()
    with board.database.transaction() as session:
        row, found = _proposal(session, board, number, terms_hash)
        _permitted(session, found, person, now)
        ending.end(session, row, StandingState.REJECTED, why, Actor.of(person), now)


def _proposal(
    session: Session, board: BoardContext, number: int, terms_hash: str
) -> tuple[StandingApproval, proofs.Standing]:
    """Return a locked proposal as the audit log proves it."""
    row = ending.lock(session, number)
    found = proofs.read(session, number, board.decision_signer)
    if found is None:
        raise Forged(why=t("board.not_proven"))
    seen = (row.state, found.terms.hash, found.ended_at)
    if seen != (StandingState.PROPOSED, terms_hash, None):
        raise Stale(what=t("standing.number", number=number))
    if found.terms.policy != proofs.running_policy(session, row.category):
        raise Refused(why=t("standing.why.policy"))
    return row, found


def _rules(session: Session) -> StandingRules:
    rules = revisions.running_chart(session).standing
    if rules is None:
        raise Refused(why=t("standing.off"))
    return rules


def _require_within_rules(rules: StandingRules, limits: Limits, now: datetime) -> None:
    if not 1 <= limits.per_day <= rules.per_day:
        raise Invalid(what=t("standing.per_day"), why=t("standing.most", most=rules.per_day))
    if not now < limits.until <= now + rules.longest:
        longest = t("standing.days", days=rules.longest.days)
        raise Invalid(what=t("standing.ends_at"), why=t("standing.longest", longest=longest))


def _require_evidence(session: Session, terms: Terms) -> None:
    earned = evidence.collect(session, terms.routine)
    if not set(terms.evidence) <= set(earned.successes):
        raise Refused(why=t("standing.evidence_gone"))
    if len(earned.successes) < _rules(session).successes:
        raise Refused(why=t("standing.evidence_gone"))


def _permitted(
    session: Session, found: proofs.Standing, person: PersonInfo, now: datetime
) -> StepDecision:
    """Return the decision that a person may make in their own name."""
    own = deciding_roles.approver_roles(session, person, now, found.terms.routine.institution, None)
    roles = [role for role in own if role.principal is None]
    one = StepDecision(1, person.id, roles[0]) if roles else None
    chain = proofs.chain_of(session, found.terms, (*found.decisions, *([one] if one else [])))
    before = evaluate_chain(chain, found.decisions)
    decision, why = approval_policy.find_permitted_decision(chain, before, person.id, roles)
    if decision is not None:
        return decision
    if why is Denial.NO_TURN or before.current is None:
        raise Stale(what=t("standing.number", number=found.terms.number))
    role = t(f"org.role.{chain.steps[before.current - 1].role}")
    raise Forbidden(
        who=f"{person.name} {person.title}", action=t(f"board.denial.{why.value}", role=role)
    )


def _log_decision(
    session: Session,
    board: BoardContext,
    terms: Terms,
    decision: StepDecision,
    person: PersonInfo,
    now: datetime,
) -> None:
    """Append the entry with a signed statement, bound to its position in the log."""
    statement = {
        "task": None,
        "standing": terms.number,
        "terms_hash": terms.hash,
        "step": decision.step,
        "person": decision.person,
        "role": decision.approver_role.role,
        "verdict": decision.verdict.value,
        "chain_head": log.lock_head(session),
    }
    log.append(
        session,
        EntryKind.STANDING_DECIDED,
        actor=str(Actor.of(person)),
        now=now,
        detail={
            "standing": terms.number,
            "terms_hash": terms.hash,
            "statement": statement,
            **board.decision_signer.sign(statement, log.announced_key(session, DECISION_KEYS)),
        },
        number=terms.number,
        step=decision.step,
        who=f"{person.name} {person.title}",
    )
