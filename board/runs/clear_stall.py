"""Let agents continue on an issue that was stalled by a wake loop."""

from __future__ import annotations

from sqlalchemy import select

from guardia.board.core import wake_budget
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.lookup import get_issue
from guardia.board.core.model import Task
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import wake
from guardia.board.runs.claiming import CLAIMABLE_STATES
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo


@repeat_on_conflict
def clear(board: BoardContext, person: PersonInfo, sr_id: int) -> None:
    """Clear the stall, renew the wake budgets and wake the agents that have work on the issue."""
    require_permission(person, "stall.lift")
    actor, now = Actor.of(person), board.clock()
    with board.database.transaction() as session:
        issue = get_issue(session, sr_id)
        if not wake_budget.renew(session, sr_id, actor, now):
            raise Invalid(what=issue.ref, why=t("board.not_stalled"))
        waiting = select(Task.agent_id).where(
            Task.sr_id == sr_id, Task.status.in_(CLAIMABLE_STATES), Task.agent_id.is_not(None)
        )
        for agent in session.scalars(waiting.distinct().order_by(Task.agent_id)).all():
            wake(session, str(agent), WakeReason.RESUMED, now, sr_id, by=actor)
