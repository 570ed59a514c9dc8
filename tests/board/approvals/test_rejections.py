"""What follows a rejection is chosen: rejecting a plan does not close its issue."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from board_env import CUSTOMER, LEAD, LEAD2, BoardEnv, assignment, plan
from sqlalchemy import select

from guardia.board.approvals import decisions, start_time
from guardia.board.approvals.decision_request import DecisionRequest
from guardia.board.approvals.policy import DecisionVerdict, RejectionChoice
from guardia.board.audit.model import AuditEntry
from guardia.board.core.lifecycle import State
from guardia.board.core.model import OutboxEntry
from guardia.board.execution import assignments, tasks, view
from guardia.board.runs import beats
from guardia.board.tracker import issue_page
from guardia.errors import Forged, Invalid, Missing, Stale

NOON = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)  # noon in Seoul


@pytest.fixture
def at(env: BoardEnv) -> BoardEnv:
    """Return the board at noon in Seoul."""
    env.board = replace(env.board, clock=lambda: NOON)
    return env


def reject(env: BoardEnv, task_id: int, bound: str, then: str | None, **more: object) -> State:
    choice = RejectionChoice(then) if then else None
    request = DecisionRequest(
        DecisionVerdict.REJECT,
        bound,
        "업무 시간에는 안 됩니다",
        then=choice,
        **more,  # type: ignore[arg-type]
    )
    return decisions.submit_decision(env.board, LEAD, task_id, request)


def filed(env: BoardEnv, kind: str) -> tuple[int, str]:
    """Return a task of an issue of this kind, whose plan waits, and the hash of the plan."""
    env.create_issue()
    triage = replace(assignment("MOF-DB-01"), kind=kind)
    assignments.file_triage(env.board, env.claim("dispatcher"), triage)
    claim = env.claim("db-agent")
    tasks.file_plan(env.board, claim, plan())
    return claim.task_id, tasks.plan_hash(claim.task_id, plan())


def room(env: BoardEnv) -> list[str]:
    with env.board.database.reading() as session:
        query = select(OutboxEntry.text).where(OutboxEntry.kind == "message")
        return list(session.scalars(query.order_by(OutboxEntry.outbox_id)))


@pytest.mark.parametrize(
    ("kind", "then", "state"),
    [
        ("INCIDENT", None, State.MANUAL),
        ("INCIDENT", "manual", State.MANUAL),
        ("INCIDENT", "again", State.PARSED),
        ("INCIDENT", "close", State.REJECTED),
        ("REQUEST", None, State.REJECTED),
        ("CHANGE", None, State.REJECTED),
        ("REQUEST", "manual", State.MANUAL),
        ("QUESTION", "again", State.PARSED),
    ],
)
@pytest.mark.slow
def test_the_decider_chooses_and_an_incident_stays_open_without_a_choice(
    env: BoardEnv, kind: str, then: str | None, state: State
) -> None:
    task_id, bound = filed(env, kind)
    assert reject(env, task_id, bound, then) is state


def test_a_rejected_plan_is_context_for_the_next_diagnosis_and_excluded(env: BoardEnv) -> None:
    claim, given, bound = env.create_filed_plan()
    reject(env, claim.task_id, bound, "again")
    begun = beats.begin(env.board, "db-agent")
    assert begun is not None and "approval_decided" in begun.reasons
    guidance = view.guidance(env.board, claim.task_id)
    assert guidance.requests == ("업무 시간에는 안 됩니다",)
    assert guidance.again and guidance.excluded == (given,)


def test_the_requester_reads_other_words_than_the_log(env: BoardEnv) -> None:
    task_id, bound = filed(env, "INCIDENT")
    reject(env, task_id, bound, "manual", message="내일 오전에 담당자가 연락드립니다.")
    assert room(env)[-1].endswith("내일 오전에 담당자가 연락드립니다.")
    assert not any("업무 시간에는" in text for text in room(env))
    with env.board.database.reading() as session:
        query = select(AuditEntry).where(AuditEntry.kind == "rejected")
        entry = session.scalars(query).one()
    assert entry.detail["reason"] == "업무 시간에는 안 됩니다" and entry.detail["then"] == "manual"


@pytest.mark.parametrize("then", ["manual", "again", "close"])
@pytest.mark.slow
def test_without_words_for_the_requester_a_neutral_sentence_is_sent(
    env: BoardEnv, then: str
) -> None:
    task_id, bound = filed(env, "INCIDENT")
    reject(env, task_id, bound, then)
    assert room(env)[-1].startswith("[SR-1] ") and "업무 시간" not in room(env)[-1]


@pytest.mark.slow
def test_a_customer_reads_the_words_for_them_on_the_page(env: BoardEnv) -> None:
    env.create_issue(requester_id="cus", institution="MOF")
    assignments.file_triage(env.board, env.claim("dispatcher"), assignment("MOF-DB-01"))
    claim = env.claim("db-agent")
    tasks.file_plan(env.board, claim, plan())
    bound = tasks.plan_hash(claim.task_id, plan())
    reject(env, claim.task_id, bound, "close", message="다음 점검 때 진행하겠습니다.")
    seen = issue_page.get_issue(env.board, CUSTOMER, claim.sr_id)
    assert seen.requester_message == "다음 점검 때 진행하겠습니다."
    assert seen.can_reopen and seen.is_unresolved
    assert issue_page.get_issue(env.board, LEAD, claim.sr_id).requester_message == ""


def test_later_approves_the_same_plan_from_a_time_on(at: BoardEnv) -> None:
    claim, _, bound = at.create_filed_plan()
    later = NOON + timedelta(hours=10)
    assert reject(at, claim.task_id, bound, "later", run_after=later) is State.APPROVED
    begun = beats.begin(at.board, "db-agent")
    assert begun is None or beats.claim_task(at.board, begun) is None
    at.board = replace(at.board, clock=lambda: later + timedelta(seconds=1))
    with at.board.database.transaction() as session:
        beats.wake(session, "db-agent", "manual", later)
    assert tasks.begin_execution(at.board, at.claim("db-agent")).plan_hash == bound


def test_a_start_that_was_brought_forward_in_the_tables_permits_nothing(at: BoardEnv) -> None:
    claim, _, bound = at.create_filed_plan()
    reject(at, claim.task_id, bound, "later", run_after=NOON + timedelta(hours=10))
    with psycopg.connect(at.dsn) as connection:
        connection.execute("update tb_decision set run_after = null")
        connection.execute("update tb_ops_task set run_after = null")
    with pytest.raises(Forged):
        tasks.begin_execution(at.board, at.claim("db-agent"))


def test_the_table_s_start_alone_does_not_bring_work_forward(at: BoardEnv) -> None:
    claim, _, bound = at.create_filed_plan()
    reject(at, claim.task_id, bound, "later", run_after=NOON + timedelta(hours=10))
    with psycopg.connect(at.dsn) as connection:
        connection.execute("update tb_ops_task set run_after = null")
    with pytest.raises(Stale):
        tasks.begin_execution(at.board, at.claim("db-agent"))
    assert view.task(at.board, claim.task_id).state is State.APPROVED


def test_later_needs_a_time_in_the_future(at: BoardEnv) -> None:
    claim, _, bound = at.create_filed_plan()
    with pytest.raises(Missing):
        reject(at, claim.task_id, bound, "later")
    with pytest.raises(Invalid):
        reject(at, claim.task_id, bound, "later", run_after=NOON)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("22:00", "2026-11-20T22:00:00+09:00"),
        ("9:30", "2026-11-21T09:30:00+09:00"),
        ("12:00", "2026-11-21T12:00:00+09:00"),
        ("2026-12-01T02:00", "2026-12-01T02:00:00+09:00"),
        ("2026-12-01T02:00:00+00:00", "2026-12-01T02:00:00+00:00"),
    ],
)
def test_a_time_of_day_is_the_next_one_in_korea(
    at: BoardEnv, text: str, expected: str | None
) -> None:
    found = start_time.read_start(at.board, text)
    assert (found.isoformat() if found else None) == expected


@pytest.mark.parametrize("text", ["25:00", "밤 10시", "12", "22:60", "tomorrow"])
def test_what_is_no_time_is_refused_with_the_form(at: BoardEnv, text: str) -> None:
    with pytest.raises(Invalid):
        start_time.read_start(at.board, text)


def test_a_rejection_of_a_later_step_sends_the_same_words(env: BoardEnv) -> None:
    claim, _, bound = env.create_filed_plan()
    request = DecisionRequest(DecisionVerdict.CHANGE, bound, "다른 파일로")
    decisions.submit_decision(env.board, LEAD2, claim.task_id, request)
    assert "다른 파일로" not in room(env)[-1] and "보완" in room(env)[-1]
