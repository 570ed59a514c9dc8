from __future__ import annotations

from datetime import UTC, datetime

import pytest
from board_env import BoardEnv
from sqlalchemy import bindparam, insert, select, update

from guardia.board.core.model import OutboxEntry, Task
from guardia.db.statement import Statement, constant

_OUTBOX = OutboxEntry.__table__


def test_values_pass_the_types_of_their_columns_and_defaults_are_filled_in(env: BoardEnv) -> None:
    names = ("kind", "text", "created_at", "target")
    added = Statement(
        insert(_OUTBOX)  # type: ignore[arg-type]
        .values({name: bindparam(name) for name in names})
        .returning(OutboxEntry.text, OutboxEntry.target, OutboxEntry.choices, OutboxEntry.attempts)
    )
    row = {"kind": "alert", "text": "가\x1b나", "created_at": datetime.now(UTC)}
    with env.board.database.transaction() as session:
        found = added.run(session, {**row, "target": {"a": "\x00b"}}).fetchone()
    assert found == ("가나", {"a": "b"}, [], 0)


def test_what_is_pending_in_the_session_is_written_first(env: BoardEnv) -> None:
    env.create_issue()
    server = Statement(select(Task.target_server).where(Task.task_id == bindparam("task")))
    with env.board.database.transaction() as session:
        task = session.scalars(select(Task)).one()
        task.target_server = "MOF-DB-01"
        assert server.first(session, {"task": task.task_id}) == "MOF-DB-01"
        assert server.first(session, {"task": 0}) is None


def test_constants_of_the_code_are_part_of_the_statement(env: BoardEnv) -> None:
    words = [constant("PARSED"), constant("RECEIVED")]
    counted = Statement(
        update(Task.__table__)  # type: ignore[arg-type]
        .where(Task.status.in_(words), Task.agent_id == "dispatcher")
        .values(attempt=bindparam("number"))
    )
    env.create_issue()
    with env.board.database.transaction() as session:
        assert counted.run(session, {"number": 3}).rowcount == 1


def test_a_list_of_values_is_refused_where_it_would_change_the_text(env: BoardEnv) -> None:
    listed = Statement(select(Task.task_id).where(Task.status.in_(["PARSED"])))
    with env.board.database.transaction() as session, pytest.raises(AssertionError):
        listed.run(session)
