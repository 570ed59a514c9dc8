"""The facts of the monthly report of an institution."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from guardia.board.alerts.model import Alert
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Issue
from guardia.board.execution import planned_changes
from guardia.board.papers import report_lists
from guardia.board.papers.paper import PaperFacts, Value
from guardia.board.papers.periods import ReportMonth, read_month
from guardia.board.papers.wording import at_minute, named
from guardia.board.service_levels import report
from guardia.board.service_levels.report import ReportLine, ServiceReport
from guardia.errors import NotFound
from guardia.i18n import t
from guardia.org import revisions
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import Institution, Server

_PERMISSION = "service.read"
_UNSUCCESSFUL = [
    State.REJECTED.value,
    State.ABORTED.value,
    State.FAILED_ROLLBACK.value,
    State.ROLLED_BACK.value,
]


def read_facts(board: BoardContext, viewer: PersonInfo, institution: str, month: str) -> PaperFacts:
    """Read the facts of a month. Raises `NotFound` for an unknown institution."""
    require_permission(viewer, _PERMISSION)
    now = board.current_time()
    with board.database.reading() as session:
        row = session.get(Institution, institution)
        if row is None:
            raise NotFound(what=institution[:100])
        _, zone = revisions.service_levels(session)
        period = read_month(month, now, zone)
        levels = report.month_report(board, viewer, period.name, institution)
        values = _counts(session, period, institution)
        values |= _levels(levels)
        values |= {
            "made_at": at_minute(now),
            "made_by": f"{viewer.name} {viewer.title}".strip(),
            "institution": row.inst_name,
            "month": period.name,
        }
        lists = _lists(session, period, institution)
        own = Issue.inst_id == institution
        changed = report_lists.count_changes(session, period.begins, period.ends, own)
        values["changes"] = _count(changed)
    lists["levels"] = [_level(line) for line in levels.lines]
    return PaperFacts(f"{row.inst_name} {period.name}", values, lists)


def _counts(session: Session, month: ReportMonth, institution: str) -> dict[str, Value]:
    received = report_lists.is_received(month.begins, month.ends)
    closed = _closed(month)
    query = (
        select(
            func.count().filter(received),
            func.count().filter(closed, Issue.status == State.COMPLETED.value),
            func.count().filter(report_lists.is_open(month.ends)),
            func.count().filter(closed, Issue.status.in_(_UNSUCCESSFUL)),
            func.count().filter(received, Issue.kind == "INCIDENT"),
        )
        .select_from(Issue)
        .where(Issue.inst_id == institution, _touches(month))
    )
    row = session.execute(query).one()
    names = ("received", "completed", "open", "unsuccessful", "incidents")
    counted = dict(zip(names, row, strict=True))
    servers = select(func.count()).where(Server.inst_id == institution)
    alerts = (
        select(func.count())
        .select_from(Alert)
        .join(Server, Server.server_id == Alert.server_id)
        .where(
            Server.inst_id == institution,
            Alert.last_seen >= month.begins,
            Alert.first_seen < month.ends,
        )
    )
    return {
        **{name: _count(number) for name, number in counted.items()},
        "servers": t("papers.server_count", count=f"{session.scalar(servers) or 0:,}"),
        "alerts": _count(session.scalar(alerts) or 0),
    }


def _count(number: int) -> str:
    return t("papers.count", count=f"{number:,}")


def _closed(month: ReportMonth) -> ColumnElement[bool]:
    return and_(Issue.closed_at >= month.begins, Issue.closed_at < month.ends)


def _touches(month: ReportMonth) -> ColumnElement[bool]:
    """Return the condition for issues that a month counts at all."""
    return and_(
        Issue.created_at < month.ends,
        or_(Issue.closed_at.is_(None), Issue.closed_at >= month.begins),
        Issue.kind.is_distinct_from("GOAL"),
    )


def _levels(found: ServiceReport) -> dict[str, Value]:
    judged = found.kept + found.broken
    return {
        "kept": t("papers.kept", kept=found.kept, broken=found.broken) if judged else None,
        "broken": found.broken if judged else None,
        "rate": f"{found.rate:.1f}" if judged else None,
        "satisfaction": t("papers.score", score=f"{found.score:.1f}", count=found.answers)
        if found.score is not None
        else None,
        "answers": found.answers,
    }


def _level(line: ReportLine) -> dict[str, Value]:
    return {
        "clock": t(f"service.kind.{line.kind}"),
        "priority": line.priority,
        "kept": line.kept,
        "broken": line.broken,
        "overdue": line.overdue,
        "rate": line.rate,
    }


def _lists(
    session: Session, month: ReportMonth, institution: str
) -> dict[str, list[dict[str, Value]]]:
    own = Issue.inst_id == institution
    received = report_lists.is_received(month.begins, month.ends)
    planned = planned_changes.planned_between(session, month.ends, month.next_ends, institution)
    return {
        "kinds": _kinds(session, month, institution),
        "incident_list": report_lists.requests(session, own, received, Issue.kind == "INCIDENT"),
        "open_list": report_lists.requests(session, own, report_lists.is_open(month.ends)),
        "change_list": report_lists.changes(session, month.begins, month.ends, own),
        "planned": [
            {
                "number": issue_ref(one.sr_id),
                "title": one.title,
                "server": one.server,
                "policy": named("web.policy", one.category),
                "at": at_minute(one.begins),
                "result": t(f"state.{one.status}"),
            }
            for one in planned
        ],
    }


def _kinds(session: Session, month: ReportMonth, institution: str) -> list[dict[str, Value]]:
    query = (
        select(
            Issue.kind,
            func.count().filter(report_lists.is_received(month.begins, month.ends)),
            func.count().filter(_closed(month), Issue.status == State.COMPLETED.value),
            func.count().filter(report_lists.is_open(month.ends)),
        )
        .where(Issue.inst_id == institution, _touches(month))
        .group_by(Issue.kind)
        .order_by(Issue.kind)
    )
    return [
        {
            "kind": named("web.kind", kind) or t("papers.unclassified"),
            "received": received,
            "completed": completed,
            "open": still_open,
        }
        for kind, received, completed, still_open in session.execute(query)
    ]
