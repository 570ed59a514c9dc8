"""Lists of institutions and servers, a page at a time, and what the audit log says of a server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Text, cast, func, or_, select
from sqlalchemy.orm import Session

from guardia.board.audit.model import SERVER_KINDS, AuditEntry
from guardia.board.core.acting import require_actor
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.errors import NotFound
from guardia.org import registry
from guardia.org.directory import Host, InstitutionInfo, PersonInfo
from guardia.org.model import Institution, Server

READ = "server.read"
PAGE = 50


@dataclass(frozen=True, slots=True)
class ServerFilter:
    """Which servers of the list are shown."""

    institution: str = ""
    kind: str = ""
    text: str = ""
    """Part of an id, an alias, an address, or the name of the institution."""
    blocked: bool = False
    group: str = ""
    """Name of a group that it belongs to."""


@dataclass(frozen=True, slots=True)
class ServerPage:
    """One page of servers by id."""

    rows: tuple[tuple[Host, str], ...]
    """Each server and the name of its institution."""
    before: str | None
    """Cursor of the page before, or `None`."""
    after: str | None
    """Cursor of the page after, or `None`."""
    total: int


@dataclass(frozen=True, slots=True)
class InstitutionRow:
    """An institution and how many servers it has."""

    institution: InstitutionInfo
    servers: int


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """An audit entry about a server."""

    seq: int
    at: datetime
    actor: str
    text: str
    sr_id: int | None
    run: int | None = None
    """The run of the remote console that it belongs to."""


def servers(
    board: BoardContext,
    by: PersonInfo | Actor,
    wanted: ServerFilter,
    *,
    after: str | None = None,
    before: str | None = None,
    size: int = PAGE,
) -> ServerPage:
    """Return one page of the servers that fit a filter, in the order of their ids."""
    require_actor(by, READ)
    conditions = _conditions(wanted)
    with board.database.reading() as session:
        rows = _slice(session, conditions, after=after, before=before, size=size + 1)
        total = session.scalar(
            select(func.count()).select_from(Server).join(Institution).where(*conditions)
        )
    more, rows = len(rows) > size, rows[:size]
    if before is not None:
        rows = rows[::-1]
        has_before, has_after = more, True
    else:
        has_before, has_after = after is not None, more
    return ServerPage(
        tuple(rows),
        rows[0][0].server_id if rows and has_before else None,
        rows[-1][0].server_id if rows and has_after else None,
        total or 0,
    )


def _slice(
    session: Session,
    conditions: list[ColumnElement[bool]],
    *,
    after: str | None,
    before: str | None,
    size: int,
) -> list[tuple[Host, str]]:
    query = select(Server, Institution.inst_name).join(Institution).where(*conditions)
    if before is not None:
        query = query.where(Server.server_id < before).order_by(Server.server_id.desc())
    else:
        if after is not None:
            query = query.where(Server.server_id > after)
        query = query.order_by(Server.server_id)
    return [(registry.host_of(row), name) for row, name in session.execute(query.limit(size))]


def _conditions(wanted: ServerFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.institution:
        found.append(Server.inst_id == wanted.institution)
    if wanted.kind:
        found.append(Server.kind == wanted.kind)
    if wanted.blocked:
        found.append(Server.blocked != "")
    if wanted.group:
        found.append(Server.groups.contains([wanted.group]))
    if text := wanted.text.strip()[:100]:
        columns = (Server.server_id, Server.address, Institution.inst_name)
        found.append(
            or_(
                *(column.icontains(text, autoescape=True) for column in columns),
                cast(Server.aliases, Text).icontains(text, autoescape=True),
            )
        )
    return found


def institutions(
    board: BoardContext,
    by: PersonInfo | Actor,
    *,
    text: str = "",
    after: str | None = None,
    size: int = PAGE,
) -> tuple[tuple[InstitutionRow, ...], str | None]:
    """Return one page of institutions by id with their servers counted, and the next cursor."""
    require_actor(by, READ)
    counted = (
        select(Server.inst_id, func.count().label("servers")).group_by(Server.inst_id).subquery()
    )
    query = (
        select(Institution, func.coalesce(counted.c.servers, 0))
        .outerjoin(counted, counted.c.inst_id == Institution.inst_id)
        .order_by(Institution.inst_id)
        .limit(size + 1)
    )
    if after:
        query = query.where(Institution.inst_id > after)
    if text := text.strip()[:100]:
        query = query.where(
            Institution.inst_id.icontains(text, autoescape=True)
            | Institution.inst_name.icontains(text, autoescape=True)
        )
    with board.database.reading() as session:
        rows = [
            InstitutionRow(
                InstitutionInfo(id=i.inst_id, name=i.inst_name, aliases=tuple(i.aliases)), count
            )
            for i, count in session.execute(query)
        ]
    return tuple(rows[:size]), rows[size - 1].institution.id if len(rows) > size else None


def server(board: BoardContext, by: PersonInfo | Actor, server_id: str) -> tuple[Host, str]:
    """Return a server and the name of its institution. Raises `NotFound`."""
    require_actor(by, READ)
    with board.database.reading() as session:
        row = session.execute(
            select(Server, Institution.inst_name)
            .join(Institution)
            .where(Server.server_id == server_id)
        ).one_or_none()
        if row is None:
            raise NotFound(what=server_id)
        return registry.host_of(row[0]), row[1]


def history(
    board: BoardContext,
    by: PersonInfo | Actor,
    server_id: str,
    *,
    before: int | None = None,
    size: int = 30,
) -> tuple[ServerEvent, ...]:
    """Return what the audit log says of a server, the newest first."""
    require_actor(by, READ)
    query = (
        select(AuditEntry)
        .where(AuditEntry.kind.in_(SERVER_KINDS), AuditEntry.detail["server"].astext == server_id)
        .order_by(AuditEntry.seq.desc())
        .limit(size)
    )
    if before is not None:
        query = query.where(AuditEntry.seq < before)
    with board.database.reading() as session:
        return tuple(
            ServerEvent(e.seq, e.created_at, e.actor, e.log_content, e.sr_id, e.detail.get("run"))
            for e in session.scalars(query)
        )
