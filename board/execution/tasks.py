"""Transitions of a claimed task by its agent: triage, plan, start, complete, fail, hand over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select
from sqlalchemy.orm import Session

from guardia.board.approvals import acceptance, proofs, requests, start_time
from guardia.board.approvals.policy import StepDecision
from guardia.board.assignment import proposals as assignment
from guardia.board.assignment.understanding import Understanding, keep_understanding
from guardia.board.audit import log
from guardia.board.audit.canonical import digest
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.signing import DecisionSigner
from guardia.board.core import bundle, plan_versions
from guardia.board.core.actors import Actor
from guardia.board.core.claims import Claim, Grant, claimed_task
from guardia.board.core.context import BoardContext
from guardia.board.core.labels import log_label
from guardia.board.core.lifecycle import ActorKind, Move, State
from guardia.board.core.lookup import get_issue
from guardia.board.core.model import Comment, Issue, Task
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.core.outbox import reply_to_room, send
from guardia.board.core.plan import Plan
from guardia.board.core.transitions import move_task
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import wake
from guardia.board.execution import (
    observation,
    permissions,
    root_plans,
    rule_check,
    start_delay,
)
from guardia.board.execution.plan_history import PreCheckResult
from guardia.board.issues.comments import write_comment
from guardia.board.standing import ending, evidence, proposals, uses
from guardia.board.standing import proofs as standing_proofs
from guardia.db.engine import repeat_on_conflict
from guardia.db.statement import Statement
from guardia.errors import Forged, IllegalMove, Refused, RuleBroken
from guardia.i18n import t
from guardia.org import registry
from guardia.org.autonomy import AutonomyMode

_COMMENT = Statement(
    insert(Comment.__table__).values(  # type: ignore[arg-type]
        {name: bindparam(name) for name in ("sr_id", "author", "body")}
        | {"created_at": bindparam("now")}
    )
)


def plan_hash(task_id: int, plan: Plan, attempt: int = 0) -> str:
    """Return the hash that approvals are bound to: the stored plan and its task.

    `attempt` makes it differ after people have given the task back: the same plan then needs a new
    approval.
    """
    again = {"attempt": attempt} if attempt else {}
    return digest({"task": task_id, "plan": plan.model_dump(mode="json"), **again})


@repeat_on_conflict
def file_plan(
    board: BoardContext,
    claim: Claim,
    plan: Plan,
    *,
    action_type: str | None = None,
    answer: str = "",
    checks: Sequence[PreCheckResult] | None = None,
) -> bool:
    """File a plan and request its approvals. Returns whether policy waives them (APPROVED).

    `action_type` is the kind of work, used if the request itself did not name one; `answer` is the
    agent's answer to a request for changes, `checks` the results of the plan's pre-checks.
    """
    now = board.clock()
    with board.database.transaction() as session:
        task = claimed_task(session, claim)
        task.action_type = task.action_type or action_type
        session.flush()
        plan_versions.answer_request(session, claim.task_id, answer or t("board.plan_revised"), now)
        _require_rules_kept(session, board, task, plan, now)
        return store_plan(session, task, plan, claim.actor, now, checks=checks)


def _require_rules_kept(
    session: Session, board: BoardContext, task: Task, plan: Plan, now: datetime
) -> None:
    """Raise `RuleBroken` if a rule of the site forbids an agent's plan for good."""
    wanted = max(now, plan.starts_at or now)
    found = rule_check.schedule(session, board.planner, task, plan, wanted)
    if found.start is None:
        raise RuleBroken(why="\n".join(found.ruling.sentences))


