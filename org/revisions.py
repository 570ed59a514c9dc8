"""The org chart that runs, and every one that ran before it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, text, true, update
from sqlalchemy.orm import Session

from guardia.errors import Misconfigured, NotFound
from guardia.i18n import t
from guardia.org.chart import fingerprint, parse_cached
from guardia.org.chart_model import OrgChart
from guardia.org.model import Agent, OrgRevision


@dataclass(frozen=True, slots=True)
class ChartRevision:
    """One applied chart, without its text."""

    number: int
    author: str
    created_at: datetime
    sha256: str


def lock_latest(session: Session) -> int | None:
    """The running revision, which nobody else can replace until this transaction ends."""
    session.execute(text("select pg_advisory_xact_lock(hashtext('org_revision'))"))
    return latest(session)


def latest(session: Session) -> int | None:
    """Number of the running revision, or ``None`` before the first apply."""
    return session.scalar(select(func.max(OrgRevision.revision)))


def apply_chart(session: Session, chart_text: str, author: str, now: datetime) -> int:
    """Make a chart the running organization in this transaction; returns its revision.

    An unchanged chart makes no new revision. Agents that are no longer named are fired.
    """
    chart = parse_cached(chart_text)
    digest = fingerprint(chart_text)
    before = lock_latest(session)
    if before is not None and get_revision(session, before).sha256 == digest:
        return before
    row = OrgRevision(chart=chart_text, sha256=digest, author=author, created_at=now)
    session.add(row)
    session.flush()
    _upsert_agents(session, chart, row.revision)
    return row.revision


def _upsert_agents(session: Session, chart: OrgChart, revision: int) -> None:
    """Write the agents as the chart names them; a paused one stays paused."""
    rows = {row.agent_id: row for row in session.scalars(select(Agent))}
    for entry in chart.agents:
        row = rows.get(entry.id) or Agent(agent_id=entry.id)
        row.title, row.aliases, row.duty = entry.title, list(entry.aliases), entry.duty
        row.reports_to, row.skills = entry.reports_to, list(entry.skills)
        row.spec = entry.model_dump(mode="json")
        row.revision = revision
        row.state = "paused" if row.state == "paused" else "active"
        session.add(row)
    names = [a.id for a in chart.agents]
    session.execute(update(Agent).where(Agent.agent_id.not_in(names)).values(state="fired"))


def running_chart(session: Session) -> OrgChart:
    """The applied chart; ``Misconfigured`` before the first apply."""
    number = select(func.max(OrgRevision.revision)).scalar_subquery()
    found = session.scalar(select(OrgRevision.chart).where(OrgRevision.revision == number))
    if found is None:
        raise Misconfigured(what="org_chart.yaml", why=t("org.chart.none_applied"))
    return parse_cached(found)


def chart_at(session: Session, number: int) -> OrgChart:
    """A revision's chart; ``NotFound`` where there is none."""
    return parse_cached(chart_text(session, number))


def chart_text(session: Session, number: int) -> str:
    """A revision's chart as it was written; ``NotFound`` where there is none."""
    found = session.scalar(select(OrgRevision.chart).where(OrgRevision.revision == number))
    if found is None:
        raise NotFound(what=t("org.revision", number=number))
    return found


def get_revision(session: Session, number: int) -> ChartRevision:
    """One revision; ``NotFound`` where there is none."""
    found = _revisions(session, OrgRevision.revision == number, 1)
    if not found:
        raise NotFound(what=t("org.revision", number=number))
    return found[0]


def history(session: Session, *, before: int | None = None, limit: int = 50) -> list[ChartRevision]:
    """The revisions, newest first, those older than ``before`` where it is given."""
    older = true() if before is None else OrgRevision.revision < before
    return _revisions(session, older, limit)


def _revisions(session: Session, which: ColumnElement[bool], limit: int) -> list[ChartRevision]:
    row = OrgRevision
    query = select(row.revision, row.author, row.created_at, row.sha256)
    found = session.execute(query.where(which).order_by(row.revision.desc()).limit(limit))
    return [ChartRevision(*values) for values in found]
