"""From a failure to the command that failed and what it printed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from board_env import CUSTOMER, LEAD, BoardEnv
from page_env import OTHER_CUSTOMER, IssueScenario, PageClient
from pytest import raises

from guardia.board.approvals import decisions
from guardia.board.dashboard import failure_view
from guardia.board.execution import commands, tasks
from guardia.board.execution.commands import CommandResult, PlanStep
from guardia.errors import NotFound

OUTPUT = "psql: error: connection refused\n<script>alert(1)</script>"


def fail_a_command(env: BoardEnv, output: str = OUTPUT) -> IssueScenario:
    scenario = IssueScenario(env).waiting()
    task, bound = scenario.claim.task_id, scenario.plan_hash
    decisions.decide(env.board, LEAD, task, approve=True, plan_hash=bound)
    scenario.claim = scenario._claim("db-agent")
    grant = tasks.begin_execution(env.board, scenario.claim)
    action = scenario.plan.actions[0]
    intent = commands.record_intent(
        env.board, grant, action.call, action.command, PlanStep(0, "do")
    )
    commands.record_result(env.board, intent, CommandResult(False, {}, output, 12))
    return scenario.fail()


@pytest.mark.slow
def test_a_failure_leads_to_the_output_of_its_command(
    web_env: BoardEnv, sign_in_as: Callable[[str], PageClient]
) -> None:
    scenario = fail_a_command(web_env)
    browser = sign_in_as("lead")
    link = f"/issues/{scenario.sr_id}/tasks/{scenario.claim.task_id}/failure"
    assert f'href="{link}"' in browser.get_page("/dashboard/failures").text
    page = browser.get_page(link).text
    assert "connection refused" in page and "&lt;script&gt;alert(1)" in page
    assert "pg_terminate_backend" in page
    assert "해시와 일치합니다" in page
    assert sign_in_as("cus").get_page(link).status_code == 404
    assert sign_in_as("cus2").get_page(link).status_code == 404


@pytest.mark.slow
def test_a_changed_output_is_noticed(web_env: BoardEnv, database: Any) -> None:
    scenario = fail_a_command(web_env)
    where = (web_env.board, LEAD, scenario.sr_id, scenario.claim.task_id)
    assert failure_view.last_failure(*where).intact
    with psycopg.connect(database.app) as connection, raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("update tb_failed_output set output = 'x'")
    with psycopg.connect(database.superuser) as connection:
        connection.execute("update tb_failed_output set output = '정상'")
    assert not failure_view.last_failure(*where).intact


def test_a_failure_without_a_failed_command_shows_the_last_read(web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).waiting()
    task, bound = scenario.claim.task_id, scenario.plan_hash
    decisions.decide(web_env.board, LEAD, task, approve=True, plan_hash=bound)
    scenario.start().fail()
    found = failure_view.last_failure(web_env.board, LEAD, scenario.sr_id, task)
    assert (found.text, found.stored, found.intact) == ("", True, True)
    assert "pg_locks" in found.command


def test_others_find_no_failure(web_env: BoardEnv) -> None:
    scenario = fail_a_command(web_env, "")
    for person in (CUSTOMER, OTHER_CUSTOMER):
        with raises(NotFound):
            failure_view.last_failure(web_env.board, person, scenario.sr_id, scenario.claim.task_id)
