"""Once a minute: alerts whose silence may be over, work that a lost worker left, old alerts."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, text

from guardia.board.alerts import inbox
from guardia.board.alerts.model import Alert
from guardia.board.alerts.policy import AlertState
from guardia.board.core.context import BoardContext
from guardia.db.engine import repeat_on_conflict

_KEPT = timedelta(days=90)
_SOURCES = text("""
    select source from tb_alert where unsettled
    union select source from tb_alert where state = 'SILENCED'
    union select source from tb_alert_delivery where folded_at is null
""")


@repeat_on_conflict
def process_due(board: BoardContext) -> int:
    """Queue the sources that have something to do; return how many."""
    now = board.clock()
    with board.database.transaction() as session:
        old = (Alert.state == AlertState.RESOLVED, Alert.last_seen < now - _KEPT)
        session.execute(delete(Alert).where(*old).execution_options(synchronize_session=False))
        sources = session.scalars(_SOURCES).all()
        for source in sources:
            inbox.defer(session, source)
        return len(sources)
