"""Card of the approvals that wait for the viewer."""

from __future__ import annotations

from guardia.board.approvals import pending
from guardia.board.core.context import BoardContext
from guardia.board.dashboard.cards import CardFilters
from guardia.org.directory import PersonInfo


class WaitingCard:
    """Steps of approval chains that the viewer can decide now, the most urgent first."""

    name = "waiting"
    permission = "approval.answer"
    template = "dashboard/waiting"

    def read(
        self, board: BoardContext, person: PersonInfo, filters: CardFilters
    ) -> pending.PendingSteps:
        """Return the steps that wait for a person."""
        return pending.pending_steps(board, person)
