"""Meter model calls: reserve the worst case before the call, settle the actual usage after.

`reserve` and `settle` serve our own callers of models; `report_usage` serves external agents,
which report their usage afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.claims import Claim, GoalClaim, QuestionClaim, lock_claim
from guardia.board.core.context import BoardContext
from guardia.board.costs import budget_accounts, daily_totals
from guardia.board.costs.budget_accounts import BudgetRefusal
from guardia.board.costs.model import BudgetAccount, ModelCall
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.org import revisions
from guardia.org.budgets import FREE, MAX_WON, MICROS_PER_WON, Amount, Price, format_won
from guardia.org.chart_model import OrgChart

MAX_REPORTED_TOKENS = 100_000_000
"""Tokens that one report of an external agent may contain."""
_GRACE = timedelta(seconds=60)
_MAX_NAME = 200
_MAX_REASON = 500
_MEASURED_CALLS = 50
_ENOUGH_CALLS = 5
_MARGIN = 1.5
"""A request may be denser in tokens than those measured before."""


@dataclass(frozen=True, slots=True)
class ModelCallRequest:
    """A model call for which budget is requested."""

    question: str
    provider: str
    model: str
    prompt_version: str
    most_in: int
    """Upper bound of the prompt's tokens."""
    most_out: int
    """Upper bound of the answer's tokens."""
    seconds: float
    """Time limit for the answer."""
    size_in: int | None = None
    """Bytes of the prompt, if `most_in` is a measured bound; otherwise the same."""


@dataclass(frozen=True, slots=True)
class ModelCallResult:
    """How a call ended.

    Token counts are unchecked values from a server, `None` if it sent none.
    """

    outcome: str
    why: str = ""
    tokens_in: object = None
    tokens_out: object = None
    latency_ms: int = 0


