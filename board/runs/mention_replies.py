"""Reply to people who mention an agent on an issue where it has no next step.

The reply states what is on the board: state, owner, last step and next step. No model is asked. A
reply wakes no agents, so they cannot keep each other talking.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import case, select
from sqlalchemy.orm import Session

from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.core.actors import Actor, stored_prefix
from guardia.board.core.display_names import agent_name, display_names_of, person_name
from guardia.board.core.lifecycle import OPEN_STATES, ActorKind, State
from guardia.board.core.model import Comment, Issue, Task
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.issues import comments as issue_comments
from guardia.board.runs.claiming import CLAIMABLE_STATES
from guardia.i18n import t_default
from guardia.org import revisions

_MOST = 20
"""Maximum number of issues to which one beat replies."""
_EXCERPT = 200
_HIDDEN_KINDS = (EntryKind.COMMENT, EntryKind.MODEL_ASKED, EntryKind.VERIFIED)
"""Kinds of entries that are no step of the work."""
_OPEN = [state.value for state in OPEN_STATES]


def reply_to_mentions(session: Session, agent_id: str, taken: Iterable[Any], now: datetime) -> bool:
    """Reply to people's mentions among a beat's wakes; call it last. Returns whether there were
    any.

    Runs in the transaction that takes the wakes, so each mention is answered exactly once.
    """
    issues = _mentioned_issues(session, taken)
    for issue in issues:
        if not _has_next_step(session, issue, agent_id):
            text = _reply_text(session, issue, agent_id)
            issue_comments.write_comment(
                session, issue.sr_id, Actor.agent(agent_id), text, now, wakes_mentioned=False
            )
    return bool(issues)


def _mentioned_issues(session: Session, taken: Iterable[Any]) -> list[Issue]:
    comments = [
        wake.cause["comment"]
        for wake in taken
        if wake.reason == WakeReason.MENTION and "comment" in wake.cause
    ]
    if not comments:
        return []
    mine = select(Comment.sr_id).where(
        Comment.comment_id.in_(comments),
        Comment.author.startswith(stored_prefix(ActorKind.PERSON), autoescape=True),
    )
    query = select(Issue).where(Issue.sr_id.in_(mine)).order_by(Issue.sr_id).limit(_MOST)
    return list(session.scalars(query))


def _has_next_step(session: Session, issue: Issue, agent_id: str) -> bool:
    """Return whether the agent's own next step answers: it is its turn."""
    if issue.stalled_at is not None:
        return False
    turn = select(Task.task_id).where(
        Task.sr_id == issue.sr_id,
        Task.agent_id == agent_id,
        Task.status.in_(CLAIMABLE_STATES),
        ~Task.paused,
    )
    return session.scalar(turn.limit(1)) is not None


def _reply_text(session: Session, issue: Issue, agent_id: str) -> str:
    first_open = case((Task.status.in_(_OPEN), 0), else_=1)
    task = session.scalar(
        select(Task)
        .where(Task.sr_id == issue.sr_id)
        .order_by(first_open, Task.task_id.desc())
        .limit(1)
    )
    state = t_default(f"state.{issue.status}")
    lines = [t_default("answers.state", sr=issue.sr_id, state=state)]
    lines += _holders(session, issue, task, agent_id)
    lines += _last(session, issue.sr_id)
    lines.append(t_default(f"answers.next.{_next(issue, task)}"))
    return "\n".join([*lines, t_default("answers.advice")])


def _holders(session: Session, issue: Issue, task: Task | None, agent_id: str) -> list[str]:
    agent, person = task.agent_id if task else issue.agent_id, issue.assignee_id
    named = [Actor.agent(agent) if agent else None, Actor.person(person) if person else None]
    names = display_names_of(session, [str(actor) for actor in named if actor is not None])
    engineer = person_name(names, person)
    holder = "me" if agent == agent_id else "other" if agent else "nobody"
    return [
        t_default(f"answers.agent.{holder}", agent=agent_name(names, agent) or agent or ""),
        *([t_default("answers.engineer", person=engineer)] if engineer else []),
    ]


def _last(session: Session, sr_id: int) -> list[str]:
    entry = session.scalar(
        select(AuditEntry)
        .where(AuditEntry.sr_id == sr_id, AuditEntry.kind.not_in(_HIDDEN_KINDS))
        .order_by(AuditEntry.seq.desc())
        .limit(1)
    )
    if entry is None:
        return []
    zone = revisions.running_chart(session).company.zone
    at = f"{entry.created_at.astimezone(zone):%m-%d %H:%M}"
    return [t_default("answers.last", text=entry.log_content[:_EXCERPT], at=at)]


def _next(issue: Issue, task: Task | None) -> str:
    if issue.stalled_at is not None:
        return "stalled"
    if issue.status == State.MANUAL and issue.assignee_id is None:
        return "unassigned"
    return "paused" if task is not None and task.paused else issue.status
