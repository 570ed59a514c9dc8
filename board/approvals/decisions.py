"""Decisions on a plan: approve or reject a step of its approval chain, or ask for changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from guardia.board.approvals import deciding_roles, decision_effects, policy, requests
from guardia.board.approvals.decision_effects import NewDecision
from guardia.board.approvals.decision_request import DecisionRequest
from guardia.board.approvals.model import Approval, Decision
from guardia.board.approvals.policy import (
    ApprovalProgress,
    DecisionVerdict,
    Denial,
    RejectionChoice,
)
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.signing_keys import DECISION_KEYS
from guardia.board.core import wake_budget
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.lifecycle import State
from guardia.board.core.lookup import get_issue, lock_task
from guardia.board.core.model import Issue, Task
from guardia.board.core.outbox import schedule_checkpoint
from guardia.board.core.reasons import require_reason
from guardia.board.passkeys import signing
from guardia.board.passkeys.signing import DecisionSubject, PasskeySignature
from guardia.db.engine import repeat_on_conflict
from guardia.db.entities import Insertion, write
from guardia.errors import Forbidden, PasskeyNeeded, PasskeyRejected, Stale
from guardia.i18n import t, t_default
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo

_KIND = {
    DecisionVerdict.APPROVE: EntryKind.APPROVED,
    DecisionVerdict.REJECT: EntryKind.REJECTED,
    DecisionVerdict.CHANGE: EntryKind.CHANGES_ASKED,
}
_NEW_DECISION = Insertion(Decision)
_STATE = {DecisionVerdict.REJECT: "REJECTED", DecisionVerdict.CHANGE: "CHANGES"}


def decide(
    board: BoardContext,
    person: PersonInfo,
    task_id: int,
    *,
    approve: bool,
    plan_hash: str,
    reason: str = "",
    then: RejectionChoice | None = None,
) -> State:
    """Approve or reject the current step for the plan that the person saw; return the new state.

    Signs a checkpoint before an approval: nothing is approved if the audit log was rewritten.
    Neither the requester nor the plan's author may approve, and one person counts once in a
    chain. A rejection needs a reason.
    """
    verdict = DecisionVerdict.APPROVE if approve else DecisionVerdict.REJECT
    request = DecisionRequest(verdict, plan_hash, reason, then)
    return submit_decision(board, person, task_id, request)


def ask_changes(
    board: BoardContext, person: PersonInfo, task_id: int, *, plan_hash: str, reason: str
) -> State:
    """Return the plan to its agent with the requested changes, and wake the agent."""
    request = DecisionRequest(DecisionVerdict.CHANGE, plan_hash, reason)
    return submit_decision(board, person, task_id, request)


@repeat_on_conflict
def submit_decision(
    board: BoardContext, person: PersonInfo, task_id: int, request: DecisionRequest
) -> State:
    """Store a decision with any verdict; return the new state.

    Raises `Missing` if a refusal has no reason, `Invalid` if a later start is not in the future,
    `Stale` if the plan or its state has changed, `PasskeyNeeded` if the policy demands a passkey
    and the request has no signature of this decision.
    """
    request = request.normalized(board.clock())
    if request.verdict is DecisionVerdict.APPROVE:
        board.sign_checkpoint()
    now = board.clock()
    with board.database.transaction() as session:
        task = lock_task(session, task_id)
        if task.plan_hash != request.plan_hash or task.status != State.PENDING_APPROVAL:
            raise Stale(what=issue_ref(task.sr_id))
        issue = get_issue(session, task.sr_id)
        wake_budget.renew(session, task.sr_id, Actor.of(person), now)
        steps = requests.active_steps(session, task)
        _require_signature(session, person, task, steps, request.verdict, request.signature)
        decision, chain, before = _permitted_decision(
            session, person, issue, task, steps, request, now
        )
        if request.verdict is not DecisionVerdict.APPROVE:
            require_reason(request.reason)
        if request.verdict is DecisionVerdict.REJECT and request.then is None:
            request = replace(request, then=policy.default_choice(issue.kind))
        new_decision = NewDecision(person, decision, request, now)
        step = steps[decision.step - 1]
        row = _add_row(session, step, new_decision)
        after = policy.evaluate_chain(chain, (*before.given, decision))
        if after.refused or after.current != step.step:  # otherwise its quorum is incomplete
            _close_step(session, step, new_decision)
        state = decision_effects.advance(session, issue, task, after, new_decision)
        decision_effects.notify(session, issue, task, new_decision, state, row)
        given = sum(d.step == step.step for d in after.given)
        if request.verdict is not DecisionVerdict.APPROVE:
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
    request: DecisionRequest,
    now: datetime,
) -> tuple[policy.StepDecision, policy.ApprovalChain, ApprovalProgress]:
    """Return the decision that a person may make now, the chain, and its progress before it.

    Raises `Forbidden` if the person may not decide, `Stale` if no step is open.
    """
    approver_roles = deciding_roles.approver_roles(
        session, person, now, issue.inst_id, task.target_server
    )
    if not approver_roles:
        require_permission(person, "approval.decide")
    decisions = requests.decisions_on(session, steps)
    principals = (role.principal for role in approver_roles if role.principal)
    chain = requests.requested_chain(
        session, issue, task, steps, decisions, (person.id, *principals)
    )
    before = policy.evaluate_chain(chain, decisions)
    decision, why = policy.find_permitted_decision(
        chain, before, person.id, approver_roles, request.verdict
    )
    if decision is not None:
        return replace(decision, run_after=request.run_after), chain, before
    if why is Denial.NO_TURN or before.current is None:
        raise Stale(what=issue.ref)
    role = t(f"org.role.{steps[before.current - 1].role}")
    raise Forbidden(
        who=f"{person.name} {person.title}", action=t(f"board.denial.{why.value}", role=role)
    )


def _add_row(session: Session, step: Approval, new_decision: NewDecision) -> Decision:
    decision = new_decision.decision
    row = Decision(
        approval_id=step.approval_id,
        person_id=decision.person,
        role=decision.approver_role.role,
        principal_id=decision.approver_role.principal,
        verdict=decision.verdict.value,
        reason=new_decision.request.reason,
        next_step=new_decision.request.then,
        run_after=new_decision.request.run_after,
        message=new_decision.request.message,
        decided_at=new_decision.now,
    )
    return _NEW_DECISION.store(session, row)


def _close_step(session: Session, step: Approval, new_decision: NewDecision) -> None:
    """Close the row of a step."""
    write(
        session,
        step,
        state=_STATE.get(new_decision.decision.verdict, "APPROVED"),
        decided_by=new_decision.person.id,
        reason=new_decision.request.reason,
        decided_at=new_decision.now,
        look_at=None,
    )


def _log_decision(
    session: Session,
    board: BoardContext,
    task: Task,
    step: Approval,
    new_decision: NewDecision,
    given: int,
) -> None:
    """Append the audit entry with a signed statement, bound to its position in the log."""
    decision, request = new_decision.decision, new_decision.request
    later = {"run_after": request.run_after.isoformat()} if request.run_after else {}
    signature = request.signature
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
        **later,
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
            "reason": request.reason,
            "then": request.then.value if request.then else None,
            "message": request.message,
            "given": given,
            "quorum": step.quorum,
            "statement": statement,
            **({"passkey": signature.detail} if signature else {}),
            **board.decision_signer.sign(statement, log.announced_key(session, DECISION_KEYS)),
        },
        who=f"{new_decision.person.name} {new_decision.person.title}",
        step=step.step,
        reason=request.reason,
        then=t_default(f"board.choice.{request.then or 'none'}"),
    )
