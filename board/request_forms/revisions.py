"""The catalogue as code: plan, apply, history and rollback of its revisions."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.acting import require_actor
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.display_names import display_names_of
from guardia.board.core.labels import actor_label
from guardia.board.request_forms import catalogue
from guardia.board.request_forms.catalogue import Catalogue
from guardia.board.request_forms.model import CatalogueRevision
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, NotFound, Stale
from guardia.i18n import t, t_default
from guardia.org.directory import PersonInfo
from guardia.org.model import Person, Team

_EDIT = "form.edit"
_LOCK = 670_001


@dataclass(frozen=True, slots=True)
class CatalogueChange:
    """One difference between two catalogues."""

    verb: Literal["added", "changed", "removed"]
    form_id: str
    title: str

    def __str__(self) -> str:
        return t(f"forms.change.{self.verb}", id=self.form_id, title=self.title)


@dataclass(frozen=True, slots=True)
class RevisionView:
    """One revision of the catalogue."""

    number: int
    author: str
    author_name: str
    applied_at: datetime
    sha256: str


def running(session: Session) -> tuple[int, Catalogue, str]:
    """Return the number, the forms and the text in force; 0 is the shipped catalogue."""
    query = select(CatalogueRevision).order_by(CatalogueRevision.number.desc()).limit(1)
    row = session.scalar(query)
    text = row.text if row is not None else catalogue.shipped_text()
    return (row.number if row is not None else 0), catalogue.parse_cached(text), text


def running_forms(board: BoardContext) -> Catalogue:
    """Return the forms in force."""
    with board.database.reading() as session:
        return running(session)[1]


def running_text(board: BoardContext) -> tuple[int, str]:
    """Return the number and the text in force, to edit it."""
    with board.database.reading() as session:
        number, _, text = running(session)
        return number, text


def text_of(board: BoardContext, number: int) -> str:
    """Return the text of a revision; 0 is the shipped catalogue. Raises `NotFound`."""
    if number == 0:
        return catalogue.shipped_text()
    with board.database.reading() as session:
        row = session.get(CatalogueRevision, number)
        if row is None:
            raise NotFound(what=t("forms.revision", number=number))
        return row.text


def plan(board: BoardContext, text: str) -> tuple[int, tuple[CatalogueChange, ...]]:
    """Return the running revision, and what applying a text would change.

    Raises `Invalid` with line and reason of each fault, and for owners that do not exist.
    """
    new = catalogue.parse(text)
    with board.database.reading() as session:
        number, old, _ = running(session)
        _require_owners(session, new)
    return number, _compare(old, new)


@repeat_on_conflict
def apply(
    board: BoardContext, by: PersonInfo | Actor, text: str, expected: int | None = None
) -> tuple[int, tuple[CatalogueChange, ...]]:
    """Make a text the catalogue in force; return its number and what changed.

    Raises `Stale` if another revision than `expected` is in force.
    """
    actor, now = require_actor(by, _EDIT), board.clock()
    new = catalogue.parse(text)
    with board.database.transaction() as session:
        session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        number, old, old_text = running(session)
        if expected is not None and expected != number:
            raise Stale(what=catalogue.NAME)
        _require_owners(session, new)
        changes = _compare(old, new)
        if text == old_text:
            return number, ()
        row = CatalogueRevision(
            text=text,
            sha256=hashlib.sha256(text.encode()).hexdigest(),
            author=str(actor),
            applied_at=now,
        )
        session.add(row)
        session.flush()
        log.append(
            session,
            EntryKind.REQUEST_FORMS_APPLIED,
            actor=str(actor),
            now=now,
            detail={
                "number": row.number,
                "sha256": row.sha256,
                "changes": [[one.verb, one.form_id] for one in changes],
            },
            number=row.number,
            who=actor.label if actor.label != "cli" else t_default("web.operator"),
        )
        return row.number, changes


def rollback(
    board: BoardContext, by: PersonInfo | Actor, number: int
) -> tuple[int, tuple[CatalogueChange, ...]]:
    """Apply an earlier revision again; 0 is the shipped catalogue."""
    return apply(board, by, text_of(board, number))


def history(board: BoardContext) -> tuple[RevisionView, ...]:
    """Return all revisions, the newest first."""
    query = select(CatalogueRevision).order_by(CatalogueRevision.number.desc()).limit(200)
    with board.database.reading() as session:
        rows = session.scalars(query).all()
        names = display_names_of(session, [row.author for row in rows])
        return tuple(
            RevisionView(r.number, r.author, actor_label(names, r.author), r.applied_at, r.sha256)
            for r in rows
        )


def _require_owners(session: Session, new: Catalogue) -> None:
    """Raise `Invalid` if a default owner is no active account and no team."""
    owners = {form.owner for form in new.forms if form.owner}
    known = set(session.scalars(select(Person.person_id).where(Person.active)))
    known |= set(session.scalars(select(Team.team_id)))
    for form in new.forms:
        if form.owner in owners - known:
            why = t("forms.wrong.owner", owner=form.owner)
            raise Invalid(what=f"{catalogue.NAME} {form.id}", why=why)


def _compare(old: Catalogue, new: Catalogue) -> tuple[CatalogueChange, ...]:
    before = {form.id: form for form in old.forms}
    after = {form.id: form for form in new.forms}
    found = [
        CatalogueChange("removed", name, form.title)
        for name, form in before.items()
        if name not in after
    ]
    for name, form in after.items():
        if name not in before:
            found.append(CatalogueChange("added", name, form.title))
        elif before[name] != form:
            found.append(CatalogueChange("changed", name, form.title))
    return tuple(found)
