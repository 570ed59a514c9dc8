"""A person's passkeys: list, rename, remove; each change is in the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.passkeys.model import Passkey
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Missing, NotFound
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import Person
from guardia.text import trim

MAX_NAME = 40
_MAX_LISTED = 1000


@dataclass(frozen=True, slots=True)
class PasskeyInfo:
    """A passkey as its owner and administrators see it."""

    passkey_id: int
    person: PersonInfo
    name: str
    rp_id: str
    created_at: datetime
    last_used_at: datetime | None


def active_passkeys(session: Session, person_id: str, rp_id: str) -> list[Passkey]:
    """Return the passkeys with which a person can sign at a host name now, oldest first."""
    query = select(Passkey).where(
        Passkey.person_id == person_id, Passkey.rp_id == rp_id, Passkey.removed_at.is_(None)
    )
    return list(session.scalars(query.order_by(Passkey.passkey_id)))


def list_passkeys(
    board: BoardContext, person: PersonInfo, *, everybody: bool = False
) -> list[PasskeyInfo]:
    """Return a person's own passkeys, or those of all people, which needs their permission."""
    require_permission(person, "passkey.remove" if everybody else "passkey.own")
    query = select(Passkey, Person).join(Person, Person.person_id == Passkey.person_id)
    if not everybody:
        query = query.where(Passkey.person_id == person.id)
    query = query.where(Passkey.removed_at.is_(None)).order_by(Person.name, Passkey.passkey_id)
    with board.database.reading() as session:
        return [
            PasskeyInfo(k.passkey_id, p.as_info(), k.name, k.rp_id, k.created_at, k.last_used_at)
            for k, p in session.execute(query.limit(_MAX_LISTED))
        ]


@repeat_on_conflict
def rename(board: BoardContext, person: PersonInfo, passkey_id: int, name: str) -> None:
    """Rename one of the person's own passkeys."""
    require_permission(person, "passkey.own")
    if not (name := trim(name, MAX_NAME)):
        raise Missing(what=t("passkeys.name"))
    with board.database.transaction() as session:
        row = _active(session, passkey_id)
        if row.person_id != person.id:
            raise NotFound(what=t("passkeys.one"))
        row.name = name
        _record(session, board, EntryKind.PASSKEY_RENAMED, Actor.of(person), row)


@repeat_on_conflict
def remove(board: BoardContext, by: PersonInfo, passkey_id: int) -> None:
    """Remove an own passkey, or as an administrator another person's; it never signs again."""
    require_permission(by, "passkey.own")
    with board.database.transaction() as session:
        row = _active(session, passkey_id)
        if row.person_id != by.id:
            require_permission(by, "passkey.remove")
        end(session, board, EntryKind.PASSKEY_REMOVED, Actor.of(by), row)


def end(session: Session, board: BoardContext, kind: EntryKind, actor: Actor, row: Passkey) -> None:
    """End a locked passkey in the caller's transaction; this is its last call."""
    row.removed_at, row.removed_by = board.clock(), str(actor)
    _record(session, board, kind, actor, row)


def _active(session: Session, passkey_id: int) -> Passkey:
    """Lock a passkey that can sign. Raises `NotFound` if there is none of this number."""
    row = session.get(Passkey, passkey_id, with_for_update=True)
    if row is None or row.removed_at is not None:
        raise NotFound(what=t("passkeys.one"))
    return row


def _record(
    session: Session, board: BoardContext, kind: EntryKind, actor: Actor, row: Passkey
) -> None:
    log.append(
        session,
        kind,
        actor=str(actor),
        now=board.clock(),
        detail={"person": row.person_id, "credential": row.credential, "name": row.name},
        person=row.person_id,
        name=row.name,
    )
