"""The facts of the checklist of a periodic inspection of a server."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardia.board.alerts.model import Alert
from guardia.board.core.context import BoardContext
from guardia.board.core.model import Issue, Task
from guardia.board.papers import report_lists
from guardia.board.papers.measured_facts import measured
from guardia.board.papers.paper import PaperFacts, Value
from guardia.board.papers.periods import ReportMonth, read_month
from guardia.board.papers.wording import at_minute
from guardia.errors import NotFound
from guardia.i18n import t
from guardia.org import revisions
from guardia.org.access import require_permission
from guardia.org.directory import Facts, PersonInfo
from guardia.org.model import Institution, Server

_PERMISSION = "server.read"


def read_facts(board: BoardContext, viewer: PersonInfo, server: str, month: str) -> PaperFacts:
    """Read what is known of a server in a month: records, and what checks have measured.

    Raises `NotFound` for an unknown server.
    """
    require_permission(viewer, _PERMISSION)
    now = board.current_time()
    with board.database.reading() as session:
        row = session.get(Server, server)
        if row is None:
            raise NotFound(what=server[:100])
        _, zone = revisions.service_levels(session)
        period = read_month(month, now, zone)
        here = report_lists.on_server(server)
        changes = report_lists.changes(
            session, period.begins, period.ends, Task.target_server == server
        )
        lists = {
            "requests": report_lists.requests(
                session, here, report_lists.is_received(period.begins, period.ends)
            ),
            "changes": changes,
        }
        institution = session.get(Institution, row.inst_id)
        values: dict[str, Value] = {
            "made_at": at_minute(now),
            "made_by": f"{viewer.name} {viewer.title}".strip(),
            "institution": institution.inst_name if institution else row.inst_id,
            "server": row.server_id,
            "kind": row.kind,
            "services": ", ".join(str(one["name"]) for one in row.services) or None,
            "group": ", ".join(row.groups) or None,
            "system": _system(Facts.model_validate(row.facts)),
            "month": period.name,
            "last_change": lists["changes"][-1]["at"] if lists["changes"] else None,
            **_counts(session, server, period),
            **measured(session, server, period),
        }
    return PaperFacts(f"{server} {period.name}", values, lists)


def _system(facts: Facts) -> str | None:
    """Return the operating system, if it was ever read."""
    return f"{facts.os} {facts.os_version}".strip() or None


def _counts(session: Session, server: str, month: ReportMonth) -> dict[str, Value]:
    still_open = (
        select(func.count())
        .where(report_lists.on_server(server), report_lists.is_open(month.ends))
        .select_from(Issue)
    )
    alerts = select(func.count()).where(
        Alert.server_id == server,
        Alert.last_seen >= month.begins,
        Alert.first_seen < month.ends,
    )
    return {
        "open_issues": t("papers.count", count=f"{session.scalar(still_open) or 0:,}"),
        "alerts": t("papers.count", count=f"{session.scalar(alerts) or 0:,}"),
    }
