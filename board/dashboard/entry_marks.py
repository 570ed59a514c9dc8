"""Which entries of the audit log a list must mark as suspicious: a quick look at their hashes."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.model import AuditEntry


def broken(session: Session, numbers: Sequence[int]) -> frozenset[int]:
    """Return which of these entries do not have their hash, or do not join their neighbours.

    An entry that was rewritten together with its own hash no longer is what the next one names;
    after a removed entry, the next one follows none.
    """
    around = {number + step for number in numbers for step in (-1, 0, 1)}
    query = select(AuditEntry.seq, AuditEntry.previous_hash, AuditEntry.current_hash)
    rows = {row.seq: row for row in session.execute(query.where(AuditEntry.seq.in_(around)))}
    end, altered = log.head(session), log.altered_entries(session, sorted(rows))

    def is_broken(number: int) -> bool:
        if number in altered or number not in rows:
            return True
        if number > 1 and number - 1 not in rows:
            return True
        if number >= end.size:
            return number > end.size or rows[number].current_hash != end.head
        following = rows.get(number + 1)
        if following is None or following.seq in altered:
            return False  # That entry is marked, or missing: it says nothing of this one.
        return bool(following.previous_hash != rows[number].current_hash)

    return frozenset(number for number in numbers if is_broken(number))
