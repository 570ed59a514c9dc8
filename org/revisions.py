"""The org chart that is in force, and every revision before it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, select, text, true, update
from sqlalchemy.orm import Session

from guardia.db.statement import Statement
from guardia.errors import Misconfigured, NotFound
from guardia.i18n import t
from guardia.org.assignment import AssignmentRules
from guardia.org.chart import fingerprint, parse_cached, parse_stored
from guardia.org.chart_model import OrgChart
from guardia.org.model import Agent, OrgRevision
from guardia.org.service_levels import ServiceLevels

_RUNNING = "org.running_chart"
_RUNNING_CHART = Statement(select(OrgRevision.chart).order_by(OrgRevision.revision.desc()).limit(1))


@dataclass(frozen=True, slots=True)
class ChartRevision:
    """One applied chart, without its text."""

    number: int
    author: str
    created_at: datetime
    sha256: str


def lock_latest(session: Session) -> int | None:
    """Return the running revision and block other applies until this transaction ends."""
    session.info.pop(_RUNNING, None)
    session.execute(text("select pg_advisory_xact_lock(hashtext('org_revision'))"))
    return latest(session)


def latest(session: Session) -> int | None:
    """Return the number of the running revision, or `None` before the first apply."""
    return session.scalar(select(func.max(OrgRevision.revision)))


def apply_chart(session: Session, chart_text: str, author: str, now: datetime) -> int:
    """Put a chart into force in this transaction, and return its revision.

    An unchanged chart creates no new revision. Agents that it no longer names are fired.
    """
    chart = parse_cached(chart_text)
    digest = fingerprint(chart_text)
    before = lock_latest(session)
    if before is not None and get_revision(session, before).sha256 == digest:
        return before
    row = OrgRevision(chart=chart_text, sha256=digest, author=author, created_at=now)
    session.add(row)
    session.flush()
    session.info.pop(_RUNNING, None)
    _upsert_agents(session, chart, row.revision)
    return row.revision


def _upsert_agents(session: Session, chart: OrgChart, revision: int) -> None:
    """Write the agents as in the chart; a paused agent stays paused."""
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


def assignment_rules(session: Session) -> AssignmentRules:
    """Return the applied rules of assignment, or the shipped ones before the first apply."""
    try:
        return running_chart(session).assignment
    except Misconfigured:
        return AssignmentRules()


def service_levels(session: Session) -> tuple[ServiceLevels, tzinfo]:
    """Return the applied service levels and the company's time zone, or the shipped ones."""
    try:
        chart = running_chart(session)
    except Misconfigured:
        return ServiceLevels(), ZoneInfo("Asia/Seoul")
    return chart.service_levels, chart.company.zone


def running_chart(session: Session) -> OrgChart:
    """Return the applied chart. Raises `Misconfigured` before the first apply.

    A transaction reads it once: a use case that asks several times has one answer.
    """
    known: OrgChart | None = session.info.get(_RUNNING)
    if known is not None:
        return known
    found = _RUNNING_CHART.first(session)
    if found is None:
        raise Misconfigured(what="org_chart.yaml", why=t("org.chart.none_applied"))
    session.info[_RUNNING] = chart = parse_stored(found)
    return chart


def last_good_chart(session: Session) -> tuple[int, OrgChart]:
    """Return the newest revision that this version can read, and its chart.

    Raises `Misconfigured` if there is none.
    """
    rows = session.execute(
        select(OrgRevision.revision, OrgRevision.chart).order_by(OrgRevision.revision.desc())
    )
    problem = Misconfigured(what="org_chart.yaml", why=t("org.chart.none_applied"))
    for number, stored in rows:
        try:
            return number, parse_stored(stored)
        except Misconfigured as error:
            problem = error
    raise problem


def chart_at(session: Session, number: int) -> OrgChart:
    """Return the chart of a revision. Raises `NotFound` if there is no such revision."""
    return parse_stored(chart_text(session, number))


def chart_text(session: Session, number: int) -> str:
    """Return a revision's text as it was written. Raises `NotFound` if there is none."""
    found = session.scalar(select(OrgRevision.chart).where(OrgRevision.revision == number))
    if found is None:
        raise NotFound(what=t("org.revision", number=number))
    return found


def get_revision(session: Session, number: int) -> ChartRevision:
    """Return one revision. Raises `NotFound` if there is none."""
    found = _revisions(session, OrgRevision.revision == number, 1)
    if not found:
        raise NotFound(what=t("org.revision", number=number))
    return found[0]


def history(session: Session, *, before: int | None = None, limit: int = 50) -> list[ChartRevision]:
    """Return the revisions, newest first, only those older than `before` if given."""
    older = true() if before is None else OrgRevision.revision < before
    return _revisions(session, older, limit)


def _revisions(session: Session, which: ColumnElement[bool], limit: int) -> list[ChartRevision]:
    row = OrgRevision
    query = select(row.revision, row.author, row.created_at, row.sha256)
    found = session.execute(query.where(which).order_by(row.revision.desc()).limit(limit))
    return [ChartRevision(*values) for values in found]
