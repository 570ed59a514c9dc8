from __future__ import annotations

import psycopg
import pytest
from board_env import LEAD, BoardEnv, action, plan
from stored_texts import unclean_texts

from guardia.board.approvals import decisions
from guardia.board.core.lifecycle import State
from guardia.board.core.plan import Action, Plan, ToolCall
from guardia.board.execution import tasks
from guardia.board.execution.view import plan_state
from guardia.board.issues import view
from guardia.board.runs import beats
from guardia.errors import IllegalMove, Invalid, Refused, Stale
from guardia.text import clean


def state(env: BoardEnv, sr_id: int) -> State:
    return view.issue(env.board, sr_id).state


def sql(env: BoardEnv, text: str, *values: object) -> list[tuple[object, ...]]:
    with psycopg.connect(env.dsn) as connection:
        return connection.execute(text, values).fetchall()  # type: ignore[arg-type]


@pytest.mark.slow
def test_several_servers_make_several_tasks_and_the_issue_follows_them(env: BoardEnv) -> None:
    claim = env.create_parsed_task("MOF-DB-01", "MOF-WAS-01")
    rows = sql(env, "select target_server, status from tb_ops_task order by task_id")
    assert rows == [("MOF-DB-01", "PARSED"), ("MOF-WAS-01", "PARSED")]
    tasks.hand_over(env.board, claim, "사람에게")
    assert state(env, claim.sr_id) is State.PARSED


def test_the_stored_plan_is_the_one_that_people_approve(env: BoardEnv) -> None:
    hostile = "각\u202e가\x00\x1b[31m\ud800"
    call = ToolCall(tool="service.set_log_level", args={hostile: (hostile, 1, None)})
    written = action().model_dump() | {"call": call, "effect": hostile, "command": hostile}
    filed = plan("MAINTENANCE", Action.model_validate(written))
    filed = Plan.model_validate({**dict(filed), "because": hostile})
    claim, _, bound = env.create_filed_plan(filed)
    decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=bound)
    [(kept,)] = sql(env, "select plan from tb_ops_task")
    assert Plan.model_validate(kept) == filed and filed.because == clean(hostile)
    assert plan_state(env.board, claim.task_id).approved
    assert unclean_texts(env.dsn) == []


def test_a_plan_for_another_server_is_refused(env: BoardEnv) -> None:
    claim = env.create_parsed_task("MOF-WAS-01")
    with pytest.raises(Refused):
        tasks.file_plan(env.board, claim, plan())
    assert state(env, claim.sr_id) is State.PARSED


def test_a_category_that_the_chart_does_not_know_is_refused(env: BoardEnv) -> None:
    claim = env.create_parsed_task()
    with pytest.raises(Invalid):
        tasks.file_plan(env.board, claim, plan("WHATEVER"))


@pytest.mark.slow
def test_read_only_plans_are_waived_and_others_cannot_start_unapproved(env: BoardEnv) -> None:
    claim, _, _ = env.create_filed_plan()
    with pytest.raises(Refused):
        tasks.begin_execution(env.board, claim)
    other = env.create_parsed_task()
    assert tasks.file_plan(env.board, other, plan("READ_ONLY")) is True
    assert tasks.begin_execution(env.board, other).category == "READ_ONLY"


@pytest.mark.slow
def test_a_plan_that_was_changed_in_the_table_does_not_start(env: BoardEnv) -> None:
    claim, _, bound = env.create_filed_plan()
    decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=bound)
    with psycopg.connect(env.dsn) as connection:
        connection.execute("update tb_ops_task set plan = jsonb_set(plan, '{because}', '\"x\"')")
    again = env.claim("db-agent")
    with pytest.raises(Refused, match="다릅니다"):
        tasks.begin_execution(env.board, again)


def test_a_later_claim_invalidates_the_earlier_one(env: BoardEnv) -> None:
    first = env.create_parsed_task()
    run_context = beats.begin(env.board, "db-agent")
    assert run_context is not None and run_context.reasons == ("recovery", "assignment")
    second = beats.claim_task(env.board, run_context)
    assert second is not None and second.fence > first.fence
    for late in (
        lambda: tasks.add_comment(env.board, first, "늦은 글"),
        lambda: tasks.file_plan(env.board, first, plan()),
        lambda: tasks.hand_over(env.board, first, "늦은 인계"),
    ):
        with pytest.raises(Stale):
            late()
    tasks.add_comment(env.board, second, "제때 글")


def test_completion_replies_to_the_room_and_wakes_the_auditor(env: BoardEnv) -> None:
    claim, _, bound = env.create_filed_plan()
    decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=bound)
    again = env.claim("db-agent")
    tasks.begin_execution(env.board, again)
    tasks.complete(env.board, again, "끝")
    assert state(env, claim.sr_id) is State.COMPLETED
    said = sql(env, "select kind, text from tb_outbox order by outbox_id desc limit 1")
    assert said[0][0] == "message" and "끝" in str(said[0][1])
    assert beats.begin(env.board, "auditor") is not None
    with pytest.raises(Stale):
        tasks.complete(env.board, again, "다시")


def test_failure_sends_an_alert(env: BoardEnv) -> None:
    claim, _, bound = env.create_filed_plan()
    decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=bound)
    again = env.claim("db-agent")
    tasks.begin_execution(env.board, again)
    tasks.fail(env.board, again, "검증 실패")
    assert state(env, claim.sr_id) is State.FAILED_ROLLBACK
    assert sql(env, "select count(*) from tb_outbox where kind = 'alert'") == [(1,)]


def test_an_illegal_move_changes_nothing(env: BoardEnv) -> None:
    claim = env.create_parsed_task()
    before = sql(env, "select count(*) from tb_audit_log")
    with pytest.raises(IllegalMove):
        tasks.complete(env.board, claim, "너무 일찍")
    assert sql(env, "select count(*) from tb_audit_log") == before
    assert state(env, claim.sr_id) is State.PARSED


def test_an_idle_beat_costs_one_query_and_creates_no_run(env: BoardEnv) -> None:
    assert beats.begin(env.board, "was-agent") is None
    assert sql(env, "select count(*) from tb_agent_run where agent_id = 'was-agent'") == [(0,)]


def test_many_wake_reasons_cause_one_beat(env: BoardEnv) -> None:
    for _ in range(6):
        env.create_issue()
    run_context = beats.begin(env.board, "dispatcher")
    assert run_context is not None and len(run_context.issues) == 6
    beats.end(env.board, run_context, "done", task_id=None, steps=0)
    assert beats.begin(env.board, "dispatcher") is None
