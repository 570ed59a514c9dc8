"""Add and remove artefacts; hold those that are still needed."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from guardia.board.artifacts import signatures
from guardia.board.artifacts.blob_store import BlobStore, Incoming
from guardia.board.artifacts.model import Artifact, ArtifactHold, Blob
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, NotFound, Refused, StoreFull
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+~-]{0,63}")
_FILE = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+~-]{0,127}")
_STORE = "artifact store"
_GIGABYTE = 1 << 30


@dataclass(frozen=True, slots=True)
class NewArtifact:
    """What a person says about an upload."""

    name: str
    version: str
    file_name: str
    signature: str = ""
    """Base64; empty: none."""

    def require_valid(self) -> None:
        """Raise `Invalid` for a name that a server could misunderstand."""
        given = {"name": (_NAME, self.name), "version": (_VERSION, self.version)}
        given["file_name"] = (_FILE, self.file_name)
        for field, (pattern, value) in given.items():
            if not pattern.fullmatch(value):
                raise Invalid(what=t(f"artifacts.{field}"), why=t(f"artifacts.wrong_{field}"))
        if len(self.signature) > signatures.MAX_SIGNATURE:
            raise Invalid(what=t("artifacts.signature"), why=t("artifacts.not_base64"))


def prepare(
    board: BoardContext, store: BlobStore, person: PersonInfo, new: NewArtifact, announced: int
) -> Incoming:
    """Check an upload before its first byte, and begin to receive it."""
    require_permission(person, "artifact.add")
    new.require_valid()
    with board.database.reading() as session:
        _require_unused(session, new)
        require_room(session, store, announced)
    collect_garbage(board, store)
    return store.receive(announced)


def require_announced(incoming: Incoming, sha256: str) -> None:
    """Raise `Invalid` if a content is not what its sender says it is; empty: nothing is said."""
    if sha256 and sha256.strip().lower() != incoming.sha256:
        raise Invalid(what=t("artifacts.file"), why=t("artifacts.other_digest"))


@repeat_on_conflict
def add(
    board: BoardContext,
    store: BlobStore,
    person: PersonInfo,
    new: NewArtifact,
    incoming: Incoming,
    keys: Path | None = None,
) -> int:
    """Keep a sealed content as a new artefact; return its number.

    Raises `Invalid` for a version that exists or a signature that no key made, `StoreFull` without
    room.
    """
    require_permission(person, "artifact.add")
    new.require_valid()
    if not incoming.size:
        raise Invalid(what=t("artifacts.file"), why=t("artifacts.no_content"))
    sha256, now = incoming.sha256, board.clock()
    signed_by = signatures.verify(keys, sha256, new.signature) if new.signature else ""
    with board.database.transaction() as session:
        lock_store(session)
        _require_unused(session, new)
        if session.get(Blob, sha256) is None:
            require_room(session, store, incoming.size)
            session.add(Blob(sha256=sha256, size=incoming.size, created_at=now))
            session.flush()
        row = _insert(session, person, new, incoming, signed_by, now)
        # Last: a row never names a content that the store lacks, and a file without a row is
        # garbage.
        store.keep(incoming)
        log.append(
            session,
            EntryKind.ARTIFACT_ADDED,
            actor=str(Actor.of(person)),
            now=now,
            detail={
                "artifact": row.artifact_id,
                "name": row.name,
                "version": row.version,
                "file": row.file_name,
                "sha256": sha256,
                "size": row.size,
                "signed_by": signed_by,
            },
            name=row.name,
            version=row.version,
            size=row.size,
            hash=sha256[:12],
        )
        return row.artifact_id


@repeat_on_conflict
def remove(board: BoardContext, store: BlobStore, person: PersonInfo, number: int) -> None:
    """Remove an artefact, and its content if no other has the same.

    Raises `NotFound`, and `Refused` while a rollout needs it.
    """
    require_permission(person, "artifact.remove")
    now = board.clock()
    with board.database.transaction() as session:
        lock_store(session)
        row = lock(session, number)
        holder = session.scalar(
            select(ArtifactHold.holder).where(ArtifactHold.artifact_id == number).limit(1)
        )
        if holder is not None:
            raise Refused(why=t("artifacts.held", holder=holder))
        name, version, sha256 = row.name, row.version, row.sha256
        session.delete(row)
        session.flush()
        if _is_last_use(session, sha256):
            store.remove(sha256)
        log.append(
            session,
            EntryKind.ARTIFACT_REMOVED,
            actor=str(Actor.of(person)),
            now=now,
            detail={"artifact": number, "name": name, "version": version, "sha256": sha256},
            name=name,
            version=version,
            hash=sha256[:12],
        )


def _is_last_use(session: Session, sha256: str) -> bool:
    """Delete the row of a content, unless a row of any feature still names it."""
    try:
        with session.begin_nested():
            session.execute(delete(Blob).where(Blob.sha256 == sha256))
    except IntegrityError:
        return False
    return True


def lock(session: Session, number: int) -> Artifact:
    """Lock an artefact. Raises `NotFound` if there is none."""
    row = session.get(Artifact, number, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound(what=t("artifacts.number", number=number))
    return row


def hold(session: Session, number: int, holder: str) -> Artifact:
    """Keep an artefact from being removed until `release`."""
    row = lock(session, number)
    if session.get(ArtifactHold, (number, holder)) is None:
        session.add(ArtifactHold(artifact_id=number, holder=holder))
        session.flush()
    return row


def release(session: Session, holder: str) -> None:
    """End all holds of a holder."""
    session.execute(delete(ArtifactHold).where(ArtifactHold.holder == holder))


@repeat_on_conflict
def collect_garbage(board: BoardContext, store: BlobStore) -> int:
    """Remove unfinished uploads, and contents that no row names; return how many."""
    removed = store.remove_unfinished()
    with board.database.transaction() as session:
        lock_store(session)
        known = set(session.scalars(select(Blob.sha256)))
        for sha256 in [found for found in store.digests() if found not in known]:
            with suppress(OSError):
                store.remove(sha256)
                removed += 1
    return removed


def lock_store(session: Session) -> None:
    """Let only one transaction at a time add and remove contents."""
    number = int.from_bytes(hashlib.sha256(_STORE.encode()).digest()[:8], "big", signed=True)
    session.execute(select(func.pg_advisory_xact_lock(number)))


def _require_unused(session: Session, new: NewArtifact) -> None:
    known = select(Artifact.artifact_id)
    same = known.where(Artifact.name == new.name, Artifact.version == new.version)
    if session.scalar(same) is not None:
        what = f"{new.name} {new.version}"
        raise Invalid(what=what, why=t("artifacts.exists"))


def require_room(session: Session, store: BlobStore, size: int) -> None:
    used = int(session.scalar(select(func.coalesce(func.sum(Blob.size), 0))) or 0)
    if used + size > store.total_bytes:
        raise StoreFull(why=t("artifacts.store_full", most=store.total_bytes // _GIGABYTE))


def _insert(
    session: Session,
    person: PersonInfo,
    new: NewArtifact,
    incoming: Incoming,
    signed_by: str,
    now: datetime,
) -> Artifact:
    row = Artifact(
        name=new.name,
        version=new.version,
        file_name=new.file_name,
        sha256=incoming.sha256,
        size=incoming.size,
        signature=new.signature,
        signed_by=signed_by,
        created_by=str(Actor.of(person)),
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row
