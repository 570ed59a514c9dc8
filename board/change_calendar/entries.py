"""Everything that the change calendar shows, from the features that know of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Literal

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from guardia.board.alerts.maintenance import scope_of
from guardia.board.alerts.model import MaintenanceWindow
from guardia.board.change_calendar.spans import occurrences
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.model import Task
from guardia.board.execution import planned_changes
from guardia.board.execution.planned_changes import PlannedChange
from guardia.board.rollouts.model import Rollout
from guardia.board.site_rules import store
from guardia.board.site_rules.model import SiteRuleRow
from guardia.board.site_rules.terms import FreezeTerms, SiteRule
from guardia.board.site_rules.wording import place_text
from guardia.i18n import t
from guardia.org import revisions
from guardia.org.model import Server

EntryType = Literal["change", "rollout", "window", "freeze"]
_MOST = 500


@dataclass(frozen=True, slots=True)
class CalendarEntry:
    """One planned change, rollout, maintenance window or freeze."""

    type: EntryType
    key: str
    """Identifies it in a feed, such as `change-12`."""
    title: str
    place: str
    path: str
    begins: datetime | None
    """`None`: as soon as it is approved."""
    ends: datetime | None
    status: str = ""
    """State of a change or a rollout."""
    has_conflict: bool = False
    """Whether another change of the same server is planned at the same time."""


def entries_between(
    session: Session, begins: datetime, ends: datetime, institution: str = "", server: str = ""
) -> list[CalendarEntry]:
    """Return what is planned in a period, in order."""
    found = [
        *_changes(session, begins, ends, institution, server),
        *_windows(session, begins, ends, institution, server),
        *_freezes(session, begins, ends, institution, server),
    ]
    return sorted(found, key=lambda one: (one.begins or ends, one.key))


def without_time(session: Session, institution: str = "", server: str = "") -> list[CalendarEntry]:
    """Return changes and rollouts that start as soon as they are approved."""
    changes = planned_changes.without_time(session, institution, server)
    found = [_entry(one, conflict=False) for one in changes]
    return [*found, *([] if server else _rollouts(session))]


def _changes(
    session: Session, begins: datetime, ends: datetime, institution: str, server: str
) -> list[CalendarEntry]:
    changes = planned_changes.planned_between(session, begins, ends, institution, server)
    clashing = set[int]()
    last: dict[str, PlannedChange] = {}
    for change in changes:
        before = last.get(change.server)
        if before and before.ends and change.begins and change.begins < before.ends:
            clashing |= {before.task_id, change.task_id}
        last[change.server] = change
    return [_entry(one, conflict=one.task_id in clashing) for one in changes]


def _entry(change: PlannedChange, *, conflict: bool) -> CalendarEntry:
    return CalendarEntry(
        "change",
        f"change-{change.task_id}",
        f"{issue_ref(change.sr_id)} {change.title}",
        change.server,
        f"/issues/{change.sr_id}",
        change.begins,
        change.ends,
        change.status.value,
        conflict,
    )


def _rollouts(session: Session) -> list[CalendarEntry]:
    """Return the rollouts that wait or run, at the start of their approved plan."""
    query = (
        select(Rollout.rollout_id, Rollout.title, Rollout.state, Task.run_after)
        .outerjoin(Task, Task.task_id == Rollout.root_task_id)
        .where(Rollout.state.in_(["PENDING", "RUNNING", "PAUSED", "ROLLING_BACK"]))
        .order_by(Rollout.rollout_id.desc())
        .limit(_MOST)
    )
    return [
        CalendarEntry(
            "rollout",
            f"rollout-{row.rollout_id}",
            row.title,
            t("changes.rollout"),
            f"/rollouts/{row.rollout_id}",
            row.run_after,
            None,
            row.state,
        )
        for row in session.execute(query)
    ]


def _windows(
    session: Session, begins: datetime, ends: datetime, institution: str, server: str
) -> list[CalendarEntry]:
    query = select(MaintenanceWindow).where(
        MaintenanceWindow.begins_at < ends,
        MaintenanceWindow.ends_at > begins,
        or_(MaintenanceWindow.ended_at.is_(None), MaintenanceWindow.ended_at > begins),
    )
    keys = _scope_keys(session, institution, server)
    if keys:
        query = query.where(MaintenanceWindow.scope.in_(keys))
    rows = session.scalars(query.order_by(MaintenanceWindow.begins_at).limit(_MOST))
    return [
        CalendarEntry(
            "window",
            f"window-{row.window_id}",
            row.reason,
            place_text(scope_of(row.scope)),
            "/alerts",
            row.begins_at,
            row.ended_at or row.ends_at,
        )
        for row in rows
    ]


def _freezes(
    session: Session, begins: datetime, ends: datetime, institution: str, server: str
) -> list[CalendarEntry]:
    """Return the freezes of the rules in force and of the org chart, which both bind."""
    zone = revisions.service_levels(session)[1]
    query = select(SiteRuleRow).where(SiteRuleRow.state == "ACTIVE")
    keys = _scope_keys(session, institution, server)
    if keys:
        query = query.where(SiteRuleRow.scope.in_(keys))
    found = []
    for row in session.scalars(query.order_by(SiteRuleRow.name)):
        rule = store.parse_stored(row.body)
        if rule is not None and isinstance(rule.terms, FreezeTerms):
            found += _of_rule(rule, rule.terms, begins, ends, zone)
    return [*found, *_of_chart(session, begins, ends, zone, institution)]


def _of_rule(
    rule: SiteRule, terms: FreezeTerms, begins: datetime, ends: datetime, zone: tzinfo
) -> list[CalendarEntry]:
    return [
        CalendarEntry(
            "freeze",
            f"freeze-{rule.name}-{first:%Y%m%d%H%M}",
            rule.sentence,
            place_text(rule.scope),
            f"/rules/{rule.name}",
            first,
            last,
        )
        for first, last in occurrences(terms.periods, begins, ends, zone)
        if (rule.valid_from is None or rule.valid_from <= last.astimezone(zone).date())
        and (rule.valid_until is None or first.astimezone(zone).date() <= rule.valid_until)
    ]


def _of_chart(
    session: Session, begins: datetime, ends: datetime, zone: tzinfo, institution: str
) -> list[CalendarEntry]:
    found = []
    for number, freeze in enumerate(revisions.running_chart(session).freezes, start=1):
        first, last = (
            one if one.tzinfo else one.replace(tzinfo=zone) for one in (freeze.begins, freeze.ends)
        )
        if institution and freeze.institutions and institution not in freeze.institutions:
            continue
        if first < ends and last > begins:
            place = ", ".join(freeze.institutions) or t("service.day.all")
            title = freeze.because or t("changes.type.freeze")
            key = f"freeze-chart-{number}"
            found.append(CalendarEntry("freeze", key, title, place, "/org", first, last))
    return found


def _scope_keys(session: Session, institution: str, server: str) -> list[str]:
    """Return the keys of the places that a filter includes; empty without a filter."""
    if server:
        row = session.get(Server, server)
        return ["*", f"server:{server}", *([f"institution:{row.inst_id}"] if row else [])]
    if institution:
        own = select(Server.server_id).where(Server.inst_id == institution)
        servers = [f"server:{name}" for name in session.scalars(own)]
        return ["*", f"institution:{institution}", *servers]
    return []
