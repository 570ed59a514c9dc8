"""Follow and mute issues, and notify their followers of comments."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Literal

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.audit.kinds import EntryKind
from guardia.board.core import outbox
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import ActorKind
from guardia.board.core.model import Comment, Issue
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.issues import changing
from guardia.board.issues.model import Follower
from guardia.db.engine import repeat_on_conflict
from guardia.i18n import t
from guardia.org.directory import PersonInfo
from guardia.org.model import Person

Following = Literal["FOLLOWING", "MUTED", ""]
_ACTION = "notice.own"


@repeat_on_conflict
def follow(board: BoardContext, person: PersonInfo, sr_id: int, wanted: Following) -> None:
    """Follow an issue, mute it, or (empty) do neither."""
    now = board.clock()
    with board.database.transaction() as session:
        changing.lock_for(session, person, sr_id, _ACTION)
        row = session.get(Follower, (sr_id, person.id))
        if (row.state if row else "") == wanted:
            return
        if row is not None and not wanted:
            session.delete(row)
        elif row is not None:
            row.state, row.since = wanted, now
        else:
            session.add(Follower(sr_id=sr_id, person_id=person.id, state=wanted, since=now))
        session.flush()
        # A choice of the person's own: not part of the issue's history.
        detail = {"sr": sr_id, "state": wanted}
        word = t(f"issue.following.{wanted or 'NONE'}")
        changing.record(
            session, EntryKind.ISSUE_FOLLOWED, person, now, None, detail, sr=sr_id, what=word
        )


def after_comment(
    session: Session, row: Comment, author: Actor, mentioned: Collection[str], now: datetime
) -> None:
    """Notify the followers of a person's comment; its author follows the issue from now on."""
    if author.kind is not ActorKind.PERSON:
        return
    people = [p for p in _followers(session, row.sr_id) if p not in {author.id, *mentioned}]
    text = t("issue.followed_comment", sr=row.sr_id, who=author.label, text=row.body[:500])
    outbox.notify(session, NoticeKind.COMMENT, text, people, now, sr_id=row.sr_id)
    if session.get(Person, author.id) is not None:
        values = {"sr_id": row.sr_id, "person_id": author.id, "state": "FOLLOWING", "since": now}
        session.execute(insert(Follower).values(**values).on_conflict_do_nothing())


def _followers(session: Session, sr_id: int) -> list[str]:
    """Return the active followers who may still see the issue."""
    query = (
        select(Follower.person_id)
        .join(Person, Person.person_id == Follower.person_id)
        .join(Issue, Issue.sr_id == Follower.sr_id)
        .where(Follower.sr_id == sr_id, Follower.state == "FOLLOWING", Person.active)
        .where(or_(Person.role != "customer", Person.inst_id == Issue.inst_id))
    )
    return list(session.scalars(query.order_by(Follower.person_id)))


def muted(session: Session, sr_id: int | None, people: Collection[str]) -> set[str]:
    """Return those of some people who have muted an issue."""
    if sr_id is None or not people:
        return set()
    query = select(Follower.person_id).where(
        Follower.sr_id == sr_id, Follower.state == "MUTED", Follower.person_id.in_(people)
    )
    return set(session.scalars(query))
