"""Exhausted budgets: pause the agent, let a person raise the cap, resume in the next period."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.claims import Claim, GoalClaim, lock_claim
from guardia.board.core.context import BoardContext
from guardia.board.core.outbox import send
from guardia.board.core.reasons import require_reason
from guardia.board.core.wakes import wake
from guardia.board.costs import budget_accounts, metering
from guardia.board.costs.budget_accounts import SYSTEM_ACTOR, BudgetRefusal
from guardia.board.costs.model import BudgetAccount, BudgetPause
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Exhausted, Invalid, Stale
from guardia.i18n import t
from guardia.org import revisions
from guardia.org.access import require_permission
from guardia.org.budgets import MAX_TOKENS, MAX_WON, MICROS_PER_WON, Amount, format_won
from guardia.org.chart_model import OrgChart
from guardia.org.directory import PersonInfo
from guardia.org.model import Agent, Institution

SCOPES = ("agent", "institution", "company")
_BATCH = 200


@repeat_on_conflict
def pause_agent(board: BoardContext, claim: Claim | GoalClaim, refused: BudgetRefusal) -> None:
    """Pause the agent until people raise its budget, and alert them; always raises `Exhausted`.

    Its task stays assigned to it.
    """
    now = board.clock()
    with board.database.transaction() as session:
        lock_claim(session, claim)
        # Already open if a person has resumed the agent without raising the budget.
        pause = _open_pause(session, claim.agent_id) or BudgetPause(agent_id=claim.agent_id)
        agent = session.get(Agent, claim.agent_id, with_for_update=True)
        if agent is not None and agent.state == "active":
            agent.state = "paused"
            pause.sr_id, pause.paused_at = claim.sr_id, now
            pause.needed_tokens, pause.needed_cost = refused.needed.tokens, refused.needed.cost
            session.add(pause)
            session.flush()
            _announce_pause(session, agent, claim, refused, now)
    raise Exhausted(what=claim.agent_id)


def _announce_pause(
    session: Session, agent: Agent, claim: Claim | GoalClaim, refused: BudgetRefusal, now: datetime
) -> None:
    words = {"agent": agent.title, "why": refused.why}
    send(session, "alert", t("costs.rests", **words), now, sr_id=claim.sr_id)
    log.append(
        session,
        EntryKind.BUDGET_PAUSED,
        actor=str(SYSTEM_ACTOR),
        now=now,
        sr_id=claim.sr_id,
        task_id=claim.task_id,
        detail={"agent": agent.agent_id, "why": refused.why},
        **words,
    )


@repeat_on_conflict
def raise_cap(
    board: BoardContext,
    person: PersonInfo,
    scope: str,
    scope_id: str,
    *,
    won: int = 0,
    tokens: int = 0,
    reason: str,
    seen: str = "",
) -> bool:
    """Add to a scope's cap for this month and today; returns whether an agent was resumed.

    `seen` is the `cap_token` of the month's cap that the person saw. Raises `Forbidden` without the
    permission, `Invalid` if amount, reason or scope is invalid, or if there is no cap to raise, and
    `Stale` if the cap is not the one that the person saw.
    """
    require_permission(person, "budget.raise")
    now = board.clock()
    _check_amount(won, tokens)
    why = require_reason(reason)
    more = Amount(tokens, won * MICROS_PER_WON)
    with board.database.transaction() as session:
        running = revisions.running_chart(session)
        scope_id = _require_scope(session, running, scope, scope_id)
        _check_capped(running, scope, scope_id, more)
        day = budget_accounts.today(running, now)
        accounts = list(budget_accounts.lock_scopes(session, [(scope, scope_id)], day))
        if seen and seen not in {cap_token(a, running) for a in accounts if a.span == "month"}:
            raise Stale(what=t("costs.amount"))
        for account in accounts:
            account.extra_tokens += more.tokens
            account.extra_cost += more.cost
            account.exhausted_at = None
        session.flush()
        resumed = scope == "agent" and _resume(session, running, scope_id, Actor.of(person), now)
        _record_raise(session, person, scope, scope_id, more, why, now)
        return resumed


def cap_token(account: BudgetAccount, running: OrgChart) -> str:
    """Return what a form that raises the cap of a month is bound to."""
    cap = budget_accounts.cap(running, account)
    return f"{account.begins:%Y-%m}/{cap.tokens}/{cap.cost}"


def _check_amount(won: int, tokens: int) -> None:
    if not (0 <= won <= MAX_WON and 0 <= tokens <= MAX_TOKENS and won + tokens > 0):
        raise Invalid(what=t("costs.amount"), why=t("costs.amount_needed"))


def _require_scope(session: Session, running: OrgChart, scope: str, scope_id: str) -> str:
    """Return the scope's id. Raises `Invalid` if it does not exist."""
    if scope == "company":
        scope_id = budget_accounts.COMPANY
    exists = (
        scope == "company"
        or (scope == "agent" and scope_id in {a.id for a in running.agents})
        or (scope == "institution" and session.get(Institution, scope_id) is not None)
    )
    if not exists:
        raise Invalid(what=scope_id or scope, why=t("costs.no_scope"))
    return scope_id


