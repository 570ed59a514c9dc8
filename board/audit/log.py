"""TODO."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardia.board.record_model import ChainHead


def position(session: Session) -> int:
    """How long the record is in this snapshot."""
    return session.scalar(select(func.coalesce(func.max(ChainHead.size), 0))) or 0
