"""Agents that may only observe: the plan is kept, nothing runs, no one is asked."""

from __future__ import annotations

import psycopg
import pytest
from autonomy_env import apply_autonomy, observe
from board_env import LEAD, BoardEnv, plan, replace_plan
from sqlalchemy import func, select

from guardia.board.approvals import decisions
from guardia.board.approvals.model import Approval
from guardia.board.audit.model import AuditEntry
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Comment, Task
from guardia.board.core.plan import Plan
from guardia.board.execution import commands, grants, tasks, view
from guardia.board.execution.commands import CommandResult
from guardia.board.runs import beats
from guardia.errors import Forged, Misconfigured, Refused, Stale

_OBSERVE = "[{institution: MOF, category: MAINTENANCE, mode: observe}]"


def kinds(env: BoardEnv, sr_id: int) -> list[str]:
    with env.board.database.reading() as session:
        found = select(AuditEntry.kind).where(AuditEntry.sr_id == sr_id)
        return list(session.scalars(found.order_by(AuditEntry.seq)))


def state(env: BoardEnv, task_id: int) -> State:
    return view.task(env.board, task_id).state


@pytest.mark.slow
def test_an_observed_plan_is_kept_and_its_task_goes_to_people(env: BoardEnv) -> None:
    apply_autonomy(env, _OBSERVE)
    claim = observe(env)
    assert state(env, claim.task_id) is State.MANUAL
    assert kinds(env, claim.sr_id)[-1] == "observed"
    filed = view.plan_state(env.board, claim.task_id)
    assert filed.plan == plan() and not filed.approved
    with env.board.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Approval)) == 0
        said = session.scalars(select(Comment.body)).all()
    assert any("세션 7을 끝냅니다" in words for words in said)
    with pytest.raises(Stale):
        tasks.begin_execution(env.board, claim)
    assert beats.begin(env.board, "auditor") is not None


def test_reads_still_run_and_other_categories_are_not_concerned(env: BoardEnv) -> None:
    apply_autonomy(env, _OBSERVE)
    claim = env.create_parsed_task()
    read = plan().verify[0].call
    intent = commands.record_intent(env.board, grants.grant_reads(env.board, claim), read, "…")
    commands.record_result(env.board, intent, CommandResult(True, {}, "", 1))
    assert tasks.file_plan(env.board, claim, plan("READ_ONLY")) is True
    assert state(env, claim.task_id) is State.APPROVED


@pytest.mark.slow
def test_a_plan_without_changes_is_observed_too_where_everything_is(env: BoardEnv) -> None:
    apply_autonomy(env, "[{institution: MOF, mode: observe}]")
    empty = Plan.model_validate({**dict(plan("READ_ONLY")), "actions": ()})
    assert state(env, observe(env, empty).task_id) is State.MANUAL


def test_the_institution_of_the_server_counts_as_well_as_that_of_the_issue(env: BoardEnv) -> None:
    apply_autonomy(env, "[{mode: act}, {institution: MOF, mode: observe}]")
    claim = env.create_parsed_task()
    with psycopg.connect(env.dsn) as connection:
        connection.execute("update tb_sr_request set inst_id = null")
    tasks.file_plan(env.board, claim, plan())
    assert state(env, claim.task_id) is State.MANUAL


def test_an_approved_plan_does_not_start_once_agents_only_observe(env: BoardEnv) -> None:
    claim, _, bound = env.create_filed_plan()
    decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=bound)
    apply_autonomy(env, _OBSERVE)
    with pytest.raises(Refused, match="observe"):
        tasks.begin_execution(env.board, env.claim("db-agent"))


def test_plans_of_people_are_not_observed(env: BoardEnv) -> None:
    apply_autonomy(env, _OBSERVE)
    claim = observe(env)
    other = plan("MAINTENANCE", plan().actions[0].model_copy(update={"effect": "다른 조치"}))
    replace_plan(env.board, claim.task_id, other, LEAD)
    assert state(env, claim.task_id) is State.PENDING_APPROVAL


@pytest.mark.slow
def test_a_task_forged_to_approved_does_not_start_its_observed_plan(env: BoardEnv) -> None:
    apply_autonomy(env, "[{category: READ_ONLY, mode: observe}]")
    claim = observe(env, plan("READ_ONLY"))
    with psycopg.connect(env.dsn) as connection:
        for status in ("PARSED", "APPROVED"):  # the lifecycle's trigger permits both
            connection.execute("update tb_ops_task set status = %s", [status])
    apply_autonomy(env, "[]")
    with env.board.database.reading() as session:
        task = session.get_one(Task, claim.task_id)
        with pytest.raises(Forged):
            tasks.approved_plan(env.board, session, task)


def test_a_chart_with_an_unregistered_institution_is_not_applied(env: BoardEnv) -> None:
    with pytest.raises(Misconfigured, match=r"\d+행 \d+열.*MFO.*MOF"):
        apply_autonomy(env, "[{institution: MFO, mode: observe}]")
    apply_autonomy(env, "[{institution: MOF, mode: observe}]")
