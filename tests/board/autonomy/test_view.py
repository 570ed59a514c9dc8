"""The report on observed plans, from the audit log alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from autonomy_env import apply_autonomy, observe, reversible_plan, run_action
from board_env import LEAD, LEAD2, PM, BoardEnv, plan, replace_plan
from command_line import command_env, output
from page_env import PageClient
from policy_env import Clock

from guardia.board.approvals import decisions
from guardia.board.autonomy import view
from guardia.board.autonomy.policy import Comparison
from guardia.board.autonomy.view import AutonomyQuery
from guardia.board.control import directives
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core.claims import Claim
from guardia.board.core.plan import Plan
from guardia.board.execution import tasks
from guardia.board.execution import view as execution_view

_OBSERVE = "[{institution: MOF, category: MAINTENANCE, mode: observe}]"


def direct(env: BoardEnv, claim: Claim, verb: str, reason: str = "사유") -> None:
    directives.issue_directive(env.board, LEAD, claim.task_id, DirectiveRequest(verb, reason))


def carry_out(env: BoardEnv, claim: Claim, wanted: Plan) -> None:
    """Let a person replace the observed plan, and an agent carry the person's plan out."""
    replace_plan(env.board, claim.task_id, wanted, LEAD2)
    bound = execution_view.plan_state(env.board, claim.task_id).plan_hash or ""
    decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=bound)
    again = env.claim("db-agent")
    tasks.begin_execution(env.board, again)
    run_action(env, again, wanted)
    tasks.complete(env.board, again, "끝")


def counts(env: BoardEnv, **query: int) -> dict[Comparison, int]:
    found = view.autonomy_report(env.board, AutonomyQuery(**query))
    return dict(found.lines[0].counts) if found.lines else {}


@pytest.mark.slow
def test_every_way_in_which_people_may_go_on_is_told_apart(env: BoardEnv) -> None:
    apply_autonomy(env, _OBSERVE)
    same = observe(env, reversible_plan())
    worded = reversible_plan().actions[0].model_copy(update={"effect": "사람이 고친 문장"})
    carry_out(env, same, plan("MAINTENANCE", worded))
    carry_out(env, observe(env), reversible_plan())
    direct(env, observe(env), "abort")
    direct(env, observe(env), "complete", "직접 재시작했습니다")
    observe(env)
    found = view.autonomy_report(env.board, AutonomyQuery())
    [line] = found.lines
    assert (line.institution, line.institution_name) == ("MOF", "기획재정부")
    assert line.counts == dict.fromkeys(Comparison, 1)
    assert (line.total, line.share) == (5, 33)
    newest_first = [row.comparison for row in found.rows]
    assert newest_first == [
        Comparison.OPEN,
        Comparison.INCOMPARABLE,
        Comparison.NOTHING,
        Comparison.DIFFERENT,
        Comparison.SAME,
    ]
    assert found.rows[1].said == ("직접 재시작했습니다",)
    assert found.rows[3].would == ("세션 7을 끝냅니다.",)
    assert found.rows[3].did == (reversible_plan().actions[0].effect,)


@pytest.mark.slow
def test_what_was_started_but_has_no_result_is_not_a_change(env: BoardEnv) -> None:
    apply_autonomy(env, _OBSERVE)
    claim = observe(env, reversible_plan())
    wanted = plan("MAINTENANCE", reversible_plan().actions[0], plan().actions[0])
    replace_plan(env.board, claim.task_id, wanted, LEAD2)
    bound = execution_view.plan_state(env.board, claim.task_id).plan_hash or ""
    decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=bound)
    again = env.claim("db-agent")
    tasks.begin_execution(env.board, again)
    run_action(env, again, wanted, ok=False)
    tasks.fail(env.board, again, "원복")
    assert counts(env) == {Comparison.NOTHING: 1}


def test_a_plan_observed_again_replaces_the_first_and_returning_reopens(env: BoardEnv) -> None:
    apply_autonomy(env, _OBSERVE)
    claim = observe(env)
    direct(env, claim, "return", "다시 진단해 주세요")
    again = env.claim("db-agent")
    tasks.file_plan(env.board, again, reversible_plan())
    assert counts(env) == {Comparison.OPEN: 1}
    direct(env, again, "abort")
    assert counts(env) == {Comparison.NOTHING: 1}


@pytest.mark.slow
def test_pages_and_the_period_cut_the_list_but_not_the_counts(env: BoardEnv) -> None:
    clock = Clock()
    env.board = replace(env.board, clock=clock)
    apply_autonomy(env, _OBSERVE)
    seen = [observe(env).sr_id for _ in range(3)]
    first = view.autonomy_report(env.board, AutonomyQuery(size=2))
    assert [row.sr_id for row in first.rows] == seen[:0:-1] and first.lines[0].total == 3
    rest = view.autonomy_report(env.board, AutonomyQuery(size=2, before=first.older))
    assert [row.sr_id for row in rest.rows] == seen[:1] and rest.older is None
    clock.now = datetime.now(UTC) + timedelta(days=2)  # entries bear the time of the database
    assert counts(env, days=1) == {}
    assert counts(env, days=3) == {Comparison.OPEN: 3}


def test_the_report_is_about_the_log_and_not_about_rows(env: BoardEnv) -> None:
    apply_autonomy(env, _OBSERVE)
    observe(env)
    with psycopg.connect(env.dsn) as connection:
        connection.execute("update tb_ops_task set plan = null, status = 'ABORTED'")
    assert counts(env) == {Comparison.OPEN: 1}


@pytest.mark.slow
@pytest.mark.usefixtures("web_env")
def test_staff_see_the_page_and_customers_do_not(
    env: BoardEnv, sign_in_as: Callable[[str], PageClient]
) -> None:
    browser = sign_in_as(PM.id)
    assert "관찰된 계획이 없습니다" in browser.get_page("/autonomy").text
    apply_autonomy(env, _OBSERVE)
    claim = observe(env)
    direct(env, claim, "abort", "<b>필요 없음</b>")
    html = browser.get_page("/autonomy").text
    for part in (f'href="/issues/{claim.sr_id}"', "기획재정부", "세션 7을 끝냅니다", "조치 없음"):
        assert part in html
    assert "<b>필요" not in html and "style=" not in html
    assert sign_in_as("cus").get_page("/autonomy").status_code == 403
    assert browser.get_page("/autonomy?days=0").status_code == 422


@pytest.mark.slow
def test_the_command_prints_the_same_report(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with command_env(database, tmp_path, monkeypatch) as env:
        assert "관찰된 계획이 없습니다" in output("autonomy", "report")
        apply_autonomy(env, _OBSERVE)
        claim = observe(env)
        direct(env, claim, "complete", "직접 처리")
        table = output("autonomy", "report")
        assert f"SR-{claim.sr_id}" in table and "비교 불가" in table
        found = json.loads(output("autonomy", "report", "--json"))
    assert found["lines"][0]["counts"] == {"incomparable": 1}
    assert found["plans"][0]["said"] == ["직접 처리"]
