"""Templates in force and their versions: check, apply, history, rollback."""

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
from guardia.board.papers import template
from guardia.board.papers.model import PaperTemplateRow
from guardia.board.papers.paper import PaperKind
from guardia.board.papers.template import PaperTemplate
from guardia.db.engine import repeat_on_conflict
from guardia.errors import NotFound, Stale
from guardia.i18n import t, t_default
from guardia.org.directory import PersonInfo
from guardia.org.model import Institution

_EDIT = "paper.edit"
_LOCK = 670_082
_MOST = 200


@dataclass(frozen=True, slots=True)
class TemplateInForce:
    """The template that a paper of an institution is made with."""

    kind: PaperKind
    institution: str
    number: int
    """Number of its version; 0: the shipped template."""
    source: Literal["institution", "all", "shipped"]
    text: str

    @property
    def parsed(self) -> PaperTemplate:
        """Return the template itself."""
        return template.parse_cached(self.text)


@dataclass(frozen=True, slots=True)
class TemplateVersion:
    """One version of a template."""

    number: int
    author: str
    reason: str
    applied_at: datetime
    is_removal: bool
    sha256: str


def in_force(session: Session, kind: PaperKind, institution: str | None) -> TemplateInForce:
    """Return the template of an institution, that of all institutions, or the shipped one."""
    for place in (institution, "") if institution else ("",):
        row = _newest(session, kind, place)
        if row is not None and row.text:
            source: Literal["institution", "all"] = "institution" if place else "all"
            return TemplateInForce(kind, institution or "", row.number, source, row.text)
    text = template.shipped_text(kind)
    return TemplateInForce(kind, institution or "", 0, "shipped", text)


def running(board: BoardContext, kind: PaperKind, institution: str) -> TemplateInForce:
    """Return the template in force. Raises `NotFound` for an unknown institution."""
    with board.database.reading() as session:
        _require_institution(session, institution)
        return in_force(session, kind, institution)


@repeat_on_conflict
def apply(
    board: BoardContext,
    by: PersonInfo | Actor,
    kind: PaperKind,
    institution: str,
    text: str,
    reason: str = "",
    expected: int | None = None,
) -> int:
    """Put a template in force and return its number; an empty text ends an own template.

    Raises `Invalid` with line and reason of each fault, and `Stale` if another version than
    `expected` is the newest of this place.
    """
    actor, now = require_actor(by, _EDIT), board.clock()
    if text:
        template.parse(text, kind)
    with board.database.transaction() as session:
        session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        _require_institution(session, institution)
        newest = _newest(session, kind, institution)
        number = newest.number if newest else 0
        if expected is not None and expected != number:
            raise Stale(what=template.file_name(kind))
        if text == (newest.text if newest else ""):
            return number
        row = PaperTemplateRow(
            inst_id=institution,
            kind=kind,
            text=text,
            sha256=hashlib.sha256(text.encode()).hexdigest(),
            author=str(actor),
            reason=reason,
            applied_at=now,
        )
        session.add(row)
        session.flush()
        _record(session, actor, row)
        return row.number


def rollback(board: BoardContext, by: PersonInfo | Actor, number: int, reason: str = "") -> int:
    """Put an earlier version in force again and return the number of the new one."""
    with board.database.reading() as session:
        row = session.get(PaperTemplateRow, number)
        if row is None:
            raise NotFound(what=t("papers.version", number=number))
        kind, institution, text = row.kind, row.inst_id, row.text
    return apply(board, by, template.kind_of(kind), institution, text, reason)


def history(board: BoardContext, kind: PaperKind, institution: str) -> tuple[TemplateVersion, ...]:
    """Return the versions of exactly this place, the newest first."""
    query = (
        select(PaperTemplateRow)
        .where(PaperTemplateRow.inst_id == institution, PaperTemplateRow.kind == kind)
        .order_by(PaperTemplateRow.number.desc())
        .limit(_MOST)
    )
    with board.database.reading() as session:
        _require_institution(session, institution)
        return tuple(
            TemplateVersion(r.number, r.author, r.reason, r.applied_at, not r.text, r.sha256)
            for r in session.scalars(query)
        )


def _newest(session: Session, kind: PaperKind, place: str) -> PaperTemplateRow | None:
    query = (
        select(PaperTemplateRow)
        .where(PaperTemplateRow.inst_id == place, PaperTemplateRow.kind == kind)
        .order_by(PaperTemplateRow.number.desc())
        .limit(1)
    )
    return session.scalar(query)


def _require_institution(session: Session, institution: str) -> None:
    if institution and session.get(Institution, institution) is None:
        raise NotFound(what=institution[:100])


def _record(session: Session, actor: Actor, row: PaperTemplateRow) -> None:
    log.append(
        session,
        EntryKind.PAPER_TEMPLATE_APPLIED,
        actor=str(actor),
        now=row.applied_at,
        detail={
            "number": row.number,
            "kind": row.kind,
            "institution": row.inst_id,
            "sha256": row.sha256 if row.text else None,
            "reason": row.reason,
        },
        paper=t_default(f"papers.kind.{row.kind}"),
        place=row.inst_id or t_default("service.day.all"),
        number=row.number,
        who=actor.label if actor.label != "cli" else t_default("web.operator"),
    )
