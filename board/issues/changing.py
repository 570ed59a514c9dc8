"""What every change of an issue by a person has in common: who may, the lock, its audit entry."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.lookup import lock_issues
from guardia.board.core.model import Issue
from guardia.board.issues import visibility
from guardia.errors import Stale
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo


def lock_for(session: Session, person: PersonInfo, sr_id: int, action: str) -> Issue:
    """Lock and return an issue that a person may change.

    Raises `NotFound` if the person may not see it, `Forbidden` without the permission.
    """
    issue = visibility.find_issue(session, person, sr_id)
    require_permission(person, action, institution=issue.inst_id)
    lock_issues(session, [sr_id])
    session.refresh(issue)
    return issue


def record(
    session: Session,
    kind: EntryKind,
    person: PersonInfo,
    now: datetime,
    sr_id: int | None,
    detail: dict[str, Any],
    **words: str | int,
) -> None:
    """Write the audit entry of a change: the last call of its transaction."""
    by = Actor.of(person)
    said: dict[str, Any] = {"by": by.label, **words}
    log.append(session, kind, actor=str(by), now=now, sr_id=sr_id, detail=detail, **said)


def text_token(*texts: str) -> str:
    """Return a token of texts as a form showed them."""
    return hashlib.sha256("\x00".join(texts).encode()).hexdigest()[:16]


def require_seen(seen: str, issue: Issue, *texts: str) -> None:
    """Raise `Stale` if the texts are not those that a form showed; empty: it does not say."""
    if seen and seen != text_token(*texts):
        raise Stale(what=issue.ref)
