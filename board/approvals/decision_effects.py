"""Effects of a decision: the task's next state, its agent's wake, and the words for people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from guardia.board.approvals import requests, start_time
from guardia.board.approvals.decision_request import DecisionRequest
from guardia.board.approvals.model import Decision
from guardia.board.approvals.policy import (
    ApprovalProgress,
    DecisionVerdict,
    RejectionChoice,
    StepDecision,
)
from guardia.board.core import plan_versions
from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import ActorKind, Move, State
from guardia.board.core.model import Issue, Task
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.core.outbox import reply_to_room
from guardia.board.core.transitions import move_task
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import wake
from guardia.i18n import t
from guardia.org.directory import PersonInfo

_MOVES = {
    RejectionChoice.MANUAL: Move.HAND_OVER,
    RejectionChoice.AGAIN: Move.RETURN,
    RejectionChoice.CLOSE: Move.REJECT,
}


@dataclass(frozen=True, slots=True)
class NewDecision:
    """A permitted decision that is being stored."""

    person: PersonInfo
    decision: StepDecision
    request: DecisionRequest
    now: datetime

    @property
    def who(self) -> str:
        """Name and title of the person."""
        return f"{self.person.name} {self.person.title}".strip()


def advance(
    session: Session, issue: Issue, task: Task, after: ApprovalProgress, new: NewDecision
) -> State:
    """Move the task as the decision demands; return its state."""
    if new.request.verdict is not DecisionVerdict.APPROVE:
        return _send_back(session, task, new)
    if not after.complete:
        terms = requests.policy_for(session, task.category)
        requests.open_next(session, issue, task, task.plan_hash or "", terms, new.now)
        return State(task.status)
    later = start_time.approved_start(session, issue, task, after.given, new.now)
    return move_task(
        session, task, Move.APPROVE, actor=ActorKind.PERSON, now=new.now, run_after=later
    )


def _send_back(session: Session, task: Task, new: NewDecision) -> State:
    """Void the chain and send the plan back to its agent, on to people, or to the end."""
    then, person = new.request.then, str(Actor.of(new.person))
    how = then.value if then is not None else "change"
    plan_versions.mark_returned(session, task, how, new.request.reason, person, new.now)
    requests.void(session, task)
    owner = {"owner_id": new.person.id} if new.person.role == "engineer" else {}
    return move_task(
        session,
        task,
        _MOVES[then] if then is not None else Move.RETURN,
        actor=ActorKind.PERSON,
        now=new.now,
        # Fences off writes that the agent still has in flight for the refused plan.
        fence=task.fence + 1,
        run_id=None,
        **(owner if then is RejectionChoice.MANUAL else {}),
    )


def notify(
    session: Session, issue: Issue, task: Task, new: NewDecision, state: State, row: Decision
) -> None:
    """Notify the requester, and wake the agent if the chain has ended."""
    if task.agent_id and state is not State.PENDING_APPROVAL:
        cause = {"decision": row.decision_id, "verdict": row.verdict}
        by = Actor.of(new.person)
        reason = WakeReason.APPROVAL_DECIDED
        wake(session, task.agent_id, reason, new.now, issue.sr_id, cause=cause, by=by)
    ends = new.request.then is RejectionChoice.CLOSE
    kind = NoticeKind.REJECTED if ends else NoticeKind.PROGRESS
    reply_to_room(session, issue, requester_text(issue, new), new.now, notice=kind)
    if task.run_after is not None and state is State.APPROVED:
        at = start_time.format_local(session, task.run_after)
        key = "runs_after" if new.request.run_after else "runs_later"
        reply_to_room(session, issue, t(f"board.{key}", sr=issue.sr_id, at=at), new.now)


def requester_text(issue: Issue, new: NewDecision) -> str:
    """Return what the requester reads: the decider's words for them, never the internal reason."""
    if new.request.verdict is DecisionVerdict.APPROVE:
        return t("board.approved", sr=issue.sr_id, who=new.who)
    choice = new.request.then.value if new.request.then else "change"
    message = new.request.message or t(f"board.choice.message.{choice}")
    return t("board.returned", sr=issue.sr_id, message=message)