def store_plan(
    session: Session,
    task: Task,
    plan: Plan,
    author: Actor,
    now: datetime,
    *,
    reason: str = "",
    checks: Sequence[PreCheckResult] | None = None,
) -> bool:
    """File an agent's or a person's plan in the caller's transaction.

    Voids every earlier approval, pending or given; the author is excluded from the new ones.
    `reason` is why a person changed the plan. Where the chart lets agents only observe, an agent's
    plan is kept and its task goes to people; where it lets them act, a standing approval may
    approve it. Returns whether no approval is asked for.
    """
    if plan.server != task.target_server:
        raise Refused(why=t("board.other_server", server=plan.server))
    require_permitted(session, task, plan, author)
    if author.kind is ActorKind.AGENT and plan.exceptions:
        raise Refused(why=t("board.no_exceptions"))
    policy = requests.required_policy(session, plan)
    issue = get_issue(session, task.sr_id)
    body, bound = plan.model_dump(mode="json"), plan_hash(task.task_id, plan, task.attempt)
    cover = None
    if author.kind is ActorKind.AGENT:
        mode = observation.mode_of(session, task, plan.category)
        if mode is AutonomyMode.OBSERVE:
            observation.keep_observed(session, task, plan, bound, author, now, checks)
            return False
        if mode is AutonomyMode.ACT and policy.steps:
            cover = uses.find_cover(session, plan, now)
    if cover is not None:
        policy = policy.model_copy(update={"steps": ()})
    requests.void(session, task)
    move_task(
        session,
        task,
        Move.ASK if policy.steps else Move.WAIVE,
        actor=author.kind,
        now=now,
        plan=body,
        plan_hash=bound,
        plan_author=str(author),
        category=plan.category,
        run_after=None,
    )
    if not policy.steps:
        task.run_after = start_time.approved_start(session, issue, task, (), now)
    results = None if checks is None else [asdict(result) for result in checks]
    version = plan_versions.add_version(
        session, task, plan, bound, author, now, reason=reason, checks=results
    )
    requests.request_approvals(session, issue, task, bound, policy, now)
    if cover is not None:
        uses.announce(session, issue, cover, now)
    log.append(
        session,
        cover.kind if cover else EntryKind.PLANNED if policy.steps else EntryKind.WAIVED,
        actor=str(author),
        now=now,
        sr_id=task.sr_id,
        task_id=task.task_id,
        detail={
            "plan": body,
            "plan_hash": bound,
            "roles": [s.role for s in policy.steps],
            "quorums": [s.quorum for s in policy.steps],
            "requester": issue.requester_id,
            **({"signature": policy.signature} if policy.signature and policy.steps else {}),
            "number": version.number,
            "checks": results,
            **(cover.detail if cover else {}),
        },
        number=cover.number if cover else version.number,
        actions=len(plan.actions),
        category=log_label("web.policy", plan.category),
        hash=bound[:12],
    )
    to_do = not policy.steps or version.checks_due
    if to_do and task.agent_id and author.kind is ActorKind.PERSON:
        wake(session, task.agent_id, WakeReason.DIRECTIVE, now, task.sr_id, by=author)
    return not policy.steps


def require_permitted(session: Session, task: Task, plan: Plan, author: Actor) -> None:
    """Check an agent's plan against its chart entry, and a person's against the agent's tools."""
    if author.kind is ActorKind.AGENT:
        entry = permissions.chart_entry_of(session, author.id, task.run_id)
        permissions.require_plan(entry, plan)
    elif task.agent_id is not None:
        permissions.require_tools(permissions.chart_entry_of(session, task.agent_id), plan)


@repeat_on_conflict
def begin_execution(board: BoardContext, claim: Claim) -> Grant:
    """Start the plan (APPROVED -> IN_PROGRESS), sign a checkpoint and return the plan's grant.

    Raises `Forged` if the audit log does not prove the approvals, `Stale` if the plan's window
    has closed or a rule of the site permits it later, `ServerBusy` while another change of the
    server runs: the task then waits. Raises `RuleBroken` if a rule forbids it for good. A plan that
    has started is resumed by `grants`.
    """
    now = board.clock()
    with board.database.transaction() as session:
        task = claimed_task(session, claim)
        plan, decisions = _plan_if_approved(session, task, board.decision_signer)
        if task.status != State.APPROVED:
            raise IllegalMove(state=task.status, move=Move.START.value)
        if Actor.kind_of(task.plan_author) is ActorKind.AGENT:
            entry = permissions.chart_entry_of(session, claim.agent_id, claim.run_id)
            permissions.require_category(entry, plan.category)
            observation.require_not_observed(session, task, plan.category)
            uses.require_in_force(session, task, now)
        delay = start_delay.find_delay(session, board.planner, task, claim, plan, decisions, now)
        if delay is None:
            _start(session, task, claim, plan, now)
        grant = Grant(claim, plan.server, plan.category, task.plan_hash)
    if delay is not None:
        raise delay
    board.sign_checkpoint()
    return grant


