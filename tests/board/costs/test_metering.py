"""Budget accounts: reserved before a call, settled after, never beyond a cap."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from board_env import LEAD, PM, BoardEnv
from budget_env import BID, PRICES, apply_budget_chart, reserve_call
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from guardia.board.audit import log
from guardia.board.audit.model import AuditEntry
from guardia.board.core.claims import Claim
from guardia.board.core.context import BoardContext
from guardia.board.core.model import OutboxEntry, Task
from guardia.board.core.run_model import Run
from guardia.board.costs import budgets, metering
from guardia.board.costs.budget_accounts import BudgetRefusal
from guardia.board.costs.metering import ModelCallResult, ReportedUsage
from guardia.board.costs.model import BudgetAccount, CostDay, CostIssue, ModelCall
from guardia.board.runs import beats
from guardia.errors import Exhausted, Forbidden, Invalid, Stale
from guardia.org import revisions
from guardia.org.budgets import MICROS_PER_WON, Amount
from guardia.org.model import Agent

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
WORST = 1000
_fresh = itertools.count()


def at(env: BoardEnv, now: datetime) -> BoardContext:
    """Return the same board at another time."""
    return replace(env.board, clock=lambda: now)


@pytest.fixture
def board(env: BoardEnv) -> BoardContext:
    return at(env, NOW)


def account(
    board: BoardContext, span: str = "month", scope: str = "agent", of: str = "db-agent"
) -> Any:
    """Return the newest account of a kind."""
    with board.database.reading() as session:
        return session.scalar(
            select(BudgetAccount)
            .where(
                BudgetAccount.scope == scope,
                BudgetAccount.scope_id == of,
                BudgetAccount.span == span,
            )
            .order_by(BudgetAccount.begins.desc())
            .limit(1)
        )


def kinds(board: BoardContext, *selected: str) -> list[str]:
    """Return the entries of these kinds from an intact audit log."""
    with board.database.reading() as session:
        assert log.verify_all(session).intact
        found = (
            select(AuditEntry.kind).where(AuditEntry.kind.in_(selected)).order_by(AuditEntry.seq)
        )
        return list(session.scalars(found))


def state(board: BoardContext, agent: str = "db-agent") -> str:
    with board.database.reading() as session:
        return str(session.scalar(select(Agent.state).where(Agent.agent_id == agent)))


# --- one call ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_call_is_booked_on_every_account(env: BoardEnv, board: BoardContext) -> None:
    apply_budget_chart(env)
    claim = env.create_parsed_task()
    call = reserve_call(board, claim)
    assert account(board).reserved_tokens == WORST
    assert account(board).reserved_cost == 600 * 100 + 400 * 1000
    used = metering.settle(board, call, ModelCallResult("used", "", 500, 40, 812))
    assert used == Amount(540, 500 * 100 + 40 * 1000)
    for scope, of in (("agent", "db-agent"), ("institution", "MOF"), ("company", "")):
        for span, begins in (("month", date(2026, 11, 1)), ("day", date(2026, 11, 23))):
            found = account(board, span, scope, of)
            assert (found.spent_tokens, found.spent_cost) == (540, used.cost)
            assert (found.reserved_tokens, found.reserved_cost, found.begins) == (0, 0, begins)
    with board.database.reading() as session:
        row = session.get_one(ModelCall, call)
        assert (row.outcome, row.latency_ms, row.cost) == ("used", 812, used.cost)
        assert (row.run_id, row.task_id, row.sr_id) == (claim.run_id, claim.task_id, claim.sr_id)
        assert (row.inst_id, row.prompt_version) == ("MOF", "0123456789ab")
        assert session.get_one(Run, claim.run_id).tokens == 540
        day = session.get_one(CostDay, (date(2026, 11, 23), "db-agent", "MOF", "qwen"))
        assert (day.calls, day.unused, day.tokens_in, day.cost) == (1, 0, 500, used.cost)
        issue = session.get_one(CostIssue, (date(2026, 11, 1), claim.sr_id))
        assert (issue.calls, issue.cost) == (1, used.cost)
        entry = session.scalars(select(AuditEntry).where(AuditEntry.kind == "model_asked")).one()
        assert entry.sr_id == claim.sr_id and entry.detail["tokens_out"] == 40
    assert metering.settle(board, call, ModelCallResult("used", "", 500, 40)) == Amount(), (
        "settled once"
    )
    assert account(board).spent_tokens == 540
    with board.database.reading() as session:
        entry = next(a for a in revisions.running_chart(session).agents if a.id == "db-agent")
    begun = beats.RunContext(claim.run_id, "db-agent", (), (), entry)
    beats.end(board, begun, "parsed", task_id=claim.task_id, steps=1)
    with board.database.reading() as session:
        assert session.get_one(Run, claim.run_id).tokens == 540, "the end of a beat keeps them"
        work = session.get_one(CostDay, (date(2026, 11, 23), "db-agent", "MOF", ""))
        assert (work.runs, work.calls, work.cost) == (1, 0, 0)


HOSTILE = st.one_of(
    st.integers(), st.sampled_from([None, True, -1, 2**63, 10**30, 4.5, "12", [], {}])
)


@pytest.mark.slow
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(HOSTILE, HOSTILE)
def test_implausible_usage_never_breaks_the_accounts(
    env: BoardEnv, board: BoardContext, tokens_in: Any, tokens_out: Any
) -> None:
    claim = _claim_only_task(env, board)
    before = account(board) or BudgetAccount(spent_tokens=0, spent_cost=0)
    used = metering.settle(
        board, reserve_call(board, claim), ModelCallResult("used", "", tokens_in, tokens_out)
    )
    after = account(board)
    assert 0 <= used.tokens <= WORST and 0 <= used.cost <= 460_000
    assert after.spent_tokens == before.spent_tokens + used.tokens
    assert after.spent_cost == before.spent_cost + used.cost
    assert (after.reserved_tokens, after.reserved_cost) == (0, 0)


def _claim_only_task(env: BoardEnv, board: BoardContext) -> Claim:
    """Return the claim on the only task, which the first example creates."""
    with board.database.reading() as session:
        task = session.scalar(select(Task))
    if task is None:
        apply_budget_chart(env)
        return env.create_parsed_task()
    assert task.run_id is not None
    return Claim(task.task_id, task.sr_id, "db-agent", task.run_id, task.fence)


@pytest.mark.slow
def test_a_later_price_does_not_change_what_was_spent(env: BoardEnv, board: BoardContext) -> None:
    apply_budget_chart(env)
    claim = env.create_parsed_task()
    first, second = reserve_call(board, claim), reserve_call(board, claim)
    metering.settle(board, first, ModelCallResult("used", "", 100, 10))
    apply_budget_chart(env, more="prices: {qwen: {input: 7, output: 9}}\n")
    assert metering.settle(board, second, ModelCallResult("used", "", 100, 10)).cost == 20_000
    third = metering.settle(board, reserve_call(board, claim), ModelCallResult("used", "", 100, 10))
    assert third.cost == 100 * 7 + 10 * 9
    assert account(board).spent_cost == 20_000 * 2 + third.cost


@pytest.mark.slow
def test_overtaken_work_spends_nothing(env: BoardEnv, board: BoardContext) -> None:
    claim = env.create_parsed_task()
    with pytest.raises(Stale):
        metering.reserve(board, replace(claim, fence=claim.fence - 1), BID)
    assert account(board) is None


def test_a_dead_workers_reservation_counts_at_its_worst(env: BoardEnv, board: BoardContext) -> None:
    claim = env.create_parsed_task()
    call = reserve_call(board, claim)
    assert budgets.process_due(at(env, NOW + timedelta(seconds=80))) == 0
    later = at(env, NOW + timedelta(seconds=100))
    assert (budgets.process_due(later), budgets.process_due(later)) == (1, 0)
    assert (account(board).spent_tokens, account(board).reserved_tokens) == (WORST, 0)
    assert metering.settle(later, call, ModelCallResult("used", "", 1, 1)) == Amount(), (
        "it comes too late"
    )


# --- caps -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_at_the_cap_nothing_more_is_sent_and_people_are_alerted_once(
    env: BoardEnv, board: BoardContext
) -> None:
    apply_budget_chart(env, "{tokens: 3000}")
    claim = env.create_parsed_task()
    for _ in range(2):
        metering.settle(board, reserve_call(board, claim), ModelCallResult("used", "", 600, 400))
    assert kinds(board, "budget_warned") == []
    metering.settle(board, reserve_call(board, claim), ModelCallResult("used", "", 400, 1))
    assert kinds(board, "budget_warned") == ["budget_warned"]
    for _ in range(3):
        refused = metering.reserve(board, claim, BID)
        assert isinstance(refused, BudgetRefusal) and refused.exhausted and not refused.pauses_agent
        assert "db-agent" in refused.why
    assert kinds(board, "budget_warned", "budget_exhausted") == [
        "budget_warned",
        "budget_exhausted",
    ]
    with board.database.reading() as session:
        alerts = session.scalars(select(OutboxEntry.text).where(OutboxEntry.kind == "alert")).all()
        refusals = select(func.count()).where(ModelCall.outcome == "refused")
        assert len(alerts) == 2 and "80%" in alerts[0]
        assert session.scalar(refusals) == 3
    assert state(board) == "active"
    december = at(env, datetime(2026, 11, 30, 15, 0, tzinfo=UTC))  # 1 December in Seoul
    assert isinstance(metering.reserve(december, claim, BID), int)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("budget", "more"),
    [
        ("{won: 1}", ""),
        ("{daily_tokens: 1500}", ""),
        ("{daily_won: 1}", ""),
        ("", "budgets: {company: {tokens: 1500}}\n"),
        ("", "budgets: {institutions: {MOF: {daily_tokens: 1500}}}\n"),
    ],
)
def test_every_kind_of_cap_is_enforced(
    env: BoardEnv, board: BoardContext, budget: str, more: str
) -> None:
    """One call costs at most 0.46 won and 1,000 tokens."""
    apply_budget_chart(env, budget, PRICES + more)
    claim = env.create_parsed_task()
    permitted = 0
    while isinstance(call := metering.reserve(board, claim, BID), int):
        metering.settle(board, call, ModelCallResult("used", "", None, None))
        permitted += 1
        assert permitted < 5
    assert call.exhausted
    assert permitted == (2 if "won" in budget else 1)
    tomorrow = at(env, NOW + timedelta(days=1))
    assert isinstance(metering.reserve(tomorrow, claim, BID), int) == ("daily" in budget + more)


def test_open_reservations_do_not_exhaust_a_cap(env: BoardEnv, board: BoardContext) -> None:
    apply_budget_chart(env, "", PRICES + "budgets: {company: {tokens: 1500}}\n")
    claim = env.create_parsed_task()
    under_way = reserve_call(board, claim)
    busy = metering.reserve(board, claim, BID)
    assert isinstance(busy, BudgetRefusal) and not busy.exhausted
    assert kinds(board, "budget_exhausted") == []
    metering.settle(board, under_way, ModelCallResult("used", "", 10, 10))
    assert isinstance(metering.reserve(board, claim, BID), int)


CALLS = st.lists(
    st.tuples(st.integers(1, 900), st.integers(1, 900), st.integers(0, 3000), st.booleans()),
    min_size=2,
    max_size=8,
)


@pytest.mark.slow
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(CALLS, st.integers(500, 4000))
def test_two_concurrent_workers_never_exceed_a_cap(
    env: BoardEnv, calls: list[tuple[int, int, int, bool]], cap: int
) -> None:
    """Each call: its two limits, the reported usage, and whether its worker survives."""
    moment = datetime(2030, 1, 1, tzinfo=UTC) + timedelta(days=40 * next(_fresh))
    here = at(env, moment)
    claim = _claim_only_task(env, here)
    apply_budget_chart(env, f"{{tokens: {cap}, won: 2}}")

    def work(call: tuple[int, int, int, bool]) -> int:
        most_in, most_out, said, lives = call
        number = metering.reserve(here, claim, replace(BID, most_in=most_in, most_out=most_out))
        if isinstance(number, BudgetRefusal) or not lives:
            return 0
        return metering.settle(here, number, ModelCallResult("used", "", said, said)).tokens

    with ThreadPoolExecutor(2) as pool:
        total = sum(pool.map(work, calls))
    found = account(here)
    assert found.spent_tokens == total
    assert found.spent_tokens + found.reserved_tokens <= cap
    assert found.spent_cost + found.reserved_cost <= 2 * MICROS_PER_WON
    while budgets.process_due(at(env, moment + timedelta(hours=1))):
        pass
    found = account(here)
    assert found.reserved_tokens == 0 and found.spent_tokens <= cap


# --- pause and approval -----------------------------------------------------------------------


@pytest.fixture
def paused_claim(env: BoardEnv, board: BoardContext) -> Iterator[Claim]:
    """The claim of an agent that is paused because its budget is used up."""
    apply_budget_chart(env, "{tokens: 1500, on_exhausted: pause}")
    claim = env.create_parsed_task()
    metering.settle(board, reserve_call(board, claim), ModelCallResult("used", "", 600, 400))
    refused = metering.reserve(board, claim, BID)
    assert isinstance(refused, BudgetRefusal) and refused.pauses_agent
    for _ in range(2):
        with pytest.raises(Exhausted):
            budgets.pause_agent(board, claim, refused)
    yield claim


@pytest.mark.slow
def test_an_agent_is_paused_until_people_raise_its_budget(
    env: BoardEnv, board: BoardContext, paused_claim: Claim
) -> None:
    assert state(board) == "paused"
    assert kinds(board, "budget_paused") == ["budget_paused"]
    assert beats.begin(board, "db-agent") is None
    assert budgets.process_due(board) == 0
    raise_ = {"tokens": 100, "reason": "월말까지"}
    assert not budgets.raise_cap(board, PM, "agent", "db-agent", **raise_), "still too little"
    assert state(board) == "paused"
    assert budgets.raise_cap(board, PM, "agent", "db-agent", **{**raise_, "tokens": 2000})
    assert state(board) == "active"
    again = env.claim("db-agent")
    assert again.task_id == paused_claim.task_id, "its task waited where it was"
    reserve_call(board, again)
    assert kinds(board, "budget_raised") == ["budget_raised"] * 2
    assert account(board).extra_tokens == 2100


def test_a_new_month_or_a_larger_budget_ends_the_pause_too(
    env: BoardEnv, board: BoardContext, paused_claim: Claim
) -> None:
    assert budgets.process_due(at(env, NOW + timedelta(days=1))) == 0
    assert budgets.process_due(at(env, NOW + timedelta(days=10))) == 1
    assert state(board) == "active"
    assert kinds(board, "budget_renewed") == ["budget_renewed"]


def test_a_person_who_paused_it_is_not_overruled(
    env: BoardEnv, board: BoardContext, paused_claim: Claim
) -> None:
    with board.database.transaction() as session:
        session.get_one(Agent, "db-agent").state = "active"
    raised = {"tokens": 2000, "reason": "계속"}
    assert not budgets.raise_cap(board, PM, "agent", "db-agent", **raised)
    with board.database.transaction() as session:
        session.get_one(Agent, "db-agent").state = "paused"
    assert not budgets.raise_cap(board, PM, "agent", "db-agent", **raised)
    assert state(board) == "paused"


NONSENSE: list[dict[str, Any]] = [
    {"tokens": 0},
    {"tokens": -1},
    {"won": -5, "tokens": 10},
    {"tokens": 10**13},
    {"tokens": 5, "reason": "  "},
    {"won": 5},
    {"scope_id": "nobody", "tokens": 5},
    {"scope": "institution", "scope_id": "NIX", "tokens": 5},
    {"scope": "company", "tokens": 5},
    {"scope": "planet", "tokens": 5},
]


def test_an_invalid_raise_is_refused(
    env: BoardEnv, board: BoardContext, paused_claim: Claim
) -> None:
    for wrong in NONSENSE:
        words = {"scope": "agent", "scope_id": "db-agent", "reason": "이유", **wrong}
        with pytest.raises(Invalid):
            budgets.raise_cap(board, PM, **words)
    assert state(board) == "paused" and account(board).extra_tokens == 0


def test_a_raise_needs_the_permission(board: BoardContext, paused_claim: Claim) -> None:
    with pytest.raises(Forbidden):
        budgets.raise_cap(board, LEAD, "agent", "db-agent", tokens=1000, reason="계속")
    assert account(board).extra_tokens == 0


# --- external agents --------------------------------------------------------------------------


@pytest.mark.slow
def test_an_external_agent_reports_its_usage(env: BoardEnv, board: BoardContext) -> None:
    apply_budget_chart(env, "{tokens: 3000, won: 10}")
    claim = env.create_parsed_task()
    assert metering.allowance(board, claim) == metering.Allowance(3000, 10 * MICROS_PER_WON)
    left = metering.report_usage(board, claim, ReportedUsage("claude", 1000, 500, won=4))
    assert left == metering.Allowance(1500, 6 * MICROS_PER_WON) == metering.allowance(board, claim)
    stale = replace(claim, fence=0)
    left = metering.report_usage(board, stale, ReportedUsage("qwen", 9000, 0, won=4))
    assert left == metering.Allowance(0, 6 * MICROS_PER_WON - 900_000), (
        "the chart's price counts, and it happened"
    )
    assert kinds(board, "budget_warned", "model_asked") == [
        "model_asked", "budget_warned", "model_asked",
    ]  # fmt: skip
    refused = metering.reserve(board, claim, BID)
    assert isinstance(refused, BudgetRefusal) and refused.exhausted


@pytest.mark.parametrize(
    "wrong", [(-1, 0, None), (0, 10**9, None), (1, 1, -1), (1, 1, 10**10), (10**30, 0, 0)]
)
@pytest.mark.slow
def test_an_impossible_report_is_refused(env: BoardEnv, board: BoardContext, wrong: Any) -> None:
    claim = env.create_parsed_task()
    tokens_in, tokens_out, won = wrong
    with pytest.raises(Invalid):
        metering.report_usage(board, claim, ReportedUsage("m", tokens_in, tokens_out, won=won))
    assert account(board) is None


@pytest.mark.slow
def test_what_is_reserved_is_measured_with_what_earlier_calls_used(env: BoardEnv) -> None:
    apply_budget_chart(env)
    claim = env.create_parsed_task()
    for tokens in (60, 90, 120, 100, 80):
        call = reserve_call(env.board, claim)
        metering.settle(env.board, call, ModelCallResult("used", "", tokens, 10, 5))

    def most_in(bid: Any) -> int:
        with env.board.database.reading() as session:
            return session.get_one(ModelCall, reserve_call(env.board, claim, bid)).most_in

    assert most_in(BID) == 180, "the densest call, with a margin"
    assert most_in(replace(BID, most_in=6000)) == 1800, "in proportion to its size"
    assert most_in(replace(BID, model="other")) == 600, "another model has another language"
    assert most_in(replace(BID, prompt_version="f" * 12)) == 600


@pytest.mark.slow
def test_guesses_and_failures_measure_nothing(env: BoardEnv) -> None:
    apply_budget_chart(env)
    claim = env.create_parsed_task()
    for tokens in (None, -3, 10**9, "many", None, 1.5, True):
        call = reserve_call(env.board, claim)
        metering.settle(env.board, call, ModelCallResult("used", "", tokens, 10, 5))
    with env.board.database.reading() as session:
        last = session.get_one(ModelCall, reserve_call(env.board, claim))
        assert last.most_in == BID.most_in
