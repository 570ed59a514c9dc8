"""Decisions of people on goals: answer questions, approve the plan or parts of it, end the goal.

Every decision raises the goal's fence, so that results its agent still has in flight are rejected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.goal_lifecycle import GoalMove, GoalState
from guardia.board.core.goal_model import Goal
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.lifecycle import ActorKind
from guardia.board.core.lookup import get_issue
from guardia.board.core.reasons import require_reason
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import wake
from guardia.board.goals import child_issues
from guardia.board.goals.model import GoalPart
from guardia.board.goals.planning import goal_of, log_entry, move
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, Missing, Stale
from guardia.i18n import t
from guardia.org import registry
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.text import MAX_REASON, trim


@repeat_on_conflict
def answer(
    board: BoardContext,
    person: PersonInfo,
    sr_id: int,
    words: Mapping[int, str],
    *,
    seen: int | None = None,
) -> GoalState:
    """Reword unclear pieces of a goal; its agent then breaks the goal down again.

    `words` are the new texts by the number of the piece. If no piece was understood, number 0 is
    the whole goal. `seen` is the goal's fence when the person saw its questions. Raises `Missing`
    without a text and `Stale` if the questions have changed.
    """
    require_permission(person, "goal.decide")
    answers = {n: found for n, w in words.items() if (found := trim(w, MAX_REASON))}
    if not answers:
        raise Missing(what=t("goals.answer"))
    now = board.clock()
    with board.database.transaction() as session:
        goal = goal_of(session, sr_id, lock=True)
        pieces = goal.pieces or [{"text": "", "sentence": 0}]
        if seen not in (None, goal.fence) or not set(answers) <= set(range(len(pieces))):
            raise Stale(what=issue_ref(sr_id))
        goal.pieces = [
            {**piece, "text": answers[n], "reworded": True} if n in answers else piece
            for n, piece in enumerate(pieces)
        ]
        goal.plan_hash = None
        state = move(session, goal, GoalMove.ANSWER, ActorKind.PERSON, now)
        if head := registry.dispatcher(session):
            wake(session, head, WakeReason.GOAL, now, sr_id, by=Actor.of(person))
        detail = {"answers": {str(n): w for n, w in answers.items()}}
        _log_decision(
            session,
            goal,
            EntryKind.GOAL_ANSWERED,
            person,
            now,
            detail,
            text=" / ".join(answers.values()),
        )
        return state


@repeat_on_conflict
def approve(
    board: BoardContext,
    person: PersonInfo,
    sr_id: int,
    *,
    plan_hash: str,
    kept: frozenset[int] | None = None,
    servers: Mapping[int, str] = MappingProxyType({}),
) -> tuple[int, ...]:
    """Approve exactly the plan that the person saw, and open the issues of its parts.

    `kept` are the ordinals of the parts to open; if `None`, all whose servers the goal names.
    `servers` are the person's choices for parts whose server was guessed, by ordinal; empty for
    none. A part with an open question is never opened. Returns the issues' numbers. Raises `Stale`
    if the plan has changed, and `Invalid`
    if no part is left.
    """
    require_permission(person, "goal.decide")
    now = board.clock()
    with board.database.transaction() as session:
        goal = goal_of(session, sr_id, lock=True)
        if goal.state == GoalState.PLANNED and goal.plan_hash != plan_hash:
            raise Stale(what=issue_ref(sr_id))
        parts = session.scalars(
            select(GoalPart).where(GoalPart.sr_id == sr_id).order_by(GoalPart.ordinal)
        ).all()
        received = [p for p in parts if _is_kept(p, kept) and not p.question]
        if not received:
            raise Invalid(what=t("goals.plan"), why=t("goals.nothing_left"))
        for part in parts:
            part.state = "RECEIVED" if part in received else "TAKEN_OUT"
        chosen = _choose_servers(session, received, servers)
        goal.decided_by, goal.decided_at = person.id, now
        move(session, goal, GoalMove.APPROVE, ActorKind.PERSON, now)
        issue = get_issue(session, sr_id)
        tasks = [
            child_issues.open_child_issue(session, issue, goal, part, Actor.of(person), now)
            for part in received
        ]
        numbers = tuple(task.sr_id for task in tasks)
        detail = {
            "plan_hash": plan_hash,
            "issues": list(numbers),
            "taken_out": [p.ordinal for p in parts if p not in received],
            **({"chosen": chosen} if chosen else {}),
        }
        _log_decision(
            session, goal, EntryKind.GOAL_APPROVED, person, now, detail, count=len(numbers)
        )
        for part, task in zip(received, tasks, strict=True):
            child_issues.log_received(session, goal, part, task, now)
        return numbers


def _is_kept(part: GoalPart, kept: frozenset[int] | None) -> bool:
    return not part.guessed if kept is None else part.ordinal in kept


def _choose_servers(
    session: Session, parts: Sequence[GoalPart], servers: Mapping[int, str]
) -> dict[str, str | None]:
    """Set the servers that a person chose for guessed parts; returns them for the log."""
    chosen: dict[str, str | None] = {}
    for part in parts:
        if part.guessed and part.ordinal in servers:
            name = servers[part.ordinal]
            part.server = registry.host(session, name).server_id if name else None
            chosen[str(part.ordinal)] = part.server
    return chosen


def drop(
    board: BoardContext, person: PersonInfo, sr_id: int, reason: str, *, seen: str = ""
) -> None:
    """Drop the goal (any open state -> DROPPED).

    Its open issues stay with their people and agents: each is stopped on its own page.
    """
    _end_goal(board, person, sr_id, reason, seen, GoalMove.DROP, EntryKind.GOAL_DROPPED)


def achieve(
    board: BoardContext, person: PersonInfo, sr_id: int, reason: str, *, seen: str = ""
) -> None:
    """Close the goal as achieved (ACTIVE -> ACHIEVED), although not every issue was completed."""
    _end_goal(board, person, sr_id, reason, seen, GoalMove.ACHIEVE, EntryKind.GOAL_ACHIEVED)


@repeat_on_conflict
def _end_goal(
    board: BoardContext,
    person: PersonInfo,
    sr_id: int,
    reason: str,
    seen: str,
    step: GoalMove,
    kind: EntryKind,
) -> None:
    require_permission(person, "goal.decide")
    text, now = require_reason(reason), board.clock()
    with board.database.transaction() as session:
        goal = goal_of(session, sr_id, lock=True)
        if seen not in ("", goal.state):
            raise Stale(what=issue_ref(sr_id))
        goal.end_reason, goal.ended_at = text, now
        move(session, goal, step, ActorKind.PERSON, now)
        _log_decision(session, goal, kind, person, now, {"reason": text}, text=text)


def _log_decision(
    session: Session,
    goal: Goal,
    kind: EntryKind,
    person: PersonInfo,
    now: datetime,
    detail: dict[str, Any],
    **words: str | int,
) -> None:
    actor = Actor.of(person)
    log_entry(session, kind, goal.sr_id, actor, now, detail, who=person.name, **words)
