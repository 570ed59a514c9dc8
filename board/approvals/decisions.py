"""What people decide on a plan: approve or reject one step of its chain, or ask for changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from guardia.board.approvals import policy, requests
from guardia.board.approvals.model import Approval, Decision
from guardia.board.approvals.policy import Denial, Standing, Verdict
from guardia.board.audit import log
from guardia.board.audit.chain import clean
from guardia.board.audit.signing_keys import DECISIONS
from guardia.board.core import wake_budget
from guardia.board.core.context import Desk
from guardia.board.core.lifecycle import Actor, Move, State
from guardia.board.core.lookup import issue_of, task_of
from guardia.board.core.model import Issue, Task
from guardia.board.core.outbox import reply, seal_soon
from guardia.board.core.transitions import move
from guardia.board.core.wake_reasons import Reason
from guardia.board.core.wakes import wake
from guardia.errors import Forbidden, Missing, Stale
from guardia.i18n import t
from guardia.org.access import require
from guardia.org.directory import PersonName

_REASON = 1000
_KIND = {
    Verdict.APPROVE: "approved",
    Verdict.REJECT: "rejected",
    Verdict.CHANGE: "changes_asked",
}
_STATE = {Verdict.REJECT: "REJECTED", Verdict.CHANGE: "CHANGES"}


@dataclass(frozen=True, slots=True)
class _Said:
    """One decision in the making."""

    person: PersonName
    word: policy.Decision
    reason: str
    now: datetime


def decide(
    desk: Desk,
    person: PersonName,
    task_id: int,
    *,
    approve: bool,
    plan_hash: str,
    reason: str = "",
) -> State:
    """Approve or reject the step that waits, for exactly the plan that the person saw.

    An approval comes after a signed checkpoint; nothing is approved on a rewritten record.

    Neither the requester nor the plan's author approves, and one person counts once in a chain.
    A rejection needs a reason. Returns the task's state after it.
    """
    verdict = Verdict.APPROVE if approve else Verdict.REJECT
    return say(desk, person, task_id, verdict, plan_hash, reason)


def ask_changes(
    desk: Desk, person: PersonName, task_id: int, *, plan_hash: str, reason: str
) -> State:
    """Send the plan back (PARSED) with what must be different; the agent is woken with it."""
    return say(desk, person, task_id, Verdict.CHANGE, plan_hash, reason)


def say(
    desk: Desk, person: PersonName, task_id: int, verdict: Verdict, plan_hash: str, reason: str
) -> State:
    """Any of the three verdicts; ``Invalid`` where a refusal has no reason."""
    text = clean(reason).strip()[:_REASON]
    if verdict is Verdict.APPROVE:
        desk.attest()
    now = desk.clock()
    with desk.database.transaction() as session:
        task = task_of(session, task_id)
        if task.plan_hash != plan_hash or task.status != State.PENDING_APPROVAL:
            raise Stale(what=f"SR-{task.sr_id}")
        issue = issue_of(session, task.sr_id)
        wake_budget.renew(session, task.sr_id, f"person:{person.id}", now)
        steps = requests.steps_of(session, task)
        word, before = _word(session, person, issue, task, steps, verdict, now)
        if verdict is not Verdict.APPROVE and not text:
            raise Missing(what=t("desk.reason"))
        said = _Said(person, word, text, now)
        step = steps[word.step - 1]
        kept = _keep(session, step, said)
        words = (*before.given, word)
        after = policy.standing(requests.chain_asked(session, issue, task, steps, words), words)
        _settle_step(step, said, after)
        session.flush()
        state = _advance(session, issue, task, after, said)
        _tell(session, issue, task, said, state, kept)
        given = sum(d.step == step.step for d in after.given)
        if verdict is not Verdict.APPROVE:
            seal_soon(session)
        _record(session, desk, task, step, said, given)
        return state


def _word(
    session: Session,
    person: PersonName,
    issue: Issue,
    task: Task,
    steps: list[Approval],
    verdict: Verdict,
    now: datetime,
) -> tuple[policy.Decision, Standing]:
    """The decision that this person may make now, and where the chain stands before it."""
    capacities = requests.capacities(session, person, now, issue.inst_id)
    if not capacities:
        require(person, "approval.decide")
    words = requests.words_on(session, steps)
    chain = requests.chain_asked(session, issue, task, steps, words)
    before = policy.standing(chain, words)
    word, why = policy.choose(chain, before, person.id, capacities, verdict)
    if word is not None:
        return word, before
    if why is Denial.NO_TURN or before.current is None:
        raise Stale(what=f"SR-{task.sr_id}")
    role = t(f"org.role.{steps[before.current - 1].role}")
    raise Forbidden(
        who=f"{person.name} {person.title}", action=t(f"desk.denial.{why.value}", role=role)
    )


def _keep(session: Session, step: Approval, said: _Said) -> Decision:
    word = said.word
    kept = Decision(
        approval_id=step.approval_id,
        person_id=word.person,
        role=word.capacity.role,
        principal_id=word.capacity.principal,
        verdict=word.verdict.value,
        reason=said.reason,
        decided_at=said.now,
    )
    session.add(kept)
    return kept


def _settle_step(step: Approval, said: _Said, after: Standing) -> None:
    """The step's own row: still waiting for others of its quorum, or decided."""
    if not after.refused and after.current == step.step:
        return
    step.state = _STATE.get(said.word.verdict, "APPROVED")
    step.decided_by, step.reason, step.decided_at = said.person.id, said.reason, said.now
    step.look_at = None


