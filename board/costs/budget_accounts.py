"""Accounts of budgets: which ones a call touches, what they still hold, and what people hear.

All accounts of a call are locked in one order before any is read, so that what is checked is
still true when it is written, however many workers ask at once.
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
"""The company's ``scope_id``: there is one."""
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
    """Whether a cap is reached; else others hold what is left of it only for now."""
    pauses_agent: bool
    """Whether the agent is to rest until people raise its budget."""
    needed: Amount


def today(chart: OrgChart, now: datetime) -> date:
    """The company's day."""
    return now.astimezone(chart.company.zone).date()


def lock_accounts(
    session: Session, agent_id: str, inst_id: str, day: date
) -> Sequence[BudgetAccount]:
    """Month and day of the agent, its institution and the company, made where missing."""
    return lock_scopes(session, _scopes(agent_id, inst_id), day)


def _scopes(agent_id: str, inst_id: str) -> list[tuple[str, str]]:
    scopes = [("agent", agent_id), ("company", COMPANY)]
    return [*scopes, ("institution", inst_id)] if inst_id else scopes


def lock_scopes(
    session: Session, scopes: Iterable[tuple[str, str]], day: date
) -> Sequence[BudgetAccount]:
    """The accounts of these scopes for the month and the day, locked in one order."""
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
    """The same accounts as they are, without a lock; empty ones where nothing was spent yet."""
    keys = _keys(_scopes(agent_id, inst_id), day)
    known = {
        (a.scope, a.scope_id, a.span, a.begins): a
        for a in session.scalars(select(BudgetAccount).where(tuple_(*_KEY).in_(keys)))
    }
    return [known.get(key) or empty_account(*key) for key in keys]


def empty_account(scope: str, scope_id: str, span: str, begins: date) -> BudgetAccount:
    """An account of which nothing is spent; not kept."""
    zero = {f"{kind}_{unit}": 0 for kind in _KINDS for unit in ("tokens", "cost")}
    return BudgetAccount(scope=scope, scope_id=scope_id, span=span, begins=begins, **zero)


def _keys(scopes: Iterable[tuple[str, str]], day: date) -> list[tuple[str, str, str, date]]:
    return sorted(
        (scope, scope_id, span, begins)
        for scope, scope_id in scopes
        for span, begins in (("day", day), ("month", day.replace(day=1)))
    )


def budget(chart: OrgChart, scope: str, scope_id: str) -> Budget:
    """What the chart allows a scope; an agent that is not in it any more is allowed nothing."""
    if scope == "company":
        return chart.budgets.company
    if scope == "institution":
        return chart.budgets.institutions.get(scope_id, Budget())
    return next((a.budget for a in chart.agents if a.id == scope_id), _NOT_IN_CHART)


def spent(account: BudgetAccount) -> Amount:
    """What is gone."""
    return Amount(account.spent_tokens, account.spent_cost)


def reserved(account: BudgetAccount) -> Amount:
    """What calls under way could still use."""
    return Amount(account.reserved_tokens, account.reserved_cost)


def cap(chart: OrgChart, account: BudgetAccount) -> Cap:
    """What may be spent in the account's period, with what people have added."""
    given = budget(chart, account.scope, account.scope_id).cap(account.span)
    return given.increased_by(Amount(account.extra_tokens, account.extra_cost))


def full_accounts(
    chart: OrgChart, accounts: Iterable[BudgetAccount], needed: Amount
) -> Sequence[BudgetAccount]:
    """Those whose cap has no room for ``needed``, whatever becomes of the calls under way."""
    return [a for a in accounts if not cap(chart, a).allows(spent(a) + needed)]


def check_budget(
    chart: OrgChart, accounts: Sequence[BudgetAccount], needed: Amount
) -> BudgetRefusal | None:
    """``None`` where every account has room for ``needed`` beside all that is reserved."""
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
    """Set aside what a call could use at worst."""
    for account in accounts:
        account.reserved_tokens += worst.tokens
        account.reserved_cost += worst.cost


def spend(accounts: Iterable[BudgetAccount], used: Amount, worst: Amount) -> None:
    """Book what a call has used in the place of what was set aside for it."""
    for account in accounts:
        account.reserved_tokens -= worst.tokens
        account.reserved_cost -= worst.cost
        account.spent_tokens += used.tokens
        account.spent_cost += used.cost


def warn(
    session: Session, chart: OrgChart, accounts: Iterable[BudgetAccount], now: datetime
) -> None:
    """Tell people once a month that most of a budget is spent."""
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
    """Tell people, once until they raise it, that a budget is used up."""
    for account in accounts:
        if account.exhausted_at is None:
            account.exhausted_at = now
            share = cap(chart, account).percent_used(spent(account)) or 0
            _alert(session, EntryKind.BUDGET_EXHAUSTED, account, now, share=share)


def account_title(account: BudgetAccount) -> str:
    """Whose budget, of which period, as people read it."""
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
