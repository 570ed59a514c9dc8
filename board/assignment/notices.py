"""Say in an issue's conversation who is asked to take it, and who has taken it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from guardia.board.core.actors import Actor
from guardia.board.core.choices import Choice, ChoiceStyle
from guardia.board.core.display_names import display_names_of
from guardia.board.core.model import Issue
from guardia.board.core.outbox import reply_to_room
from guardia.i18n import t
from guardia.org.identity import MESSENGERS


def person_label(session: Session, person_id: str | None) -> str:
    """Return name and title of a person, or `-`."""
    if person_id is None:
        return "-"
    stored = str(Actor.person(person_id))
    return display_names_of(session, [stored]).get(stored, person_id)


def ask_in_room(
    session: Session, issue: Issue, number: int, text: str, minutes: int, now: datetime
) -> None:
    """Ask a person in the conversation of an issue to accept it; the page asks always."""
    if issue.channel not in MESSENGERS:
        # What comes by mail or from a form has a requester in its conversation, and no staff.
        return
    choices = (
        Choice("accept", str(number), t("assignment.accept"), ChoiceStyle.PRIMARY),
        Choice("decline", str(number), t("assignment.decline")),
    )
    words = {"sr": issue.sr_id, "why": text, "minutes": minutes}
    reply_to_room(session, issue, t("assignment.asked", **words), now, choices=choices)
