"""What requesters see and say: expected time, contact, satisfaction, "not resolved"."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, SERVER, BoardEnv, assignment
from page_env import OTHER_CUSTOMER
from service_env import completed
from sqlalchemy import select

from guardia.board.core.model import Issue
from guardia.board.core.notices import Notice
from guardia.board.execution import assignments
from guardia.board.service_levels import due, satisfaction, section, unresolved
from guardia.errors import Forbidden, Invalid, NotFound, Refused


def later(env: BoardEnv, **time: float) -> None:
    at = env.board.clock() + timedelta(**time)
    env.board = replace(env.board, clock=lambda: at)


def state(env: BoardEnv, sr_id: int) -> str:
    with env.board.database.reading() as session:
        return session.get_one(Issue, sr_id).status


@pytest.mark.slow
def test_the_requester_rates_once_and_may_change_it_for_a_week(env: BoardEnv) -> None:
    sr_id = completed(env)
    satisfaction.rate(env.board, CUSTOMER, sr_id, 4, "빨랐습니다")
    later(env, days=6)
    satisfaction.rate(env.board, CUSTOMER, sr_id, 5, "")
    seen = section.read_section(env.board, CUSTOMER, sr_id)
    assert seen.rating is not None and (seen.rating.score, seen.can_rate) == (5, True)
    later(env, days=2)
    assert not section.read_section(env.board, CUSTOMER, sr_id).can_rate
    with pytest.raises(Refused):
        satisfaction.rate(env.board, CUSTOMER, sr_id, 1, "")


def test_others_do_not_rate(env: BoardEnv) -> None:
    sr_id = completed(env)
    for person, error in ((LEAD, Forbidden), (OTHER_CUSTOMER, NotFound)):
        with pytest.raises(error):
            satisfaction.rate(env.board, person, sr_id, 4, "")
    with pytest.raises(Invalid):
        satisfaction.rate(env.board, CUSTOMER, sr_id, 6, "")
    open_one = env.create_issue(requester_id=CUSTOMER.id, institution="MOF")
    with pytest.raises(Refused):
        satisfaction.rate(env.board, CUSTOMER, open_one, 4, "")


def test_not_resolved_reopens_it_and_notifies_its_engineer(env: BoardEnv) -> None:
    sr_id = completed(env)
    done = unresolved.report_unresolved(env.board, CUSTOMER, sr_id, "아직 느립니다")
    assert (done.sr_id, done.is_reopened) == (sr_id, True)
    assert state(env, sr_id) == "PARSED"
    with env.board.database.reading() as session:
        texts = session.scalars(select(Notice.text).where(Notice.person_id == ENGINEER.id)).all()
    assert any("아직 느립니다" in text for text in texts)
    with pytest.raises(Refused):
        unresolved.report_unresolved(env.board, CUSTOMER, sr_id, "다시")


def test_after_a_week_it_opens_one_linked_request(env: BoardEnv) -> None:
    sr_id = completed(env)
    later(env, days=8)
    done = unresolved.report_unresolved(env.board, CUSTOMER, sr_id, "또 느립니다")
    again = unresolved.report_unresolved(env.board, CUSTOMER, sr_id, "또 느립니다")
    assert done == again and not done.is_reopened
    with env.board.database.reading() as session:
        new = session.get_one(Issue, done.sr_id)
    assert (new.parent_id, new.requester_id, new.category) == (sr_id, CUSTOMER.id, "DB")
    assert "또 느립니다" in new.body and state(env, sr_id) == "COMPLETED"
    for person, error in ((OTHER_CUSTOMER, NotFound),):
        with pytest.raises(error):
            unresolved.report_unresolved(env.board, person, sr_id, "남의 요청")


@pytest.mark.slow
def test_a_requester_reads_when_it_is_done_and_who_has_it(env: BoardEnv) -> None:
    for _ in range(5):
        completed(env)
    sr_id = env.create_issue(requester_id=CUSTOMER.id, institution="MOF")
    due.process_due(env.board)
    seen = section.read_section(env.board, CUSTOMER, sr_id)
    assert "까지 처리할 예정입니다" in seen.expected and seen.clocks == ()
    assert len(section.read_section(env.board, LEAD, sr_id).clocks) == 2
    assignments.file_triage(env.board, env.claim("dispatcher"), assignment(SERVER.server_id))
    due.process_due(env.board)
    told = section.read_section(env.board, CUSTOMER, sr_id)
    assert "비슷한 요청은 보통 5분 안에 처리됩니다" in told.expected
    assert "김철수" in told.contact