def _start(session: Session, task: Task, claim: Claim, plan: Plan, now: datetime) -> None:
    move_task(session, task, Move.START, actor=ActorKind.AGENT, now=now)
    log.append(
        session,
        EntryKind.STARTED,
        actor=str(claim.actor),
        now=now,
        sr_id=claim.sr_id,
        task_id=claim.task_id,
        detail={"plan_hash": task.plan_hash, **evidence.started_detail(session, task, plan)},
        server=plan.server,
    )


def approved_plan(board: BoardContext, session: Session, task: Task) -> Plan:
    """Return the task's plan if its approvals are complete and proven for exactly this plan.

    Raises `Forged` if the audit log does not prove the decisions in the tables.
    """
    return _plan_if_approved(session, task, board.decision_signer)[0]


def plan_approved_in_tables(session: Session, task: Task) -> Plan:
    """Return the task's plan if the tables contain every required approval.

    Proves no signature, so it permits no change: see `approved_plan`.
    """
    return _plan_if_approved(session, task, None)[0]


def _plan_if_approved(
    session: Session, task: Task, signer: DecisionSigner | None
) -> tuple[Plan, list[StepDecision]]:
    """Return the task's plan with the decisions on it."""
    plan = stored_plan(task)
    policy = requests.required_policy(session, plan)
    steps = requests.active_steps(session, task)
    decided = requests.decisions_on(session, steps)
    if signer is not None and not proofs.are_proven(session, signer, task, decided, policy):
        raise Forged(why=t("board.not_proven"))
    if not (
        requests.is_satisfied(session, task, policy, steps, decided)
        or standing_proofs.is_covered(session, signer, task, plan)
        or _is_bundled(session, signer, task, plan)
    ):
        raise Refused(why=t("board.not_approved"))
    return plan, decided


def _is_bundled(session: Session, signer: DecisionSigner | None, task: Task, plan: Plan) -> bool:
    """Return whether the approved root plan under which a plan was filed names exactly this one."""
    named = root_plans.root_of(session, task)
    root = session.get(Task, named.task_id) if named else None
    if named is None or root is None or root.sr_id != task.sr_id or root.task_id == task.task_id:
        return False
    if root.status not in root_plans.APPROVED or root.plan_hash != named.plan_hash:
        return False
    return bundle.lists(_plan_if_approved(session, root, signer)[0], plan)


def stored_plan(task: Task) -> Plan:
    """Return the task's plan. Raises `Refused` if it is missing or does not match its hash."""
    if task.plan is None or task.plan_hash is None:
        raise Refused(why=t("board.no_plan"))
    plan = Plan.model_validate(task.plan)
    if plan_hash(task.task_id, plan, task.attempt) != task.plan_hash:
        raise Refused(why=t("board.plan_changed"))
    return plan


@repeat_on_conflict
def complete(board: BoardContext, claim: Claim, text: str) -> None:
    """Complete the task (IN_PROGRESS -> COMPLETED), reply to the room and wake the auditors."""
    now = board.clock()
    with board.database.transaction() as session:
        task = claimed_task(session, claim)
        issue = _finish(session, task, Move.COMPLETE, now)
        message = t("board.completed", sr=claim.sr_id, text=text)
        reply_to_room(session, issue, message, now, notice=NoticeKind.DONE)
        acceptance.request_acceptance(session, issue, task, now)
        _record_end(session, claim, EntryKind.COMPLETED, text, now)
        if task.plan is not None:
            proposals.propose_if_earned(session, stored_plan(task), claim.actor, now)


