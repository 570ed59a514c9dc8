"""Proof of standing approvals from the audit log: signed decisions, uses, and ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Text, func, or_, select
from sqlalchemy.orm import Session

from guardia.board.approvals import requests
from guardia.board.approvals.policy import (
    ApprovalChain,
    ApproverRole,
    DecisionVerdict,
    StepDecision,
    evaluate_chain,
)
from guardia.board.audit.chain import ChainEntry
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.audit.signing import DecisionSigner
from guardia.board.audit.signing_keys import (
    DECISION_KEYS,
    SIGNED_KINDS,
    SUCCESSION_KIND,
    DecisionSignatureChecker,
)
from guardia.board.core.model import Task
from guardia.board.core.plan import Plan
from guardia.board.standing import evidence, policy
from guardia.board.standing.policy import Terms
from guardia.db.statement import Statement
from guardia.org import identity, revisions

_TERMS = (EntryKind.STANDING_PROPOSED, EntryKind.STANDING_TERMS)
_OWN = (*_TERMS, EntryKind.STANDING_DECIDED, EntryKind.STANDING_ENDED)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the audit log says about a standing approval."""

    terms: Terms
    decisions: tuple[StepDecision, ...]
    """Signed approvals of these terms, in order."""
    approved_at: int | None
    """Entry of the decision that completed the chain."""
    ended_at: int | None
    """Entry that ended it."""

    @property
    def in_force(self) -> bool:
        """Whether it is approved and not ended."""
        return self.approved_at is not None and self.ended_at is None


def running_policy(session: Session, category: str) -> str:
    """Return the digest of a category's policy in the running chart."""
    rules = revisions.running_chart(session).standing
    stated = rules.model_dump(mode="json") if rules else {}
    return policy.policy_digest(requests.policy_for(session, category), stated)


def read(session: Session, number: int, signer: DecisionSigner | None = None) -> Standing | None:
    """Return a standing approval as the audit log proves it, or `None` if it was never proposed.

    With `signer`, the key that signs decisions must be known on this host.
    """
    checker = DecisionSignatureChecker()
    terms: Terms | None = None
    signed: list[tuple[int, StepDecision]] = []
    ended: int | None = None
    for link in _links(session, number):
        fault = checker.fault(link)
        if link.kind not in _OWN or link.detail.get("standing") != number:
            continue
        if link.kind in _TERMS:
            terms, signed = Terms.parse(link.detail["terms"]), []
        elif link.kind == EntryKind.STANDING_ENDED:
            ended = ended or link.seq
        elif fault is None and terms and link.detail["statement"].get("terms_hash") == terms.hash:
            signed.append((link.seq, _decision(link)))
    if terms is None:
        return None
    if signed and signer is not None and checker.key is not None:
        signer.key(checker.key)
    decisions = tuple(decision for _, decision in signed)
    complete = is_complete(session, terms, decisions)
    return Standing(terms, decisions, signed[-1][0] if complete else None, ended)


def chain_of(session: Session, terms: Terms, decisions: tuple[StepDecision, ...]) -> ApprovalChain:
    """Return the chain that a standing approval needs by the running chart."""
    needed = policy.required_steps(requests.policy_for(session, terms.routine.category))
    people = frozenset(decision.person for decision in decisions)
    return ApprovalChain(needed, humans=identity.accounts_of_same_people(session, people))


def is_complete(session: Session, terms: Terms, decisions: tuple[StepDecision, ...]) -> bool:
    """Return whether decisions satisfy the chain."""
    return evaluate_chain(chain_of(session, terms, decisions), decisions).complete


def _decision(link: ChainEntry) -> StepDecision:
    statement = link.detail["statement"]
    return StepDecision(
        statement["step"],
        statement["person"],
        ApproverRole(statement["role"]),
        DecisionVerdict(statement["verdict"]),
    )


def _links(session: Session, number: int) -> list[ChainEntry]:
    session.flush()
    entry = AuditEntry
    first = select(entry.seq).where(entry.kind.in_(SIGNED_KINDS)).order_by(entry.seq).limit(1)
    keys = select(entry.seq).where(
        entry.kind == SUCCESSION_KIND, entry.detail["use"].as_string() == DECISION_KEYS
    )
    own = select(entry.seq).where(
        entry.kind.in_(_OWN), entry.detail["standing"].as_integer() == number
    )
    columns = (entry.__table__.c[name] for name in ChainEntry.__slots__)
    query = select(*columns).where(or_(*(entry.seq.in_(part) for part in (first, keys, own))))
    return [ChainEntry(*row) for row in session.execute(query.order_by(entry.seq))]


def count_uses(session: Session, number: int, moment: datetime, before: int | None = None) -> int:
    """Count the uses on the Korean day of a time, up to an entry if `before` is given."""
    begin, end = policy.day_of(moment)
    entry = AuditEntry
    query = select(func.count()).where(
        entry.kind == EntryKind.STANDING_USED,
        entry.detail["standing"].as_integer() == number,
        entry.created_at >= begin,
        entry.created_at < end,
    )
    if before is not None:
        query = query.where(entry.seq < before)
    return session.scalar(query) or 0


class Use(NamedTuple):
    """The entry by which a standing approval approved a plan."""

    seq: int
    created_at: datetime
    detail: dict[str, Any]


# The kind as a constant, so that the partial index is used.
_USE = Statement.of(
    f"""
    select seq, created_at, detail from tb_audit_log
    where task_id = :task and kind = '{EntryKind.STANDING_USED.value}'
        and detail ->> 'plan_hash' = :plan_hash
    order by seq desc limit 1
""",
    task=BigInteger(),
    plan_hash=Text(),
)


def use_of(session: Session, task_id: int, plan_hash: str | None) -> Use | None:
    """Return the entry by which a standing approval approved a plan of a task."""
    row = _USE.run(session, {"task": task_id, "plan_hash": plan_hash}).fetchone()
    return None if row is None else Use(*row)


def is_covered(session: Session, signer: DecisionSigner | None, task: Task, plan: Plan) -> bool:
    """Return whether a standing approval that was in force approved the task's present plan."""
    use, routine = use_of(session, task.task_id, task.plan_hash), evidence.routine_of(session, plan)
    if use is None or routine is None:
        return False
    if policy.uncoverable(plan, requests.policy_for(session, plan.category)) is not None:
        return False
    found = read(session, use.detail["standing"], signer)
    if found is None or found.approved_at is None or found.approved_at > use.seq:
        return False
    if found.terms.policy != running_policy(session, plan.category):
        return False
    if found.ended_at is not None and found.ended_at < use.seq:
        return False
    used = count_uses(session, use.detail["standing"], use.created_at, use.seq)
    return policy.refusal_of_use(found.terms, plan, routine, use.created_at, used) is None
