"""Scheduled commands run once at their moment, with the rights that the person has by then."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, BoardEnv
from command_env import one, press, rows, say
from sqlalchemy import text

from guardia.board.command import schedule, view
from guardia.board.command.answers import press as press_value
from guardia.board.command.lifecycle import CommandState
from guardia.board.command.replies import CommandReply
from guardia.board.execution import view as execution_view
from guardia.errors import NotFound
from guardia.org.directory import PersonInfo


def scheduled(env: BoardEnv, person: PersonInfo = ENGINEER, **more: str) -> CommandReply:
    found = say(env, "30분 뒤에 MOF-WAS-01 로그 분석해줘", person, **more)
    assert found.state is CommandState.SCHEDULED
    return found


def run(env: BoardEnv, sql: str) -> None:
    with env.board.database.transaction() as session:
        session.execute(text(sql))


def become_due(env: BoardEnv, minutes: int = 0) -> None:
    run(env, f"update tb_command set run_at = now() - interval '{minutes} minutes' "
             "where state = 'SCHEDULED'")  # fmt: skip


def state(env: BoardEnv) -> str:
    return str(one(env, "select state from tb_command where run_at is not null"))


def test_a_change_is_asked_at_once_and_begins_at_its_moment(env: BoardEnv) -> None:
    """People approve it by day, not when it is due in the night."""
    asked = say(env, "30분 뒤에 MOF-WAS-01 재시작해줘", ENGINEER)
    assert asked.state is CommandState.CONFIRM, asked
    done = press(env, asked, "confirm", ENGINEER)
    assert done.state is CommandState.DONE and done.sr_id == 1
    task = int(one(env, "select task_id from tb_ops_task"))
    start = execution_view.guidance(env.board, task).starts_at
    assert start is not None
    minutes = (start - env.board.current_time()).total_seconds() / 60
    assert 28 < minutes <= 30
    assert "이후이며, 승인은 지금 요청합니다" in done.text


def test_nothing_runs_before_its_moment(env: BoardEnv) -> None:
    scheduled(env)
    assert schedule.run_due(env.board) == 0
    assert one(env, "select count(*) from tb_sr_request") == 0


def test_a_command_runs_once_however_many_hosts_look(env: BoardEnv) -> None:
    scheduled(env, room="운영", channel="mattermost")
    become_due(env)
    with ThreadPoolExecutor(4) as hosts:
        list(hosts.map(lambda _: schedule.run_due(env.board), range(4)))
    assert one(env, "select count(*) from tb_sr_request") == 1 and state(env) == "DONE"
    told = "select count(*) from tb_outbox where room = '운영' and text like '%SR-1%'"
    assert one(env, told) >= 1


def test_a_missed_moment_is_reported_and_not_run_late(env: BoardEnv) -> None:
    scheduled(env)
    become_due(env, 60)
    schedule.run_due(env.board)
    assert state(env) == "MISSED" and one(env, "select count(*) from tb_sr_request") == 0
    assert one(env, "select count(*) from tb_outbox where kind = 'alert'") == 1


@pytest.mark.parametrize(
    "change", ["active = false", "role = 'auditor'"], ids=["closed account", "other role"]
)
def test_rights_are_those_of_the_moment(env: BoardEnv, change: str) -> None:
    scheduled(env)
    run(env, f"update tb_person set {change} where person_id = 'eng'")
    become_due(env)
    schedule.run_due(env.board)
    assert state(env) == "REFUSED" and one(env, "select count(*) from tb_sr_request") == 0


def test_a_tokens_limits_hold_at_the_moment_too(env: BoardEnv) -> None:
    limited = ENGINEER.model_copy(
        update={"allowed_actions": frozenset({"command.give", "issue.create"})}
    )
    scheduled(env, limited)
    run(env, "update tb_command set rights = '[\"command.give\"]'")
    become_due(env)
    schedule.run_due(env.board)
    assert state(env) == "REFUSED"


def test_it_is_shown_and_cancelled_by_its_person_or_who_may_abort(env: BoardEnv) -> None:
    scheduled(env)
    [row] = view.scheduled(env.board, LEAD)
    assert view.scheduled(env.board, CUSTOMER) == ()
    with pytest.raises(NotFound):
        press_value(env.board, CUSTOMER, "cancel", row.token)
    assert press_value(env.board, LEAD, "cancel", row.token).state is CommandState.CANCELLED
    become_due(env)
    assert schedule.run_due(env.board) == 0
    assert one(env, "select count(*) from tb_sr_request") == 0


def test_a_past_or_far_moment_is_refused(env: BoardEnv) -> None:
    far = say(env, "12월 1일 오전 2시에 MOF-WAS-01 재시작 예약", ENGINEER)
    assert far.state in (CommandState.CONFIRM, CommandState.REFUSED)
    past = say(env, "어제 오전 2시에 MOF-WAS-01 재시작해줘", ENGINEER)
    assert past.state is not CommandState.SCHEDULED


def test_what_nobody_answers_or_ends_is_ended(env: BoardEnv) -> None:
    sr = env.create_parsed_task().sr_id
    say(env, f"#{sr} 중단해줘")
    run(env, "update tb_command set expires_at = now() - interval '1 minute'")
    say(env, "서버 목록 보여줘")
    run(env, "update tb_command set state = 'RUNNING', begun_at = now() - interval '1 hour' "
             "where state = 'DONE'")  # fmt: skip
    schedule.run_due(env.board)
    found = [r[0] for r in rows(env, "select state from tb_command order by command_id")]
    assert found == ["EXPIRED", "UNKNOWN"]
    assert one(env, "select status from tb_sr_request") == "PARSED"
