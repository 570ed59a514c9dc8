"""Add comments to issues; wake the agents and notify the people that they mention."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core import outbox
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.lookup import get_issue
from guardia.board.core.model import Comment, Mention
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import wake
from guardia.board.issues.mentions import mentioned_agents
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Missing
from guardia.i18n import t
from guardia.org import registry
from guardia.org.model import Person
from guardia.text import MAX_BODY, trim

_EXCERPT = 500


@repeat_on_conflict
def add_comment(board: BoardContext, sr_id: int, author: Actor, body: str) -> None:
    """Add a comment to an issue. Raises `Missing` if it is empty."""
    text = trim(body, MAX_BODY)
    if not text:
        raise Missing(what=t("web.form.reason"))
    now = board.clock()
    with board.database.transaction() as session:
        write_comment(session, sr_id, author, text, now)


def write_comment(
    session: Session,
    sr_id: int,
    author: Actor,
    text: str,
    now: datetime,
    *,
    wakes_mentioned: bool = True,
) -> None:
    """Add a comment in the caller's transaction, waking mentioned agents if asked to."""
    issue = get_issue(session, sr_id)
    issue.updated_at = now
    row = Comment(sr_id=sr_id, author=str(author), body=text, created_at=now)
    session.add(row)
    session.flush()
    if wakes_mentioned and "@" in text:
        session.refresh(row)  # clean, as it is stored
        _wake_mentioned(session, row, author, now)
        _notify_mentioned(session, row, author, now)
    log.append(
        session,
        EntryKind.COMMENT,
        actor=str(author),
        now=now,
        sr_id=sr_id,
        detail={"body": text},
        text=text[:_EXCERPT],
    )


def _wake_mentioned(session: Session, row: Comment, author: Actor, now: datetime) -> None:
    """Wake the agents that a comment mentions, except its author."""
    cause = {"comment": row.comment_id}
    for agent in mentioned_agents(row.body, registry.agent_names(session)):
        wake(session, agent, WakeReason.MENTION, now, row.sr_id, cause=cause, by=author)


def _notify_mentioned(session: Session, row: Comment, author: Actor, now: datetime) -> None:
    """Notify the people of the staff that a comment mentions, except its author."""
    query = select(Person).where(Person.active, Person.role != "customer")
    people = session.scalars(query.order_by(Person.person_id)).all()
    known = Counter(person.name for person in people)
    names = tuple(
        (p.person_id, (p.person_id, *((p.name,) if known[p.name] == 1 else ()))) for p in people
    )
    found = [p for p in mentioned_agents(row.body, names) if Actor.person(p) != author]
    text = t("board.notice.mention", sr=row.sr_id, who=author.label, text=row.body[:_EXCERPT])
    outbox.notify(session, NoticeKind.MENTION, text, found, now, sr_id=row.sr_id)
    if found:
        rows = [{"person_id": person, "sr_id": row.sr_id} for person in found]
        session.execute(insert(Mention).values(rows).on_conflict_do_nothing())
