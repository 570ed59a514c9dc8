"""Store deliveries of monitoring systems at once; a worker folds their alerts afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardia.board.alerts.incoming import ALERTS, IncomingAlert
from guardia.board.alerts.model import AlertDelivery
from guardia.board.core.context import BoardContext
from guardia.db import jobs
from guardia.db.engine import repeat_on_conflict

MAX_ALERTS = 2000
"""Alerts of one delivery."""
_MAX_WAITING = 2000
"""Deliveries of one source that wait: then it is asked to send again later."""
_SAME_DELIVERY = timedelta(seconds=30)
"""Within this time the same bytes are the same delivery, sent again."""


def store_delivery(
    board: BoardContext,
    source: str,
    body: bytes,
    alerts: Sequence[IncomingAlert],
    *,
    omitted: int = 0,
) -> bool:
    """Store the alerts of a delivery; returns `False` if it has to be sent again later."""
    if not alerts and not omitted:
        return True
    return _store(board, source, hashlib.sha256(body).hexdigest(), alerts, omitted)


@repeat_on_conflict
def _store(
    board: BoardContext, source: str, digest: str, alerts: Sequence[IncomingAlert], omitted: int
) -> bool:
    now = board.clock()
    with board.database.transaction() as session:
        repeated = select(AlertDelivery.delivery_id).where(
            AlertDelivery.source == source,
            AlertDelivery.digest == digest,
            AlertDelivery.received_at > now - _SAME_DELIVERY,
        )
        if session.scalar(repeated.limit(1)) is not None:
            return True
        if _count_waiting(session, source) >= _MAX_WAITING:
            return False
        session.add(
            AlertDelivery(
                source=source,
                digest=digest,
                alerts=ALERTS.dump_python(list(alerts), mode="json"),
                omitted=omitted,
                received_at=now,
            )
        )
        defer(session, source)
        return True


def _count_waiting(session: Session, source: str) -> int:
    waiting = (
        select(AlertDelivery.delivery_id)
        .where(AlertDelivery.source == source, AlertDelivery.folded_at.is_(None))
        .limit(_MAX_WAITING)
        .subquery()
    )
    return session.scalar(select(func.count()).select_from(waiting)) or 0


def defer(session: Session, source: str) -> None:
    """Have a worker fold and settle the alerts of a source."""
    jobs.defer(session, "alerts", lock=f"alerts:{source}", source=source)
