"""Read hire requests with their estimated cost for pages and commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.display_names import agent_name, display_names_of, person_name
from guardia.board.core.goal_model import Goal
from guardia.board.hiring import cost_estimate
from guardia.board.hiring.cost_estimate import RemainingBudget
from guardia.board.hiring.model import HireRequest
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo


@dataclass(frozen=True, slots=True)
class HireView:
    """A request for a colleague."""

    hire_id: int
    sr_id: int | None
    agent_id: str
    title: str
    skills: tuple[str, ...]
    superior: str | None
    monthly_won: int | None
    estimate_basis: str
    """How its cost was estimated, in one sentence."""
    budget_note: str
    """What the company's budget has left for it; empty without a cap, or once decided."""
    short: bool
    """Whether that is less than its cost until the end of the month."""
    reason: str
    requester: str
    state: str
    decided_by: str | None
    decision_reason: str
    revision: int | None


def hire_views(
    session: Session, rows: Sequence[HireRequest], names: dict[str, str], now: datetime
) -> tuple[HireView, ...]:
    """Return views of requests; reads the budget once if any of them is undecided."""
    waits = any(row.state == "WAITING" for row in rows)
    left = cost_estimate.remaining_budget(session, now) if waits else None
    return tuple(_view(row, names, left if row.state == "WAITING" else None) for row in rows)


def _view(row: HireRequest, names: dict[str, str], left: RemainingBudget | None) -> HireView:
    share = left.short(row.monthly_won) if left else None
    return HireView(
        hire_id=row.hire_id,
        sr_id=row.sr_id,
        agent_id=row.agent_id,
        title=row.title,
        skills=tuple(row.skills),
        superior=agent_name(names, row.reports_to),
        monthly_won=row.monthly_won,
        estimate_basis=_estimate_basis(row),
        budget_note=_budget_note(left, share),
        short=share is not None,
        reason=row.reason,
        requester=names.get(row.requested_by, row.requested_by),
        state=row.state,
        decided_by=person_name(names, row.decided_by),
        decision_reason=row.decision_reason,
        revision=row.revision,
    )


def _estimate_basis(row: HireRequest) -> str:
    basis = row.estimate
    if not basis:
        return ""
    if not basis["model"]:
        return t("goals.estimate.embedded")
    if row.monthly_won is not None:
        words = {"tokens": f"{basis['tokens']:,}", "tasks": basis["tasks"]}
        return t(
            "goals.estimate.measured", model=basis["model"], days=cost_estimate.PERIOD_DAYS, **words
        )
    why = "unmeasured" if basis["priced"] else "unpriced"
    return t(f"goals.estimate.{why}", model=basis["model"], days=cost_estimate.PERIOD_DAYS)


def _budget_note(left: RemainingBudget | None, share: int | None) -> str:
    if left is None or left.won is None:
        return ""
    words = {"left": f"{left.won:,}", "share": f"{share or 0:,}"}
    return t("goals.estimate.room" if share is None else "goals.estimate.short", **words)


def pending_hires(board: BoardContext, viewer: PersonInfo) -> tuple[HireView, ...]:
    """Return all undecided requests."""
    require_permission(viewer, "goal.read")
    with board.database.reading() as session:
        query = (
            select(HireRequest).where(HireRequest.state == "WAITING").order_by(HireRequest.hire_id)
        )
        rows = session.scalars(query).all()
        actors = [a for row in rows for a in _actors(row)]
        return hire_views(session, rows, display_names_of(session, actors), board.clock())


def _actors(row: HireRequest) -> list[str]:
    superior = [str(Actor.agent(row.reports_to))] if row.reports_to else []
    return [row.requested_by, *superior]


def goal_of(board: BoardContext, hire_id: int) -> int | None:
    """Return the goal that asked for a hire, or `None` if an agent asked by itself."""
    with board.database.reading() as session:
        query = select(Goal.sr_id).join(HireRequest, HireRequest.sr_id == Goal.sr_id)
        return session.scalar(query.where(HireRequest.hire_id == hire_id))
