"""What one connection may do to all the others."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from guardia.db.engine import OUTAGE_ERRORS, Database


def test_who_is_paused_in_a_transaction_soon_keeps_nobody_waiting(database: Any) -> None:
    """As a worker that was stopped (SIGSTOP) while it wrote to the record."""
    lock = text("select size from tb_audit_head for update")
    limit = text("select setting from pg_settings where name = :name")
    name = {"name": "idle_in_transaction_session_timeout"}
    paused, other = Database(database.app), Database(database.app)
    try:
        with pytest.raises(OUTAGE_ERRORS), paused.transaction() as first:
            assert first.scalar(limit, name) == "10000"  # milliseconds
            first.execute(text("set local idle_in_transaction_session_timeout = '500ms'"))
            first.execute(lock)
            with other.transaction() as second:
                second.execute(lock)  # waits until the first one's session was ended
            first.execute(lock)
        with paused.transaction() as again:
            again.execute(lock)
    finally:
        paused.close()
        other.close()
