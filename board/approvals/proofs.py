"""Proof of approvals from the audit log, independent of the approval tables.

A decision counts only if its signed statement is in the audit log, at the position it was made
for, after the present plan was filed and after the last entry that voids earlier decisions. Rows
forged in the tables therefore permit nothing: they lack a signature of the installation's key.
Where a policy demands passkeys, the entry of a decision must also hold the signature of a key that
was registered for this person and not removed before.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC
from operator import attrgetter
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from guardia.board.approvals.policy import StepDecision
from guardia.board.audit import log
from guardia.board.audit.chain import ChainEntry
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.audit.passkey_signatures import (
    DEMANDED,
    PASSKEY_KINDS,
    KeyRegister,
    challenge_in,
)
from guardia.board.audit.signing import DecisionSigner
from guardia.board.audit.signing_keys import (
    DECISION_KEYS,
    SIGNED_KINDS,
    SUCCESSION_KIND,
    DecisionSignatureChecker,
)
from guardia.board.core.lookup import get_issue
from guardia.board.core.model import Task
from guardia.db.engine import driver_connection
from guardia.org.approvals import ApprovalPolicy

VOIDING = frozenset({"abort", "manual", "return", "reanalyze", "change", "reopen"})
"""Directives that void earlier decisions on a task's plan."""
_FILED = (EntryKind.PLANNED, EntryKind.WAIVED, EntryKind.STANDING_USED, EntryKind.BUNDLED)
_OTHERS = (EntryKind.ORDERED, EntryKind.APPROVAL_EXPIRED, EntryKind.OBSERVED, *_FILED)


def _quoted(kinds: Iterable[EntryKind]) -> str:
    return ", ".join(f"'{kind.value}'" for kind in sorted(kinds))


# The first decision of all names the first key; then come the announcements of others.
_LINKS = f"""
    select {", ".join(ChainEntry.__slots__)} from tb_audit_log
    where seq in (select seq from tb_audit_log where kind in ({_quoted(SIGNED_KINDS)})
            order by seq limit 1)
        or seq in (select seq from tb_audit_log
            where kind = '{SUCCESSION_KIND.value}' and detail ->> 'use' = '{DECISION_KEYS}')
        or seq in (select seq from tb_audit_log where task_id = %(task)s
            and kind in ({_quoted((*SIGNED_KINDS, *_OTHERS))}))
    order by seq
"""


def are_proven(
    session: Session,
    signer: DecisionSigner,
    task: Task,
    decisions: list[StepDecision],
    policy: ApprovalPolicy,
) -> bool:
    """Return whether the audit log proves the present plan's author and each of these decisions.

    A passkey is demanded if `policy` demands it, or did when the plan was filed.

    Raises `Misconfigured` if this host lacks the key that signs decisions now.
    """
    checker, filed, proven = DecisionSignatureChecker(), False, set[tuple[Any, ...]]()
    passkeys, demanded = _PasskeyProof(session), policy.signature == DEMANDED
    links = _links(session, task)
    if demanded or any(link.detail.get("signature") == DEMANDED for link in links):
        links = sorted((*links, *_passkey_links(session, decisions)), key=_by_number)
    for link in links:
        fault = checker.fault(link)
        if link.kind in PASSKEY_KINDS and fault is None:
            passkeys.register.apply(link)
        if link.task_id != task.task_id:
            continue
        if link.kind == EntryKind.APPROVED:
            valid = fault is None and _concerns_plan(task, link)
            if valid and (not demanded or passkeys.is_signed(link)):
                proven.add(_statement_key(link))
        elif link.kind != EntryKind.ORDERED or link.detail.get("verb") in VOIDING:
            filed = link.kind in _FILED and _files_present_plan(session, task, link)
            proven.clear()
            if link.kind in _FILED:
                demanded = DEMANDED in {policy.signature, link.detail.get("signature")}
    if decisions and checker.key is not None:
        signer.key(checker.key)  # otherwise a forged log could start with a forged key
    return filed and {_decision_key(decision) for decision in decisions} <= proven


class _PasskeyProof:
    """Checks of passkey signatures during one walk along the entries of a task."""

    def __init__(self, session: Session) -> None:
        self.register = KeyRegister()
        self._session = session
        self._used: set[str] = set()

    def is_signed(self, link: ChainEntry) -> bool:
        """Return whether the person of a decision signed it with a key that was valid then."""
        if self.register.signer_of(link) is None:
            return False
        challenge = challenge_in(link)
        # A challenge names its task, so it can be used again on this task only.
        reused = challenge in self._used
        self._used.add(challenge)
        head = log.position_of(self._session, str(link.detail["passkey"]["content"].get("head")))
        return not reused and head is not None and head < link.seq


_by_number = attrgetter("seq")


def _passkey_links(session: Session, decisions: Iterable[StepDecision]) -> list[ChainEntry]:
    """Load the audit entries on the passkeys of the people who decided."""
    entry, people = AuditEntry, {d.person for d in decisions}
    owner = (entry.detail["statement"]["person"], entry.detail["person"])
    columns = (entry.__table__.c[name] for name in ChainEntry.__slots__)
    query = select(*columns).where(
        entry.kind.in_(PASSKEY_KINDS), or_(*(name.as_string().in_(people) for name in owner))
    )
    return [ChainEntry(**row._mapping) for row in session.execute(query)]


def _links(session: Session, task: Task) -> list[ChainEntry]:
    """Load the audit entries on a task's plans and on the keys that sign decisions."""
    session.flush()
    rows = driver_connection(session).execute(_LINKS, {"task": task.task_id})
    return [ChainEntry(*row) for row in rows]


def _files_present_plan(session: Session, task: Task, link: ChainEntry) -> bool:
    """Return whether an entry files the present plan with the tables' author and requester."""
    if (link.detail.get("plan_hash"), link.actor) != (task.plan_hash, task.plan_author):
        return False
    # The requester may become known later, and is then excluded; a known one never changes.
    known = link.detail.get("requester")
    return known is None or known == get_issue(session, task.sr_id).requester_id


def _concerns_plan(task: Task, link: ChainEntry) -> bool:
    statement: Any = link.detail["statement"]
    about = tuple(statement.get(name) for name in ("issue", "plan_hash", "verdict"))
    return about == (task.sr_id, task.plan_hash, "approve")


def _statement_key(link: ChainEntry) -> tuple[Any, ...]:
    statement = link.detail["statement"]
    return tuple(
        statement.get(name) for name in ("step", "person", "principal", "role", "run_after")
    )


def _decision_key(decision: StepDecision) -> tuple[Any, ...]:
    return (
        decision.step,
        decision.person,
        decision.approver_role.principal,
        decision.approver_role.role,
        decision.run_after.astimezone(UTC).isoformat() if decision.run_after else None,
    )
