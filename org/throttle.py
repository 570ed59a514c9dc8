"""Throttling of sign-in attempts across all processes; attempts are counted in the database.

An attempt is counted before it is made and removed when it succeeds, so parallel attempts or a
crashing process gain nothing. Nothing here depends on whether an account exists.
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
    """Count one attempt under each key; return their ids, or `None` if a key's limit is reached.

    Concurrent attempts under the same key wait until this transaction ends.
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


def count_attempts(session: Session, key: str, now: datetime) -> int:
    """Return how many attempts under a key count now."""
    counted = AuthAttempt.key == _hash_key(key), AuthAttempt.tried_at > now - WINDOW
    return session.scalar(select(func.count()).select_from(AuthAttempt).where(*counted)) or 0


def clear_attempts(session: Session, attempt_ids: Collection[int], clear_key: str) -> None:
    """Remove these attempts, and every earlier failure under `clear_key`."""
    session.execute(
        delete(AuthAttempt).where(
            AuthAttempt.attempt_id.in_(attempt_ids) | (AuthAttempt.key == _hash_key(clear_key))
        )
    )


def _hash_key(key: str) -> str:
    # People sometimes type their password into the account field: store neither in clear text.
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
