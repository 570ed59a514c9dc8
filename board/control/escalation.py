"""Raise an issue to a person or to everyone who holds a role."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.labels import label
from guardia.board.core.outbox import reply_to_room, send
from guardia.board.issues import comments, visibility
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.org.access import ROLES, require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import Person
from guardia.text import MAX_REASON, trim

_STAFF_ROLES = tuple(role for role in ROLES if role != "customer")


@repeat_on_conflict
def escalate(
    board: BoardContext, person: PersonInfo, sr_id: int, target: str, reason: str = ""
) -> str:
    """Raise an issue to a person or role, in its comments and by an alert; return who that is.

    Raises `NotFound` if the person may not see the issue, `Invalid` if no one is behind `target`.
    """
    require_permission(person, "issue.escalate")
    now, by, text = board.clock(), Actor.of(person), trim(reason, MAX_REASON)
    with board.database.transaction() as session:
        issue = visibility.find_issue(session, person, sr_id)
        people = _people(session, target)
        named = _name(target, people)
        words = {"sr": issue_ref(sr_id), "who": by.label, "target": named, "reason": text or "-"}
        notice = t("commands.escalation.notice", **words, title=issue.title)
        reply_to_room(session, issue, notice, now)
        send(session, "alert", notice, now, sr_id=sr_id)
        comments.write_comment(session, sr_id, by, notice, now, wakes_mentioned=False)
        log.append(
            session,
            EntryKind.ESCALATED,
            actor=str(by),
            now=now,
            sr_id=sr_id,
            detail={"target": target, "people": [p.person_id for p in people], "reason": text},
            who=by.label,
            target=named,
            reason=text or "-",
        )
        return named


def _people(session: Session, target: str) -> list[Person]:
    holds = Person.role == target if target in _STAFF_ROLES else Person.person_id == target
    query = select(Person).where(holds, Person.active, Person.role.in_(_STAFF_ROLES))
    found = list(session.scalars(query.order_by(Person.person_id)))
    if not found:
        raise Invalid(what=target or "-", why=t("commands.escalation.no_one"))
    return found


def _name(target: str, people: list[Person]) -> str:
    if target not in _STAFF_ROLES:
        return f"{people[0].name} {people[0].title}".strip()
    return label("org.role", target)
