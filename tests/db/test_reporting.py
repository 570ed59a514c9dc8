"""Views for reporting tools: their figures, the queries of before, and the rights of their role."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest
from board_env import LEAD, BoardEnv
from histories import History
from page_env import IssueScenario, enrol_page_users
from psycopg.rows import dict_row

from guardia.board.approvals import decisions
from guardia.board.dashboard import totals
from guardia.board.dashboard.autonomy_card import AutonomyCard
from guardia.board.dashboard.cards import NO_FILTERS
from guardia.board.dashboard.engineers_card import EngineersCard
from guardia.board.dashboard.hours_card import HoursCard
from guardia.board.dashboard.institutions_card import InstitutionsCard
from guardia.board.dashboard.requests_card import RequestsCard
from guardia.db.embedded import REPORTING_ROLE, Cluster

DOCUMENT = Path(__file__).parents[2] / "docs" / "sql-views.md"
_BLOCK = re.compile(r"### Query (\d)\n\n```sql\n(.*?)\n```\n\n`(\w+)`.*?```sql\n(.*?)\n```", re.S)
DOCUMENTED = {number: rest for number, *rest in _BLOCK.findall(DOCUMENT.read_text("utf-8"))}


@pytest.fixture
def report(cluster: Cluster, database: Any) -> str:
    """DSN of the reporting role."""
    return cluster.dsn(REPORTING_ROLE, database.name)


def read(dsn: str, query: str) -> list[dict[str, Any]]:
    with psycopg.connect(dsn, row_factory=dict_row) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def fail_on(env: BoardEnv) -> int:
    """Let a task on the server of the queries fail; returns it."""
    scenario = IssueScenario(env).waiting()
    task = scenario.claim.task_id
    decisions.decide(env.board, LEAD, task, approve=True, plan_hash=scenario.plan_hash)
    scenario.start().fail()
    with psycopg.connect(env.dsn) as connection:
        connection.execute("update tb_ops_task set target_server = 'MOF-WAS-01'")
    return task


@pytest.mark.slow
def test_the_queries_of_before_run_unchanged(env: BoardEnv, report: str) -> None:
    task = fail_on(env)
    env.create_issue()
    assert sorted(DOCUMENTED) == list("1234567")
    found = {number: read(report, query) for number, (query, _, _) in DOCUMENTED.items()}
    assert [row["status"] for row in found["1"]] == ["RECEIVED"]
    (day,) = found["2"]
    assert (day["total_tasks"], day["success_count"], day["success_rate"]) == (2, 0, 0)
    assert found["3"] == []
    statuses = [row["integrity_status"] for row in found["4"]]
    assert statuses == ["VALID"] * (len(statuses) - 1) + ["TAMPERED"]
    (mof,) = found["5"]
    assert (mof["전체_sr수"], mof["장애_건수"]) == (1, 1)
    assert [row["task_id"] for row in found["6"]] == [task]
    assert {row["task_id"] for row in found["7"]} == {task}
    views = {number: read(report, query) for number, (_, _, query) in DOCUMENTED.items()}
    assert [row["status"] for row in views["1"]] == ["RECEIVED"]
    assert views["2"][0]["total_tasks"] == 2
    assert views["4"] == []
    assert views["5"][0]["failed_sr"] == 1
    assert {row["failed"] for row in views["6"]} == {False} and len(views["6"]) == 3
    assert [row["task_id"] for row in views["7"]] == [task]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 4])
def test_views_have_the_figures_of_the_cards(env: BoardEnv, report: str, seed: int) -> None:
    enrol_page_users(env)
    History(env, seed).live()
    totals.fold(env.board)
    board = env.board
    requests = RequestsCard().read(board, LEAD, NO_FILTERS)
    assert len(read(report, "select from v_sr_waiting")) == requests.open
    (days,) = read(report, "select sum(received) as came, sum(ended) as ended from v_sr_daily")
    came, ended = (sum(one.values) for one in requests.chart.series)
    assert (days["came"], days["ended"] or 0) == (came, ended)
    work = AutonomyCard().read(board, LEAD, NO_FILTERS)
    (sums,) = read(
        report,
        "select sum(completed) as completed, sum(completed_alone) as alone, sum(failed) as"
        " failed from v_agent_autonomy",
    )
    by_state = {state.value: number for state, number, _ in work.by_state}
    expected = (work.completed, work.alone, by_state["FAILED_ROLLBACK"])
    assert (sums["completed"], sums["alone"], sums["failed"]) == expected
    load = {row["owner_id"]: row["open_tasks"] for row in read(report, "table v_engineer_load")}
    assert load == {e.person_id: e.open for e in EngineersCard().read(board, LEAD, NO_FILTERS)}
    shown = {one.inst_id: one for one in InstitutionsCard().read(board, LEAD, NO_FILTERS)}
    for row in read(report, "table v_institution_summary"):
        one = shown.get(row["inst_id"])
        assert row["open_sr"] == (one.open if one else 0)
        assert row["failed_sr"] == (one.failed if one else 0)
    (hours,) = read(report, "select sum(tasks) as tasks, sum(lines) as lines from v_hourly_load")
    series = HoursCard().read(board, LEAD, NO_FILTERS).series
    assert (hours["tasks"], hours["lines"]) == tuple(sum(one.values) for one in series)


FORBIDDEN = (
    "select body from tb_sr_request",
    "select text from tb_msg_chat_log",
    "select credential from tb_server_info",
    "select password_hash from tb_person",
    "table tb_access_token",
    "update tb_ops_task set status = 'COMPLETED'",
    "delete from tb_figure_total",
    "update v_sr_waiting set title = 'x'",
    "select grant_reporting('guardia_report')",
)


@pytest.mark.parametrize("query", FORBIDDEN)
def test_the_role_reads_no_more_and_writes_nothing(report: str, query: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        read(report, query)


def test_every_view_is_documented_and_readable(report: str, database: Any) -> None:
    views = read(
        database.owner,
        "select viewname from pg_views where schemaname = 'public' and viewname like 'v\\_%'",
    )
    text = DOCUMENT.read_text("utf-8")
    for row in views:
        assert f"| `{row['viewname']}` |" in text
        read(report, f"table {row['viewname']}")


def test_a_role_that_is_created_later_gets_its_rights(database: Any) -> None:
    with psycopg.connect(database.superuser) as connection:
        connection.execute("create role later_reader login")
        connection.execute("select grant_reporting('later_reader')")
        connection.execute("set local role later_reader")
        assert connection.execute("select count(*) from v_task_daily").fetchone() == (0,)
        connection.rollback()