def _check_capped(running: OrgChart, scope: str, scope_id: str, more: Amount) -> None:
    """Raise `Invalid` if the chart sets no cap that could be raised."""
    caps = [budget_accounts.budget(running, scope, scope_id).cap(span) for span in ("month", "day")]
    money = more.cost and all(c.cost is None for c in caps)
    tokens = more.tokens and all(c.tokens is None for c in caps)
    if money or tokens:
        raise Invalid(what=scope_id or t(f"costs.scope.{scope}"), why=t("costs.no_cap"))


def _record_raise(
    session: Session,
    person: PersonInfo,
    scope: str,
    scope_id: str,
    more: Amount,
    reason: str,
    now: datetime,
) -> None:
    log.append(
        session,
        EntryKind.BUDGET_RAISED,
        actor=str(Actor.of(person)),
        now=now,
        detail={
            "scope": scope,
            "id": scope_id,
            "tokens": more.tokens,
            "cost": more.cost,
            "reason": reason,
        },
        who=f"{person.name} {person.title}".strip(),
        which=f"{t(f'costs.scope.{scope}')} {scope_id}".strip(),
        won=format_won(more.cost),
        tokens=f"{more.tokens:,}",
        reason=reason,
    )


def process_due(board: BoardContext) -> int:
    """Settle calls of dead workers and resume agents that have budget again.

    Called by the scheduler: a day or month may have begun, or the chart may give more. Returns
    the number of calls and agents.
    """
    done = sum(
        metering.settle_abandoned(board, call_id)
        for call_id in metering.expired_calls(board, _BATCH)
    )
    with board.database.reading() as session:
        paused = session.scalars(
            select(BudgetPause.agent_id).where(BudgetPause.ended_at.is_(None)).limit(_BATCH)
        ).all()
    return done + sum(_renew(board, agent_id) for agent_id in paused)


@repeat_on_conflict
def _renew(board: BoardContext, agent_id: str) -> bool:
    now = board.clock()
    with board.database.transaction() as session:
        running = revisions.running_chart(session)
        day = budget_accounts.today(running, now)
        budget_accounts.lock_scopes(session, [("agent", agent_id)], day)
        if not _resume(session, running, agent_id, Actor.system("clock"), now):
            return False
        log.append(
            session,
            EntryKind.BUDGET_RENEWED,
            actor=str(Actor.system("clock")),
            now=now,
            detail={"agent": agent_id},
            agent=agent_id,
        )
        return True


def _resume(session: Session, running: OrgChart, agent_id: str, by: Actor, now: datetime) -> bool:
    """Resume a paused agent if its accounts now have room for the refused call."""
    pause = _open_pause(session, agent_id)
    if pause is None:
        return False
    agent = session.get(Agent, agent_id, with_for_update=True)
    is_paused = agent is not None and agent.state == "paused"
    own = budget_accounts.lock_scopes(
        session, [("agent", agent_id)], budget_accounts.today(running, now)
    )
    if is_paused and budget_accounts.full_accounts(
        running, own, Amount(pause.needed_tokens, pause.needed_cost)
    ):
        return False
    pause.ended_at, pause.ended_by = now, str(by)
    if agent is None or not is_paused:
        # A person has resumed it, or it was fired.
        return False
    agent.state = "active"
    session.flush()
    wake(session, agent_id, "budget", now, pause.sr_id)
    return True


def _open_pause(session: Session, agent_id: str) -> BudgetPause | None:
    return session.scalar(
        select(BudgetPause)
        .where(BudgetPause.agent_id == agent_id, BudgetPause.ended_at.is_(None))
        .with_for_update()
    )
