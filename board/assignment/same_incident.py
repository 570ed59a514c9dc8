"""Find the open incident that a request reports again.

By the same server and category; by a server without which the reported one cannot work; or, if no
server is named, by institution, category and symptom. The last two need more proof, since a wrong
link leaves an outage without work until its reporter says that it is another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, exists, select
from sqlalchemy.orm import Session, aliased

from guardia.board.assignment.model import IssueReport
from guardia.board.assignment.understanding import Understanding
from guardia.board.core.labels import log_label
from guardia.board.core.lifecycle import OPEN_STATES
from guardia.board.core.model import Issue, Task
from guardia.i18n import t
from guardia.org import revisions

_INCIDENT = "INCIDENT"
_OUTAGE = "P1"
_SEVERE = ("P1", "P2")
_FELT_ABOVE = frozenset({"down", "slow", "error"})
"""How the outage of a server shows in what needs it."""
_OF_SERVICES = frozenset({"WEB", "WAS", "DB"})
_CLOSE = timedelta(hours=2)
"""Without the same server, two reports of one outage come soon after each other."""
_MOST = 5

_main, _its = aliased(Issue), aliased(Task)


def same_incident(
    session: Session,
    issue: Issue,
    understood: Understanding,
    below: Sequence[str],
    now: datetime,
) -> tuple[int, str] | None:
    """Return the oldest open incident that is the same, and the reason in words."""
    if understood.kind != _INCIDENT or len(understood.servers) > 1:
        return None
    window = revisions.assignment_rules(session).report_window
    if not understood.servers:
        return _by_symptom(session, issue, understood, now - min(window, _CLOSE))
    server = understood.servers[0]
    same = _its.target_server == server, _main.category == understood.category
    found = session.execute(_open(issue, now - window, *same)).first()
    if found is not None:
        return found.sr_id, t("assignment.report.same", server=server, **_category(understood))
    return _by_server_below(session, issue, understood, below, now - min(window, _CLOSE))


def _by_server_below(
    session: Session,
    issue: Issue,
    understood: Understanding,
    below: Sequence[str],
    since: datetime,
) -> tuple[int, str] | None:
    """Return the outage of a server without which the reported one cannot work."""
    felt = _FELT_ABOVE.intersection(understood.symptoms)
    if not below or not felt or understood.category not in _OF_SERVICES:
        return None
    there = _its.target_server.in_(below), _main.priority == _OUTAGE
    found = session.execute(_open(issue, since, *there, _main.category.in_(_OF_SERVICES))).first()
    if found is None:
        return None
    words = {"server": understood.servers[0], "below": found.target_server}
    return found.sr_id, t("assignment.report.below", **words)


def _by_symptom(
    session: Session, issue: Issue, understood: Understanding, since: datetime
) -> tuple[int, str] | None:
    """Return the only incident of the institution and category with a symptom of the report."""
    home = issue.inst_id or understood.institution
    if home is None or "category" in understood.unsure or not _is_for_many(understood):
        return None
    there = _main.inst_id == home, _main.category == understood.category
    many = _SEVERE if understood.category in _OF_SERVICES else (_OUTAGE,)
    rows = session.execute(_open(issue, since, *there, _main.priority.in_(many))).all()
    alike = {row.sr_id for row in rows if _shares_symptom(row, understood)}
    if len(alike) != 1:
        return None
    return alike.pop(), t("assignment.report.alike", institution=home, **_category(understood))


def _is_for_many(understood: Understanding) -> bool:
    """Return whether it is more than the trouble of one person."""
    return understood.priority in _SEVERE


def _shares_symptom(row: Row[Any], understood: Understanding) -> bool:
    return not set(understood.symptoms).isdisjoint(row.triage.get("symptoms", ()))


def _category(understood: Understanding) -> dict[str, str]:
    return {"category": log_label("triage.category", understood.category)}


def _open(issue: Issue, since: datetime, *conditions: ColumnElement[bool]) -> Select[Any]:
    """Select open incidents that are no reports themselves, the oldest first."""
    return (
        select(_main.sr_id, _main.triage, _its.target_server)
        .join(_its, _its.sr_id == _main.sr_id)
        .where(
            _its.status.in_([state.value for state in OPEN_STATES]),
            _its.created_at > since,
            _main.sr_id < issue.sr_id,
            _main.kind == _INCIDENT,
            ~exists().where(IssueReport.sr_id == _main.sr_id, IssueReport.state == "LINKED"),
            *conditions,
        )
        .order_by(_main.sr_id)
        .limit(_MOST)
    )
