"""Decisions on a plan: approve or reject a step of its approval chain, or ask for changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from guardia.board.approvals import policy, requests
from guardia.board.approvals.model import Approval, Decision
from guardia.board.approvals.policy import ApprovalProgress, DecisionVerdict, Denial
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.signing_keys import DECISION_KEYS
from guardia.board.core import wake_budget
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.lifecycle import ActorKind, Move, State
from guardia.board.core.lookup import get_issue, lock_task
from guardia.board.core.model import Issue, Task
from guardia.board.core.outbox import reply_to_room, schedule_checkpoint
from guardia.board.core.reasons import require_reason
from guardia.board.core.transitions import move_task
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import wake
from guardia.board.passkeys import signing
from guardia.board.passkeys.signing import DecisionSubject, PasskeySignature
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Forbidden, PasskeyNeeded, PasskeyRejected, Stale
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.text import MAX_REASON, trim

_KIND = {
    DecisionVerdict.APPROVE: EntryKind.APPROVED,
    DecisionVerdict.REJECT: EntryKind.REJECTED,
    DecisionVerdict.CHANGE: EntryKind.CHANGES_ASKED,
}
_STATE = {DecisionVerdict.REJECT: "REJECTED", DecisionVerdict.CHANGE: "CHANGES"}


@dataclass(frozen=True, slots=True)
class _NewDecision:
    """A permitted decision that is being stored."""

    person: PersonInfo
    decision: policy.StepDecision
    reason: str
    now: datetime
    signature: PasskeySignature | None


def decide(
    board: BoardContext,
    person: PersonInfo,
    task_id: int,
    *,
    approve: bool,
    plan_hash: str,
    reason: str = "",
) -> State:
    """Approve or reject the current step for the plan that the person saw; return the new state.

    Signs a checkpoint before an approval: nothing is approved if the audit log was rewritten.
    Neither the requester nor the plan's author may approve, and one person counts once in a
    chain. A rejection needs a reason.
    """
    verdict = DecisionVerdict.APPROVE if approve else DecisionVerdict.REJECT
    return submit_decision(board, person, task_id, verdict, plan_hash, reason)


def ask_changes(
    board: BoardContext, person: PersonInfo, task_id: int, *, plan_hash: str, reason: str
) -> State:
    """Return the plan to its agent with the requested changes, and wake the agent."""
    return submit_decision(board, person, task_id, DecisionVerdict.CHANGE, plan_hash, reason)


@repeat_on_conflict
def submit_decision(
    board: BoardContext,
    person: PersonInfo,
    task_id: int,
    verdict: DecisionVerdict,
    plan_hash: str,
    reason: str,
    signature: PasskeySignature | None = None,
) -> State:
    """Store a decision with any verdict; return the new state.

    Raises `Missing` if a refusal has no reason, `Stale` if the plan or its state has changed, and
    `PasskeyNeeded` if the policy demands a passkey and `signature` is not one of this decision.
    """
    text = trim(reason, MAX_REASON)
    if verdict is DecisionVerdict.APPROVE:
        board.sign_checkpoint()
    now = board.clock()
    with board.database.transaction() as session:
        task = lock_task(session, task_id)
        if task.plan_hash != plan_hash or task.status != State.PENDING_APPROVAL:
            raise Stale(what=issue_ref(task.sr_id))
        issue = get_issue(session, task.sr_id)
        wake_budget.renew(session, task.sr_id, Actor.of(person), now)
        steps = requests.active_steps(session, task)
        _require_signature(session, person, task, steps, verdict, signature)
        decision, before = _permitted_decision(session, person, issue, task, steps, verdict, now)
        if verdict is not DecisionVerdict.APPROVE:
            require_reason(text)
        new_decision = _NewDecision(person, decision, text, now, signature)
        step = steps[decision.step - 1]
        row = _add_row(session, step, new_decision)
        decisions = (*before.given, decision)
        after = policy.evaluate_chain(
            requests.requested_chain(session, issue, task, steps, decisions), decisions
        )
        _settle_step(step, new_decision, after)
        session.flush()
        state = _advance(session, issue, task, after, new_decision)
        _notify(session, issue, task, new_decision, state, row)
        given = sum(d.step == step.step for d in after.given)
        if verdict is not DecisionVerdict.APPROVE:
            schedule_checkpoint(session)
        _log_decision(session, board, task, step, new_decision, given)
        return state


def _require_signature(
    session: Session,
    person: PersonInfo,
    task: Task,
    steps: list[Approval],
    verdict: DecisionVerdict,
    signature: PasskeySignature | None,
) -> None:
    """Check the signature, if there is one, and that there is one where it is demanded."""
    if signature is None:
        approves = verdict is DecisionVerdict.APPROVE
        if approves and requests.is_passkey_demanded(session, task, steps):
            raise PasskeyNeeded(what=issue_ref(task.sr_id), link=f"/issues/{task.sr_id}")
        return
    subject = DecisionSubject(task.sr_id, task.task_id, task.plan_hash or "", verdict.value)
    if (signature.subject, signature.person_id) != (subject, person.id):
        raise PasskeyRejected(why=t("passkeys.why.other_subject"))
    signing.hold(session, signature)


def _permitted_decision(
    session: Session,
    person: PersonInfo,
    issue: Issue,
    task: Task,
    steps: list[Approval],
    verdict: DecisionVerdict,
    now: datetime,
) -> tuple[policy.StepDecision, ApprovalProgress]:
    """Return the decision that a person may make now, and the progress of the chain before it.

    Raises `Forbidden` if the person may not decide, `Stale` if no step is open.
    """
    approver_roles = requests.approver_roles(session, person, now, issue.inst_id)
    if not approver_roles:
        require_permission(person, "approval.decide")
    decisions = requests.decisions_on(session, steps)
    chain = requests.requested_chain(session, issue, task, steps, decisions)
    before = policy.evaluate_chain(chain, decisions)
    decision, why = policy.find_permitted_decision(
        chain, before, person.id, approver_roles, verdict
    )
    if decision is not None:
        return decision, before
    if why is Denial.NO_TURN or before.current is None:
        raise Stale(what=issue.ref)
    role = t(f"org.role.{steps[before.current - 1].role}")
    raise Forbidden(
        who=f"{person.name} {person.title}", action=t(f"board.denial.{why.value}", role=role)
    )


def _add_row(session: Session, step: Approval, new_decision: _NewDecision) -> Decision:
    decision = new_decision.decision
    row = Decision(
        approval_id=step.approval_id,
        person_id=decision.person,
        role=decision.approver_role.role,
        principal_id=decision.approver_role.principal,
        verdict=decision.verdict.value,
        reason=new_decision.reason,
        decided_at=new_decision.now,
    )
    session.add(row)
    return row


def _settle_step(step: Approval, new_decision: _NewDecision, after: ApprovalProgress) -> None:
    """Close the row of a step, unless its quorum is incomplete."""
    if not after.refused and after.current == step.step:
        return
    step.state = _STATE.get(new_decision.decision.verdict, "APPROVED")
    step.decided_by, step.reason, step.decided_at = (
        new_decision.person.id,
        new_decision.reason,
        new_decision.now,
    )
    step.look_at = None


def _advance(
    session: Session, issue: Issue, task: Task, after: ApprovalProgress, new_decision: _NewDecision
) -> State:
    """Make the move that follows from a decision, if any; return the new state."""
    now, verdict = new_decision.now, new_decision.decision.verdict
    if verdict is DecisionVerdict.REJECT:
        requests.void(session, task)
        return move_task(session, task, Move.REJECT, actor=ActorKind.PERSON, now=now)
    if verdict is DecisionVerdict.CHANGE:
        requests.void(session, task)
        # Fences off writes that the agent still has in flight for the refused plan.
        fence = task.fence + 1
        return move_task(
            session, task, Move.RETURN, actor=ActorKind.PERSON, now=now, fence=fence, run_id=None
        )
    if not after.complete:
        terms = requests.policy_for(session, task.category)
        requests.open_next(session, issue, task, task.plan_hash or "", terms, now)
        return State(task.status)
    later = requests.earliest_start(session, issue, task.category or "", now)
    return move_task(session, task, Move.APPROVE, actor=ActorKind.PERSON, now=now, run_after=later)


def _notify(
    session: Session,
    issue: Issue,
    task: Task,
    new_decision: _NewDecision,
    state: State,
    row: Decision,
) -> None:
    """Notify the room, and wake the agent if the chain has ended."""
    kind, who = (
        _KIND[new_decision.decision.verdict],
        f"{new_decision.person.name} {new_decision.person.title}",
    )
    if task.agent_id and state is not State.PENDING_APPROVAL:
        cause = {"decision": row.decision_id, "verdict": row.verdict}
        by = Actor.of(new_decision.person)
        wake(
            session,
            task.agent_id,
            WakeReason.APPROVAL_DECIDED,
            new_decision.now,
            issue.sr_id,
            cause=cause,
            by=by,
        )
    reply_to_room(
        session,
        issue,
        t(f"board.{kind}", sr=issue.sr_id, who=who, reason=new_decision.reason),
        new_decision.now,
    )
    if task.run_after is not None and state is State.APPROVED:
        at = requests.format_local(session, task.run_after)
        reply_to_room(
            session, issue, t("board.runs_later", sr=issue.sr_id, at=at), new_decision.now
        )


def _log_decision(
    session: Session,
    board: BoardContext,
    task: Task,
    step: Approval,
    new_decision: _NewDecision,
    given: int,
) -> None:
    """Append the audit entry with a signed statement, bound to its position in the log."""
    decision, signature = new_decision.decision, new_decision.signature
    # The statement names the challenge: without it, a signature could be cut off unnoticed.
    signed = {"passkey": signature.challenge} if signature else {}
    statement = {
        "issue": task.sr_id,
        "task": task.task_id,
        "plan_hash": step.plan_hash,
        "step": step.step,
        "person": decision.person,
        "principal": decision.approver_role.principal,
        "role": decision.approver_role.role,
        "verdict": decision.verdict.value,
        "chain_head": log.lock_head(session),
        **signed,
    }
    log.append(
        session,
        _KIND[decision.verdict],
        actor=str(Actor.of(new_decision.person)),
        now=new_decision.now,
        sr_id=task.sr_id,
        task_id=task.task_id,
        detail={
            "step": step.step,
            "role": decision.approver_role.role,
            "plan_hash": step.plan_hash,
            "reason": new_decision.reason,
            "given": given,
            "quorum": step.quorum,
            "statement": statement,
            **({"passkey": signature.detail} if signature else {}),
            **board.decision_signer.sign(statement, log.announced_key(session, DECISION_KEYS)),
        },
        who=f"{new_decision.person.name} {new_decision.person.title}",
        step=step.step,
        reason=new_decision.reason,
    )
