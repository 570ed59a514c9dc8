"""The figures of the cards are those of plain queries over the tables, after random histories."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from board_env import CUSTOMER, LEAD, BoardEnv
from histories import History
from page_env import OTHER_CUSTOMER, IssueScenario
from sqlalchemy import text

from guardia.board.core.lifecycle import State
from guardia.board.dashboard import totals
from guardia.board.dashboard.agents_card import AgentsCard
from guardia.board.dashboard.approvals_card import ApprovalsCard
from guardia.board.dashboard.autonomy_card import AutonomyCard
from guardia.board.dashboard.cards import NO_FILTERS, CardFilters
from guardia.board.dashboard.engineers_card import EngineersCard
from guardia.board.dashboard.failures_card import FailuresCard
from guardia.board.dashboard.hours_card import HoursCard
from guardia.board.dashboard.institutions_card import InstitutionsCard
from guardia.board.dashboard.requests_card import RequestsCard
from guardia.board.tracker.issue_list import IssueQuery, list_issues

OPEN = "('RECEIVED', 'PARSED', 'PENDING_APPROVAL', 'APPROVED', 'IN_PROGRESS', 'MANUAL')"
TASKS = "from tb_ops_task t join tb_sr_request i using (sr_id) where true"
ISSUES = "from tb_sr_request i where true"
FILTERS = {
    NO_FILTERS: ("", ""),
    CardFilters(institution="MOF"): (" and i.inst_id = 'MOF'",) * 2,
    CardFilters(server="MOF-DB-01"): (
        " and t.target_server = 'MOF-DB-01'",
        " and exists (select from tb_ops_task o where o.sr_id = i.sr_id"
        " and o.target_server = 'MOF-DB-01')",
    ),
}
_COUNTED = "select measure, inst_id, day, part, sum(n) from {} group by 1, 2, 3, 4"


def rows(env: BoardEnv, query: str) -> list[tuple[Any, ...]]:
    with env.board.database.reading() as session:
        return [tuple(row) for row in session.execute(text(query))]


def one(env: BoardEnv, query: str) -> Any:
    return rows(env, query)[0][0]


def kept(env: BoardEnv) -> set[tuple[Any, ...]]:
    """Return all figures as they are kept, without those that are zero."""
    return {row for row in rows(env, _COUNTED.format("v_figure")) if row[-1] and row[1] != "*"}


def counted(env: BoardEnv) -> set[tuple[Any, ...]]:
    """Return all figures as the tables have them."""
    return set(rows(env, _COUNTED.format("counted_figures()")))


def check_cards(env: BoardEnv, filters: CardFilters) -> None:
    """Compare each card with plain queries."""
    board, (on_task, on_issue) = env.board, FILTERS[filters]

    def tasks(more: str, what: str = "count(*)") -> Any:
        return one(env, f"select {what} {TASKS}{on_task} and {more}")

    def issues(more: str) -> Any:
        return one(env, f"select count(*) {ISSUES}{on_issue} and {more}")

    requests = RequestsCard().read(board, LEAD, filters)
    assert {s: n for s, n, _ in requests.by_state} == {
        state: n for state in State if (n := issues(f"status = '{state}' and status in {OPEN}"))
    }
    assert sum(requests.chart.series[0].values) == issues("true")
    assert sum(requests.chart.series[1].values) == issues(f"status not in {OPEN}")
    work = AutonomyCard().read(board, LEAD, filters)
    for state, number, _ in work.by_state:
        assert number == tasks(f"t.agent_id is not null and t.status = '{state}'")
    alone = (
        "t.agent_id is not null and t.status = 'COMPLETED'"
        " and not exists (select from tb_directive d where d.task_id = t.task_id)"
        " and not exists (select from tb_approval a join tb_decision using (approval_id)"
        " where a.task_id = t.task_id)"
    )
    assert work.alone == tasks(alone)
    done = "t.agent_id is not null and t.status = 'COMPLETED'"
    mean = tasks(done, "extract(epoch from avg(t.updated_at - t.created_at))")
    assert (work.mean is None) == (mean is None)
    if work.mean is not None:
        assert work.mean.total_seconds() == pytest.approx(float(mean), abs=0.01)
    failures = FailuresCard().read(board, LEAD, filters)
    assert failures.total == len(failures.rows) == tasks("t.status = 'FAILED_ROLLBACK'")
    for engineer in EngineersCard().read(board, LEAD, filters):
        own = f"t.owner_id = '{engineer.person_id}'"
        assert engineer.open == tasks(f"{own} and t.status in {OPEN}")
        assert engineer.manual == tasks(f"{own} and t.status = 'MANUAL'")
    for agent in AgentsCard().read(board, LEAD, filters):
        assert agent.open == tasks(f"t.agent_id = '{agent.agent_id}' and t.status in {OPEN}")
    assert ApprovalsCard().read(board, LEAD, filters).total == tasks(
        "t.status = 'PENDING_APPROVAL'"
    )
    for inst in InstitutionsCard().read(board, LEAD, filters):
        own = f"i.inst_id = '{inst.inst_id}'"
        found = (inst.open, inst.urgent, inst.completed, inst.failed)
        assert found == (
            issues(f"{own} and status in {OPEN}"),
            issues(f"{own} and status in {OPEN} and priority in ('P1', 'P2')"),
            issues(f"{own} and status = 'COMPLETED'"),
            issues(f"{own} and status = 'FAILED_ROLLBACK'"),
        )
    hours = HoursCard().read(board, LEAD, filters)
    assert sum(hours.series[0].values) == tasks("true")
    assert sum(hours.series[1].values) == one(env, "select count(*) from tb_msg_chat_log")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_figures_are_those_of_plain_queries(web_env: BoardEnv, seed: int) -> None:
    history = History(web_env, seed)
    history.live()
    assert kept(web_env) == counted(web_env)
    totals.fold(web_env.board)
    assert one(web_env, "select count(*) from tb_figure_change") == 0
    history.live(4)
    assert kept(web_env) == counted(web_env)
    for filters in FILTERS:
        check_cards(web_env, filters)
    totals.fold(web_env.board)
    assert kept(web_env) == counted(web_env)
    assert one(web_env, "select count(*) from tb_figure_total where n <= 0") == 0
    check_cards(web_env, NO_FILTERS)


def test_a_rebuild_repairs_the_totals(web_env: BoardEnv) -> None:
    IssueScenario(web_env).waiting()
    totals.fold(web_env.board)
    with psycopg.connect(web_env.dsn) as connection:
        connection.execute("update tb_figure_total set n = n + 7")
    assert kept(web_env) != counted(web_env)
    assert totals.rebuild(web_env.board) > 0
    assert kept(web_env) == counted(web_env)
    web_env.create_issue()
    assert kept(web_env) == counted(web_env)


def test_a_fold_and_a_rebuild_lose_nothing_of_a_transaction_that_is_open(web_env: BoardEnv) -> None:
    web_env.create_issue()
    with psycopg.connect(web_env.dsn) as other:
        other.execute("update tb_sr_request set inst_id = 'MOE'")
        totals.fold(web_env.board)
        totals.rebuild(web_env.board)
    assert kept(web_env) == counted(web_env)


@pytest.mark.slow
def test_a_comment_on_an_ended_issue_does_not_move_its_end(web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).waiting()
    History(web_env, 0)._order(scenario.claim.task_id, "abort")
    ended = one(web_env, "select closed_at from tb_sr_request")
    with psycopg.connect(web_env.dsn) as connection:
        connection.execute("update tb_sr_request set updated_at = now() + interval '3 days'")
    assert ended is not None and one(web_env, "select closed_at from tb_sr_request") == ended


@pytest.mark.slow
def test_figures_are_limited_to_what_a_person_may_see(web_env: BoardEnv) -> None:
    IssueScenario(web_env).waiting()
    board = web_env.board
    assert RequestsCard().read(board, CUSTOMER, NO_FILTERS).open == 1
    assert RequestsCard().read(board, OTHER_CUSTOMER, NO_FILTERS).open == 0
    assert RequestsCard().read(board, CUSTOMER, CardFilters(institution="MOE")).open == 0
    assert RequestsCard().read(board, LEAD, CardFilters(institution="MOE")).open == 0
    assert RequestsCard().read(board, OTHER_CUSTOMER, CardFilters(server="MOF-DB-01")).open == 0


def listed(env: BoardEnv, link: str) -> int:
    """Return how many issues the list shows at an address."""
    given = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    query = IssueQuery(size=100, state=given["state"], words=given.get("q", ""))  # type: ignore[arg-type]
    return len(list_issues(env.board, LEAD, query).rows)


@pytest.mark.slow
def test_each_figure_leads_to_its_issues(web_env: BoardEnv) -> None:
    History(web_env, 3).live(12)
    board = web_env.board
    for filters in FILTERS:
        requests = RequestsCard().read(board, LEAD, filters)
        figures = [(requests.open, requests.link)]
        figures += [(number, link) for _, number, link in requests.by_state]
        hours = HoursCard().read(board, LEAD, filters)
        for series in (*requests.chart.series, hours.series[0]):
            figures += [(int(n), link) for n, link in zip(series.values, series.links, strict=True)]
        work = AutonomyCard().read(board, LEAD, filters)
        figures += [(number, link) for _, number, link in work.by_state]
        figures.append((work.alone, work.alone_link))
        for engineer in EngineersCard().read(board, LEAD, filters):
            figures.append((engineer.open, engineer.open_link))
            figures.append((engineer.manual, engineer.manual_link))
        for agent in AgentsCard().read(board, LEAD, filters):
            figures.append((agent.open, agent.link))
        for inst in InstitutionsCard().read(board, LEAD, filters):
            figures += [(getattr(inst, name), link) for name, link in inst.links.items()]
        for waiting in (FailuresCard(), ApprovalsCard()):
            found = waiting.read(board, LEAD, filters)
            figures.append((found.total, found.link))
        # In these histories each issue has one task that counts.
        assert {link: number for number, link in figures} == {
            link: listed(web_env, link) for _, link in figures
        }
        assert sum(number for number, _ in figures) > 20
