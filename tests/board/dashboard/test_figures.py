"""The figures of the cards are those of plain queries over the tables, after random histories."""

from __future__ import annotations

import random
from typing import Any

import psycopg
import pytest
from board_env import CUSTOMER, LEAD, BoardEnv
from page_env import OTHER_CUSTOMER, IssueScenario

from guardia.board.approvals import decisions
from guardia.board.control import directives
from guardia.board.control.directive_context import DirectiveRequest
from guardia.board.core.lifecycle import State
from guardia.board.dashboard.autonomy_card import AutonomyCard
from guardia.board.dashboard.cards import NO_FILTERS, CardFilters
from guardia.board.dashboard.engineers_card import EngineersCard
from guardia.board.dashboard.failures_card import FailuresCard
from guardia.board.dashboard.hours_card import HoursCard
from guardia.board.dashboard.institutions_card import InstitutionsCard
from guardia.board.dashboard.requests_card import RequestsCard
from guardia.board.dashboard.servers_card import ServersCard

OPEN = "('RECEIVED', 'PARSED', 'PENDING_APPROVAL', 'APPROVED', 'IN_PROGRESS', 'MANUAL')"


def rows(env: BoardEnv, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(env.dsn) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def live(env: BoardEnv, seed: int) -> None:
    """Let requests come, and end in many ways."""
    chance = random.Random(seed)
    for _ in range(8):
        end = chance.choice(["wait", "complete", "fail", "reject", "abort", "manual"])
        scenario = IssueScenario(env).waiting()
        task, bound = scenario.claim.task_id, scenario.plan_hash
        if end in ("complete", "fail"):
            decisions.decide(env.board, LEAD, task, approve=True, plan_hash=bound)
            scenario.start()
            (scenario.complete if end == "complete" else scenario.fail)()
        elif end == "reject":
            decisions.decide(
                env.board, LEAD, task, approve=False, plan_hash=bound, reason="다시 확인"
            )
        elif end in ("abort", "manual"):
            directives.issue_directive(env.board, LEAD, task, DirectiveRequest(end, "사유", ""))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_figures_are_those_of_plain_queries(web_env: BoardEnv, seed: int) -> None:
    live(web_env, seed)
    board = web_env.board
    requests = RequestsCard().read(board, LEAD, NO_FILTERS)
    by_state = rows(
        web_env, f"select status, count(*) from tb_sr_request where status in {OPEN} group by 1"
    )
    assert {state.value: number for state, number in requests.by_state} == dict(by_state)
    received = rows(web_env, "select count(*) from tb_sr_request")[0][0]
    assert sum(requests.chart.series[0].values) == received

    work = AutonomyCard().read(board, LEAD, NO_FILTERS)
    tasks = dict(rows(web_env, "select status, count(*) from tb_ops_task group by 1"))
    assert dict(work.by_state) == {state: tasks.get(state.value, 0) for state, _ in work.by_state}
    assert work.completed == tasks.get(State.COMPLETED.value, 0) and work.alone == 0

    failures = FailuresCard().read(board, LEAD, NO_FILTERS)
    assert failures.total == tasks.get(State.FAILED_ROLLBACK.value, 0) == len(failures.rows)

    (mof,) = InstitutionsCard().read(board, LEAD, NO_FILTERS)
    opened = rows(web_env, f"select count(*) from tb_sr_request where status in {OPEN}")[0][0]
    assert (mof.inst_id, mof.open, mof.failed) == ("MOF", opened, failures.total)

    loads = rows(
        web_env,
        "select owner_id, count(*) from tb_ops_task"
        f" where status in {OPEN} and owner_id is not null group by 1",
    )
    shown = EngineersCard().read(board, LEAD, NO_FILTERS)
    assert {one.person_id: one.open for one in shown if one.open} == dict(loads)

    hours = HoursCard().read(board, LEAD, NO_FILTERS)
    assert sum(hours.series[0].values) == sum(tasks.values())


def test_figures_are_limited_to_what_a_person_may_see(web_env: BoardEnv) -> None:
    IssueScenario(web_env).waiting()
    board = web_env.board
    assert RequestsCard().read(board, CUSTOMER, NO_FILTERS).open == 1
    assert RequestsCard().read(board, OTHER_CUSTOMER, NO_FILTERS).open == 0
    assert RequestsCard().read(board, LEAD, CardFilters(institution="MOE")).open == 0


def test_a_changed_entry_is_marked_in_the_timeline(web_env: BoardEnv, database: Any) -> None:
    IssueScenario(web_env).waiting()
    first = ServersCard().read(web_env.board, LEAD, NO_FILTERS)
    assert first and all(event.whole for event in first)
    with psycopg.connect(database.superuser) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute(
            "update tb_audit_log set log_content = '아무 일도 없었습니다' where seq = %s",
            (first[0].seq,),
        )
    after = ServersCard().read(web_env.board, LEAD, NO_FILTERS)
    assert [event.whole for event in after] == [False, *(True for _ in first[1:])]
