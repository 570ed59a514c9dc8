"""What one connection may do to all the others."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from guardia.db.engine import AWAY, Database


def test_who_is_paused_in_a_transaction_soon_keeps_nobody_waiting(database: Any) -> None:
    """As a worker that was stopped (SIGSTOP) while it wrote to the record."""
    lock = text("select size from tb_audit_head for update")
    paused, other = Database(database.app), Database(database.app)
    try:
        with pytest.raises(AWAY), paused.transaction() as first:
            first.execute(lock)
            with other.transaction() as second:
                second.execute(lock)  # waits until the first one's session was ended
            first.execute(lock)
        with paused.transaction() as again:
            again.execute(lock)
    finally:
        paused.close()
        other.close()
