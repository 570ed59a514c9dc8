"""Card of the approvals that wait for the viewer."""

from __future__ import annotations

from guardia.board.approvals import pending
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.dashboard.cards import CardFilters, CardTable
from guardia.i18n import t
from guardia.org.directory import PersonInfo


class WaitingCard:
    """Steps of approval chains that the viewer can decide now, the most urgent first."""

    name = "waiting"
    permission = "approval.answer"
    template = "dashboard/waiting"
    filters = frozenset[str]()

    def read(
        self, board: BoardContext, person: PersonInfo, filters: CardFilters
    ) -> pending.PendingSteps:
        """Return the steps that wait for a person."""
        return pending.pending_steps(board, person)

    def table(self, data: pending.PendingSteps, filters: CardFilters) -> CardTable:
        """Return a step a row."""
        names = ("issue", "title", "server", "priority", "since", "due")
        return CardTable(
            tuple(t(f"dashboard.column.{name}") for name in names),
            tuple(
                (issue_ref(one.sr_id), one.title, one.server, one.priority, one.since, one.due)
                for one in data.steps
            ),
        )
