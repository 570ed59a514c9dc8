"""Reactions of people to issues and comments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.issues import view, visibility
from guardia.board.issues.reaction_model import REACTIONS, Reaction
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Forbidden, Invalid, NotFound
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo

_ACTION = "issue.comment"


@dataclass(frozen=True, slots=True)
class ReactionView:
    """A reaction."""

    reaction_id: int
    person_id: str
    content: str
    created_at: datetime


def _of(sr_id: int, comment_id: int | None) -> ColumnElement[bool]:
    column = Reaction.comment_id
    is_it = column.is_(None) if comment_id is None else column == comment_id
    return (Reaction.sr_id == sr_id) & is_it


@repeat_on_conflict
def react(
    board: BoardContext, person: PersonInfo, sr_id: int, content: str, comment_id: int | None = None
) -> tuple[ReactionView, bool]:
    """React to an issue or one of its comments; return it, and whether it is new.

    Raises `NotFound` for what the person may not see, `Invalid` for an unknown reaction.
    """
    now, by = board.clock(), Actor.of(person)
    with board.database.transaction() as session:
        _require_target(session, person, sr_id, comment_id)
        require_permission(person, _ACTION)
        if content not in REACTIONS:
            raise Invalid(what="content", why=", ".join(REACTIONS))
        values: dict[str, Any] = {"sr_id": sr_id, "comment_id": comment_id, "person_id": person.id}
        values |= {"content": content, "created_at": now}
        add = insert(Reaction).values(values).on_conflict_do_nothing()
        is_new = session.scalar(add.returning(Reaction.reaction_id)) is not None
        mine = (Reaction.person_id == person.id) & (Reaction.content == content)
        row = session.scalars(select(Reaction).where(_of(sr_id, comment_id), mine)).one()
        if is_new:
            _log(session, EntryKind.REACTED, by, now, row)
        return _view(row), is_new


@repeat_on_conflict
def remove(
    board: BoardContext,
    person: PersonInfo,
    sr_id: int,
    reaction_id: int,
    comment_id: int | None = None,
) -> None:
    """Remove one's own reaction. Raises `NotFound` if there is none, `Forbidden` for another's."""
    now, by = board.clock(), Actor.of(person)
    with board.database.transaction() as session:
        _require_target(session, person, sr_id, comment_id)
        require_permission(person, _ACTION)
        row = session.scalar(
            select(Reaction).where(_of(sr_id, comment_id), Reaction.reaction_id == reaction_id)
        )
        if row is None:
            raise NotFound(what=f"reaction {reaction_id}")
        if row.person_id != person.id:
            raise Forbidden(who=by.label, action=t("org.right.issue.comment"))
        session.delete(row)
        _log(session, EntryKind.REACTION_REMOVED, by, now, row)


def list_reactions(
    board: BoardContext, person: PersonInfo, sr_id: int, comment_id: int | None = None
) -> list[ReactionView]:
    """Return the reactions to an issue or one of its comments, oldest first."""
    with board.database.reading() as session:
        _require_target(session, person, sr_id, comment_id)
        query = select(Reaction).where(_of(sr_id, comment_id)).order_by(Reaction.reaction_id)
        return [_view(row) for row in session.scalars(query)]


def _require_target(
    session: Session, person: PersonInfo, sr_id: int, comment_id: int | None
) -> None:
    visibility.find_issue(session, person, sr_id)
    if comment_id is not None:
        view.find_comment(session, person, comment_id, sr_id)


def _view(row: Reaction) -> ReactionView:
    return ReactionView(row.reaction_id, row.person_id, row.content, row.created_at)


def _log(session: Session, kind: EntryKind, by: Actor, now: datetime, row: Reaction) -> None:
    detail = {"content": row.content, "comment": row.comment_id}
    log.append(
        session,
        kind,
        actor=str(by),
        now=now,
        sr_id=row.sr_id,
        detail=detail,
        who=by.label,
        content=row.content,
    )
