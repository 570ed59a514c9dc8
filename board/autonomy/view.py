"""The report on observed plans: counts by institution and category, and the plans themselves."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from guardia.board.audit.log import snapshot_size
from guardia.board.audit.model import AuditEntry
from guardia.board.autonomy import records
from guardia.board.autonomy.policy import Comparison, share_same
from guardia.board.autonomy.records import Observed
from guardia.board.core.context import BoardContext
from guardia.board.core.keyset import Keyset, Slice, read_slice
from guardia.org import revisions
from guardia.org.autonomy import AutonomyMode, autonomy_mode
from guardia.org.model import Institution

DEFAULT_DAYS = 90
MAX_DAYS = 3650
_BATCH = 500


@dataclass(frozen=True, slots=True)
class AutonomyQuery(Keyset):
    """Period and page of the report."""

    days: int = DEFAULT_DAYS


@dataclass(frozen=True, slots=True)
class AutonomyLine:
    """The counts of one institution and category."""

    institution: str | None
    institution_name: str
    category: str
    mode: AutonomyMode
    """What the running chart says by now."""
    counts: Counter[Comparison]

    @property
    def total(self) -> int:
        """How many plans were observed."""
        return self.counts.total()

    @property
    def share(self) -> int | None:
        """The percentage of the same action among the plans that can be judged."""
        return share_same(self.counts.elements())


@dataclass(frozen=True, slots=True)
class AutonomyReport(Slice[Observed]):
    """The counts of the period, and one page of its plans, newest first."""

    lines: tuple[AutonomyLine, ...]
    position: int
    """Length of the audit log in this snapshot."""


def autonomy_report(board: BoardContext, query: AutonomyQuery) -> AutonomyReport:
    """Return the report of a period."""
    since = board.clock() - timedelta(days=query.days)
    with board.database.reading() as session:
        observed = records.latest_observed(since)
        page = read_slice(session, observed, AuditEntry.seq, query, key=lambda row: int(row.seq))
        counts: dict[tuple[str | None, str], Counter[Comparison]] = defaultdict(Counter)
        for rows in session.execute(observed.order_by(AuditEntry.seq)).partitions(_BATCH):
            for one in records.compared(session, rows):
                counts[one.institution, one.category][one.comparison] += 1
        rules = revisions.running_chart(session).autonomy if counts else ()
        named = session.execute(select(Institution.inst_id, Institution.inst_name))
        names: dict[str | None, str] = {row.inst_id: row.inst_name for row in named}
        lines = tuple(
            AutonomyLine(
                institution,
                names.get(institution, institution or "-"),
                category,
                autonomy_mode(rules, (institution,), category),
                found,
            )
            for (institution, category), found in sorted(
                counts.items(), key=lambda item: (item[0][0] or "", item[0][1])
            )
        )
        plans = tuple(records.compared(session, page.rows))
        return AutonomyReport(
            plans, page.newer, page.older, lines=lines, position=snapshot_size(session)
        )
