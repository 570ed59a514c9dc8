"""Choose the servers of a run: by a filter, or by their names; never more than a setting allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import func, select

from guardia.board.cmdb import server_list
from guardia.board.cmdb.server_list import ServerFilter
from guardia.board.core.context import BoardContext
from guardia.errors import Invalid, NotFound, Stale
from guardia.i18n import t
from guardia.org import registry
from guardia.org.access import PermissionScope, is_allowed, permission_scope
from guardia.org.directory import Host, PersonInfo
from guardia.org.model import Server
from guardia.settings import Settings

READ = "remote.read"
RUN = "remote.run"
SHOWN = 20
"""Servers that the form names before the run."""


@dataclass(frozen=True, slots=True)
class RunLimits:
    """On how many servers one run may be."""

    reads: int
    changes: int

    @classmethod
    def of(cls, settings: Settings) -> RunLimits:
        """Return the limits of an installation."""
        return cls(settings.remote_read_servers, settings.remote_change_servers)


@dataclass(frozen=True, slots=True)
class FoundServers:
    """What a filter finds, as the form shows it."""

    total: int
    first: tuple[tuple[Host, str], ...]
    """The first servers, each with the name of its institution."""
    services: tuple[str, ...]
    """Names of the services on the first servers."""


def preview(board: BoardContext, person: PersonInfo, wanted: ServerFilter) -> FoundServers:
    """Return how many servers a filter finds, and the first of them."""
    page = server_list.servers(board, person, _within_scope(person, wanted), size=SHOWN)
    names = {service.name for host, _ in page.rows for service in host.services}
    return FoundServers(page.total, page.rows, tuple(sorted(names)))


def groups(board: BoardContext, most: int = 200) -> tuple[str, ...]:
    """Return the names of the groups that servers belong to."""
    name = func.jsonb_array_elements_text(Server.groups)
    with board.database.reading() as session:
        return tuple(session.scalars(select(name).distinct().order_by(name).limit(most)))


def by_filter(
    board: BoardContext,
    person: PersonInfo,
    wanted: ServerFilter,
    most: int,
    expected: int | None = None,
) -> list[Host]:
    """Return the servers that a filter finds.

    Raises `Invalid` for none or too many, `Stale` if they are not as many as the person saw.
    """
    page = server_list.servers(board, person, _within_scope(person, wanted), size=most)
    _require_number(page.total, most)
    if expected is not None and page.total != expected:
        raise Stale(what=t("remote.servers"))
    return [host for host, _ in page.rows]


def by_name(board: BoardContext, person: PersonInfo, names: Sequence[str], most: int) -> list[Host]:
    """Return the servers of these names, each once. Raises `NotFound` for an unknown one."""
    wanted = list(dict.fromkeys(name.strip() for name in names if name.strip()))
    _require_number(len(wanted), most)
    with board.database.reading() as session:
        rows = session.scalars(select(Server).where(Server.server_id.in_(wanted)))
        known = {row.server_id: registry.host_of(row) for row in rows}
    for name in wanted:
        host = known.get(name)
        if host is None or not is_allowed(person, READ, institution=host.institution):
            raise NotFound(what=name, field="servers")
    return [known[name] for name in wanted]


def _require_number(found: int, most: int) -> None:
    if not 0 < found <= most:
        why = (
            t("remote.too_many", found=f"{found:,}", most=f"{most:,}")
            if found
            else t("remote.no_server")
        )
        raise Invalid(what=t("remote.servers"), why=why, field="servers")


def _within_scope(person: PersonInfo, wanted: ServerFilter) -> ServerFilter:
    """Keep a filter within the institution of a person who is limited to it."""
    if permission_scope(person.role, READ) is PermissionScope.INSTITUTION:
        return replace(wanted, institution=person.institution or "-")
    return wanted
