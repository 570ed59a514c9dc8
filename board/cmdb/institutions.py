"""Add, change and remove institutions; each change is in the audit log."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.cmdb import policy, record_store, revisions
from guardia.board.core.acting import require_actor
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import OPEN_STATES
from guardia.board.core.model import Issue
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, NotFound
from guardia.i18n import t
from guardia.org.directory import InstitutionInfo, PersonInfo
from guardia.org.model import Institution, Person, Server

EDIT = "institution.edit"


@repeat_on_conflict
def add(board: BoardContext, by: PersonInfo | Actor, value: InstitutionInfo) -> None:
    """Register an institution. Raises `Invalid` if its id is taken."""
    actor, given = require_actor(by, EDIT), policy.validated_institution(value)
    with board.database.transaction() as session:
        same = func.lower(Institution.inst_id) == given.id.lower()
        row = {"inst_id": given.id, "inst_name": given.name, "aliases": list(given.aliases)}
        taken = session.scalar(select(Institution.inst_id).where(same)) is not None
        statement = insert(Institution).values(row).on_conflict_do_nothing()
        if taken or not session.scalar(statement.returning(Institution.inst_id)):
            raise Invalid(what=given.id, why=t("cmdb.rule.taken"))
        _note(session, board, actor, None, given)
        _record(session, board, actor, EntryKind.INSTITUTION_ADDED, given)


@repeat_on_conflict
def edit(
    board: BoardContext,
    by: PersonInfo | Actor,
    institution: str,
    *,
    name: str | None = None,
    aliases: tuple[str, ...] | None = None,
) -> bool:
    """Change an institution's names; returns whether anything changed."""
    actor = require_actor(by, EDIT)
    with board.database.transaction() as session:
        row = _locked(session, institution)
        given = policy.validated_institution(
            InstitutionInfo(
                id=row.inst_id,
                name=row.inst_name if name is None else name,
                aliases=tuple(row.aliases) if aliases is None else aliases,
            )
        )
        if (given.name, list(given.aliases)) == (row.inst_name, row.aliases):
            return False
        before = InstitutionInfo(id=row.inst_id, name=row.inst_name, aliases=tuple(row.aliases))
        row.inst_name, row.aliases = given.name, list(given.aliases)
        _note(session, board, actor, before, given)
        _record(session, board, actor, EntryKind.INSTITUTION_CHANGED, given)
        return True


@repeat_on_conflict
def remove(board: BoardContext, by: PersonInfo | Actor, institution: str) -> None:
    """Remove an institution. Raises `Invalid` while servers, people or open issues belong to it."""
    actor = require_actor(by, EDIT)
    with board.database.transaction() as session:
        row = _locked(session, institution)
        servers = _count(session, select(func.count()).where(Server.inst_id == row.inst_id))
        people = _count(session, select(func.count()).where(Person.inst_id == row.inst_id))
        open_issues = select(func.count()).where(
            Issue.inst_id == row.inst_id, Issue.status.in_([s.value for s in OPEN_STATES])
        )
        issues = _count(session, open_issues)
        if servers or people or issues:
            words = {"servers": servers, "people": people, "issues": issues}
            raise Invalid(what=institution, why=t("cmdb.rule.institution_used", **words))
        given = InstitutionInfo(id=row.inst_id, name=row.inst_name, aliases=tuple(row.aliases))
        session.delete(row)
        _note(session, board, actor, given, None)
        _record(session, board, actor, EntryKind.INSTITUTION_REMOVED, given)


def _count(session: Session, query: object) -> int:
    return session.scalar(query) or 0  # type: ignore[call-overload]


def _locked(session: Session, institution: str) -> Institution:
    row = session.get(Institution, institution, with_for_update=True)
    if row is None:
        raise NotFound(what=institution)
    return row


def _note(
    session: Session,
    board: BoardContext,
    actor: Actor,
    before: InstitutionInfo | None,
    after: InstitutionInfo | None,
) -> None:
    """Keep the change in the history of the CMDB."""
    old, new = (
        record_store.institution_values(i) if i is not None else None for i in (before, after)
    )
    revisions.note(
        session,
        "institution",
        old,
        new,
        author=str(actor),
        now=board.clock(),
        source="guardia institution",
    )


def _record(
    session: Session, board: BoardContext, actor: Actor, kind: EntryKind, value: InstitutionInfo
) -> None:
    log.append(
        session,
        kind,
        actor=str(actor),
        now=board.clock(),
        detail=value.model_dump(mode="json"),
        institution=value.id,
        name=value.name,
    )
