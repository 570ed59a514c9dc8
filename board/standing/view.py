"""Read standing approvals for pages and commands, as the audit log proves them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.approvals import requests
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.display_names import display_names_of
from guardia.board.core.keyset import Keyset, Slice, read_slice
from guardia.board.standing import policy, proofs
from guardia.board.standing.lifecycle import OPEN, StandingState
from guardia.board.standing.model import StandingApproval
from guardia.board.standing.policy import Terms
from guardia.errors import Stale
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo

SHOWN_DIGITS = 12
"""Digits of the hash of terms that people see and name."""


@dataclass(frozen=True, slots=True)
class StandingView:
    """One standing approval."""

    number: int
    state: StandingState
    terms: Terms | None
    """`None` if the audit log has no entry of it: the row was written past the board."""
    title: str
    approved_by: tuple[str, ...]
    steps: tuple[str, ...]
    """Roles that must approve, in order."""
    used_today: int
    reason: str
    ended_at: datetime | None
    is_open: bool


def list_standing(
    board: BoardContext, viewer: PersonInfo | None, page: Keyset
) -> Slice[StandingView]:
    """Return one page, newest first; `viewer` is `None` for the operator."""
    if viewer is not None:
        require_permission(viewer, "standing.read")
    now = board.clock()
    with board.database.reading() as session:
        query = select(StandingApproval.standing_id)
        column = StandingApproval.standing_id
        found = read_slice(session, query, column, page, key=lambda row: int(row[0]))
        rows = [session.get_one(StandingApproval, row[0]) for row in found.rows]
        views = tuple(_view(session, row, now) for row in rows)
        return Slice(views, found.newer, found.older)


def whole_hash(board: BoardContext, number: int, shown: str) -> str:
    """Return the hash of the terms that begins with what a person saw; raises `Stale` if none."""
    with board.database.reading() as session:
        found = proofs.read(session, number)
    if found is None or len(shown) < SHOWN_DIGITS or not found.terms.hash.startswith(shown):
        raise Stale(what=t("standing.number", number=number))
    return found.terms.hash


def _view(session: Session, row: StandingApproval, now: datetime) -> StandingView:
    found = proofs.read(session, row.standing_id)
    people = [str(Actor.person(d.person)) for d in found.decisions] if found else []
    names = display_names_of(session, people)
    needed = policy.required_steps(requests.policy_for(session, row.category))
    return StandingView(
        number=row.standing_id,
        state=StandingState(row.state),
        terms=found.terms if found else None,
        title=row.title,
        approved_by=tuple(names.get(person, person) for person in people),
        steps=tuple(step.role for step in needed for _ in range(step.quorum)),
        used_today=proofs.count_uses(session, row.standing_id, now),
        reason=row.reason,
        ended_at=row.ended_at,
        is_open=row.state in OPEN,
    )
