"""Approval requests: the steps of a plan's chain, the current step, and notices to approvers."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, Text, any_, bindparam, literal, select, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.util import identity_key

from guardia.board.approvals.model import Approval, Decision
from guardia.board.approvals.policy import (
    ApprovalChain,
    ApproverRole,
    DecisionVerdict,
    StepDecision,
    evaluate_chain,
)
from guardia.board.audit.passkey_signatures import DEMANDED
from guardia.board.core import outbox
from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import ActorKind
from guardia.board.core.lookup import get_issue
from guardia.board.core.model import Issue, Task
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.core.outbox import reply_to_room
from guardia.board.core.plan import Category, Plan
from guardia.db.entities import Entities, Insertion
from guardia.db.statement import Statement
from guardia.i18n import t
from guardia.org import chart, delegation, identity, revisions
from guardia.org.access import is_allowed
from guardia.org.approvals import ApprovalPolicy, ApprovalStep
from guardia.org.approver_assignments import (
    ENGINEER,
    approvers,
)
from guardia.org.directory import PersonInfo

ACTIVE_STATES = ("WAITING", "APPROVED")
"""States of steps that still count."""
# Built once: composing them takes longer than running them.
_ACTIVE_STEPS = Entities(
    Approval,
    select(Approval)
    .where(
        Approval.task_id == bindparam("task"),
        Approval.plan_hash == bindparam("plan_hash"),
        Approval.state == any_(literal(list(ACTIVE_STATES), ARRAY(Text()))),
    )
    .order_by(Approval.step),
)
_NEW_STEP = Insertion(Approval)
_DECISIONS = Statement(
    select(
        Decision.approval_id,
        Decision.person_id,
        Decision.role,
        Decision.principal_id,
        Decision.verdict,
        Decision.run_after,
    )
    .where(Decision.approval_id == any_(bindparam("steps", type_=ARRAY(BigInteger()))))
    .order_by(Decision.decision_id)
)
_VOID = Statement(
    update(Approval.__table__)  # type: ignore[arg-type]
    .where(
        Approval.task_id == bindparam("task"),
        Approval.state == any_(literal(list(ACTIVE_STATES), ARRAY(Text()))),
    )
    .values(state="VOID", look_at=None)
    .returning(Approval.approval_id)
)


def request_approvals(
    session: Session,
    issue: Issue,
    task: Task,
    plan_hash: str,
    policy: ApprovalPolicy,
    now: datetime,
) -> None:
    """Create the steps of the chain for a plan and open the first."""
    steps = [
        Approval(
            task_id=task.task_id,
            plan_hash=plan_hash,
            step=number,
            role=step.role,
            quorum=step.quorum,
            signature=policy.signature or "",
            escalate_to=policy.escalate_to,
            state="WAITING",
            created_at=now,
        )
        for number, step in enumerate(policy.steps, start=1)
    ]
    if steps:
        _open(session, issue, task, steps, steps[0], policy, now)


def required_policy(session: Session, plan: Plan) -> ApprovalPolicy:
    """Return the running policy for a plan. Raises `Invalid` if its category is unknown.

    A plan that may break rules of the site takes the approvals of FORCED as well.
    """
    running = revisions.running_chart(session)
    policy = chart.approval_policy(running, plan.category)
    found = policy.for_plan(irreversible=plan.irreversible)
    if not plan.exceptions or plan.category == Category.FORCED:
        return found
    forced = chart.approval_policy(running, Category.FORCED)
    return found.with_steps_of(forced.for_plan(irreversible=plan.irreversible))


def is_passkey_demanded(session: Session, task: Task, steps: Iterable[Approval]) -> bool:
    """Return whether approvals need a passkey: by the running policy, or as it was requested."""
    running = policy_for(session, task.category).signature
    return DEMANDED in {running, *(step.signature for step in steps)}


def void(session: Session, task: Task) -> None:
    """Void all open and given approvals of a task."""
    for (approval_id,) in _VOID.run(session, {"task": task.task_id}):
        step = session.identity_map.get(identity_key(Approval, approval_id))
        if step is not None:
            set_committed_value(step, "state", "VOID")
            set_committed_value(step, "look_at", None)


def active_steps(session: Session, task: Task) -> list[Approval]:
    """Return the active steps for the task's present plan, in order."""
    values = {"task": task.task_id, "plan_hash": task.plan_hash}
    return _ACTIVE_STEPS.all(session, values)


def decisions_on(session: Session, steps: Iterable[Approval]) -> list[StepDecision]:
    """Return the decisions on steps, in the order they were made."""
    numbers = {s.approval_id: s.step for s in steps}
    if not numbers:
        return []
    return [
        StepDecision(
            numbers[step], person, ApproverRole(role, principal), DecisionVerdict(verdict), after
        )
        for step, person, role, principal, verdict, after in _DECISIONS.run(
            session, {"steps": list(numbers)}
        )
    ]


def excluded_accounts(issue: Issue, task: Task) -> frozenset[str]:
    """Return the accounts that may not decide: the requester and the plan's author."""
    author = Actor.parse(task.plan_author)
    person = author.id if author is not None and author.kind is ActorKind.PERSON else None
    return frozenset(who for who in (issue.requester_id, person) if who)


