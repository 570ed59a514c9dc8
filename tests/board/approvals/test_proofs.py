"""Tests that forged approvals in the tables permit nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest
from board_env import LEAD, PM, TERMINATE, BoardEnv, assignment, plan
from signing_env import ephemeral_signer

from guardia.board.approvals import decisions, pending
from guardia.board.control import directives
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core.claims import Claim
from guardia.board.execution import assignments, commands, tasks
from guardia.board.execution.commands import PlanStep
from guardia.errors import Forged, Misconfigured
from guardia.org.directory import PersonInfo

APPROVED = """update tb_approval set state = 'APPROVED', decided_by = 'lead', decided_at = now();
update tb_ops_task set status = 'APPROVED'"""
DECISION = """insert into tb_decision (approval_id, person_id, role, verdict, decided_at)
select max(approval_id), '{who}', 'team_lead', 'approve', now() from tb_approval"""


def write(env: BoardEnv, *statements: str) -> None:
    """Run statements in the application's role, with all triggers and permissions active."""
    with psycopg.connect(env.dsn) as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[arg-type]


def approve(env: BoardEnv) -> Claim:
    held, _, bound = env.create_filed_plan()
    decisions.decide(env.board, LEAD, held.task_id, approve=True, plan_hash=bound)
    return held


def change(env: BoardEnv, claim: Claim, who: PersonInfo) -> None:
    """File the same plan again by a person."""
    bound = tasks.plan_hash(claim.task_id, plan())
    directives.issue_directive(
        env.board, who, claim.task_id, DirectiveRequest("change", "고침", bound, plan())
    )


def never_given(env: BoardEnv) -> None:
    env.create_filed_plan()
    write(env, APPROVED, DECISION.format(who="lead"))


def given_by_another(env: BoardEnv) -> None:
    approve(env)
    write(env, "update tb_decision set person_id = 'lead2'")


def given_in_anothers_name(env: BoardEnv) -> None:
    approve(env)
    write(env, "update tb_decision set principal_id = 'lead2'")


def given_in_another_role(env: BoardEnv) -> None:
    approve(env)
    write(env, "update tb_decision set role = 'pm'", "update tb_approval set role = 'pm'")


def given_and_taken_back(env: BoardEnv) -> None:
    """Restore an approval that was voided when a person took over."""
    claim = approve(env)
    directives.issue_directive(env.board, PM, claim.task_id, DirectiveRequest("manual", "직접"))
    write(
        env,
        "update tb_approval set state = 'APPROVED'",
        *(f"update tb_ops_task set status = '{s}'" for s in ("PARSED", "APPROVED")),
    )


def given_before_the_same_plan_was_filed_again(env: BoardEnv) -> None:
    claim = approve(env)
    change(env, claim, PM)
    write(
        env,
        "update tb_approval set state = 'VOID' where state = 'WAITING'",
        "update tb_approval set state = 'APPROVED' where decided_by is not null",
        "update tb_ops_task set status = 'APPROVED'",
    )


def given_by_the_author(env: BoardEnv) -> None:
    held, _, _ = env.create_filed_plan()
    change(env, held, LEAD)
    write(env, "update tb_ops_task set plan_author = 'agent:db-agent'")
    bound = tasks.plan_hash(held.task_id, plan())
    decisions.decide(env.board, LEAD, held.task_id, approve=True, plan_hash=bound)


def given_by_the_requester(env: BoardEnv) -> None:
    env.create_issue(requester_id=LEAD.id)
    assignments.file_triage(env.board, env.claim("dispatcher"), assignment("MOF-DB-01"))
    held = env.claim("db-agent")
    tasks.file_plan(env.board, held, plan())
    write(env, "update tb_sr_request set requester_id = null")
    bound = tasks.plan_hash(held.task_id, plan())
    decisions.decide(env.board, LEAD, held.task_id, approve=True, plan_hash=bound)


def given_and_signed_with_a_forged_key(env: BoardEnv) -> None:
    """Forge rows and audit entry with valid hashes, but without the installation's key."""
    approve(env)
    with psycopg.connect(env.dsn) as connection:
        connection.execute("update tb_ops_task set paused = true")
    env.create_filed_plan()
    ours, env.board = env.board, replace(env.board, decision_signer=ephemeral_signer())
    task = max(t.task_id for t in pending.pending_plans(env.board, 2))
    bound = tasks.plan_hash(task, plan())
    decisions.decide(env.board, LEAD, task, approve=True, plan_hash=bound)
    env.board = ours


def signed_with_a_key_that_this_host_lacks(env: BoardEnv) -> None:
    ours, env.board = env.board, replace(env.board, decision_signer=ephemeral_signer())
    approve(env)
    env.board = ours


@pytest.mark.slow
@pytest.mark.parametrize(
    "forge",
    [
        never_given,
        given_by_another,
        given_in_anothers_name,
        given_in_another_role,
        given_and_taken_back,
        given_before_the_same_plan_was_filed_again,
        given_by_the_author,
        given_by_the_requester,
        given_and_signed_with_a_forged_key,
        signed_with_a_key_that_this_host_lacks,
    ],
)
def test_a_forged_approval_starts_nothing(env: BoardEnv, forge: Callable[[BoardEnv], None]) -> None:
    forge(env)
    again = env.claim("db-agent")
    with pytest.raises((Forged, Misconfigured)):
        tasks.begin_execution(env.board, again)


def test_a_forged_approval_runs_no_further_command_of_what_has_begun(env: BoardEnv) -> None:
    approve(env)
    again = env.claim("db-agent")
    grant = tasks.begin_execution(env.board, again)
    write(env, "update tb_decision set person_id = 'lead2'")
    with pytest.raises(Forged):
        commands.record_intent(env.board, grant, TERMINATE, "psql …", PlanStep(0, "do"))


def test_directives_that_change_no_plan_keep_its_approvals(env: BoardEnv) -> None:
    claim = approve(env)
    for verb, argument in (("pause", ""), ("resume", ""), ("priority", "P1"), ("reassign", "eng")):
        directives.issue_directive(
            env.board, LEAD, claim.task_id, DirectiveRequest(verb, "사유", argument)
        )
    assert tasks.begin_execution(env.board, env.claim("db-agent")).plan_hash is not None
