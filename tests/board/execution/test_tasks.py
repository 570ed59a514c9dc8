from __future__ import annotations

import psycopg
import pytest
from board_env import LEAD, BoardEnv, plan

from guardia.board.approvals import decisions
from guardia.board.core.lifecycle import State
from guardia.board.execution import tasks, view
from guardia.board.runs import beats
from guardia.errors import IllegalMove, Invalid, Refused, Stale


def state(cast: BoardEnv, sr_id: int) -> State:
    return view.issue(cast.desk, sr_id).state


def sql(cast: BoardEnv, text: str, *values: object) -> list[tuple[object, ...]]:
    with psycopg.connect(cast.dsn) as connection:
        return connection.execute(text, values).fetchall()  # type: ignore[arg-type]


def test_several_servers_make_several_tasks_and_the_issue_follows_them(cast: BoardEnv) -> None:
    held = cast.parsed("MOF-DB-01", "MOF-WAS-01")
    rows = sql(cast, "select target_server, status from tb_ops_task order by task_id")
    assert rows == [("MOF-DB-01", "PARSED"), ("MOF-WAS-01", "PARSED")]
    tasks.hand_over(cast.desk, held, "사람에게")
    assert state(cast, held.sr_id) is State.PARSED


def test_a_plan_for_another_server_is_refused(cast: BoardEnv) -> None:
    held = cast.parsed("MOF-WAS-01")
    with pytest.raises(Refused):
        tasks.file_plan(cast.desk, held, plan())
    assert state(cast, held.sr_id) is State.PARSED


def test_a_category_that_the_chart_does_not_know_is_refused(cast: BoardEnv) -> None:
    held = cast.parsed()
    with pytest.raises(Invalid):
        tasks.file_plan(cast.desk, held, plan("WHATEVER"))


def test_read_only_plans_are_waived_and_others_cannot_start_unapproved(cast: BoardEnv) -> None:
    held, _, _ = cast.planned()
    with pytest.raises(Refused):
        tasks.begin_execution(cast.desk, held)
    other = cast.parsed()
    assert tasks.file_plan(cast.desk, other, plan("READ_ONLY")) is True
    assert tasks.begin_execution(cast.desk, other).category == "READ_ONLY"


def test_a_plan_that_was_changed_in_the_table_does_not_start(cast: BoardEnv) -> None:
    held, _, bound = cast.planned()
    decisions.decide(cast.desk, LEAD, held.task_id, approve=True, plan_hash=bound)
    with psycopg.connect(cast.dsn) as connection:
        connection.execute("update tb_ops_task set plan = jsonb_set(plan, '{because}', '\"x\"')")
    again = cast.hold("db-agent")
    with pytest.raises(Refused, match="다릅니다"):
        tasks.begin_execution(cast.desk, again)


def test_a_later_claim_makes_the_earlier_hold_worthless(cast: BoardEnv) -> None:
    first = cast.parsed()
    begun = beats.begin(cast.desk, "db-agent")
    assert begun is not None and begun.reasons == ("recovery", "assignment")
    second = beats.claim_task(cast.desk, begun)
    assert second is not None and second.fence > first.fence
    for late in (
        lambda: tasks.add_comment(cast.desk, first, "늦은 글"),
        lambda: tasks.file_plan(cast.desk, first, plan()),
        lambda: tasks.hand_over(cast.desk, first, "늦은 인계"),
    ):
        with pytest.raises(Stale):
            late()
    tasks.add_comment(cast.desk, second, "제때 글")


def test_completion_tells_the_room_and_wakes_the_auditor(cast: BoardEnv) -> None:
    held, _, bound = cast.planned()
    decisions.decide(cast.desk, LEAD, held.task_id, approve=True, plan_hash=bound)
    again = cast.hold("db-agent")
    tasks.begin_execution(cast.desk, again)
    tasks.complete(cast.desk, again, "끝")
    assert state(cast, held.sr_id) is State.COMPLETED
    said = sql(cast, "select kind, text from tb_outbox order by outbox_id desc limit 1")
    assert said[0][0] == "message" and "끝" in str(said[0][1])
    assert beats.begin(cast.desk, "auditor") is not None
    with pytest.raises(Stale):
        tasks.complete(cast.desk, again, "다시")


def test_failure_sends_an_alert(cast: BoardEnv) -> None:
    held, _, bound = cast.planned()
    decisions.decide(cast.desk, LEAD, held.task_id, approve=True, plan_hash=bound)
    again = cast.hold("db-agent")
    tasks.begin_execution(cast.desk, again)
    tasks.fail(cast.desk, again, "검증 실패")
    assert state(cast, held.sr_id) is State.FAILED_ROLLBACK
    assert sql(cast, "select count(*) from tb_outbox where kind = 'alert'") == [(1,)]


def test_an_illegal_move_changes_nothing(cast: BoardEnv) -> None:
    held = cast.parsed()
    before = sql(cast, "select count(*) from tb_audit_log")
    with pytest.raises(IllegalMove):
        tasks.complete(cast.desk, held, "너무 일찍")
    assert sql(cast, "select count(*) from tb_audit_log") == before
    assert state(cast, held.sr_id) is State.PARSED


def test_the_agents_idle_beat_costs_one_look_and_leaves_no_run(cast: BoardEnv) -> None:
    assert beats.begin(cast.desk, "was-agent") is None
    assert sql(cast, "select count(*) from tb_agent_run where agent_id = 'was-agent'") == [(0,)]


def test_many_reasons_make_one_beat(cast: BoardEnv) -> None:
    for _ in range(6):
        cast.received()
    begun = beats.begin(cast.desk, "dispatcher")
    assert begun is not None and len(begun.issues) == 6
    beats.end(cast.desk, begun, "done", task_id=None, steps=0)
    assert beats.begin(cast.desk, "dispatcher") is None