@repeat_on_conflict
def fail(board: BoardContext, claim: Claim, text: str) -> None:
    """Fail the task (IN_PROGRESS -> FAILED_ROLLBACK) after a verified rollback; send an alert."""
    now = board.clock()
    with board.database.transaction() as session:
        claimed = claimed_task(session, claim)
        issue = _finish(session, claimed, Move.FAIL, now)
        message = t("board.failed", sr=claim.sr_id, text=text)
        public = t("board.requester.failed", sr=claim.sr_id)
        reply_to_room(session, issue, message, now, public=public)
        kind = NoticeKind.FAILED_ROLLBACK
        send(session, "alert", message, now, sr_id=claim.sr_id, notice=kind)
        ending.revoke_for_task(session, claimed, "failure", claim.actor, now)
        _record_end(session, claim, EntryKind.FAILED, text, now)


@repeat_on_conflict
def hand_over(
    board: BoardContext,
    claim: Claim,
    text: str,
    *,
    emergency: bool = False,
    understood: Understanding | None = None,
) -> None:
    """Hand the task over to people (any open state -> MANUAL); in an emergency send an alert.

    The person who fits best is asked to take it, or it goes to the queue of unassigned issues.
    What was `understood` of the request stays with its issue.
    """
    now = board.clock()
    with board.database.transaction() as session:
        task = claimed_task(session, claim)
        began = task.status == State.IN_PROGRESS
        issue = _finish(session, task, Move.HAND_OVER, now)
        if understood is not None:
            keep_understanding(issue, task, understood)
        plan_versions.answer_request(session, claim.task_id, text, now)
        # In a room the reason is enough; the page has what led to it.
        message = t("board.handed_over", sr=claim.sr_id, text=text.partition("\n")[0])
        public = t("board.requester.handed_over", sr=claim.sr_id)
        reply_to_room(session, issue, message, now, public=public)
        if emergency:
            kind = NoticeKind.FAILED_ROLLBACK if began else NoticeKind.ALERT
            send(session, "alert", message, now, sr_id=claim.sr_id, notice=kind)
        if began:
            ending.revoke_for_task(session, task, "failure", claim.actor, now)
        detail = understood.model_dump(mode="json") if understood is not None else None
        _record_end(session, claim, EntryKind.HANDED_OVER, text, now, detail)
        assignment.propose_within(session, issue, claim.actor, now)


@repeat_on_conflict
def add_comment(board: BoardContext, claim: Claim, text: str) -> None:
    """Comment on the claimed task's issue, unless it only repeats the agent's last comment."""
    now = board.clock()
    with board.database.transaction() as session:
        claimed_task(session, claim)
        if not _is_repeated(session, claim, text):
            write_comment(session, claim.sr_id, claim.actor, text, now)


def _is_repeated(session: Session, claim: Claim, text: str) -> bool:
    """Whether the agent's last comment has this text: a step that crashed after it runs again."""
    last = select(Comment.body == text).where(
        Comment.sr_id == claim.sr_id, Comment.author == str(claim.actor)
    )
    return bool(session.scalar(last.order_by(Comment.comment_id.desc()).limit(1)))


def _finish(session: Session, task: Task, step: Move, now: datetime) -> Issue:
    """Move a claimed task to an end of its agent's work, and wake the auditors."""
    move_task(session, task, step, actor=ActorKind.AGENT, now=now, run_id=None)
    for auditor in registry.auditors(session):
        cause = {"task": task.task_id, "move": step.value}
        wake(session, auditor, WakeReason.FINISHED, now, task.sr_id, cause=cause)
    return get_issue(session, task.sr_id)


def _record_end(
    session: Session,
    claim: Claim,
    kind: EntryKind,
    text: str,
    now: datetime,
    detail: dict[str, Any] | None = None,
) -> None:
    """Write the closing comment and its audit entry, both with the same text."""
    author = str(claim.actor)
    _COMMENT.run(session, {"sr_id": claim.sr_id, "author": author, "body": text, "now": now})
    log.append(
        session,
        kind,
        actor=str(claim.actor),
        now=now,
        sr_id=claim.sr_id,
        task_id=claim.task_id,
        detail={"text": text, **(detail or {})},
        text=text,
    )
