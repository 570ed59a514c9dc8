from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from cast import CUSTOMER, ENGINEER, LEAD, OFFICER, PM, SERVER, TERMINATE, Cast, assignment, plan

from guardia.board.approvals import decisions
from guardia.board.audit import log
from guardia.board.control import kill_switch as control_kill_switch
from guardia.board.control import undoing
from guardia.board.control.undoing import Order
from guardia.board.core import kill_switch
from guardia.board.core.claims import Grant, Hold
from guardia.board.core.context import Desk
from guardia.board.core.lifecycle import State
from guardia.board.core.plan import Action, Call, Risk
from guardia.board.core.wakes import wake
from guardia.board.execution import commands, tasks
from guardia.board.execution.commands import Step
from guardia.board.intake import stop_orders
from guardia.board.issues import receiving
from guardia.board.runs import beats
from guardia.db.engine import Database
from guardia.errors import Forbidden, Invalid, Refused, Stale

READ = Call(tool="database.locks", args={"service": "budgetdb"})
LEVEL = {"service": "budgetdb", "level": "INFO", "previous": "DEBUG"}
DO = Call(tool="service.set_log_level", args=LEVEL)
UNDO = Call(
    tool="service.set_log_level", args={"service": "budgetdb", "level": "DEBUG", "previous": "INFO"}
)


def running(cast: Cast) -> tuple[Hold, Grant]:
    """A task whose one, reversible change is under way."""
    change = Action(call=DO, risk=Risk.CHANGE, effect="로그 수준 변경", command="…", undo=UNDO)
    held, _, bound = cast.planned(plan("MAINTENANCE", change))
    decisions.decide(cast.desk, LEAD, held.task_id, approve=True, plan_hash=bound)
    again = cast.hold("db-agent")
    grant = tasks.start(cast.desk, again)
    commands.intend(cast.desk, grant, DO, "…", Step(0, "do"))
    return again, grant


