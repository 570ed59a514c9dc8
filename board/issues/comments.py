"""Add comments to issues; wake the agents and notify the people that they mention."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core import outbox
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.lookup import get_issue
from guardia.board.core.model import Comment, Issue, Mention
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import wake
from guardia.board.issues import following, locking, references
from guardia.board.issues.mentions import mentioned_agents
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Missing
from guardia.i18n import t, t_default
from guardia.org import registry
from guardia.org.model import Person
from guardia.text import MAX_BODY, trim

_EXCERPT = 500


@repeat_on_conflict
def add_comment(board: BoardContext, sr_id: int, author: Actor, body: str) -> int:
    """Add a comment to an issue; return its number.

    Raises `Missing` if it is empty, `Refused` if the conversation is locked for its author.
    """
    text = trim(body, MAX_BODY)
    if not text:
        raise Missing(what=t("web.form.reason"))
    now = board.clock()
    with board.database.transaction() as session:
        locking.require_open(session, sr_id, author)
        return write_comment(session, sr_id, author, text, now)


def write_comment(
    session: Session,
    sr_id: int,
    author: Actor,
    text: str,
    now: datetime,
    *,
    wakes_mentioned: bool = True,
) -> int:
    """Add a comment in the caller's transaction, waking mentioned agents if asked to.

    The audit log gets the digest of the text only: its author may delete the text later.
    """
    issue = get_issue(session, sr_id)
    issue.updated_at = now
    row = Comment(sr_id=sr_id, author=str(author), body=text, created_at=now)
    session.add(row)
    session.flush()
    session.refresh(row)  # clean, as it is stored
    mentioned: list[str] = []
    if wakes_mentioned and "@" in text:
        _wake_mentioned(session, row, author, now)
        mentioned = notify_mentioned(session, row, author, now)
    references.note(session, sr_id, text, now)
    following.after_comment(session, row, author, mentioned, now)
    sha256 = digest(row.body)
    words = {"number": row.comment_id, "length": len(row.body), "digest": sha256[:12]}
    log.append(
        session,
        EntryKind.COMMENT,
        actor=str(author),
        now=now,
        sr_id=sr_id,
        detail={"comment": row.comment_id, "sha256": sha256, "length": len(row.body)},
        text=t_default("issue.comment_digest", **words),
    )
    return row.comment_id


def digest(text: str) -> str:
    """Return the digest of a comment, as the audit log keeps it."""
    return hashlib.sha256(text.encode()).hexdigest()


def _wake_mentioned(session: Session, row: Comment, author: Actor, now: datetime) -> None:
    """Wake the agents that a comment mentions, except its author."""
    cause = {"comment": row.comment_id}
    for agent in mentioned_agents(row.body, registry.agent_names(session)):
        wake(session, agent, WakeReason.MENTION, now, row.sr_id, cause=cause, by=author)


def notify_mentioned(
    session: Session, row: Comment, author: Actor, now: datetime, before: str = ""
) -> list[str]:
    """Notify the people that a comment mentions and that its text `before` did not; return them.

    They are the staff and the customers of the issue's institution, except its author.
    """
    own = select(Issue.inst_id).where(Issue.sr_id == row.sr_id).scalar_subquery()
    query = select(Person).where(
        Person.active, or_(Person.role != "customer", Person.inst_id == own)
    )
    people = session.scalars(query.order_by(Person.person_id)).all()
    known = Counter(person.name for person in people)
    names = tuple(
        (p.person_id, (p.person_id, *((p.name,) if known[p.name] == 1 else ()))) for p in people
    )
    known_before = set(mentioned_agents(before, names)) if before else set()
    found = [
        p
        for p in mentioned_agents(row.body, names)
        if Actor.person(p) != author and p not in known_before
    ]
    text = t("board.notice.mention", sr=row.sr_id, who=author.label, text=row.body[:_EXCERPT])
    outbox.notify(session, NoticeKind.MENTION, text, found, now, sr_id=row.sr_id)
    if found:
        rows = [{"person_id": person, "sr_id": row.sr_id} for person in found]
        session.execute(insert(Mention).values(rows).on_conflict_do_nothing())
    return found
