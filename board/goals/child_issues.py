"""Child issues of a goal, opened once its plan is approved."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.goal_model import Goal
from guardia.board.core.lifecycle import ActorKind, Move, State
from guardia.board.core.model import Issue, Task
from guardia.board.core.transitions import move_task
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import wake
from guardia.board.goals.model import GoalPart
from guardia.board.hiring.model import HireRequest
from guardia.board.issues.receiving import NewIssue, open_issue, open_task
from guardia.board.organization import agent_memory
from guardia.i18n import t_default
from guardia.org import registry
from guardia.org.model import Agent, Server

CHANNEL = "goal"


def open_child_issue(
    session: Session, parent: Issue, goal: Goal, part: GoalPart, by: Actor, now: datetime
) -> Task:
    """Open a part's issue and assign it as planned; returns its task.

    It goes to the planned agent, waits for the agent that is being hired, or is handed over to
    people if neither exists any more. `log_received` writes the audit entries.
    """
    names_server = part.server is None or part.server in part.text
    text = part.text if names_server else f"{part.server}: {part.text}"
    new_issue = NewIssue(
        text=text,
        title=text,
        channel=CHANNEL,
        sender=parent.requester_name,
        requester_id=parent.requester_id,
        institution=_institution(session, part),
        kind=part.kind,
        category=part.category,
        priority=part.priority,
        engineer_id=part.engineer_id,
        triage={"servers": [part.server] if part.server else [], "reasons": list(part.reasons)},
        parent_id=parent.sr_id,
        goal_id=goal.sr_id,
        due_on=part.due_on,
    )
    issue = open_issue(session, new_issue, now)
    part.child_id = issue.sr_id
    task = open_task(
        session,
        issue.sr_id,
        now,
        server=part.server,
        engineer_id=part.engineer_id,
        action_type=part.action_type,
    )
    _assign(session, issue, task, part, by, now)
    return task


def _assign(
    session: Session, issue: Issue, task: Task, part: GoalPart, by: Actor, now: datetime
) -> None:
    hire = session.get(HireRequest, part.hire_id) if part.hire_id else None
    if hire is not None and hire.state == "WAITING":
        task.hire_id = hire.hire_id
        return
    agent_id = hire.agent_id if hire is not None and hire.state == "APPROVED" else part.agent_id
    agent = session.get(Agent, agent_id) if agent_id else None
    if agent is None or agent.state == "fired" or part.server is None:
        move_task(session, task, Move.HAND_OVER, actor=ActorKind.AGENT, now=now)
        return
    issue.agent_id = agent.agent_id
    session.flush()
    move_task(session, task, Move.PARSE, actor=ActorKind.AGENT, now=now, agent_id=agent.agent_id)
    note_text = t_default(
        "notes.from_goal", goal=issue.goal_id or 0, reasons=" ".join(part.reasons)
    )
    head = registry.dispatcher(session)
    author = Actor.agent(head) if head else by
    agent_memory.hand_over_notes(session, issue.sr_id, None, agent.agent_id, author, note_text, now)
    cause = {"goal": issue.goal_id}
    wake(session, agent.agent_id, WakeReason.ASSIGNMENT, now, issue.sr_id, cause=cause, by=by)


def log_received(session: Session, goal: Goal, part: GoalPart, task: Task, now: datetime) -> None:
    """Log that an issue was received and how it was assigned; call it last in the transaction."""
    issue = session.get(Issue, task.sr_id)
    assert issue is not None
    append_entry = partial(
        log.append, session, actor=str(goal.actor), now=now, sr_id=issue.sr_id, task_id=task.task_id
    )
    append_entry(
        EntryKind.RECEIVED,
        detail={"title": issue.title, "body": issue.body, "goal": goal.sr_id},
        sr=issue.sr_id,
        channel=CHANNEL,
        who=issue.requester_name,
    )
    if task.status == State.PARSED:
        append_entry(
            EntryKind.PARSED,
            detail={
                "kind": part.kind,
                "category": part.category,
                "priority": part.priority,
                "servers": [part.server],
                "agent": task.agent_id,
                "engineer": part.engineer_id,
                "reasons": part.reasons,
            },
            kind_name=part.kind,
            category=part.category,
            priority=part.priority,
            agent=task.agent_id or "-",
        )
    elif task.status == State.MANUAL:
        text = t_default("goals.nobody_left", category=part.category)
        append_entry(EntryKind.HANDED_OVER, detail={"text": text}, text=text)
    else:
        append_entry(EntryKind.HIRE_AWAITED, detail={"hire": task.hire_id})


def _institution(session: Session, part: GoalPart) -> str | None:
    server = session.get(Server, part.server) if part.server else None
    return server.inst_id if server else part.institution
