"""Card of the agents' autonomy: what they finished, what failed, and what needed a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import case, func, select

from guardia.board.approvals.model import Approval, Decision
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Directive, Issue, Task
from guardia.board.dashboard.cards import CardFilters
from guardia.org.directory import PersonInfo

_SHOWN = (
    State.IN_PROGRESS,
    State.COMPLETED,
    State.FAILED_ROLLBACK,
    State.ROLLED_BACK,
    State.REJECTED,
    State.MANUAL,
)


@dataclass(frozen=True, slots=True)
class AutonomyFigures:
    """Tasks of agents that were opened in the period."""

    by_state: tuple[tuple[State, int], ...]
    completed: int
    alone: int
    """Completed tasks on which no person decided or intervened."""
    mean: timedelta | None
    """Mean time of completed tasks, from receipt to the end."""

    @property
    def alone_percent(self) -> int:
        """Share of the completed tasks without a person, rounded down."""
        return 100 * self.alone // self.completed if self.completed else 0


class AutonomyCard:
    """Results of the agents' work."""

    name = "agents_work"
    permission = "plan.read"
    template = "dashboard/agents_work"

    def read(
        self, board: BoardContext, person: PersonInfo, filters: CardFilters
    ) -> AutonomyFigures:
        """Count the tasks."""
        by_person = (
            select(Decision.decision_id)
            .join(Approval, Approval.approval_id == Decision.approval_id)
            .where(Approval.task_id == Task.task_id)
            .exists()
        )
        directed = select(Directive.directive_id).where(Directive.task_id == Task.task_id).exists()
        alone = case((~by_person & ~directed, 1), else_=0)
        seconds = func.extract("epoch", Task.updated_at - Task.created_at)
        begin = filters.begins(board.clock())
        query = (
            select(Task.status, func.count(), func.sum(alone), func.avg(seconds))
            .join(Issue, Issue.sr_id == Task.sr_id)
            .where(
                Task.agent_id.is_not(None),
                Task.created_at >= begin,
                Task.status.in_([s.value for s in _SHOWN]),
                filters.issues(person),
            )
            .group_by(Task.status)
        )
        with board.database.reading() as session:
            found = {row[0]: row for row in session.execute(query).all()}
        done = found.get(State.COMPLETED.value)
        return AutonomyFigures(
            tuple((s, int(found[s.value][1]) if s.value in found else 0) for s in _SHOWN),
            completed=int(done[1]) if done else 0,
            alone=int(done[2]) if done else 0,
            mean=timedelta(seconds=round(done[3])) if done else None,
        )
