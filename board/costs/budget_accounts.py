"""Budget accounts: those a call touches, their remaining amounts, and alerts to people.

All accounts of a call are locked in one order before any is read, so a check still holds at the
write, however many workers call concurrently.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.outbox import send
from guardia.board.costs.model import BudgetAccount
from guardia.i18n import t
from guardia.org.budgets import AgentBudget, Amount, Budget, Cap
from guardia.org.chart_model import OrgChart

COMPANY = ""
"""The company's `scope_id`: there is only one company."""
_KEY = (
    BudgetAccount.scope,
    BudgetAccount.scope_id,
    BudgetAccount.span,
    BudgetAccount.begins,
)
_KINDS = ("spent", "reserved", "extra")
_NOT_IN_CHART = AgentBudget(tokens=0, won=0)
SYSTEM_ACTOR = Actor.system("budget")


@dataclass(frozen=True, slots=True)
class BudgetRefusal:
    """Why a call was not permitted; nothing was reserved."""

    why: str
    exhausted: bool
    """Whether a cap is reached; if not, open reservations hold the remaining budget for now."""
    pauses_agent: bool
    """Whether the agent is to be paused until people raise its budget."""
    needed: Amount


def today(chart: OrgChart, now: datetime) -> date:
    """Return the current day in the company's time zone."""
    return now.astimezone(chart.company.zone).date()


def lock_accounts(
    session: Session, agent_id: str, inst_id: str, day: date
) -> Sequence[BudgetAccount]:
    """Lock the month and day accounts of the agent, its institution and the company.

    Missing accounts are created.
    """
    return lock_scopes(session, _scopes(agent_id, inst_id), day)


def _scopes(agent_id: str, inst_id: str) -> list[tuple[str, str]]:
    scopes = [("agent", agent_id), ("company", COMPANY)]
    return [*scopes, ("institution", inst_id)] if inst_id else scopes


def lock_scopes(
    session: Session, scopes: Iterable[tuple[str, str]], day: date
) -> Sequence[BudgetAccount]:
    """Lock the accounts of these scopes for the month and the day, in one order."""
    keys = _keys(scopes, day)
    names = [column.key for column in _KEY]
    rows = [dict(zip(names, key, strict=True)) for key in keys]
    session.execute(insert(BudgetAccount).values(rows).on_conflict_do_nothing())
    return session.scalars(
        select(BudgetAccount).where(tuple_(*_KEY).in_(keys)).order_by(*_KEY).with_for_update()
    ).all()


def read_accounts(
    session: Session, agent_id: str, inst_id: str, day: date
) -> Sequence[BudgetAccount]:
    """Return the same accounts without a lock; empty ones if nothing was spent yet."""
    keys = _keys(_scopes(agent_id, inst_id), day)
    known = {
        (a.scope, a.scope_id, a.span, a.begins): a
        for a in session.scalars(select(BudgetAccount).where(tuple_(*_KEY).in_(keys)))
    }
    return [known.get(key) or empty_account(*key) for key in keys]


def empty_account(scope: str, scope_id: str, span: str, begins: date) -> BudgetAccount:
    """Return an account with nothing spent; it is not stored."""
    zero = {f"{kind}_{unit}": 0 for kind in _KINDS for unit in ("tokens", "cost")}
    return BudgetAccount(scope=scope, scope_id=scope_id, span=span, begins=begins, **zero)


def _keys(scopes: Iterable[tuple[str, str]], day: date) -> list[tuple[str, str, str, date]]:
    return sorted(
        (scope, scope_id, span, begins)
        for scope, scope_id in scopes
        for span, begins in (("day", day), ("month", day.replace(day=1)))
    )


def budget(chart: OrgChart, scope: str, scope_id: str) -> Budget:
    """Return the chart's budget of a scope; an agent no longer in the chart has none."""
    if scope == "company":
        return chart.budgets.company
    if scope == "institution":
        return chart.budgets.institutions.get(scope_id, Budget())
    return next((a.budget for a in chart.agents if a.id == scope_id), _NOT_IN_CHART)


def spent(account: BudgetAccount) -> Amount:
    """Return what was spent."""
    return Amount(account.spent_tokens, account.spent_cost)


