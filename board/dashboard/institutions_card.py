"""Card of the institutions: open, completed and failed work of each."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import OPEN_STATES, State
from guardia.board.dashboard import figures, links
from guardia.board.dashboard.cards import ALL_FILTERS, CardFilters, CardTable
from guardia.i18n import t
from guardia.org.directory import PersonInfo
from guardia.org.model import Institution

_MOST = 15
_OPEN = frozenset(state.value for state in OPEN_STATES)
_Counted = dict[tuple[str, str, str], int]


@dataclass(frozen=True, slots=True)
class InstitutionFigures:
    """Requests of one institution."""

    inst_id: str
    name: str
    open: int
    urgent: int
    """Open ones of priority P1 or P2."""
    completed: int
    failed: int
    links: dict[str, str]


class InstitutionsCard:
    """Institutions with the most open requests first."""

    name = "institutions"
    permission = "plan.read"
    template = "dashboard/institutions"
    filters = ALL_FILTERS

    def read(
        self, board: BoardContext, person: PersonInfo, filters: CardFilters
    ) -> tuple[InstitutionFigures, ...]:
        """Read what is open, and what ended in the period."""
        since = filters.first_day(board.clock())
        by = ["part", "inst_id"]
        with board.database.reading() as session:
            now = ["issue_state", "issue_urgent"]
            found = figures.sums(session, person, filters, now, by=by)
            found += figures.sums(session, person, filters, ["issue_ended"], by=by, since=since)
            numbers = {
                (f.inst_id, f.measure, f.part): f.n
                for f in found
                if f.inst_id and (f.measure != "issue_state" or f.part in _OPEN)
            }
            names = select(Institution.inst_id, Institution.inst_name)
            names = names.where(Institution.inst_id.in_({key[0] for key in numbers}))
            known = {row[0]: row[1] for row in session.execute(names)}
        rows = [
            _figures(inst, known.get(inst, inst), numbers, filters, f"closed:>={since}")
            for inst in sorted({key[0] for key in numbers})
        ]
        return tuple(sorted(rows, key=lambda one: (-one.open, one.inst_id))[:_MOST])

    def table(self, data: tuple[InstitutionFigures, ...], filters: CardFilters) -> CardTable:
        """Return an institution a row."""
        names = ("name", "open", "urgent", "completed", "failed")
        return CardTable(
            tuple(t(f"dashboard.institutions.{name}") for name in names),
            tuple((one.name, one.open, one.urgent, one.completed, one.failed) for one in data),
        )


def _figures(
    inst: str, name: str, numbers: _Counted, filters: CardFilters, ended: str
) -> InstitutionFigures:
    def ended_as(state: State) -> tuple[int, str]:
        word = f"status:{state.value.lower()}"
        found = numbers.get((inst, "issue_ended", state.value), 0)
        return found, links.issues(filters, word, ended, institution=inst)

    completed, failed = ended_as(State.COMPLETED), ended_as(State.FAILED_ROLLBACK)
    return InstitutionFigures(
        inst,
        name,
        sum(n for key, n in numbers.items() if key[:2] == (inst, "issue_state")),
        numbers.get((inst, "issue_urgent", ""), 0),
        completed[0],
        failed[0],
        {
            "open": links.open_issues(filters, institution=inst),
            "urgent": links.open_issues(filters, "urgent:yes", institution=inst),
            "completed": completed[1],
            "failed": failed[1],
        },
    )
