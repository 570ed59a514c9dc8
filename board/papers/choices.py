"""What the page of reports offers: institutions, months, servers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from sqlalchemy import select

from guardia.board.core.context import BoardContext
from guardia.board.papers.periods import read_month
from guardia.org import revisions
from guardia.org.model import Institution, Server

_MONTHS = 13
_MOST_SERVERS = 500
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ReportChoices:
    """What may be chosen, and what is."""

    institution: str
    month: str
    institutions: tuple[tuple[str, str], ...]
    """Id and name."""
    months: tuple[str, ...]
    """The latest first."""
    servers: tuple[str, ...]
    """Servers of the chosen institution."""
    has_more_servers: bool


def read_choices(board: BoardContext, institution: str = "", month: str = "") -> ReportChoices:
    """Return the choices. Raises `Invalid` for another form of a month."""
    now = board.current_time()
    with board.database.reading() as session:
        _, zone = revisions.service_levels(session)
        query = select(Institution.inst_id, Institution.inst_name).order_by(Institution.inst_name)
        known = tuple((row.inst_id, row.inst_name) for row in session.execute(query))
        ids = [one for one, _ in known]
        chosen = institution if institution in ids else next(iter(ids), "")
        own = select(Server.server_id).where(Server.inst_id == chosen).order_by(Server.server_id)
        servers = session.scalars(own.limit(_MOST_SERVERS + 1)).all()
    period = read_month(month, now, zone)
    months = _months(now, zone)
    if period.name not in months:
        months = (period.name, *months)
    return ReportChoices(
        chosen,
        period.name,
        known,
        months,
        tuple(servers[:_MOST_SERVERS]),
        len(servers) > _MOST_SERVERS,
    )


def _months(now: datetime, zone: tzinfo) -> tuple[str, ...]:
    first, found = now.astimezone(zone).date().replace(day=1), list[str]()
    for _ in range(_MONTHS):
        found.append(f"{first:%Y-%m}")
        first = (first - _DAY).replace(day=1)
    return tuple(found)
