"""Issues by state. States follow work, approvals and directives, so nothing is dragged here."""

from __future__ import annotations

from dataclasses import dataclass

from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import ENDED_STATES, State
from guardia.board.tracker import issue_list
from guardia.board.tracker.filter_terms import FilterProblem
from guardia.board.tracker.issue_list import Count, IssueQuery, IssueRow
from guardia.org.directory import PersonInfo

COLUMN_SIZE = 20
_COUNTED = 1_000
GROUPS: tuple[tuple[State, ...], ...] = (
    (State.RECEIVED,),
    (State.PARSED,),
    (State.PENDING_APPROVAL,),
    (State.APPROVED,),
    (State.IN_PROGRESS,),
    (State.MANUAL,),
    ENDED_STATES,
)
"""The states of each column, in the order in which work passes through them."""


@dataclass(frozen=True, slots=True)
class StatusColumn:
    """One column: the newest issues in its states, and how many there are."""

    states: tuple[State, ...]
    rows: tuple[IssueRow, ...]
    count: Count | None
    words: str
    """The term that demands these states."""

    @property
    def is_ended(self) -> bool:
        """Whether work has ended in its states."""
        return len(self.states) > 1


@dataclass(frozen=True, slots=True)
class StatusBoard:
    """All columns, or the problems of the filter."""

    columns: tuple[StatusColumn, ...]
    problems: tuple[FilterProblem, ...] = ()


def read_board(board: BoardContext, viewer: PersonInfo, words: str) -> StatusBoard:
    """Return the issues that a filter finds, by state."""
    columns = []
    for states in GROUPS:
        term = "status:" + ",".join(state.value.lower() for state in states)
        query = IssueQuery("all", f"{words} {term}".strip(), size=COLUMN_SIZE)
        found = issue_list.list_issues(board, viewer, query)
        if found.problems:
            return StatusBoard((), found.problems)
        with board.database.reading() as session:
            count = issue_list.count_issues(session, viewer, query, board.clock(), _COUNTED)
        columns.append(StatusColumn(states, found.rows, count, term))
    return StatusBoard(tuple(columns))
