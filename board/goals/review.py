"""Review of active goals by the head agent, after one of their issues has ended."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardia.board.audit.kinds import EntryKind
from guardia.board.core.context import BoardContext
from guardia.board.core.goal_lifecycle import GoalMove, GoalProgress, GoalState, is_reached
from guardia.board.core.goal_lifecycle import count_progress as progress
from guardia.board.core.goal_model import Goal
from guardia.board.core.lifecycle import ActorKind, State
from guardia.board.core.model import Issue
from guardia.board.core.outbox import send
from guardia.board.goals import planning
from guardia.board.issues import comments
from guardia.board.runs import goal_work
from guardia.db.engine import repeat_on_conflict
from guardia.i18n import t, t_default

_BATCH_SIZE = 50


def count_progress(session: Session, numbers: Iterable[int]) -> dict[int, GoalProgress]:
    """Return the progress of goals by their number, in one query."""
    found: dict[int, dict[State, int]] = {n: {} for n in numbers}
    rows = session.execute(
        select(Issue.goal_id, Issue.status, func.count())
        .where(Issue.goal_id.in_(found))
        .group_by(Issue.goal_id, Issue.status)
    )
    for goal, state, count in rows:
        assert goal is not None
        found[goal][State(state)] = count
    return {n: progress(states) for n, states in found.items()}


def review_goals(board: BoardContext, agent_id: str) -> tuple[int, ...]:
    """Close goals whose issues are all completed, and return their numbers.

    If issues of a goal have ended otherwise, people are asked once to decide.
    """
    with board.database.reading() as session:
        query = select(Goal.sr_id).where(goal_work.needs_review())
        due = session.scalars(query.order_by(Goal.sr_id).limit(_BATCH_SIZE)).all()
    return tuple(n for n in due if _review_goal(board, n, agent_id))


@repeat_on_conflict
def _review_goal(board: BoardContext, sr_id: int, agent_id: str) -> bool:
    now = board.clock()
    with board.database.transaction() as session:
        goal = planning.goal_of(session, sr_id, lock=True)
        goal.agent_id = agent_id
        goal_progress = count_progress(session, [sr_id])[sr_id]
        if goal.state != GoalState.ACTIVE or goal_progress.open:
            return False
        if is_reached(goal_progress):
            _achieve(session, goal, goal_progress, now)
            return True
        if goal.stuck_at is None:
            _ask_people(session, goal, goal_progress, now)
        return False


def _achieve(session: Session, goal: Goal, goal_progress: GoalProgress, now: datetime) -> None:
    goal.ended_at = now
    planning.move(session, goal, GoalMove.ACHIEVE, ActorKind.AGENT, now)
    text = t_default("goals.all_done", count=goal_progress.done)
    words = {"who": t_default("goals.agent"), "text": text}
    planning.log_entry(
        session,
        EntryKind.GOAL_ACHIEVED,
        goal.sr_id,
        goal.actor,
        now,
        {"done": goal_progress.done},
        **words,
    )


def _ask_people(session: Session, goal: Goal, goal_progress: GoalProgress, now: datetime) -> None:
    goal.stuck_at = now
    text = t("goals.stuck", sr=goal.sr_id, done=goal_progress.done, failed=goal_progress.failed)
    send(session, "alert", text, now, sr_id=goal.sr_id)
    comments.write_comment(session, goal.sr_id, goal.actor, text, now)
