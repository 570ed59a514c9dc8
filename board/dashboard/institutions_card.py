"""Card of the institutions: open, completed and failed work of each."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import OPEN_STATES, State
from guardia.board.core.model import Issue
from guardia.board.dashboard.cards import CardFilters
from guardia.org.directory import PersonInfo
from guardia.org.model import Institution

_MOST = 15


@dataclass(frozen=True, slots=True)
class InstitutionFigures:
    """Requests of one institution."""

    inst_id: str | None
    name: str
    open: int
    urgent: int
    """Open ones of priority P1 or P2."""
    completed: int
    failed: int


class InstitutionsCard:
    """Institutions with the most open requests first."""

    name = "institutions"
    permission = "plan.read"
    template = "dashboard/institutions"

    def read(
        self, board: BoardContext, person: PersonInfo, filters: CardFilters
    ) -> tuple[InstitutionFigures, ...]:
        """Count the requests that are open, or that ended in the period."""
        is_open = Issue.status.in_([s.value for s in OPEN_STATES])
        recent = Issue.updated_at >= filters.begins(board.clock())
        failed = Issue.status == State.FAILED_ROLLBACK.value
        opened = func.count().filter(is_open)
        query = (
            select(
                Issue.inst_id,
                func.coalesce(Institution.inst_name, Issue.inst_id),
                opened,
                func.count().filter(is_open, Issue.priority.in_(["P1", "P2"])),
                func.count().filter(Issue.status == State.COMPLETED.value),
                func.count().filter(failed),
            )
            .outerjoin(Institution, Institution.inst_id == Issue.inst_id)
            .where(Issue.inst_id.is_not(None), is_open | recent, filters.issues(person))
            .group_by(Issue.inst_id, Institution.inst_name)
            .order_by(opened.desc(), Issue.inst_id)
            .limit(_MOST)
        )
        with board.database.reading() as session:
            return tuple(InstitutionFigures(*row) for row in session.execute(query).all())
