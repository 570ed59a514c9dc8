"""Fold the changes of figures into their totals, and rebuild the totals from the tables."""

from __future__ import annotations

from sqlalchemy import text

from guardia.board.core.context import BoardContext
from guardia.db.engine import repeat_on_conflict

# Locking a table takes no snapshot, so what follows sees all that a fold before it did. Neither
# readers nor the triggers wait for this lock.
_LOCK = text("lock table tb_figure_total in share row exclusive mode")
_FOR_ALL_TOO = "cross join lateral (values (inst_id), ('*')) as side (inst) group by 1, 2, 3, 4"
_FOLD = text(f"""
    with folded as (delete from tb_figure_change returning measure, inst_id, day, part, n)
    insert into tb_figure_total as total (measure, inst_id, day, part, n)
    select measure, side.inst, day, part, sum(n) from folded {_FOR_ALL_TOO}
    on conflict (measure, inst_id, day, part) do update set n = total.n + excluded.n
""")
_BUILD = text(f"""
    insert into tb_figure_total (measure, inst_id, day, part, n)
    select measure, side.inst, day, part, sum(n) from counted_figures() {_FOR_ALL_TOO}
""")


@repeat_on_conflict
def fold(board: BoardContext) -> None:
    """Add the changes to the totals, so that reading them stays cheap."""
    with board.database.transaction() as session:
        session.execute(_LOCK)
        session.execute(_FOLD)
        session.execute(text("delete from tb_figure_total where n = 0"))


@repeat_on_conflict
def rebuild(board: BoardContext) -> int:
    """Count everything again from the tables; returns the number of totals.

    The totals become those of one snapshot. Transactions that commit later wait for nothing, and
    their changes stay beside the totals.
    """
    with board.database.transaction() as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        session.execute(_LOCK)
        session.execute(text("delete from tb_figure_change"))
        session.execute(text("delete from tb_figure_total"))
        session.execute(_BUILD)
        return session.scalar(text("select count(*) from tb_figure_total")) or 0
