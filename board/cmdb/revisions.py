"""History of the CMDB: numbered revisions, each with its changes.

Every use case that changes institutions, servers, people's responsibilities or the duty roster
calls `record` or `note`, in its own transaction.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, text, true, tuple_
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.cmdb import record_store
from guardia.board.cmdb.changes import CmdbDifference, Draft
from guardia.board.cmdb.history_model import CmdbChange, CmdbRevision
from guardia.board.cmdb.record_store import Values
from guardia.board.cmdb.records import KINDS, record_key
from guardia.errors import NotFound
from guardia.i18n import t, t_default

_LISTED = 50
"""Changes that the audit entry names; its digest covers all of them."""


@dataclass(frozen=True, slots=True)
class RevisionSummary:
    """One revision without its changes."""

    number: int
    source: str
    changes: int
    author: str
    created_at: datetime
    back_to: int | None


def lock(session: Session) -> int:
    """Return the last revision and block other writers of the CMDB until the transaction ends."""
    session.execute(text("select pg_advisory_xact_lock(hashtext('cmdb_revision'))"))
    # People edit single servers without that lock: they wait, and this reads what they wrote.
    session.execute(
        text("lock table tb_inst_meta, tb_server_info, tb_system_owner in share row exclusive mode")
    )
    return latest(session)


def latest(session: Session) -> int:
    """Return the number of the last revision; 0 before the first."""
    return session.scalar(select(func.max(CmdbRevision.revision))) or 0


def digest(changes: Sequence[CmdbDifference]) -> str:
    """Return the SHA-256 of changes, which the audit log keeps."""
    rows = sorted([c.kind, c.key, c.before, c.after] for c in changes)
    body = json.dumps(rows, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(body.encode()).hexdigest()


def note(
    session: Session,
    kind: str,
    before: Values | None,
    after: Values | None,
    *,
    author: str,
    now: datetime,
    source: str,
) -> None:
    """Write the revision of one entry that a use case changed, which logs its own audit entry.

    Nothing if the entry is the same, as after a change of facts only.
    """
    if before == after:
        return
    key = record_key(KINDS[kind].KEYS, after or before or {})
    _write(session, [CmdbDifference(kind, key, before, after)], author, now, source, "", None)


def record(
    session: Session,
    changes: Sequence[CmdbDifference],
    *,
    author: str,
    now: datetime,
    source: str,
    sha256: str = "",
    back_to: int | None = None,
) -> int:
    """Write a revision with its changes and its audit entry; call it last in a transaction."""
    revision = _write(session, changes, author, now, source, sha256, back_to)
    _append_entry(session, revision, changes)
    return revision.revision


def _write(
    session: Session,
    changes: Sequence[CmdbDifference],
    author: str,
    now: datetime,
    source: str,
    sha256: str,
    back_to: int | None,
) -> CmdbRevision:
    revision = CmdbRevision(
        source=source,
        sha256=sha256,
        changes=len(changes),
        author=author,
        created_at=now,
        back_to=back_to,
    )
    session.add(revision)
    session.flush()
    rows = [
        {
            "revision": revision.revision,
            "kind": c.kind,
            "key": c.key,
            "before": c.before,
            "after": c.after,
        }
        for c in changes
    ]
    record_store.upsert(session, CmdbChange, ["revision", "kind", "key"], rows)
    return revision


def _append_entry(
    session: Session, revision: CmdbRevision, changes: Sequence[CmdbDifference]
) -> None:
    counts = Counter((c.kind, c.verb) for c in changes)
    lines = [change.audit_text() for change in changes[:_LISTED]]
    if len(changes) > _LISTED:
        lines.append(t_default("imports.difference.more", count=len(changes) - _LISTED))
    log.append(
        session,
        EntryKind.CMDB_CHANGED,
        actor=revision.author,
        now=revision.created_at,
        detail={
            "revision": revision.revision,
            "source": revision.source,
            "sha256": revision.sha256,
            "back_to": revision.back_to,
            "counts": {f"{kind}.{verb}": n for (kind, verb), n in sorted(counts.items())},
            "changes_sha256": digest(changes),
            "changes": lines,
        },
        revision=revision.revision,
        source=revision.source,
        changes=len(changes),
    )


def history(
    session: Session, *, before: int | None = None, limit: int = 50, key: str | None = None
) -> list[RevisionSummary]:
    """Return revisions, newest first; with `key`, only those that changed this entry."""
    r = CmdbRevision
    query = select(r.revision, r.source, r.changes, r.author, r.created_at, r.back_to)
    query = query.where(true() if before is None else r.revision < before)
    if key is not None:
        query = query.where(
            r.revision.in_(select(CmdbChange.revision).where(CmdbChange.key == key))
        )
    found = session.execute(query.order_by(r.revision.desc()).limit(limit))
    return [RevisionSummary(*row) for row in found]


def changes_of(session: Session, number: int) -> list[CmdbDifference]:
    """Return what a revision changed. Raises `NotFound` if there is no such revision."""
    if session.get(CmdbRevision, number) is None:
        raise NotFound(what=t("imports.revision", number=number))
    c = CmdbChange
    query = select(c.kind, c.key, c.before, c.after).where(c.revision == number)
    found = [CmdbDifference(*row) for row in session.execute(query.order_by(c.kind, c.key))]
    order = list(KINDS)
    return sorted(found, key=lambda change: order.index(change.kind))


def changed_after(session: Session, number: int, keys: Sequence[tuple[str, str]]) -> int | None:
    """Return the first revision after `number` that changed one of these entries (kind and key)."""
    c = CmdbChange
    query = select(func.min(c.revision)).where(
        c.revision > number, tuple_(c.kind, c.key).in_(list(keys))
    )
    return session.scalar(query)


def of_kinds(session: Session, kinds: Collection[str], limit: int) -> list[RevisionSummary]:
    """Return the newest revisions that changed entries of these kinds."""
    r, c = CmdbRevision, CmdbChange
    found = select(c.revision).where(c.revision == r.revision, c.kind.in_(kinds)).exists()
    query = select(r.revision, r.source, r.changes, r.author, r.created_at, r.back_to)
    query = query.where(found).order_by(r.revision.desc()).limit(limit)
    return [RevisionSummary(*row) for row in session.execute(query)]


def state_at(session: Session, number: int) -> tuple[list[Draft], set[tuple[str, str]]]:
    """Return the entries that changed after a revision as they were then, and which were not there.

    What has not changed since is in neither. Raises `NotFound` if there is no such revision.
    """
    if number and session.get(CmdbRevision, number) is None:
        raise NotFound(what=t("imports.revision", number=number))
    c = CmdbChange
    first_after = (
        select(c.kind, c.key, c.before)
        .where(c.revision > number)
        .ext(distinct_on(c.kind, c.key))
        .order_by(c.kind, c.key, c.revision)
    )
    drafts, absent = [], set()
    for kind, key, before in session.execute(first_after):
        if before is None:
            absent.add((kind, key))
        else:
            drafts.append(Draft(kind, 0, before, whole=True))
    return drafts, absent