def requested_chain(
    session: Session,
    issue: Issue,
    task: Task,
    steps: Iterable[Approval],
    decisions: Collection[StepDecision],
    candidates: Iterable[str] = (),
) -> ApprovalChain:
    """Return the chain as requested, with all accounts of those who are excluded or have decided.

    `decisions` are the decisions on its steps; `candidates` are those who may decide next.
    """
    known, excluded = list(steps), excluded_accounts(issue, task)
    people = excluded | _decided_parties(decisions) | frozenset(candidates)
    return ApprovalChain(
        tuple(ApprovalStep(role=s.role, quorum=s.quorum) for s in known),
        excluded,
        {s.step: s.escalate_to for s in known if s.escalated_at and s.escalate_to},
        identity.accounts_of_same_people(session, people),
        _is_requester_unknown(session, issue, task),
    )


def _is_requester_unknown(session: Session, issue: Issue, task: Task) -> bool:
    """Return whether the policy requires a known requester and the messenger user is unknown."""
    if issue.requester_id is not None or issue.channel not in identity.MESSENGERS:
        return False
    return policy_for(session, task.category).known_requester


def _decided_parties(decisions: Iterable[StepDecision]) -> frozenset[str]:
    return frozenset(party for decision in decisions for party in decision.parties)


def required_chain(
    session: Session,
    issue: Issue,
    task: Task,
    steps: Iterable[Approval],
    decisions: Collection[StepDecision],
    policy: ApprovalPolicy,
) -> ApprovalChain:
    """Return the chain that the running chart demands, which may differ from the requested one."""
    requested = requested_chain(session, issue, task, steps, decisions)
    escalated = {n: role for n, role in requested.escalated.items() if role == policy.escalate_to}
    return replace(requested, steps=policy.steps, escalated=escalated)


def is_satisfied(
    session: Session,
    task: Task,
    policy: ApprovalPolicy,
    steps: Iterable[Approval],
    decisions: Collection[StepDecision],
) -> bool:
    """Return whether decisions on the steps of the present plan satisfy the running policy."""
    issue = get_issue(session, task.sr_id)
    return evaluate_chain(
        required_chain(session, issue, task, steps, decisions, policy), decisions
    ).complete


def policy_for(session: Session, category: str | None) -> ApprovalPolicy:
    """Return the running policy of a category, or the default if the chart no longer has it."""
    return revisions.running_chart(session).approvals.get(category or "") or ApprovalPolicy()


def open_next(
    session: Session,
    issue: Issue,
    task: Task,
    plan_hash: str,
    policy: ApprovalPolicy,
    now: datetime,
) -> None:
    """Open the next step, start its deadline and notify everyone who may decide it."""
    step = session.scalar(
        select(Approval)
        .where(
            Approval.task_id == task.task_id,
            Approval.plan_hash == plan_hash,
            Approval.state == "WAITING",
        )
        .order_by(Approval.step)
        .limit(1)
    )
    if step is None or step.opened_at is not None:
        return
    _open(session, issue, task, (), step, policy, now)


def _open(
    session: Session,
    issue: Issue,
    task: Task,
    new: Collection[Approval],
    step: Approval,
    policy: ApprovalPolicy,
    now: datetime,
) -> None:
    """Open a step, and store it with the other steps that are `new`."""
    step.opened_at, step.due_at = now, now + policy.expires
    step.look_at = min(now + policy.remind, step.due_at) if policy.remind else step.due_at
    for one in new:
        _NEW_STEP.store(session, one)
    names = notify(session, issue, task, step, "due", now, steps=list(new) or None)
    because = (task.plan or {}).get("because", "")
    words = {"sr": issue.sr_id, "server": task.target_server, "because": because}
    text = t("board.ask", **words, role=_role(step), who=names)
    public = t("board.requester.planned", sr=issue.sr_id)
    reply_to_room(session, issue, text, now, notice=NoticeKind.PLANNED, public=public)


def notify(
    session: Session,
    issue: Issue,
    task: Task,
    step: Approval,
    kind: str,
    now: datetime,
    *,
    steps: list[Approval] | None = None,
) -> str:
    """Create a notice for everyone who may decide a step now; return their names.

    `steps` are those of the chain if they are new, so that no decision on them exists yet.
    """
    roles = {step.role, *([step.escalate_to] if step.escalated_at and step.escalate_to else [])}
    known = active_steps(session, task) if steps is None else steps
    decisions = decisions_on(session, known) if steps is None else []
    chain = requested_chain(session, issue, task, known, decisions)
    excluded = chain.humans_behind(_decided_parties(decisions) | chain.excluded)
    names, parties = [], dict[str | None, list[str]]()
    duties = revisions.running_chart(session).duties
    people = [
        p
        for p in approvers(session, duties, roles, issue.inst_id, now, task.target_server)
        if is_allowed(p, "approval.decide")
        or (ENGINEER in roles and is_allowed(p, "approval.decide_own"))
    ]
    for person, principal in delegation.people_who_may_act(session, people, now):
        if chain.humans_behind({person.id, *([principal.id] if principal else [])}) & excluded:
            continue
        parties.setdefault(principal.id if principal else None, []).append(person.id)
        names.append(_name(person, principal))
    text = t(f"board.notice.{kind}", sr=issue.sr_id, title=issue.title, role=_role(step))
    for principal_id, named in parties.items():
        outbox.notify(
            session,
            NoticeKind(kind),
            text,
            named,
            now,
            sr_id=issue.sr_id,
            approval_id=step.approval_id,
            principal_id=principal_id,
        )
    return ", ".join(dict.fromkeys(names)) or t("board.nobody")


def _name(person: PersonInfo, principal: PersonInfo | None) -> str:
    own = f"{person.name} {person.title}"
    return t("board.proxy", who=own, principal=principal.name) if principal else own


def _role(step: Approval) -> str:
    role = t(f"org.role.{step.role}")
    return t("board.quorum", role=role, quorum=step.quorum) if step.quorum > 1 else role
