"""Clocks follow what happens to issues, and people learn in time what is late."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, PM, SERVER, BoardEnv
from sqlalchemy import select, text

from guardia.board.assignment import questions
from guardia.board.assignment.question_words import ServerChoice
from guardia.board.assignment.understanding import Understanding
from guardia.board.audit.model import AuditEntry
from guardia.board.control import directives
from guardia.board.core.context import BoardContext
from guardia.board.core.model import OutboxEntry
from guardia.board.core.notices import Notice
from guardia.board.execution import tasks
from guardia.board.service_levels import days, due, report, view
from guardia.board.service_levels.days import NewDay
from guardia.board.service_levels.model import ServiceClock, ServiceMoment
from guardia.board.service_levels.policy import ClockKind

MONDAY = datetime(2026, 11, 30, 0, 0, tzinfo=UTC)  # 09:00 in Seoul


def at(env: BoardEnv, hours: float) -> BoardContext:
    """Return the board at a time after the Monday morning."""
    moment = MONDAY + timedelta(hours=hours)
    return replace(env.board, clock=lambda: moment)


def begin(env: BoardEnv) -> None:
    env.board = at(env, 0)


def clock(env: BoardEnv, sr_id: int, kind: str = "resolution") -> ServiceClock:
    with env.board.database.reading() as session:
        return session.get_one(ServiceClock, (sr_id, kind))


def kinds(env: BoardEnv, sr_id: int) -> list[str]:
    with env.board.database.reading() as session:
        query = select(AuditEntry.kind).where(AuditEntry.sr_id == sr_id).order_by(AuditEntry.seq)
        return [kind for kind in session.scalars(query) if kind.startswith("service_")]


def test_clocks_start_with_the_request_and_follow_its_triage(env: BoardEnv) -> None:
    begin(env)
    sr_id = env.create_issue()
    due.process_due(env.board)
    first = clock(env, sr_id)
    assert (first.priority, first.target_seconds) == ("P3", 8 * 3600)
    assert first.due_at == MONDAY + timedelta(hours=9), "lunch does not count"
    other = env.create_parsed_task(SERVER.server_id).sr_id
    due.process_due(env.board)
    second, answered = clock(env, other), clock(env, other, "response")
    assert (second.priority, second.category, second.target_seconds) == ("P2", "DB", 4 * 3600)
    assert (answered.state, answered.next_at) == ("KEPT", None)
    with env.board.database.reading() as session:
        assert session.scalars(select(ServiceMoment)).all() == [], "the moments are used up"


def test_nothing_is_lost_while_no_scheduler_runs(env: BoardEnv) -> None:
    begin(env)
    claim = env.create_parsed_task(SERVER.server_id)
    env.board = at(env, 2)
    tasks.hand_over(env.board, claim, "런북이 없습니다.")
    env.board = at(env, 30)
    due.process_due(env.board)
    found = clock(env, claim.sr_id)
    assert found.broken_at == found.due_at == MONDAY + timedelta(hours=5)


def test_it_pauses_for_a_question_and_goes_on_with_the_answer(env: BoardEnv) -> None:
    begin(env)
    sr_id = env.create_issue(requester_id=CUSTOMER.id, institution="MOF")
    claim = env.claim("dispatcher")
    env.board = at(env, 1)
    understood = Understanding(kind="INCIDENT", category="DB", priority="P2", reasons=())
    questions.ask(
        env.board, claim, "어느 서버입니까?", [ServerChoice("MOF-DB-01", "DB")], understood
    )
    env.board = at(env, 1.5)
    due.process_due(env.board)
    paused = clock(env, sr_id)
    assert (paused.state, paused.due_at, paused.next_at) == ("PAUSED", None, None)
    questions.answer(env.board, CUSTOMER, sr_id, "MOF-DB-01")
    due.process_due(env.board)
    # An hour was used before the question; half an hour in which it was open does not count.
    assert clock(env, sr_id).due_at == MONDAY + timedelta(hours=1.5 + 3 + 1)


def test_it_warns_then_notifies_then_escalates_once_each(env: BoardEnv) -> None:
    begin(env)
    sr_id = env.create_parsed_task(SERVER.server_id).sr_id
    due.process_due(env.board)
    assert kinds(env, sr_id) == []
    for hours, known in ((4.3, 1), (4.4, 1), (5.1, 2), (5.2, 2), (7.1, 3), (40, 3)):
        env.board = at(env, hours)
        due.process_due(env.board)
        due.process_due(env.board)
        wanted = ["service_warned", "service_broken", "service_escalated"][:known]
        assert kinds(env, sr_id) == wanted, hours
    with env.board.database.reading() as session:
        sent = session.scalars(select(OutboxEntry).where(OutboxEntry.kind != "message")).all()
        texts = [row.text for row in sent if row.notice.startswith("service_")]
        people = session.scalars(select(Notice.person_id).where(Notice.kind == "service_late"))
        assert list(people) == [PM.id]
    assert len(texts) == 3 and all("운영DB가 느려요" in one for one in texts)


def test_a_late_scheduler_says_it_once(env: BoardEnv) -> None:
    begin(env)
    sr_id = env.create_parsed_task(SERVER.server_id).sr_id
    env.board = at(env, 5.5)
    due.process_due(env.board)
    assert kinds(env, sr_id) == ["service_broken"]


def test_a_holiday_added_later_moves_what_is_due(env: BoardEnv) -> None:
    env.board = at(env, 8)  # 17:00
    sr_id = env.create_parsed_task(SERVER.server_id).sr_id
    due.process_due(env.board)
    assert clock(env, sr_id).due_at == MONDAY + timedelta(hours=24 + 3)
    days.add_day(env.board, LEAD, NewDay(date(2026, 12, 1), "임시공휴일"))
    due.process_due(env.board)
    assert clock(env, sr_id).due_at == MONDAY + timedelta(hours=48 + 3)
    days.remove_day(env.board, LEAD, date(2026, 12, 1))
    days.add_day(env.board, LEAD, NewDay(date(2026, 12, 1), "개청 기념일", "MOF"))
    due.process_due(env.board)
    assert clock(env, sr_id).due_at == MONDAY + timedelta(hours=48 + 3)


def test_the_scheduler_reads_only_what_is_due(env: BoardEnv) -> None:
    begin(env)
    env.create_parsed_task(SERVER.server_id)
    due.process_due(env.board)
    assert due.process_due(env.board) == 0
    with env.board.database.reading() as session:
        session.execute(text("set local enable_seqscan = off"))
        plan = session.scalars(
            text("explain select 1 from tb_service_clock where next_at <= now()")
        ).all()
    assert any("ix_tb_service_clock_next_at" in line for line in plan)


@pytest.mark.slow
def test_the_report_and_the_usual_time(env: BoardEnv) -> None:
    begin(env)
    for hours in (1, 2, 3, 4, 30):
        env.board = at(env, 0)
        claim = env.create_parsed_task(SERVER.server_id)
        tasks.hand_over(env.board, claim, "런북이 없습니다.")
        env.board = at(env, hours)
        give = directives.DirectiveRequest("complete", "직접 처리")
        directives.issue_directive(env.board, ENGINEER, claim.task_id, give)
        env.board = at(env, 31)
        due.process_due(env.board)
    december = at(env, 24)
    found = report.month_report(december, LEAD, "2026-11")
    lines = {(line.kind, line.priority): (line.kept, line.broken) for line in found.lines}
    assert lines == {("resolution", "P2"): (4, 0), ("response", "P2"): (5, 0)}
    later = report.month_report(december, LEAD, "2026-12", "MOF")
    assert [(one.name, one.broken) for one in later.lines] == [("기획재정부", 1)]
    with env.board.database.reading() as session:
        assert view.usual_time(session, "DB", "P2") == (timedelta(hours=3), 5)
        assert view.usual_time(session, "WAS", "P2") == (None, 0)
        counted = view.clocks_within(session, [claim.sr_id], env.board.clock())
    assert [one.kind for one in counted[claim.sr_id]] == [ClockKind.RESPONSE, ClockKind.RESOLUTION]
