"""Say in an issue's conversation who is asked to take it, and who has taken it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from guardia.board.assignment.ranking import QueueOwner
from guardia.board.core.actors import Actor
from guardia.board.core.choices import Choice, ChoiceStyle
from guardia.board.core.display_names import display_names_of
from guardia.board.core.model import Issue
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.core.outbox import notify, reply_to_room
from guardia.i18n import t

_MINUTE = 60


def person_label(session: Session, person_id: str | None) -> str:
    """Return name and title of a person, or `-`."""
    if person_id is None:
        return "-"
    stored = str(Actor.person(person_id))
    return display_names_of(session, [stored]).get(stored, person_id)


def ask_to_take(
    session: Session,
    issue: Issue,
    person_id: str,
    number: int,
    why: str,
    within: timedelta,
    now: datetime,
) -> None:
    """Ask a person to accept an issue: in its conversation, and by the person's own media."""
    choices = (
        Choice("accept", str(number), t("assignment.accept"), ChoiceStyle.PRIMARY),
        Choice("decline", str(number), t("assignment.decline")),
    )
    minutes = int(within.total_seconds()) // _MINUTE
    text = t("assignment.asked", sr=issue.sr_id, why=why, minutes=minutes)
    reply_to_room(session, issue, text, now, choices=choices, public="")
    asked = [person_id]
    kind = NoticeKind.ASSIGNED
    notify(session, kind, text, asked, now, sr_id=issue.sr_id, choices=choices)


def say_queued(session: Session, issue: Issue, owner: QueueOwner, now: datetime) -> None:
    """Say in the conversation that no one has an issue yet, and to its owner."""
    who = person_label(session, owner.person_id)
    words = {"sr": issue.sr_id, "who": who, "grounds": owner.reason}
    text = t("assignment.queued", **words)
    reply_to_room(session, issue, text, now, public="")
    say_assigned(session, issue, [owner.person_id] if owner.person_id else [], text, now)


def say_assigned(
    session: Session, issue: Issue, people: Sequence[str], text: str, now: datetime
) -> None:
    """Notify people of what others have assigned to them."""
    notify(session, NoticeKind.ASSIGNED, text, people, now, sr_id=issue.sr_id)
