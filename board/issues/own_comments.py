"""Edit and delete one's own comments.

Earlier texts are kept and shown. Of a deleted comment nothing is kept but who wrote and deleted it,
when, and the digest that the audit log has had since it was written.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.model import Comment, Issue
from guardia.board.issues import changing, comments, editing, locking, references
from guardia.board.issues.model import EarlierText
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Forbidden, Missing, NotFound
from guardia.i18n import t
from guardia.org.directory import PersonInfo
from guardia.text import MAX_BODY, trim

_ACTION = "issue.comment"


@repeat_on_conflict
def edit(
    board: BoardContext,
    person: PersonInfo,
    sr_id: int,
    comment_id: int,
    body: str,
    seen: str = "",
) -> bool:
    """Replace the text of an own comment; return whether it changed.

    Raises `NotFound` for a comment that is deleted or of another issue, `Forbidden` for another
    person's, `Stale` if it was edited in another window since.
    """
    now, text = board.clock(), trim(body, MAX_BODY)
    with board.database.transaction() as session:
        issue, row = _own(session, person, sr_id, comment_id)
        locking.require_open(session, sr_id, Actor.of(person))
        changing.require_seen(seen, issue, row.body)
        if not text:
            raise Missing(what=t("web.issue.comment"), field="body")
        if text == row.body:
            return False
        before, row.body, row.edited_at, issue.updated_at = row.body, text, now, now
        editing.keep_earlier(session, sr_id, "comment", before, person, now, comment_id)
        session.refresh(row)
        references.note(session, sr_id, text, now)
        comments.notify_mentioned(session, row, Actor.of(person), now, before)
        digests = {"before": comments.digest(before), "after": comments.digest(row.body)}
        _record(session, EntryKind.COMMENT_EDITED, person, now, row, digests)
        return True


@repeat_on_conflict
def remove(board: BoardContext, person: PersonInfo, sr_id: int, comment_id: int) -> None:
    """Delete an own comment with its earlier texts."""
    now = board.clock()
    with board.database.transaction() as session:
        issue, row = _own(session, person, sr_id, comment_id)
        digests = {"sha256": comments.digest(row.body)}
        session.execute(delete(EarlierText).where(EarlierText.comment_id == comment_id))
        row.body, row.deleted_at, issue.updated_at = "", now, now
        session.flush()
        _record(session, EntryKind.COMMENT_DELETED, person, now, row, digests)


def _own(
    session: Session, person: PersonInfo, sr_id: int, comment_id: int
) -> tuple[Issue, Comment]:
    issue = changing.lock_for(session, person, sr_id, _ACTION)
    row = session.get(Comment, comment_id, with_for_update=True)
    if row is None or row.sr_id != sr_id or row.deleted_at is not None:
        raise NotFound(what=f"{issue_ref(sr_id)}/{comment_id}")
    if row.author != str(Actor.of(person)):
        raise Forbidden(who=Actor.of(person).label, action=t("issue.others_comment"))
    return issue, row


def _record(
    session: Session,
    kind: EntryKind,
    person: PersonInfo,
    now: datetime,
    row: Comment,
    digests: dict[str, str],
) -> None:
    detail = {"comment": row.comment_id, **digests}
    changing.record(session, kind, person, now, row.sr_id, detail, number=row.comment_id)
