"""Card of all approvals that wait, the oldest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from guardia.board.approvals.model import Approval
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.labels import label
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Issue, Task
from guardia.board.dashboard import links
from guardia.board.dashboard.cards import CardFilters, CardTable
from guardia.i18n import t
from guardia.org.directory import PersonInfo

_MOST = 10


@dataclass(frozen=True, slots=True)
class WaitingApproval:
    """A step of an approval chain that is due."""

    sr_id: int
    title: str
    server: str | None
    role: str
    since: datetime
    due: datetime | None


@dataclass(frozen=True, slots=True)
class WaitingApprovals:
    """The oldest steps, and how many there are."""

    rows: tuple[WaitingApproval, ...]
    total: int
    late: int
    """Those whose time has passed."""
    now: datetime
    link: str


class ApprovalsCard:
    """Approvals of everyone, with their age."""

    name = "approvals"
    permission = "plan.read"
    template = "dashboard/approvals"
    filters = frozenset({"institution", "server"})

    def read(
        self, board: BoardContext, person: PersonInfo, filters: CardFilters
    ) -> WaitingApprovals:
        """Read the steps that are due."""
        now = board.clock()
        query = (
            select(
                Issue.sr_id,
                Issue.title,
                Task.target_server,
                Approval.role,
                Approval.opened_at,
                Approval.due_at,
                func.count().over(),
                func.count().filter(Approval.due_at <= now).over(),
            )
            .join(Task, (Task.task_id == Approval.task_id) & (Task.plan_hash == Approval.plan_hash))
            .join(Issue, Issue.sr_id == Task.sr_id)
            .where(
                Approval.state == "WAITING",
                Approval.opened_at.is_not(None),
                Task.status == State.PENDING_APPROVAL.value,
                filters.tasks(person),
            )
            .order_by(Approval.opened_at, Approval.approval_id)
            .limit(_MOST)
        )
        with board.database.reading() as session:
            rows = session.execute(query).all()
        return WaitingApprovals(
            tuple(_waiting(row) for row in rows),
            rows[0][6] if rows else 0,
            rows[0][7] if rows else 0,
            now,
            links.with_task(filters, State.PENDING_APPROVAL.value.lower()),
        )

    def table(self, data: WaitingApprovals, filters: CardFilters) -> CardTable:
        """Return a step a row, with its age in hours."""
        names = ("issue", "title", "server", "role", "since", "age_hours", "due")
        return CardTable(
            tuple(t(f"dashboard.column.{name}") for name in names),
            tuple(
                (
                    issue_ref(one.sr_id),
                    one.title,
                    one.server,
                    label("org.role", one.role),
                    one.since,
                    round((data.now - one.since).total_seconds() / 3600, 1),
                    one.due,
                )
                for one in data.rows
            ),
        )


def _waiting(row: Any) -> WaitingApproval:
    return WaitingApproval(*row[:6])