def reserved(account: BudgetAccount) -> Amount:
    """Return what open calls could still use."""
    return Amount(account.reserved_tokens, account.reserved_cost)


def cap(chart: OrgChart, account: BudgetAccount) -> Cap:
    """Return the cap of the account's period, including what people have added."""
    given = budget(chart, account.scope, account.scope_id).cap(account.span)
    return given.increased_by(Amount(account.extra_tokens, account.extra_cost))


def full_accounts(
    chart: OrgChart, accounts: Iterable[BudgetAccount], needed: Amount
) -> Sequence[BudgetAccount]:
    """Return the accounts whose cap has no room for `needed`, apart from any reservation."""
    return [a for a in accounts if not cap(chart, a).allows(spent(a) + needed)]


def check_budget(
    chart: OrgChart, accounts: Sequence[BudgetAccount], needed: Amount
) -> BudgetRefusal | None:
    """Return a refusal unless every account has room for `needed` beside all reservations."""
    if over := full_accounts(chart, accounts, needed):
        names = ", ".join(dict.fromkeys(account_title(a) for a in over))
        why = t("costs.exhausted", which=names)
        return BudgetRefusal(why, True, any(_pauses(chart, a) for a in over), needed)
    for account in accounts:
        if not cap(chart, account).allows(spent(account) + reserved(account) + needed):
            return BudgetRefusal(
                t("costs.busy", which=account_title(account)), False, False, needed
            )
    return None


def _pauses(chart: OrgChart, account: BudgetAccount) -> bool:
    found = budget(chart, account.scope, account.scope_id)
    return isinstance(found, AgentBudget) and found.on_exhausted == "pause"


def reserve(accounts: Iterable[BudgetAccount], worst: Amount) -> None:
    """Reserve what a call could use at worst."""
    for account in accounts:
        account.reserved_tokens += worst.tokens
        account.reserved_cost += worst.cost


def spend(accounts: Iterable[BudgetAccount], used: Amount, worst: Amount) -> None:
    """Book what a call has used and release its reservation."""
    for account in accounts:
        account.reserved_tokens -= worst.tokens
        account.reserved_cost -= worst.cost
        account.spent_tokens += used.tokens
        account.spent_cost += used.cost


def warn(
    session: Session, chart: OrgChart, accounts: Iterable[BudgetAccount], now: datetime
) -> None:
    """Alert people once a month that most of a budget is spent."""
    for account in accounts:
        limit = cap(chart, account)
        if (
            account.span == "month"
            and account.warned_at is None
            and limit.is_nearly_reached(spent(account))
        ):
            account.warned_at = now
            _alert(
                session,
                EntryKind.BUDGET_WARNED,
                account,
                now,
                share=limit.percent_used(spent(account)) or 0,
            )


def mark_exhausted(
    session: Session, chart: OrgChart, accounts: Iterable[BudgetAccount], now: datetime
) -> None:
    """Alert people, once until they raise it, that a budget is used up."""
    for account in accounts:
        if account.exhausted_at is None:
            account.exhausted_at = now
            share = cap(chart, account).percent_used(spent(account)) or 0
            _alert(session, EntryKind.BUDGET_EXHAUSTED, account, now, share=share)


def account_title(account: BudgetAccount) -> str:
    """Return scope and period of a budget as a text for people."""
    span = t(f"costs.span.{account.span}")
    return f"{t(f'costs.scope.{account.scope}')} {account.scope_id} {span}".replace("  ", " ")


def _alert(
    session: Session, kind: EntryKind, account: BudgetAccount, now: datetime, *, share: int
) -> None:
    which = account_title(account)
    send(session, "alert", t(f"costs.{kind}", which=which, share=share), now, sr_id=None)
    session.flush()
    log.append(
        session,
        kind,
        actor=str(SYSTEM_ACTOR),
        now=now,
        detail={
            "scope": account.scope,
            "id": account.scope_id,
            "span": account.span,
            "begins": account.begins.isoformat(),
            "spent_tokens": account.spent_tokens,
            "spent_cost": account.spent_cost,
            "share": share,
        },
        which=which,
        share=share,
    )
