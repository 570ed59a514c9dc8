"""Events and timeline of an issue, oldest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.model import Comment
from guardia.board.github_api import views
from guardia.board.github_api.addresses import Addresses
from guardia.board.github_api.events import HIDDEN, PARTS, IssueEvent, events_of
from guardia.board.github_api.issue_bodies import label_body
from guardia.board.github_api.people import Users, users_of
from guardia.board.github_api.repositories import Repository
from guardia.board.github_api.shapes import EventBody
from guardia.board.issues import view as issue_view
from guardia.board.issues import visibility
from guardia.board.issues.model import Label
from guardia.board.tracker.timeline import PROGRESS_KINDS
from guardia.errors import NotFound
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo

MOST = 3000
"""Entries and comments that are read of one issue, the oldest first."""
_PUBLIC = (
    *PROGRESS_KINDS,
    EntryKind.LABELED,
    EntryKind.ISSUE_ASSIGNED,
    EntryKind.ISSUE_EDITED,
    EntryKind.ISSUE_LOCKED,
    EntryKind.ISSUE_UNLOCKED,
)
"""Kinds of entries that customers may see, without their content."""
_Item = tuple[Any, int, IssueEvent | Comment]


def timeline(
    board: BoardContext,
    viewer: PersonInfo,
    addresses: Addresses,
    repository: Repository,
    sr_id: int,
    *,
    with_comments: bool = True,
) -> list[EventBody]:
    """Return the events of an issue, with its comments among them by default."""
    with board.database.reading() as session:
        visibility.find_issue(session, viewer, sr_id)
        found: list[_Item] = [(e.at, e.number, e) for e in _events(session, viewer, sr_id)]
        rows = _comments(session, viewer, sr_id) if with_comments else []
        found += [(row.created_at, row.comment_id, row) for row in rows]
        found.sort(key=lambda item: item[:2])
        return _bodies(session, addresses, repository, [item[2] for item in found])


def get_event(
    board: BoardContext,
    viewer: PersonInfo,
    addresses: Addresses,
    repository: Repository,
    number: int,
) -> EventBody:
    """Return one event by its number. Raises `NotFound` if the viewer may not see it."""
    with board.database.reading() as session:
        query = select(AuditEntry.sr_id).where(AuditEntry.seq == number // PARTS)
        sr_id = session.scalar(query)
        if sr_id is not None:
            visibility.find_issue(session, viewer, sr_id)
            found = [e for e in _events(session, viewer, sr_id) if e.number == number]
            if found:
                return _bodies(session, addresses, repository, found)[0]
    raise NotFound(what=f"event {number}")


def _events(session: Session, viewer: PersonInfo, sr_id: int) -> list[IssueEvent]:
    columns = (
        AuditEntry.seq,
        AuditEntry.kind,
        AuditEntry.actor,
        AuditEntry.created_at,
        AuditEntry.detail,
        AuditEntry.log_content,
    )
    query = select(*columns).where(AuditEntry.sr_id == sr_id, AuditEntry.kind.not_in(HIDDEN))
    whole = is_allowed(viewer, "audit.read")
    if not whole:
        query = query.where(AuditEntry.kind.in_(_PUBLIC))
    found: list[IssueEvent] = []
    for row in session.execute(query.order_by(AuditEntry.seq).limit(MOST)):
        for event in events_of(row.seq, row.kind, row.actor, row.created_at, row.detail):
            event.more["guardia"] = {"kind": row.kind, "text": row.log_content if whole else None}
            found.append(event)
    return found


def _comments(session: Session, viewer: PersonInfo, sr_id: int) -> Sequence[Comment]:
    query = select(Comment).where(Comment.sr_id == sr_id, *issue_view.comments_visible_to(viewer))
    return session.scalars(query.order_by(Comment.comment_id).limit(MOST)).all()


def _bodies(
    session: Session,
    addresses: Addresses,
    repository: Repository,
    found: Sequence[IssueEvent | Comment],
) -> list[EventBody]:
    events = [one for one in found if isinstance(one, IssueEvent)]
    written = [one for one in found if isinstance(one, Comment)]
    actors = [e.actor for e in events]
    actors += [str(Actor.person(e.more["assignee"])) for e in events if e.more.get("assignee")]
    users = users_of(session, addresses, actors)
    labels = _labels(session, events)
    comments = {c.id: c for c in views.comment_bodies(session, addresses, repository, written)}
    bodies = []
    for one in found:
        if isinstance(one, IssueEvent):
            bodies.append(_event_body(one, addresses, repository, users, labels))
        else:
            comment = comments[one.comment_id].model_dump()
            bodies.append(EventBody(**comment, event="commented", actor=comment["user"]))
    return bodies


def _labels(session: Session, events: Sequence[IssueEvent]) -> dict[str, Label]:
    names = {event.more["label"] for event in events if "label" in event.more}
    rows = session.scalars(select(Label).where(Label.name.in_(names))) if names else ()
    return {row.name: row for row in rows}


def _event_body(
    event: IssueEvent,
    addresses: Addresses,
    repository: Repository,
    users: Users,
    labels: dict[str, Label],
) -> EventBody:
    more = dict(event.more)
    if "label" in more:
        known = labels.get(more["label"])
        # A label that is gone by now keeps its name.
        more["label"] = (
            label_body(addresses, repository, known).model_dump()
            if known is not None
            else {"name": more["label"], "color": "8a8f98"}
        )
    if more.get("assignee"):
        more["assignee"] = users.person(more["assignee"]).model_dump()
    return EventBody(
        id=event.number,
        node_id=f"event:{event.number}",
        url=f"{addresses.repository(repository)}/issues/events/{event.number}",
        event=event.event,
        actor=users.user(event.actor),
        created_at=event.at,
        **more,
    )
