"""What people decide of goals: answers, approval of a plan or of parts of it, the end.

Every word of a person raises the goal's fence, so whatever its agent has in flight is overtaken.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.audit.chain import clean
from guardia.board.core.context import Desk
from guardia.board.core.goal_lifecycle import GoalMove, GoalState
from guardia.board.core.goal_model import Goal
from guardia.board.core.lifecycle import Actor
from guardia.board.core.lookup import issue_of
from guardia.board.core.wake_reasons import Reason
from guardia.board.core.wakes import wake
from guardia.board.goals import child_issues
from guardia.board.goals.model import GoalPart
from guardia.board.goals.planning import WORDS, goal_of, move, person_actor, record
from guardia.errors import Invalid, Missing, Stale
from guardia.i18n import t
from guardia.org import registry
from guardia.org.access import require
from guardia.org.directory import PersonName


def answer(desk: Desk, person: PersonName, sr_id: int, words: Mapping[int, str]) -> GoalState:
    """Word unclear pieces anew, by their number, or the whole goal where nothing of it was
    understood (number 0); the agent breaks the goal down again."""
    require(person, "goal.decide")
    said = {n: clean(w).strip()[:WORDS] for n, w in words.items() if clean(w).strip()}
    if not said:
        raise Missing(what=t("goals.answer"))
    now = desk.clock()
    with desk.database.transaction() as session:
        goal = goal_of(session, sr_id, lock=True)
        pieces = goal.pieces or [{"text": "", "sentence": 0}]
        if not set(said) <= set(range(len(pieces))):
            raise Stale(what=f"SR-{sr_id}")
        goal.pieces = [
            {**piece, "text": said[n], "reworded": True} if n in said else piece
            for n, piece in enumerate(pieces)
        ]
        goal.plan_hash = None
        state = move(session, goal, GoalMove.ANSWER, Actor.PERSON, now)
        if head := registry.dispatcher(session):
            wake(session, head, Reason.GOAL, now, sr_id, by=person_actor(person))
        detail = {"answers": {str(n): w for n, w in said.items()}}
        _decided(
            session, goal, "goal_answered", person, now, detail, text=" / ".join(said.values())
        )
        return state


def approve(
    desk: Desk,
    person: PersonName,
    sr_id: int,
    *,
    plan_hash: str,
    taken_out: frozenset[int] = frozenset(),
) -> tuple[int, ...]:
    """Approve exactly the plan that was seen, without some of its parts; its issues are received.

    Returns their numbers. ``Stale`` where the plan is another one by now. A part with an open
    question is never received.
    """
    require(person, "goal.decide")
    now = desk.clock()
    with desk.database.transaction() as session:
        goal = goal_of(session, sr_id, lock=True)
        if goal.state == GoalState.PLANNED and goal.plan_hash != plan_hash:
            raise Stale(what=f"SR-{sr_id}")
        parts = session.scalars(
            select(GoalPart).where(GoalPart.sr_id == sr_id).order_by(GoalPart.ordinal)
        ).all()
        kept = [p for p in parts if p.ordinal not in taken_out and not p.question]
        if not kept:
            raise Invalid(what=t("goals.plan"), why=t("goals.nothing_left"))
        for part in parts:
            part.state = "RECEIVED" if part in kept else "TAKEN_OUT"
        goal.decided_by, goal.decided_at = person.id, now
        move(session, goal, GoalMove.APPROVE, Actor.PERSON, now)
        issue = issue_of(session, sr_id)
        tasks = [
            child_issues.receive(session, issue, goal, part, person_actor(person), now)
            for part in kept
        ]
        numbers = tuple(task.sr_id for task in tasks)
        detail = {
            "plan_hash": plan_hash,
            "issues": list(numbers),
            "taken_out": [p.ordinal for p in parts if p not in kept],
        }
        _decided(session, goal, "goal_approved", person, now, detail, count=len(numbers))
        for part, task in zip(kept, tasks, strict=True):
            child_issues.record(session, goal, part, task, now)
        return numbers


def drop(desk: Desk, person: PersonName, sr_id: int, reason: str) -> None:
    """Any open state -> DROPPED. Issues that are under way stay with their own people and agents:
    each is stopped on its own page."""
    _end(desk, person, sr_id, reason, GoalMove.DROP, "goal_dropped")


def achieve(desk: Desk, person: PersonName, sr_id: int, reason: str) -> None:
    """ACTIVE -> ACHIEVED by a person, where not everything ended as planned."""
    _end(desk, person, sr_id, reason, GoalMove.ACHIEVE, "goal_achieved")


def _end(
    desk: Desk, person: PersonName, sr_id: int, reason: str, step: GoalMove, kind: str
) -> None:
    require(person, "goal.decide")
    text, now = clean(reason).strip()[:WORDS], desk.clock()
    if not text:
        raise Missing(what=t("desk.reason"))
    with desk.database.transaction() as session:
        goal = goal_of(session, sr_id, lock=True)
        goal.end_reason, goal.ended_at = text, now
        move(session, goal, step, Actor.PERSON, now)
        _decided(session, goal, kind, person, now, {"reason": text}, text=text)


def _decided(
    session: Session,
    goal: Goal,
    kind: str,
    person: PersonName,
    now: datetime,
    detail: dict[str, Any],
    **words: str | int,
) -> None:
    actor = person_actor(person)
    record(session, kind, goal.sr_id, actor, now, detail, who=person.name, **words)
