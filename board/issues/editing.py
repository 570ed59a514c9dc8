"""Edit the title and the description of an issue; what they said before is kept."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.model import Issue
from guardia.board.issues import changing, references, visibility
from guardia.board.issues.model import EarlierText
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Forbidden, Missing
from guardia.i18n import t
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo
from guardia.text import MAX_BODY, MAX_TITLE, trim

ACTION = "issue.edit"


def may_edit(session: Session, person: PersonInfo, issue: Issue) -> bool:
    """Return whether a person may edit an issue's texts: staff, and customers their own."""
    if not is_allowed(person, ACTION, institution=issue.inst_id):
        return False
    return person.role != "customer" or visibility.is_requester(session, person, issue)


@repeat_on_conflict
def edit(
    board: BoardContext, person: PersonInfo, sr_id: int, title: str, body: str, seen: str = ""
) -> bool:
    """Replace title and description; return whether anything changed.

    `seen` is the `text_token` of what the form showed. Raises `Forbidden` for customers who did
    not request it, `Stale` if someone else has edited it since, `Missing` for an empty text.
    """
    now = board.clock()
    title, body = trim(title, MAX_TITLE), trim(body, MAX_BODY)
    with board.database.transaction() as session:
        issue = changing.lock_for(session, person, sr_id, ACTION)
        if not may_edit(session, person, issue):
            raise Forbidden(who=Actor.of(person).label, action=t("org.right.issue.edit"))
        changing.require_seen(seen, issue, issue.title, issue.body)
        for name, text in (("title", title), ("body", body)):
            if not text:
                raise Missing(what=t(f"web.form.{name}"), field=name)
        before = {"title": issue.title, "body": issue.body}
        wanted = {"title": title, "body": body}
        changed = [name for name in wanted if wanted[name] != before[name]]
        if not changed:
            return False
        for name in changed:
            keep_earlier(session, sr_id, name, before[name], person, now)
        issue.title, issue.body, issue.updated_at = title, body, now
        references.note(session, sr_id, f"{title}\n{body}", now)
        detail = {name: {"before": before[name], "after": wanted[name]} for name in changed}
        fields = ", ".join(t(f"web.form.{name}") for name in changed)
        changing.record(session, EntryKind.ISSUE_EDITED, person, now, sr_id, detail, fields=fields)
        return True


def keep_earlier(
    session: Session,
    sr_id: int,
    field: str,
    text: str,
    by: PersonInfo,
    now: datetime,
    comment_id: int | None = None,
) -> None:
    """Keep what a text said before an edit."""
    session.add(
        EarlierText(
            sr_id=sr_id,
            field=field,
            comment_id=comment_id,
            text=text,
            edited_by=str(Actor.of(by)),
            edited_at=now,
        )
    )
    session.flush()
