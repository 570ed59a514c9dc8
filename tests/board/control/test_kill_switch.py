"""Tests of the kill switch: stop, rollback, report and release."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from board_env import (
    CUSTOMER,
    ENGINEER,
    LEAD,
    OFFICER,
    PM,
    SERVER,
    TERMINATE,
    BoardEnv,
    assignment,
    plan,
)

from guardia.board.approvals import decisions
from guardia.board.audit import log
from guardia.board.control import kill_switch as control_kill_switch
from guardia.board.control import rollback
from guardia.board.control.rollback import RollbackClaim
from guardia.board.core import kill_switch
from guardia.board.core.claims import Claim, Grant
from guardia.board.core.keyless import keyless_context
from guardia.board.core.lifecycle import State
from guardia.board.core.plan import Action, Risk, ToolCall
from guardia.board.core.wakes import wake
from guardia.board.execution import assignments, commands, grants, tasks
from guardia.board.execution.commands import PlanStep
from guardia.board.intake import stop_command
from guardia.board.issues import receiving
from guardia.board.runs import beats
from guardia.db.engine import Database
from guardia.errors import Forbidden, Invalid, Refused, Stale

READ = ToolCall(tool="database.locks", args={"service": "budgetdb"})
LEVEL = {"service": "budgetdb", "level": "INFO", "previous": "DEBUG"}
DO = ToolCall(tool="service.set_log_level", args=LEVEL)
UNDO = ToolCall(
    tool="service.set_log_level", args={"service": "budgetdb", "level": "DEBUG", "previous": "INFO"}
)


def running(env: BoardEnv) -> tuple[Claim, Grant]:
    """Start a task with one reversible change."""
    change = Action(call=DO, risk=Risk.CHANGE, effect="로그 수준 변경", command="…", undo=UNDO)
    held, _, bound = env.create_filed_plan(plan("MAINTENANCE", change))
    decisions.decide(env.board, LEAD, held.task_id, approve=True, plan_hash=bound)
    again = env.claim("db-agent")
    grant = tasks.begin_execution(env.board, again)
    commands.record_intent(env.board, grant, DO, "…", PlanStep(0, "do"))
    return again, grant


def rows(env: BoardEnv, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(env.dsn) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def kinds(env: BoardEnv) -> list[str]:
    with env.board.database.reading() as session:
        assert log.verify_all(session).intact
        return [link.kind for link in log.entries(session)]


def ordered(env: BoardEnv) -> RollbackClaim:
    begun = beats.begin(env.board, "db-agent")
    assert begun is not None
    found = rollback.claim_rollback(env.board, begun)
    assert found is not None
    assert beats.claim_task(env.board, begun) is None
    return found


def attempts(env: BoardEnv, claim: Claim, grant: Grant) -> list[Callable[[], object]]:
    """Return every operation that an agent could still try with its claim."""
    board = env.board
    return [
        lambda: commands.record_intent(board, grant, READ, "…"),
        lambda: commands.record_intent(board, grant, TERMINATE, "…", PlanStep(0, "do")),
        lambda: commands.record_intent(board, grant, UNDO, "…", PlanStep(0, "undo")),
        lambda: tasks.begin_execution(board, claim),
        lambda: grants.grant_reads(board, claim),
        lambda: tasks.complete(board, claim, "끝"),
        lambda: tasks.fail(board, claim, "끝"),
        lambda: tasks.hand_over(board, claim, "끝"),
        lambda: tasks.add_comment(board, claim, "말"),
    ]


def test_claims_and_grants_are_invalid_after_the_stop(env: BoardEnv) -> None:
    claim, grant = running(env)
    done = control_kill_switch.kill(env.board, ENGINEER, "이상 동작")
    assert (done.stopped, done.undoing, done.already_on) == (1, 1, False)
    for attempt in attempts(env, claim, grant):
        with pytest.raises(Stale):
            attempt()
    assert rows(env, "select status from tb_ops_task") == [("IN_PROGRESS",)]


@pytest.mark.slow
def test_nothing_is_claimed_while_it_is_on_also_not_by_another_process(env: BoardEnv) -> None:
    env.create_parsed_task()
    env.create_issue()
    control_kill_switch.kill(env.board, LEAD, "점검")
    other = Database(env.dsn, pool_size=2)
    for board in (env.board, keyless_context(other)):
        for agent in ("dispatcher", "db-agent"):
            with board.database.transaction() as session:
                wake(session, agent, "manual", board.clock())
            begun = beats.begin(board, agent)
            assert begun is not None
            assert beats.claim_task(board, begun) is None
            assert rollback.claim_rollback(board, begun) is None
    other.close()


def test_a_claim_forged_under_the_switch_is_refused_at_the_gate(env: BoardEnv) -> None:
    claim = env.create_parsed_task()
    control_kill_switch.kill(env.board, LEAD)
    with psycopg.connect(env.dsn) as connection:  # as if a claim had slipped through
        connection.execute(
            "update tb_ops_task set fence = %s, run_id = %s", [claim.fence, claim.run_id]
        )
    grant = Grant(claim, SERVER.server_id, "READ_ONLY", None)
    with pytest.raises(Refused, match="전체 정지"):
        commands.record_intent(env.board, grant, READ, "…")


def test_a_rollback_grant_permits_undo_and_reads_and_nothing_else(env: BoardEnv) -> None:
    running(env)
    control_kill_switch.kill(env.board, LEAD, "정지")
    grant = rollback.grant_rollback(env.board, ordered(env)).grant
    commands.record_intent(env.board, grant, READ, "…")
    with pytest.raises(Refused, match="원복과 조회만"):
        commands.record_intent(env.board, grant, DO, "…", PlanStep(0, "do"))
    with pytest.raises(Refused):
        commands.record_intent(env.board, grant, DO, "…", PlanStep(0, "undo"))
    commands.record_intent(env.board, grant, UNDO, "…", PlanStep(0, "undo"))
    with pytest.raises(Refused, match="이미"):
        commands.record_intent(env.board, grant, UNDO, "…", PlanStep(0, "undo"))
    forged = Grant(grant.claim, grant.server_id, grant.category, grant.plan_hash, directive_id=999)
    with pytest.raises(Refused, match="지시가 없습니다"):
        commands.record_intent(env.board, forged, READ, "…")


@pytest.mark.slow
def test_stopped_work_is_undone_and_reported_once(env: BoardEnv) -> None:
    claim, _ = running(env)
    done = control_kill_switch.kill(env.board, PM, "오동작")
    assert "kill_report" not in kinds(env)
    order = ordered(env)
    rollback.finish_rollback(env.board, order, ["- 로그 수준 변경"], [])
    found = {
        s.task_id: (s.found, s.state, s.outcome)
        for s in control_kill_switch.stopped_tasks(env.board, 1)
    }
    assert found[claim.task_id] == ("IN_PROGRESS", "FAILED_ROLLBACK", "RESTORED")
    assert done.undoing == 1
    assert kinds(env).count("kill_report") == 1
    alerts = rows(env, "select text from tb_outbox where kind = 'alert' order by outbox_id")
    assert len(alerts) == 2
    assert f"SR-{claim.sr_id} MOF-DB-01" in str(alerts[1])
    notes = rows(env, "select body from tb_comment where author = 'operator:guardia'")
    assert any("원복 완료" in str(note) for note in notes)


@pytest.mark.slow
def test_what_cannot_be_undone_ends_with_people_and_an_alert(env: BoardEnv) -> None:
    claim, _ = running(env)
    control_kill_switch.kill(env.board, PM, "오동작")
    assert (
        rollback.finish_rollback(env.board, ordered(env), [], ["- 서버가 응답하지 않음"])
        is State.MANUAL
    )
    assert control_kill_switch.stopped_tasks(env.board, 1)[0].outcome == "NOT_RESTORED"
    alerts = rows(env, f"select text from tb_outbox where kind = 'alert' and sr_id = {claim.sr_id}")
    assert "서버가 응답하지 않음" in str(alerts)


@pytest.mark.slow
def test_an_interrupted_rollback_is_claimed_again(env: BoardEnv) -> None:
    running(env)
    control_kill_switch.kill(env.board, PM, "오동작")
    first = ordered(env)
    second = ordered(env)
    with pytest.raises(Stale):
        rollback.finish_rollback(env.board, first, [], [])
    assert rollback.finish_rollback(env.board, second, [], []) is State.FAILED_ROLLBACK


def test_waiting_work_stays_where_it_is_and_goes_on_after_the_release(env: BoardEnv) -> None:
    env.create_issue()
    assignments.file_triage(env.board, env.claim("dispatcher"), assignment("MOF-DB-01"))
    control_kill_switch.kill(env.board, LEAD, "점검")
    assert rows(env, "select status from tb_ops_task") == [("PARSED",)]
    begun = beats.begin(env.board, "db-agent")
    assert begun is not None and beats.claim_task(env.board, begun) is None
    beats.end(env.board, begun, "idle", task_id=None, steps=0)
    control_kill_switch.release(env.board, OFFICER, "점검 끝")
    assert kill_switch.active_kill_switch(env.board) is None
    assert env.claim("db-agent").task_id == 1
    assert kinds(env)[-1] == "released"


def test_it_is_thrown_once_however_often_it_is_pressed(env: BoardEnv) -> None:
    running(env)
    first = control_kill_switch.kill(env.board, LEAD, "하나")
    order = ordered(env)
    again = control_kill_switch.kill(env.board, PM, "둘")
    assert again.already_on and again.kill_id == first.kill_id
    assert rollback.finish_rollback(env.board, order, [], []) is State.FAILED_ROLLBACK
    assert kinds(env).count("killed") == 1


def test_only_staff_stop_and_only_the_right_role_lifts_with_a_reason(env: BoardEnv) -> None:
    with pytest.raises(Forbidden):
        control_kill_switch.kill(env.board, CUSTOMER, "장난")
    assert kill_switch.active_kill_switch(env.board) is None
    control_kill_switch.kill(env.board, ENGINEER, "이상")
    for person in (CUSTOMER, ENGINEER, LEAD):
        with pytest.raises(Forbidden):
            control_kill_switch.release(env.board, person, "해제")
    with pytest.raises(Invalid):
        control_kill_switch.release(env.board, PM, "  ")
    assert kill_switch.active_kill_switch(env.board) is not None
    control_kill_switch.release(env.board, PM, "확인함")
    with pytest.raises(Invalid):
        control_kill_switch.release(env.board, PM, "확인함")


def test_the_word_in_a_room_stops_however_often_it_is_delivered(env: BoardEnv) -> None:
    line = receiving.NewIssue(
        text="정지!", channel="mattermost", sender="kim", room="운영", external_id="p1"
    )
    first = stop_command.handle_stop(env.board, line)
    assert not first.already_on
    assert stop_command.handle_stop(env.board, line).already_on
    switch = kill_switch.active_kill_switch(env.board)
    assert switch is not None and switch.ordered_by == "channel:mattermost"
    control_kill_switch.release(env.board, PM, "확인함")
    assert not stop_command.handle_stop(env.board, line).already_on
    assert kill_switch.active_kill_switch(env.board) is not None
    assert rows(env, "select rule, sr_id from tb_msg_chat_log") == [("kill", None)]
    rooms = rows(env, "select room from tb_outbox where kind = 'message'")
    assert rooms == [("운영",), ("운영",)]


def test_the_application_cannot_have_two_stops_at_once(env: BoardEnv) -> None:
    control_kill_switch.kill(env.board, LEAD)
    with (
        psycopg.connect(env.dsn) as connection,
        pytest.raises(psycopg.errors.UniqueViolation),
    ):
        connection.execute("insert into tb_kill (ordered_by, ordered_at) values ('x', now())")
