"""Declare and end maintenance windows, in which alerts open no issue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from guardia.board.alerts.model import MaintenanceWindow
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.labels import format_time
from guardia.board.core.reasons import require_reason
from guardia.board.site_rules.terms import Scope
from guardia.board.site_rules.wording import place_text
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, NotFound
from guardia.i18n import t, t_default
from guardia.org import registry
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo

LONGEST = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class WindowRequest:
    """A window to declare; without server and institution it is for all servers."""

    begins_at: datetime
    ends_at: datetime
    reason: str
    server: str = ""
    institution: str = ""


@repeat_on_conflict
def declare_window(board: BoardContext, by: PersonInfo | Actor, request: WindowRequest) -> int:
    """Declare a window; return its number.

    Raises `Invalid` for a period that is over, empty or too long, or an unknown place.
    """
    actor, now = _actor(by), board.clock()
    reason = require_reason(request.reason)
    if request.begins_at >= request.ends_at or request.ends_at <= now:
        raise Invalid(what=format_time(request.ends_at, "short"), why=t("alerts.window.order"))
    if request.ends_at - max(request.begins_at, now) > LONGEST:
        days = LONGEST.days
        raise Invalid(what=t("alerts.window.until"), why=t("alerts.window.longest", days=days))
    with board.database.transaction() as session:
        scope = _known_scope(session, request)
        row = MaintenanceWindow(
            scope=scope.key,
            begins_at=request.begins_at,
            ends_at=request.ends_at,
            reason=reason,
            declared_by=str(actor),
            created_at=now,
        )
        session.add(row)
        session.flush()
        place = place_text(scope)
        _log(session, EntryKind.MAINTENANCE_DECLARED, row, actor, place, reason, now)
        return row.window_id


@repeat_on_conflict
def end_window(board: BoardContext, by: PersonInfo | Actor, window_id: int) -> None:
    """End a window before its time. Raises `NotFound` if there is none that could be ended."""
    actor, now = _actor(by), board.clock()
    with board.database.transaction() as session:
        row = session.get(MaintenanceWindow, window_id, with_for_update=True)
        if row is None or row.ended_at is not None or row.ends_at <= now:
            raise NotFound(what=t("alerts.window.number", number=window_id))
        row.ended_at, row.ended_by = now, str(actor)
        place = place_text(scope_of(row.scope))
        _log(session, EntryKind.MAINTENANCE_ENDED, row, actor, place, row.reason, now)


def scope_of(key: str) -> Scope:
    """Return the place of a stored key."""
    kind, _, name = key.partition(":")
    return Scope(**{kind: name}) if name else Scope()


def _actor(by: PersonInfo | Actor) -> Actor:
    if isinstance(by, Actor):
        return by
    require_permission(by, "maintenance.edit")
    return Actor.of(by)


def _known_scope(session: Session, request: WindowRequest) -> Scope:
    server, institution = request.server.strip(), request.institution.strip()
    if server and institution:
        raise Invalid(what=t("alerts.window.place"), why=t("rules.wrong.scope"))
    if server and registry.institution_of(session, server) is None:
        raise Invalid(what=server, why=t("rules.wrong.server"))
    if institution and institution not in registry.institution_ids(session):
        raise Invalid(what=institution, why=t("rules.wrong.institution"))
    return Scope(server=server, institution=institution)


def _log(
    session: Session,
    kind: EntryKind,
    row: MaintenanceWindow,
    actor: Actor,
    place: str,
    reason: str,
    now: datetime,
) -> None:
    times = {"begins": row.begins_at.isoformat(), "ends": row.ends_at.isoformat()}
    log.append(
        session,
        kind,
        actor=str(actor),
        now=now,
        detail={"window": row.window_id, "scope": row.scope, "reason": row.reason, **times},
        number=row.window_id,
        place=place,
        until=format_time(row.ends_at),
        reason=reason,
        who=actor.label if actor.label != "cli" else t_default("web.operator"),
    )
