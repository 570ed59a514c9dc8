"""When work starts: as people write it (`22:00` is the next such time of day), and as approved."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime, timedelta, tzinfo

from sqlalchemy.orm import Session

from guardia.board.approvals.policy import (
    StepDecision,
    calendar_for,
    earliest_demanded,
    next_opening,
)
from guardia.board.core.context import BoardContext
from guardia.board.core.model import Issue, Task
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.org import revisions
from guardia.org.approvals import ApprovalPolicy

_RECHECK = timedelta(days=1)
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


def read_start(board: BoardContext, text: str) -> datetime | None:
    """Return the time that a person's text names in the company's time zone."""
    if not text.strip():
        return None
    return parse_start(text, board.clock(), company_zone_of(board))


def parse_start(text: str, now: datetime, zone: tzinfo) -> datetime | None:
    """Return the time that a text names, or `None` for an empty one.

    Accepts `HH:MM`, today or tomorrow, and dates with a time. Raises `Invalid` for anything else.
    """
    given = text.strip()
    if not given:
        return None
    local = now.astimezone(zone)
    if clock := _CLOCK.fullmatch(given):
        moment = local.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
        return moment if moment > local else moment + timedelta(days=1)
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        raise Invalid(what=given, why=t("board.choice.form")) from None
    return found if found.tzinfo else found.replace(tzinfo=zone)


def format_local(session: Session, moment: datetime) -> str:
    """Format a time in the company's time zone."""
    return moment.astimezone(company_zone(session)).strftime("%Y-%m-%d %H:%M")


def company_zone(session: Session) -> tzinfo:
    """Return the company's time zone."""
    return revisions.running_chart(session).company.zone


def company_zone_of(board: BoardContext) -> tzinfo:
    """Return the company's time zone, outside of a transaction."""
    with board.database.reading() as session:
        return company_zone(session)


def earliest_start(session: Session, issue: Issue, category: str, now: datetime) -> datetime | None:
    """Return when approved work of a category may start, or `None` if at once.

    A calendar that never opens is checked again every day, because the chart may change.
    """
    running = revisions.running_chart(session)
    policy = running.approvals.get(category) or ApprovalPolicy()
    when = calendar_for(policy, running.freezes, running.company.zone, category, issue.inst_id)
    moment = next_opening(when, now)
    if moment == now:
        return None
    return moment or now + _RECHECK


def approved_start(
    session: Session,
    issue: Issue,
    task: Task,
    decisions: Collection[StepDecision],
    now: datetime,
) -> datetime | None:
    """Return when a task's approved plan may start, or `None` if at once.

    The latest of what the decisions on it demand, what the plan itself says, and the next window.
    """
    demanded = earliest_demanded(decisions)
    planned = (task.plan or {}).get("not_before")
    wanted = [m for m in (demanded, datetime.fromisoformat(planned) if planned else None) if m]
    base = max([now, *wanted])
    opens = earliest_start(session, issue, task.category or "", base)
    return opens or (base if base > now else None)
