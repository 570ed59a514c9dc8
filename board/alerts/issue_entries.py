"""Comments and audit entries of monitoring systems. They wake no agent that a text may mention."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from guardia.board.alerts import wording
from guardia.board.alerts.changed import ChangedAlert
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.lookup import get_issue
from guardia.board.core.model import Comment, Issue
from guardia.text import MAX_BODY

LOGGED = 50
"""Alerts that one audit entry names."""


def add_comment(session: Session, sr_id: int, source: str, text: str, now: datetime) -> Issue:
    """Add a comment of a source to an issue; return the issue."""
    issue = get_issue(session, sr_id)
    issue.updated_at = now
    author = str(Actor.channel(source))
    session.add(Comment(sr_id=sr_id, author=author, body=text[:MAX_BODY], created_at=now))
    return issue


def log_alerts(
    session: Session,
    kind: EntryKind,
    source: str,
    sr_id: int,
    alerts: Sequence[ChangedAlert],
    now: datetime,
) -> None:
    """Append an entry about alerts of an issue."""
    log.append(
        session,
        kind,
        actor=str(Actor.channel(source)),
        now=now,
        sr_id=sr_id,
        detail={"alerts": [one.facts for one in alerts[:LOGGED]], "count": len(alerts)},
        sr=sr_id,
        alerts=wording.names_of(alerts),
        count=len(alerts),
    )
