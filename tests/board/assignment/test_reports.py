"""Several reports of one outage: one repair, one answer to all, and nothing of others leaks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agents_env import AgentsEnv, open_agents_env
from assignment_env import ROOM, issue, kinds, later, messages, press, queued, task
from board_env import CUSTOMER, ENGINEER, LEAD

from guardia.board.assignment import answers, due, reports
from guardia.board.control import directives
from guardia.board.control.directives import DirectiveRequest
from guardia.board.issues import visibility
from guardia.errors import Forbidden, NotFound, Refused
from guardia.settings import Settings

SLOW = "MOF-DB-01 조회가 너무 느립니다. 장애 같아요"


@pytest.fixture
def found(database: Any, tmp_path: Path) -> Iterator[AgentsEnv]:
    with open_agents_env(database.owner, database.app, tmp_path) as opened:
        yield opened


def report(found: AgentsEnv, text: str = SLOW, **more: str) -> int:
    sr_id = found.env.create_issue(**{**ROOM, "institution": "MOF", "text": text, **more})
    found.work()
    return sr_id


def finish(found: AgentsEnv, sr_id: int, verb: str = "complete") -> None:
    found.finish(sr_id, verb=verb)
    due.process_due(found.env.board)


@pytest.mark.slow
def test_a_second_report_is_linked_and_hears_that_it_is_known(found: AgentsEnv) -> None:
    env = found.env
    first, second = report(found), report(found, account="u-2", thread="t2")
    main = issue(env, first)
    assert main.kind == "INCIDENT" and not any("이미 처리 중" in m for m, _ in messages(env, first))
    text = messages(env, second)[-1][0]
    assert f"이미 처리 중인 장애입니다(SR-{first}, 현재 상태: " in text
    assert task(env, second).status == "MANUAL" and issue(env, second).category == "DB"
    assert kinds(env, second)[-1] == "report_linked"
    due.process_due(env.board)
    assert queued(env, second) is None, "a report needs nobody of its own"


@pytest.mark.slow
def test_one_repair_answers_every_requester_in_the_own_channel(found: AgentsEnv) -> None:
    env = found.env
    first, second, third = (report(found, account=f"u-{n}", thread=f"t{n}") for n in (1, 2, 3))
    finish(found, first)
    for sr_id in (second, third):
        assert issue(env, sr_id).status == "COMPLETED"
        assert "해결되었습니다" in messages(env, sr_id)[-1][0]
        assert kinds(env, sr_id)[-1] == "report_ended"
    assert due.process_due(env.board) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "MOF-WAS-01 응답이 없습니다. 장애입니다",  # another server
        "MOF-DB-01 재시작해 주세요",  # another kind
        "MOF-DB-01 디스크가 꽉 찼습니다 100%",  # another category
    ],
)
def test_only_the_same_server_and_category_are_linked(found: AgentsEnv, text: str) -> None:
    report(found)
    other = report(found, text)
    assert "report_linked" not in kinds(found.env, other)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second", "linked"),
    [
        # No server is named: the same institution, category and symptom, and many who are affected.
        (
            "MOF-WAS-01 접속 불가. 전 직원 업무 중단",
            "와스가 먹통이라 아무도 못 씁니다",
            True,
        ),
        ("MOF-WAS-01 접속 불가. 전 직원 업무 중단", "와스에서 저만 로그인이 안 돼요", False),
        ("MOF-WAS-01 디스크가 꽉 찼습니다 100%", "와스가 먹통이라 아무도 못 씁니다", False),
        # What needs the only database of the institution is down with it.
        ("MOF-DB-01 접속이 아예 안 됩니다 전 화면 오류", "MOF-WAS-01 접속하면 오류가 납니다", True),
        ("MOF-DB-01 조회가 조금 느립니다", "MOF-WAS-01 접속하면 오류가 납니다", False),
        ("MOF-WAS-01 접속 불가. 전 직원 업무 중단", "MOF-DB-01 조회가 느립니다", False),
    ],
)
def test_reports_of_one_outage_from_elsewhere(
    found: AgentsEnv, first: str, second: str, linked: bool
) -> None:
    report(found, first)
    other = report(found, second, account="u-2", thread="t2")
    assert ("report_linked" in kinds(found.env, other)) is linked
    if linked:
        reports.unlink(found.env.board, ENGINEER, other)
        assert "report_unlinked" in kinds(found.env, other)


@pytest.mark.slow
def test_without_a_server_another_institution_is_not_meant(found: AgentsEnv) -> None:
    report(found, "MOF-WAS-01 접속 불가. 전 직원 업무 중단")
    other = report(found, "와스가 먹통이라 아무도 못 씁니다", institution="MOE", account="u-moe")
    assert "report_linked" not in kinds(found.env, other)


@pytest.mark.slow
def test_an_ended_or_old_incident_is_no_main_issue(found: AgentsEnv) -> None:
    finish(found, report(found))
    assert "report_linked" not in kinds(found.env, report(found))


@pytest.mark.slow
def test_nothing_of_another_institution_is_said(found: AgentsEnv) -> None:
    env = found.env
    first = report(found)
    foreign = report(found, institution="MOE", account="u-moe")
    finish(found, first)
    said = [text for text, _ in messages(env, foreign)]
    assert any("이미 접수되어 처리 중" in text for text in said)
    assert "해결되었습니다" in said[-1]
    assert not any(f"SR-{first}" in text for text in said), said


@pytest.mark.slow
def test_people_undo_a_link_for_good(found: AgentsEnv) -> None:
    env = found.env
    first, second = report(found), report(found)
    with pytest.raises(Forbidden):
        reports.unlink(env.board, CUSTOMER, second)
    reports.unlink(env.board, ENGINEER, second)
    found.work()
    assert "report_unlinked" in kinds(env, second) and issue(env, second).agent_id == "db-agent"
    with pytest.raises(NotFound):
        reports.unlink(env.board, ENGINEER, second)
    finish(found, first)
    assert issue(env, second).status != "COMPLETED"


@pytest.mark.slow
def test_the_writer_of_a_report_may_say_that_it_is_of_something_else(found: AgentsEnv) -> None:
    env = found.env
    first, second = report(found), report(found, account="u-2", thread="t2")
    assert messages(env, second)[-1][1][0].act == reports.DIFFERENT
    [button] = messages(env, second)[-1][1]
    with pytest.raises(Forbidden):
        answers.press_different(env.board, Settings(), press(button, "u-1"))
    said = answers.press_different(env.board, Settings(), press(button, "u-2"))
    assert "따로 처리" in said.text and "report_unlinked" in kinds(env, second)
    again = answers.press_different(env.board, Settings(), press(button, "u-2"))
    assert "이미 따로 처리하고" in again.text
    finish(found, first)
    assert issue(env, second).status != "COMPLETED"


@pytest.mark.slow
def test_a_main_issue_without_a_repair_releases_its_reports(found: AgentsEnv) -> None:
    env = found.env
    first, second = report(found), report(found)
    finish(found, first, verb="abort")
    assert issue(env, second).status == "MANUAL"
    assert "조치 없이 종료" in " ".join(text for text, _ in messages(env, second))
    assert kinds(env, second)[-1] == "assignment_proposed"


@pytest.mark.slow
def test_people_link_what_the_rule_leaves(found: AgentsEnv) -> None:
    env = found.env
    first, second = report(found), report(found, "MOF-DB-01 디스크가 꽉 찼습니다 100%")
    reports.link(env.board, LEAD, second, first)
    for sr_id, main in ((second, first), (first, second), (first, first)):
        with pytest.raises(Refused):
            reports.link(env.board, LEAD, sr_id, main)
    finish(found, first)
    assert issue(env, second).status == "COMPLETED"
    with pytest.raises(NotFound):
        visibility.require_issue(env.board, CUSTOMER, second + 1)


@pytest.mark.slow
def test_a_reopened_report_is_worked_on_alone(found: AgentsEnv) -> None:
    env = found.env
    first, second = report(found), report(found)
    finish(found, first)
    order = DirectiveRequest("reopen", "아직 느려요")
    directives.issue_directive(env.board, LEAD, task(env, second).task_id, order)
    due.process_due(later(env, minutes=1))
    assert issue(env, second).status != "COMPLETED"