def rows(cast: Cast, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(cast.dsn) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def kinds(cast: Cast) -> list[str]:
    with cast.desk.database.reading() as session:
        assert log.verify_all(session).intact
        return [link.kind for link in log.links(session)]


def ordered(cast: Cast) -> Order:
    begun = beats.begin(cast.desk, "db-agent")
    assert begun is not None
    found = undoing.claim(cast.desk, begun)
    assert found is not None
    assert beats.claim(cast.desk, begun) is None
    return found


def attempts(cast: Cast, hold: Hold, grant: Grant) -> list[Callable[[], object]]:
    """Everything an agent could still do with what it holds."""
    desk = cast.desk
    return [
        lambda: commands.intend(desk, grant, READ, "…"),
        lambda: commands.intend(desk, grant, TERMINATE, "…", Step(0, "do")),
        lambda: commands.intend(desk, grant, UNDO, "…", Step(0, "undo")),
        lambda: tasks.start(desk, hold),
        lambda: tasks.observe(desk, hold),
        lambda: tasks.complete(desk, hold, "끝"),
        lambda: tasks.fail(desk, hold, "끝"),
        lambda: tasks.hand_over(desk, hold, "끝"),
        lambda: tasks.remark(desk, hold, "말"),
    ]


def test_what_an_agent_holds_is_worth_nothing_after_the_stop(cast: Cast) -> None:
    hold, grant = running(cast)
    done = control_kill_switch.kill(cast.desk, ENGINEER, "이상 동작")
    assert (done.stopped, done.undoing, done.already) == (1, 1, False)
    for attempt in attempts(cast, hold, grant):
        with pytest.raises(Stale):
            attempt()
    assert rows(cast, "select status from tb_ops_task") == [("IN_PROGRESS",)]


def test_nothing_is_claimed_while_it_is_on_also_not_by_another_process(cast: Cast) -> None:
    cast.parsed()
    cast.received()
    control_kill_switch.kill(cast.desk, LEAD, "점검")
    other = Database(cast.dsn, pool_size=2)
    for desk in (cast.desk, Desk(other)):
        for agent in ("dispatcher", "db-agent"):
            with desk.database.transaction() as session:
                wake(session, agent, "manual", desk.clock())
            begun = beats.begin(desk, agent)
            assert begun is not None
            assert beats.claim(desk, begun) is None
            assert undoing.claim(desk, begun) is None
    other.close()


def test_a_hold_forged_under_the_switch_is_refused_at_the_gate(cast: Cast) -> None:
    hold = cast.parsed()
    control_kill_switch.kill(cast.desk, LEAD)
    with psycopg.connect(cast.dsn) as connection:  # as if a claim had slipped through
        connection.execute(
            "update tb_ops_task set fence = %s, run_id = %s", [hold.fence, hold.run_id]
        )
    grant = Grant(hold, SERVER.server_id, "READ_ONLY", None)
    with pytest.raises(Refused, match="전체 정지"):
        commands.intend(cast.desk, grant, READ, "…")


def test_an_order_lets_an_agent_undo_and_look_and_nothing_else(cast: Cast) -> None:
    running(cast)
    control_kill_switch.kill(cast.desk, LEAD, "정지")
    grant = undoing.grant(cast.desk, ordered(cast)).grant
    commands.intend(cast.desk, grant, READ, "…")
    with pytest.raises(Refused, match="원복과 조회만"):
        commands.intend(cast.desk, grant, DO, "…", Step(0, "do"))
    with pytest.raises(Refused):
        commands.intend(cast.desk, grant, DO, "…", Step(0, "undo"))
    commands.intend(cast.desk, grant, UNDO, "…", Step(0, "undo"))
    with pytest.raises(Refused, match="이미"):
        commands.intend(cast.desk, grant, UNDO, "…", Step(0, "undo"))
    forged = Grant(grant.hold, grant.server_id, grant.category, grant.plan_hash, order=999)
    with pytest.raises(Refused, match="지시가 없습니다"):
        commands.intend(cast.desk, forged, READ, "…")


def test_stopped_work_is_undone_and_reported_once(cast: Cast) -> None:
    hold, _ = running(cast)
    done = control_kill_switch.kill(cast.desk, PM, "오동작")
    assert "kill_report" not in kinds(cast)
    order = ordered(cast)
    undoing.end(cast.desk, order, ["- 로그 수준 변경"], [])
    found = {
        s.task_id: (s.found, s.state, s.outcome) for s in control_kill_switch.report(cast.desk, 1)
    }
    assert found[hold.task_id] == ("IN_PROGRESS", "FAILED_ROLLBACK", "RESTORED")
    assert done.undoing == 1
    assert kinds(cast).count("kill_report") == 1
    alerts = rows(cast, "select text from tb_outbox where kind = 'alert' order by outbox_id")
    assert len(alerts) == 2
    assert f"SR-{hold.sr_id} MOF-DB-01" in str(alerts[1])
    notes = rows(cast, "select body from tb_comment where author = 'operator:guardia'")
    assert any("원복 완료" in str(note) for note in notes)


def test_what_cannot_be_undone_ends_with_people_and_an_alert(cast: Cast) -> None:
    hold, _ = running(cast)
    control_kill_switch.kill(cast.desk, PM, "오동작")
    assert undoing.end(cast.desk, ordered(cast), [], ["- 서버가 응답하지 않음"]) is State.MANUAL
    assert control_kill_switch.report(cast.desk, 1)[0].outcome == "NOT_RESTORED"
    alerts = rows(cast, f"select text from tb_outbox where kind = 'alert' and sr_id = {hold.sr_id}")
    assert "서버가 응답하지 않음" in str(alerts)


def test_a_dead_undo_is_taken_up_again(cast: Cast) -> None:
    running(cast)
    control_kill_switch.kill(cast.desk, PM, "오동작")
    first = ordered(cast)
    second = ordered(cast)
    with pytest.raises(Stale):
        undoing.end(cast.desk, first, [], [])
    assert undoing.end(cast.desk, second, [], []) is State.FAILED_ROLLBACK


def test_waiting_work_stays_where_it_is_and_goes_on_after_the_release(cast: Cast) -> None:
    cast.received()
    tasks.parse(cast.desk, cast.hold("dispatcher"), assignment("MOF-DB-01"))
    control_kill_switch.kill(cast.desk, LEAD, "점검")
    assert rows(cast, "select status from tb_ops_task") == [("PARSED",)]
    begun = beats.begin(cast.desk, "db-agent")
    assert begun is not None and beats.claim(cast.desk, begun) is None
    beats.end(cast.desk, begun, "idle", task_id=None, steps=0)
    control_kill_switch.release(cast.desk, OFFICER, "점검 끝")
    assert kill_switch.switch(cast.desk) is None
    assert cast.hold("db-agent").task_id == 1
    assert kinds(cast)[-1] == "released"


def test_it_is_thrown_once_however_often_it_is_pressed(cast: Cast) -> None:
    running(cast)
    first = control_kill_switch.kill(cast.desk, LEAD, "하나")
    order = ordered(cast)
    again = control_kill_switch.kill(cast.desk, PM, "둘")
    assert again.already and again.kill_id == first.kill_id
    assert undoing.end(cast.desk, order, [], []) is State.FAILED_ROLLBACK
    assert kinds(cast).count("killed") == 1


def test_only_staff_stop_and_only_the_right_role_lifts_with_a_reason(cast: Cast) -> None:
    with pytest.raises(Forbidden):
        control_kill_switch.kill(cast.desk, CUSTOMER, "장난")
    assert kill_switch.switch(cast.desk) is None
    control_kill_switch.kill(cast.desk, ENGINEER, "이상")
    for person in (CUSTOMER, ENGINEER, LEAD):
        with pytest.raises(Forbidden):
            control_kill_switch.release(cast.desk, person, "해제")
    with pytest.raises(Invalid):
        control_kill_switch.release(cast.desk, PM, "  ")
    assert kill_switch.switch(cast.desk) is not None
    control_kill_switch.release(cast.desk, PM, "확인함")
    with pytest.raises(Invalid):
        control_kill_switch.release(cast.desk, PM, "확인함")


def test_the_word_in_a_room_stops_and_a_repeated_delivery_does_not(cast: Cast) -> None:
    line = receiving.Request(
        text="정지!", channel="mattermost", sender="kim", room="운영", external_id="p1"
    )
    first = stop_orders.hear(cast.desk, line)
    assert first is not None and not first.already
    switch = kill_switch.switch(cast.desk)
    assert switch is not None and switch.ordered_by == "channel:mattermost"
    control_kill_switch.release(cast.desk, PM, "확인함")
    assert stop_orders.hear(cast.desk, line) is None
    assert kill_switch.switch(cast.desk) is None
    assert rows(cast, "select rule, sr_id from tb_msg_chat_log") == [("kill", None)]
    rooms = rows(cast, "select room from tb_outbox where kind = 'message'")
    assert rooms == [("운영",)]


def test_the_application_cannot_have_two_stops_at_once(cast: Cast) -> None:
    control_kill_switch.kill(cast.desk, LEAD)
    with (
        psycopg.connect(cast.dsn) as connection,
        pytest.raises(psycopg.errors.UniqueViolation),
    ):
        connection.execute("insert into tb_kill (ordered_by, ordered_at) values ('x', now())")
