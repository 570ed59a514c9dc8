"""An ended issue is opened again by its requester and by staff."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, PM, BoardEnv, assignment, plan
from sqlalchemy import select

from guardia.board.approvals import decisions
from guardia.board.approvals.policy import RejectionChoice
from guardia.board.audit.model import AuditEntry
from guardia.board.control import directives, reopening
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Task
from guardia.board.execution import assignments, tasks, view
from guardia.board.issues import view as issue_view
from guardia.board.runs import beats
from guardia.errors import Forbidden, Invalid, NotFound, Refused
from guardia.org.directory import PersonInfo

AUDITOR = PersonInfo(id="aud", name="감사", title="주임", role="auditor")
OTHER = CUSTOMER.model_copy(update={"id": "cus2"})


def completed(env: BoardEnv) -> int:
    held, _, bound = env.create_filed_plan()
    decisions.decide(env.board, LEAD, held.task_id, approve=True, plan_hash=bound)
    claim = env.claim("db-agent")
    tasks.begin_execution(env.board, claim)
    tasks.complete(env.board, claim, "끝")
    return held.task_id


def rejected(env: BoardEnv) -> int:
    held, _, bound = env.create_filed_plan()
    words = {"approve": False, "plan_hash": bound, "reason": "아님", "then": RejectionChoice.CLOSE}
    decisions.decide(env.board, LEAD, held.task_id, **words)  # type: ignore[arg-type]
    return held.task_id


def aborted(env: BoardEnv) -> int:
    held, _, _ = env.create_filed_plan()
    directives.issue_directive(env.board, LEAD, held.task_id, DirectiveRequest("abort", "중단"))
    return held.task_id


def failed(env: BoardEnv) -> int:
    held, _, bound = env.create_filed_plan()
    decisions.decide(env.board, LEAD, held.task_id, approve=True, plan_hash=bound)
    claim = env.claim("db-agent")
    tasks.begin_execution(env.board, claim)
    tasks.fail(env.board, claim, "원복")
    return held.task_id


@pytest.mark.parametrize("end", [completed, rejected, aborted, failed], ids=lambda f: f.__name__)
@pytest.mark.slow
def test_every_end_can_be_reopened_and_starts_over(
    env: BoardEnv, end: Callable[[BoardEnv], int]
) -> None:
    task_id = end(env)
    assert reopening.reopen(env.board, ENGINEER, 1, "아직 느립니다") is State.PARSED
    found = view.task(env.board, task_id)
    assert (found.state, found.attempt, found.plan_hash) == (State.PARSED, 1, None)
    assert view.guidance(env.board, task_id).requests == ("아직 느립니다",)
    begun = beats.begin(env.board, "db-agent")
    assert begun is not None and "directive" in begun.reasons
    assert beats.claim_task(env.board, begun) is not None
    with env.board.database.reading() as session:
        query = select(AuditEntry).where(AuditEntry.kind == "reopened")
        assert session.scalars(query).one().detail["reason"] == "아직 느립니다"


@pytest.mark.slow
def test_the_same_plan_may_run_again_after_reopening_with_a_new_approval(env: BoardEnv) -> None:
    task_id = completed(env)
    reopening.reopen(env.board, LEAD, 1, "다시 잠김")
    claim = env.claim("db-agent")
    assert not tasks.file_plan(env.board, claim, plan())
    bound = view.plan_state(env.board, task_id).plan_hash or ""
    assert bound != tasks.plan_hash(task_id, plan())
    assert decisions.decide(env.board, LEAD, task_id, approve=True, plan_hash=bound)
    tasks.begin_execution(env.board, env.claim("db-agent"))


def test_the_requester_reopens_and_no_other_customer_does(env: BoardEnv) -> None:
    env.create_issue(requester_id="cus", institution="MOF")
    assignments.file_triage(env.board, env.claim("dispatcher"), assignment("MOF-DB-01"))
    with env.board.database.reading() as session:
        task_id = session.scalars(select(Task.task_id)).one()
    with pytest.raises(Refused):
        reopening.reopen(env.board, CUSTOMER, 1, "안 됨")
    directives.issue_directive(env.board, LEAD, task_id, DirectiveRequest("abort", "중단"))
    for person, error in ((OTHER, Forbidden), (AUDITOR, Forbidden)):
        with pytest.raises(error):
            reopening.reopen(env.board, person, 1, "안 됨")
    foreign = CUSTOMER.model_copy(update={"institution": "MOE"})
    with pytest.raises(NotFound):
        reopening.reopen(env.board, foreign, 1, "안 됨")
    with pytest.raises(Invalid):
        reopening.reopen(env.board, CUSTOMER, 1, " \u200b")
    assert reopening.reopen(env.board, CUSTOMER, 1, "안 됨") is State.PARSED


@pytest.mark.slow
def test_without_a_server_a_person_takes_the_reopened_issue(env: BoardEnv) -> None:
    env.create_issue()
    claim = env.claim("dispatcher")
    tasks.hand_over(env.board, claim, "서버를 모름")
    directives.issue_directive(
        env.board, LEAD, claim.task_id, DirectiveRequest("complete", "손으로 끝냄")
    )
    assert reopening.reopen(env.board, PM, 1, "그대로입니다") is State.MANUAL


@pytest.mark.slow
def test_one_task_is_reopened_by_a_directive(env: BoardEnv) -> None:
    task_id = completed(env)
    state = directives.issue_directive(
        env.board, ENGINEER, task_id, DirectiveRequest("reopen", "다시")
    )
    assert state is State.PARSED
    assert issue_view.issue(env.board, 1).state is State.PARSED


@pytest.mark.slow
def test_a_task_that_is_being_rolled_back_is_not_reopened(env: BoardEnv) -> None:
    task_id = completed(env)
    with env.board.database.transaction() as session:
        task = session.get(Task, task_id)
        assert task is not None
        directives.rollback.create_directive(
            session,
            task,
            "rollback",
            reopening.Actor.of(LEAD),
            "원복",
            env.board.clock(),
            undo=True,
        )
    with pytest.raises(Refused):
        reopening.reopen(env.board, LEAD, 1, "다시")
