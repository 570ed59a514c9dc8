"""One session cannot block all the others."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from guardia.db.engine import OUTAGE_ERRORS, Database

BOARD = Path(__file__).resolve().parents[2] / "board"


@pytest.mark.slow
def test_a_session_paused_in_a_transaction_is_ended_and_unblocks_others(database: Any) -> None:
    """Like a worker that is stopped (SIGSTOP) while it writes to the audit log."""
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
                second.execute(lock)  # waits until the server ends the first session
            first.execute(lock)
        with paused.transaction() as again:
            again.execute(lock)
    finally:
        paused.close()
        other.close()


@pytest.mark.slow
def test_every_use_case_is_repeated_after_a_lost_conflict() -> None:
    found = [function for file in BOARD.rglob("*.py") for function in use_cases(file.read_text())]
    assert len(found) > 80
    assert [function.name for function in found if not is_repeated(function)] == []


def use_cases(source: str) -> list[ast.FunctionDef]:
    """Return the functions of a module that open a transaction."""
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    return [f for f in functions if ".database.transaction()" in ast.unparse(f)]


def is_repeated(function: ast.FunctionDef) -> bool:
    return any(ast.unparse(d) == "repeat_on_conflict" for d in function.decorator_list)
