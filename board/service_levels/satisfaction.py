"""Satisfaction of the requester with an ended request: once, editable for a week."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import ENDED_STATES, State
from guardia.board.core.model import Issue
from guardia.board.issues import visibility
from guardia.board.service_levels.model import Satisfaction
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Forbidden, Invalid, Refused
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.text import MAX_REASON, trim

EDITABLE_FOR = timedelta(days=7)
SCORES = range(1, 6)


@dataclass(frozen=True, slots=True)
class Rating:
    """The answer of a requester."""

    score: int
    comment: str
    given_at: datetime
    can_change: bool


@repeat_on_conflict
def rate(board: BoardContext, person: PersonInfo, sr_id: int, score: int, comment: str) -> None:
    """Keep what the requester thinks of the resolution, or change it within a week.

    Raises `Forbidden` for others, `Refused` before the end and after a week, `Invalid` for another
    score.
    """
    require_permission(person, "issue.rate")
    if score not in SCORES:
        raise Invalid(what=str(score), why=t("service.satisfaction.wrong"), field="score")
    now, text = board.clock(), trim(comment, MAX_REASON)
    with board.database.transaction() as session:
        issue = visibility.find_issue(session, person, sr_id)
        if not visibility.is_requester(session, person, issue):
            who = f"{person.name} {person.title}"
            raise Forbidden(who=who, action=t("org.right.issue.rate"))
        if State(issue.status) not in ENDED_STATES:
            raise Refused(why=t("service.satisfaction.not_ended"))
        row = session.get(Satisfaction, sr_id, with_for_update=True)
        if row is None:
            row = Satisfaction(sr_id=sr_id, given_at=now)
            session.add(row)
        elif now - row.given_at > EDITABLE_FOR:
            raise Refused(why=t("service.satisfaction.over"))
        row.person_id, row.score, row.comment, row.changed_at = person.id, score, text, now
        session.flush()
        log.append(
            session,
            EntryKind.SATISFACTION_GIVEN,
            actor=str(Actor.of(person)),
            now=now,
            sr_id=sr_id,
            detail={"score": score, "comment": text},
            score=score,
            who=f"{person.name} {person.title}",
        )


def rating_within(session: Session, issue: Issue, now: datetime) -> Rating | None:
    """Return the answer about an issue, or `None` if there is none."""
    row = session.get(Satisfaction, issue.sr_id)
    if row is None:
        return None
    return Rating(row.score, row.comment, row.given_at, now - row.given_at <= EDITABLE_FOR)