def _advance(session: Session, issue: Issue, task: Task, after: Standing, said: _Said) -> State:
    """The move that follows, if any: all three verdicts go through the lifecycle."""
    now, verdict = said.now, said.word.verdict
    if verdict is Verdict.REJECT:
        requests.void(session, task)
        return move(session, task, Move.REJECT, actor=Actor.PERSON, now=now)
    if verdict is Verdict.CHANGE:
        requests.void(session, task)
        # Whatever the agent still has in flight was about the plan that is refused.
        fence = task.fence + 1
        return move(
            session, task, Move.RETURN, actor=Actor.PERSON, now=now, fence=fence, run_id=None
        )
    if not after.complete:
        terms = requests.terms(session, task.category)
        requests.open_next(session, issue, task, task.plan_hash or "", terms, now)
        return State(task.status)
    later = requests.runs_from(session, issue, task.category or "", now)
    return move(session, task, Move.APPROVE, actor=Actor.PERSON, now=now, run_after=later)


def _tell(
    session: Session, issue: Issue, task: Task, said: _Said, state: State, kept: Decision
) -> None:
    """The room, and the agent where it is its turn again."""
    kind, who = _KIND[said.word.verdict], f"{said.person.name} {said.person.title}"
    if task.agent_id and state is not State.PENDING_APPROVAL:
        cause = {"decision": kept.decision_id, "verdict": kept.verdict}
        by = f"person:{said.person.id}"
        wake(
            session,
            task.agent_id,
            Reason.APPROVAL_DECIDED,
            said.now,
            issue.sr_id,
            cause=cause,
            by=by,
        )
    reply(session, issue, t(f"desk.{kind}", sr=issue.sr_id, who=who, reason=said.reason), said.now)
    if task.run_after is not None and state is State.APPROVED:
        at = requests.local(session, task.run_after)
        reply(session, issue, t("desk.runs_later", sr=issue.sr_id, at=at), said.now)


def _record(
    session: Session, desk: Desk, task: Task, step: Approval, said: _Said, given: int
) -> None:
    """The entry, with the sealed statement of who decided what, at this very place."""
    word = said.word
    statement = {
        "issue": task.sr_id,
        "task": task.task_id,
        "plan_hash": step.plan_hash,
        "step": step.step,
        "person": word.person,
        "principal": word.capacity.principal,
        "role": word.capacity.role,
        "verdict": word.verdict.value,
        "chain_head": log.head_held(session),
    }
    log.append(
        session,
        _KIND[word.verdict],
        actor=f"person:{said.person.id}",
        now=said.now,
        sr_id=task.sr_id,
        task_id=task.task_id,
        detail={
            "step": step.step,
            "role": word.capacity.role,
            "plan_hash": step.plan_hash,
            "reason": said.reason,
            "given": given,
            "quorum": step.quorum,
            "statement": statement,
            **desk.seal.sign(statement, log.announced_key(session, DECISIONS)),
        },
        who=f"{said.person.name} {said.person.title}",
        step=step.step,
        reason=said.reason,
    )
