"""The part of an issue's page about its time, its contact and what its requester thinks of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from guardia.board.control import reopening
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.display_names import display_names_of
from guardia.board.core.lifecycle import ENDED_STATES, State
from guardia.board.core.model import Issue
from guardia.board.issues import visibility
from guardia.board.service_levels import satisfaction, unresolved, view, wording
from guardia.board.service_levels.satisfaction import Rating
from guardia.board.service_levels.view import ClockView
from guardia.org import revisions
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo


@dataclass(frozen=True, slots=True)
class ServiceSection:
    """What a person sees of the service of an issue."""

    sr_id: int
    clocks: tuple[ClockView, ...]
    """Empty for customers: they read the expected time."""
    expected: str
    contact: str
    """Who is responsible, and how requesters reach them."""
    reach: str
    rating: Rating | None
    can_rate: bool
    can_report: bool
    """Whether the person may say that it is not resolved."""
    reopen_days: int


def read_section(board: BoardContext, viewer: PersonInfo, sr_id: int) -> ServiceSection:
    """Return the section. Raises `NotFound` if the viewer may not see the issue."""
    now = board.current_time()
    with board.database.reading() as session:
        issue = visibility.find_issue(session, viewer, sr_id)
        ended = State(issue.status) in ENDED_STATES
        is_own = visibility.is_requester(session, viewer, issue)
        rating = satisfaction.rating_within(session, issue, now) if ended else None
        staff = is_allowed(viewer, "service.read")
        expected = "" if ended else wording.expected_text(view.expected_within(session, issue, now))
        return ServiceSection(
            sr_id,
            view.clocks_within(session, [sr_id], now).get(sr_id, ()) if staff else (),
            expected,
            _contact(session, issue),
            revisions.service_levels(session)[0].contact,
            rating if is_own or staff else None,
            ended
            and is_own
            and is_allowed(viewer, "issue.rate")
            and (rating is None or rating.can_change),
            ended and is_own and reopening.may_reopen(session, viewer, issue),
            unresolved.reopening_time(session) // timedelta(days=1),
        )


def _contact(session: Session, issue: Issue) -> str:
    """Return who is responsible: the engineer or the agent; empty without either."""
    actor = None
    if issue.assignee_id:
        actor = str(Actor.person(issue.assignee_id))
    elif issue.agent_id:
        actor = str(Actor.agent(issue.agent_id))
    return display_names_of(session, {actor}).get(actor, "") if actor else ""
