"""Approvals that somebody writes into the tables, past the desk, open nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest
from board_env import LEAD, PM, TERMINATE, BoardEnv, assignment, plan

from guardia.board.approvals import decisions, pending
from guardia.board.audit.signing import DecisionSigner
from guardia.board.control import directives
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core.claims import Claim
from guardia.board.execution import commands, tasks
from guardia.board.execution.commands import PlanStep
from guardia.errors import Forged, Misconfigured
from guardia.org.directory import PersonInfo

APPROVED = """update tb_approval set state = 'APPROVED', decided_by = 'lead', decided_at = now();
update tb_ops_task set status = 'APPROVED'"""
DECISION = """insert into tb_decision (approval_id, person_id, role, verdict, decided_at)
select max(approval_id), '{who}', 'team_lead', 'approve', now() from tb_approval"""


def write(cast: BoardEnv, *statements: str) -> None:
    """As the application's own role: no trigger or right is switched off."""
    with psycopg.connect(cast.dsn) as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[arg-type]


def approve(cast: BoardEnv) -> Claim:
    held, _, bound = cast.planned()
    decisions.decide(cast.desk, LEAD, held.task_id, approve=True, plan_hash=bound)
    return held


def change(cast: BoardEnv, hold: Claim, who: PersonInfo) -> None:
    """The same plan, filed anew by a person."""
    bound = tasks.plan_hash(hold.task_id, plan())
    directives.issue_directive(
        cast.desk, who, hold.task_id, DirectiveRequest("change", "고침", bound, plan())
    )


def never_given(cast: BoardEnv) -> None:
    cast.planned()
    write(cast, APPROVED, DECISION.format(who="lead"))


def given_by_another(cast: BoardEnv) -> None:
    approve(cast)
    write(cast, "update tb_decision set person_id = 'lead2'")


def given_in_anothers_name(cast: BoardEnv) -> None:
    approve(cast)
    write(cast, "update tb_decision set principal_id = 'lead2'")


def given_in_another_role(cast: BoardEnv) -> None:
    approve(cast)
    write(cast, "update tb_decision set role = 'pm'", "update tb_approval set role = 'pm'")


def given_and_taken_back(cast: BoardEnv) -> None:
    """What was voided when people took over is put back as if it still counted."""
    hold = approve(cast)
    directives.issue_directive(cast.desk, PM, hold.task_id, DirectiveRequest("manual", "직접"))
    write(
        cast,
        "update tb_approval set state = 'APPROVED'",
        *(f"update tb_ops_task set status = '{s}'" for s in ("PARSED", "APPROVED")),
    )


def given_before_the_same_plan_was_asked_anew(cast: BoardEnv) -> None:
    hold = approve(cast)
    change(cast, hold, PM)
    write(
        cast,
        "update tb_approval set state = 'VOID' where state = 'WAITING'",
        "update tb_approval set state = 'APPROVED' where decided_by is not null",
        "update tb_ops_task set status = 'APPROVED'",
    )


def given_by_the_author(cast: BoardEnv) -> None:
    held, _, _ = cast.planned()
    change(cast, held, LEAD)
    write(cast, "update tb_ops_task set plan_author = 'agent:db-agent'")
    bound = tasks.plan_hash(held.task_id, plan())
    decisions.decide(cast.desk, LEAD, held.task_id, approve=True, plan_hash=bound)


def given_by_the_requester(cast: BoardEnv) -> None:
    cast.received(requester_id=LEAD.id)
    tasks.file_triage(cast.desk, cast.hold("dispatcher"), assignment("MOF-DB-01"))
    held = cast.hold("db-agent")
    tasks.file_plan(cast.desk, held, plan())
    write(cast, "update tb_sr_request set requester_id = null")
    bound = tasks.plan_hash(held.task_id, plan())
    decisions.decide(cast.desk, LEAD, held.task_id, approve=True, plan_hash=bound)


def given_and_sealed_with_a_key_of_ones_own(cast: BoardEnv) -> None:
    """The rows and the entry, hashes and all; only the installation's key is missing."""
    approve(cast)
    with psycopg.connect(cast.dsn) as connection:
        connection.execute("update tb_ops_task set paused = true")
    cast.planned()
    ours, cast.desk = cast.desk, replace(cast.desk, seal=DecisionSigner.passing())
    task = max(t.task_id for t in pending.pending_plans(cast.desk, 2))
    bound = tasks.plan_hash(task, plan())
    decisions.decide(cast.desk, LEAD, task, approve=True, plan_hash=bound)
    cast.desk = ours


def sealed_by_a_key_that_this_host_has_not(cast: BoardEnv) -> None:
    ours, cast.desk = cast.desk, replace(cast.desk, seal=DecisionSigner.passing())
    approve(cast)
    cast.desk = ours


@pytest.mark.parametrize(
    "forge",
    [
        never_given,
        given_by_another,
        given_in_anothers_name,
        given_in_another_role,
        given_and_taken_back,
        given_before_the_same_plan_was_asked_anew,
        given_by_the_author,
        given_by_the_requester,
        given_and_sealed_with_a_key_of_ones_own,
        sealed_by_a_key_that_this_host_has_not,
    ],
)
def test_a_forged_approval_starts_nothing(
    cast: BoardEnv, forge: Callable[[BoardEnv], None]
) -> None:
    forge(cast)
    again = cast.hold("db-agent")
    with pytest.raises((Forged, Misconfigured)):
        tasks.begin_execution(cast.desk, again)


def test_a_forged_approval_runs_no_further_command_of_what_has_begun(cast: BoardEnv) -> None:
    approve(cast)
    again = cast.hold("db-agent")
    grant = tasks.begin_execution(cast.desk, again)
    write(cast, "update tb_decision set person_id = 'lead2'")
    with pytest.raises(Forged):
        commands.record_intent(cast.desk, grant, TERMINATE, "psql …", PlanStep(0, "do"))


def test_orders_that_change_no_plan_leave_its_approvals_as_they_are(cast: BoardEnv) -> None:
    hold = approve(cast)
    for verb, argument in (("pause", ""), ("resume", ""), ("priority", "P1"), ("reassign", "eng")):
        directives.issue_directive(
            cast.desk, LEAD, hold.task_id, DirectiveRequest(verb, "사유", argument)
        )
    assert tasks.begin_execution(cast.desk, cast.hold("db-agent")).plan_hash is not None