@dataclass(frozen=True, slots=True)
class ReportedUsage:
    """Usage that an external agent reports."""

    model: str
    tokens_in: int
    tokens_out: int
    won: int | None = None
    """Its cost; counts only if the chart has no price for the model."""
    question: str = "outside"
    latency_ms: int = 0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What may still be used now; `None`: no cap."""

    tokens: int | None
    cost: int | None
    """Millionths of a won."""

    @property
    def spent(self) -> bool:
        """Return whether a cap is reached."""
        return self.tokens == 0 or self.cost == 0


@repeat_on_conflict
def reserve(
    board: BoardContext, claim: Claim | GoalClaim | QuestionClaim, request: ModelCallRequest
) -> int | BudgetRefusal:
    """Reserve the worst case of a call in every account or in none; returns the call's number.

    Raises `Stale` if the claim is no longer valid: nothing is spent on overtaken work.
    """
    now = board.clock()
    with board.database.transaction() as session:
        lock_claim(session, claim)
        running = revisions.running_chart(session)
        price = running.prices.get(request.model, FREE)
        request = _measured(session, request)
        call = _new_call(session, claim, request, price, budget_accounts.today(running, now), now)
        worst = _worst_case(call)
        accounts = budget_accounts.lock_accounts(session, call.agent_id, call.inst_id, call.day)
        refused = budget_accounts.check_budget(running, accounts, worst)
        session.add(call)
        if refused is None:
            budget_accounts.reserve(accounts, worst)
            session.flush()
            return call.call_id
        _close(call, ModelCallResult("refused", refused.why), Amount(), now)
        session.flush()
        daily_totals.add_call(session, call)
        budget_accounts.mark_exhausted(
            session, running, budget_accounts.full_accounts(running, accounts, worst), now
        )
        _record(session, call, now)
        return refused


def _measured(session: Session, request: ModelCallRequest) -> ModelCallRequest:
    """Return the request with the bound that earlier calls of this question have shown.

    A token has at least one byte, but most have several, and how many depends on the model and the
    language. Before enough calls were measured, every byte counts as a token.
    """
    share = ModelCall.tokens_in * 1.0 / func.nullif(ModelCall.size_in, 0)
    measured = (
        select(share.label("share"))
        .where(
            ModelCall.provider == request.provider,
            ModelCall.model == request.model[:_MAX_NAME],
            ModelCall.question == request.question[:_MAX_NAME],
            ModelCall.prompt_version == request.prompt_version,
            ModelCall.outcome.in_(("used", "unusable")),
            ~ModelCall.estimated,
            ModelCall.size_in > 0,
        )
        .order_by(ModelCall.call_id.desc())
        .limit(_MEASURED_CALLS)
        .subquery()
    )
    count, most = session.execute(
        select(func.count(), func.max(measured.c.share)).select_from(measured)
    ).one()
    if count < _ENOUGH_CALLS:
        return request
    bound = math.ceil(round(request.most_in * min(1.0, float(most) * _MARGIN), 6))
    return replace(request, most_in=min(request.most_in, bound), size_in=request.most_in)


@repeat_on_conflict
def settle(board: BoardContext, call_id: int, result: ModelCallResult) -> Amount:
    """Book what a call has used and release what is left of its reservation.

    Counts beyond the reservation, or implausible ones, count as the worst case, so no account can
    exceed its cap. A settled call stays as it is.
    """
    now = board.clock()
    with board.database.transaction() as session:
        call = session.get(ModelCall, call_id, with_for_update=True)
        if call is None or call.state != "RESERVED":
            return Amount()
        return _settle(session, call, result, now)


def _settle(session: Session, call: ModelCall, result: ModelCallResult, now: datetime) -> Amount:
    running, worst = revisions.running_chart(session), _worst_case(call)
    tokens_in, believed_in = _plausible_count(result.tokens_in, call.most_in)
    tokens_out, believed_out = _plausible_count(result.tokens_out, call.most_out)
    call.tokens_in, call.tokens_out = tokens_in, tokens_out
    call.estimated = not (believed_in and believed_out)
    used = Amount(tokens_in + tokens_out, _price(call).cost(tokens_in, tokens_out))
    accounts = _locked(session, call)
    _close(call, result, used, now)
    budget_accounts.spend(accounts, used, worst)
    _book(session, running, call, accounts, now)
    return used


@repeat_on_conflict
def report_usage(board: BoardContext, claim: Claim, used: ReportedUsage) -> Allowance:
    """Book what an external agent reports, even under a stale claim, since it was spent.

    Raises `Invalid` for impossible numbers. Returns what is left; at zero, stop the agent.
    """
    _check_plausible(used)
    now = board.clock()
    with board.database.transaction() as session:
        running = revisions.running_chart(session)
        price = running.prices.get(used.model)
        request = ModelCallRequest(
            used.question, "outside", used.model, "", used.tokens_in, used.tokens_out, 0
        )
        day = budget_accounts.today(running, now)
        call = _new_call(session, claim, request, price or FREE, day, now)
        call.tokens_in, call.tokens_out = used.tokens_in, used.tokens_out
        accounts = _locked(session, call)
        cost = _worst_case(call).cost if price else (used.won or 0) * MICROS_PER_WON
        spent = Amount(used.tokens_in + used.tokens_out, cost)
        _close(call, ModelCallResult("reported", latency_ms=used.latency_ms), spent, now)
        session.add(call)
        budget_accounts.spend(accounts, spent, Amount())
        _book(session, running, call, accounts, now)
        return _remaining(running, accounts)


def allowance(board: BoardContext, claim: Claim) -> Allowance:
    """Return what the agent may still use on this issue."""
    with board.database.reading() as session:
        running = revisions.running_chart(session)
        day = budget_accounts.today(running, board.clock())
        known = budget_accounts.read_accounts(
            session, claim.agent_id, daily_totals.institution_of(session, claim.sr_id), day
        )
        return _remaining(running, known)


@repeat_on_conflict
def settle_abandoned(board: BoardContext, call_id: int) -> bool:
    """Settle an expired reservation at its worst, since a dead worker may have spent it."""
    now = board.clock()
    with board.database.transaction() as session:
        call = session.get(ModelCall, call_id, with_for_update=True)
        if call is None or call.state != "RESERVED" or call.expires_at > now:
            return False
        _settle(session, call, ModelCallResult("abandoned", t("costs.abandoned")), now)
        return True


def expired_calls(board: BoardContext, limit: int) -> Sequence[int]:
    """Return the expired reservations, whose workers must have died."""
    with board.database.reading() as session:
        return session.scalars(
            select(ModelCall.call_id)
            .where(ModelCall.state == "RESERVED", ModelCall.expires_at <= board.clock())
            .order_by(ModelCall.expires_at)
            .limit(limit)
        ).all()


def _new_call(
    session: Session,
    claim: Claim | GoalClaim | QuestionClaim,
    request: ModelCallRequest,
    price: Price,
    day: date,
    now: datetime,
) -> ModelCall:
    return ModelCall(
        run_id=claim.run_id,
        task_id=claim.task_id,
        sr_id=claim.sr_id,
        agent_id=claim.agent_id,
        inst_id=daily_totals.institution_of(session, claim.sr_id),
        question=request.question[:_MAX_NAME],
        provider=request.provider,
        model=request.model[:_MAX_NAME],
        prompt_version=request.prompt_version,
        state="RESERVED",
        day=day,
        most_in=request.most_in,
        size_in=request.most_in if request.size_in is None else request.size_in,
        most_out=request.most_out,
        price_in=price.input,
        price_out=price.output,
        tokens_in=0,
        tokens_out=0,
        started_at=now,
        expires_at=now + timedelta(seconds=request.seconds) + _GRACE,
    )


def _price(call: ModelCall) -> Price:
    return Price(input=call.price_in, output=call.price_out)


def _worst_case(call: ModelCall) -> Amount:
    """Return the most that a call can use."""
    cost = _price(call).cost(call.most_in, call.most_out)
    return Amount(call.most_in + call.most_out, cost)


def _plausible_count(reported: object, most: int) -> tuple[int, bool]:
    """Return a plausible count, or the worst case; and whether it was plausible."""
    if isinstance(reported, int) and not isinstance(reported, bool) and 0 <= reported <= most:
        return reported, True
    return most, False


def _close(call: ModelCall, result: ModelCallResult, used: Amount, now: datetime) -> None:
    call.state, call.outcome, call.ended_at = "SETTLED", result.outcome, now
    call.why, call.cost = result.why[:_MAX_REASON], used.cost
    call.latency_ms = max(0, result.latency_ms)


def _locked(session: Session, call: ModelCall) -> Sequence[BudgetAccount]:
    """Lock the accounts of a finished call after its run, as ending a run does."""
    daily_totals.add_tokens(session, call)
    return budget_accounts.lock_accounts(session, call.agent_id, call.inst_id, call.day)


def _book(
    session: Session,
    running: OrgChart,
    call: ModelCall,
    accounts: Sequence[BudgetAccount],
    now: datetime,
) -> None:
    session.flush()
    daily_totals.add_call(session, call)
    budget_accounts.warn(session, running, accounts, now)
    _record(session, call, now)


def _record(session: Session, call: ModelCall, now: datetime) -> None:
    """Log which model was called with which prompt, and the outcome."""
    log.append(
        session,
        EntryKind.MODEL_ASKED,
        actor=str(Actor.agent(call.agent_id)),
        now=now,
        sr_id=call.sr_id,
        task_id=call.task_id,
        detail={
            "call": call.call_id,
            "question": call.question,
            "provider": call.provider,
            "model": call.model,
            "prompt_version": call.prompt_version,
            "outcome": call.outcome,
            "why": call.why,
            "tokens_in": call.tokens_in,
            "tokens_out": call.tokens_out,
            "estimated": call.estimated,
            "cost": call.cost,
            "milliseconds": call.latency_ms,
        },
        model=call.model,
        outcome=t(f"costs.outcome.{call.outcome}"),
        tokens=call.tokens_in + call.tokens_out,
        won=format_won(call.cost),
    )


def _check_plausible(used: ReportedUsage) -> None:
    for count in (used.tokens_in, used.tokens_out):
        if not 0 <= count <= MAX_REPORTED_TOKENS:
            raise Invalid(
                what=t("costs.usage"), why=t("costs.usage_tokens", most=MAX_REPORTED_TOKENS)
            )
    if used.won is not None and not 0 <= used.won <= MAX_WON:
        raise Invalid(what=t("costs.usage"), why=t("costs.usage_won", most=MAX_WON))


def _remaining(running: OrgChart, accounts: Sequence[BudgetAccount]) -> Allowance:
    tokens, cost = [], []
    for account in accounts:
        cap, gone = budget_accounts.cap(running, account), budget_accounts.spent(account)
        gone += budget_accounts.reserved(account)
        tokens += [] if cap.tokens is None else [max(0, cap.tokens - gone.tokens)]
        cost += [] if cap.cost is None else [max(0, cap.cost - gone.cost)]
    return Allowance(min(tokens, default=None), min(cost, default=None))
