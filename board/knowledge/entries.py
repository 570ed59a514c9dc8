"""Entries of the audit log about documents."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.knowledge.model import Document
from guardia.org.directory import PersonInfo


def record(
    session: Session,
    kind: EntryKind,
    by: PersonInfo | Actor,
    now: datetime,
    row: Document,
    **more: Any,
) -> None:
    """Add an entry that names a document; `more` is what happened to it."""
    session.flush()
    log.append(
        session,
        kind,
        actor=str(by if isinstance(by, Actor) else Actor.of(by)),
        now=now,
        detail={"document": row.document_id, "title": row.title, "kind": row.kind, **more},
        number=row.document_id,
        title=row.title,
        version=more.get("version", 1),
    )


def details_of(row: Document) -> dict[str, Any]:
    """Return what is said about a document, for the entries of its changes."""
    return {
        "field": row.field,
        "institution": row.inst_id,
        "server": row.server_id,
        "owner": row.owner_id,
        "audience": row.audience,
        "roles": list(row.roles),
        "expires_at": row.expires_at.isoformat() if row.expires_at else None,
    }
