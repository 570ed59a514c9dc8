"""Slowing down whoever guesses, over all processes: tries are counted in the database.

A try is counted before it is made and taken back when it succeeds, so that many at once, or a
process that dies meanwhile, gain nothing. Nothing here knows whether an account exists.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from guardia.org.model import AuthAttempt

WINDOW = timedelta(minutes=5)


def register_attempt(
    session: Session, limits: Mapping[str, int], now: datetime
) -> list[int] | None:
    """Count one try under each key; its numbers, or ``None`` where a key's limit is reached.

    Whoever tries under the same key waits until this transaction ends.
    """
    keys = {_hash_key(key): limit for key, limit in limits.items()}
    for key in sorted(keys):
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
    session.execute(delete(AuthAttempt).where(AuthAttempt.tried_at <= now - WINDOW))
    counts = session.execute(
        select(AuthAttempt.key, func.count())
        .where(AuthAttempt.key.in_(keys))
        .group_by(AuthAttempt.key)
    )
    if any(count >= keys[key] for key, count in counts):
        return None
    rows = [{"key": key, "tried_at": now} for key in keys]
    return list(session.scalars(insert(AuthAttempt).returning(AuthAttempt.attempt_id), rows))


def clear_attempts(session: Session, attempt_ids: Collection[int], clear_key: str) -> None:
    """Take these tries back, and every failure before them under the key ``forget``."""
    session.execute(
        delete(AuthAttempt).where(
            AuthAttempt.attempt_id.in_(attempt_ids) | (AuthAttempt.key == _hash_key(clear_key))
        )
    )


def _hash_key(key: str) -> str:
    # People type their password where the account belongs: neither is kept in the clear.
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
