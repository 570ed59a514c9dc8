"""Tests of the lifecycle triggers with raw SQL from the application's role."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from board_env import BoardEnv, assignment, plan
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from guardia.board.core.claims import Claim
from guardia.board.core.lifecycle import TRANSITIONS, State, issue_state
from guardia.board.core.model import Task
from guardia.board.execution import assignments, tasks
from guardia.board.issues import view
from guardia.board.runs import beats

MOVES = {(before.value, after.value) for (before, _), after in TRANSITIONS.items()}
SERVERS = st.sampled_from([None, "MOF-DB-01", "MOF-WAS-01"])
ACROSS = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def raw(env: BoardEnv) -> Any:
    """Yield a connection of the application's role, with one issue and its task."""
    env.create_issue()
    with psycopg.connect(env.dsn, autocommit=True) as connection:
        yield connection


def put(raw: Any, status: str) -> str:
    """Try to write a task's state; return the state afterwards."""
    try:
        with raw.transaction():
            raw.execute("update tb_ops_task set status = %s", [status])
            raw.execute("update tb_sr_request set status = %s", [status])
    except psycopg.errors.CheckViolation:
        pass
    task, issue = raw.execute(
        "select t.status, s.status from tb_ops_task t join tb_sr_request s using (sr_id)"
    ).fetchone()
    assert task == issue
    return str(task)


def test_both_tables_are_equal(raw: Any) -> None:
    assert set(raw.execute("select before, after from tb_lifecycle").fetchall()) == MOVES


@ACROSS
@given(st.lists(st.sampled_from([*(s.value for s in State), "DONE", ""]), max_size=25))
def test_raw_writes_go_only_where_a_move_leads(raw: Any, wishes: list[str]) -> None:
    with raw.transaction(force_rollback=True):
        here = put(raw, "")
        for wish in wishes:
            there = put(raw, wish)
            assert there == (wish if (here, wish) in MOVES else here)
            here = there


@pytest.mark.parametrize("status", sorted({s.value for s in State} - {"RECEIVED", "PARSED"}))
def test_nothing_begins_in_the_middle(raw: Any, status: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        raw.execute(
            "insert into tb_ops_task (sr_id, status, created_at, updated_at) "
            "values (1, %s, now(), now())",
            [status],
        )


def test_an_issue_cannot_say_other_than_its_tasks(raw: Any) -> None:
    for status in set(State) - {State.RECEIVED}:
        with pytest.raises(psycopg.errors.CheckViolation):
            raw.execute("update tb_sr_request set status = %s", [status.value])


@pytest.mark.parametrize(
    "statement",
    [
        "insert into tb_lifecycle values ('RECEIVED', 'IN_PROGRESS')",
        "delete from tb_lifecycle",
        "alter table tb_ops_task disable trigger lifecycle",
        "set session_replication_role = replica",
        "drop trigger lifecycle on tb_ops_task",
    ],
)
def test_the_application_cannot_lift_it(raw: Any, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        raw.execute(statement)


@ACROSS
@given(
    st.lists(
        st.tuples(SERVERS, st.lists(st.sampled_from(sorted(MOVES)), max_size=12)),
        min_size=1,
        max_size=4,
    )
)
@pytest.mark.slow
def test_the_database_and_the_board_agree_on_the_state_of_several_tasks(
    raw: Any, walks: list[tuple[str | None, list[tuple[str, str]]]]
) -> None:
    with raw.transaction(force_rollback=True):
        raw.execute("delete from tb_ops_task")
        for server, walk in walks:
            (number,) = raw.execute(
                "insert into tb_ops_task (sr_id, status, target_server, created_at, updated_at) "
                "values (1, 'RECEIVED', %s, now(), now()) returning task_id",
                [server],
            ).fetchone()
            here = "RECEIVED"
            for before, after in walk:
                if before == here:
                    raw.execute(
                        "update tb_ops_task set status = %s where task_id = %s", [after, number]
                    )
                    here = after
        query = "select target_server, status from tb_ops_task order by task_id"
        found = [(server, State(status)) for server, status in raw.execute(query)]
        assert raw.execute("select state_of_issue(1)").fetchone() == (issue_state(found).value,)


@pytest.mark.slow
def test_two_tasks_that_move_at_once_leave_the_issue_right(env: BoardEnv) -> None:
    for _ in range(8):
        env.create_issue()
        servers = assignment("MOF-DB-01", "MOF-DB-01")
        assignments.file_triage(env.board, env.claim("dispatcher"), servers)
        begun = beats.begin(env.board, "db-agent")
        assert begun is not None
        first = beats.claim_task(env.board, begun)
        assert first is not None
        second = beats.claim_task(env.board, begun, frozenset({first.task_id}))
        assert second is not None and second.sr_id == first.sr_id
        with env.board.database.transaction() as session:
            # As if claimed by another agent: a beat releases its earlier claims.
            taken = update(Task).where(Task.task_id == first.task_id)
            session.execute(taken.values(run_id=first.run_id))
        together = threading.Barrier(2)

        def act(claim: Claim, together: threading.Barrier = together) -> None:
            together.wait()
            tasks.file_plan(env.board, claim, plan())

        with ThreadPoolExecutor(2) as threads:
            list(threads.map(act, [first, second]))
        assert view.issue(env.board, first.sr_id).state is State.PENDING_APPROVAL
        tasks.hand_over(env.board, first, "끝")
        tasks.hand_over(env.board, second, "끝")
