"""Apply, roll back and compare org charts; every change is in the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.keyset import Keyset, Slice, cut_slice
from guardia.board.organization import handover
from guardia.board.organization.handover import Reassignment
from guardia.board.rights import requests
from guardia.board.rights.model import RightRequest
from guardia.board.rights.policy import Kind, gained_duties
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Misconfigured, Stale
from guardia.i18n import t, t_default
from guardia.org import approver_assignments, chart, chart_diff, registry, revisions, validation
from guardia.org.approver_assignments import ENGINEER
from guardia.org.chart_diff import ChartChange
from guardia.org.chart_model import OrgChart
from guardia.org.consistency import find_unknown_institutions
from guardia.org.directory import Directory
from guardia.org.model import Person
from guardia.org.revisions import ChartRevision

_MAX_LISTED = 200
"""Differences that an audit entry lists one by one; the revision keeps the whole text."""


@dataclass(frozen=True, slots=True)
class ChartPreview:
    """What applying a chart would do."""

    running: int | None
    """The running revision."""
    wording: bool
    """Whether only the wording differs, not the meaning."""
    changes: list[ChartChange]
    reassignments: list[tuple[Reassignment, int]]
    """Hand-overs of open tasks, and the number of tasks of each."""
    unknown_people: list[str]
    """People named in duties who have no active account and so could decide nothing."""
    servers_without_engineer: list[str]
    """Servers on whose plans no one could decide a step of an engineer that the chart demands."""

    @property
    def fired(self) -> list[str]:
        """Return the agents that would be fired."""
        return [change.path for change in self.changes if change.kind == "fired"]

    @property
    def empty(self) -> bool:
        """Return whether the chart already runs, word for word."""
        return not self.changes and not self.wording


@repeat_on_conflict
def apply_chart(
    board: BoardContext,
    text: str,
    author: Actor,
    expected_revision: int | None = None,
    *,
    back_to: int | None = None,
) -> int:
    """Make a chart the running organization; returns its revision, a new one only if it differs.

    Raises `Stale` if the running revision is not `expected_revision`. Work of agents that leave
    or change duty passes to their superiors. `back_to` is the earlier revision whose text this
    is.
    """
    chart.parse_cached(text)  # Parsing a large chart takes seconds, so it is done before any lock.
    _require_second_person(board, author, text)
    now = board.clock()
    with board.database.transaction() as session:
        applied = replace_chart(session, text, author, now, expected_revision)
        record_chart(session, applied, author, now, back_to=back_to)
        return applied.revision


@dataclass(frozen=True, slots=True)
class AppliedChart:
    """A chart that has become the running one, or already was."""

    revision: int
    before: int | None
    sha256: str
    changes: tuple[ChartChange, ...]
    reassignments: tuple[Reassignment, ...]
    """Hand-overs from agents to their successors."""
    duties: tuple[tuple[str, str], ...] = ()
    """Roles of approvers that people gain, see `rights.policy.gained_duties()`."""
    used: tuple[RightRequest, ...] = ()
    """What a second person has allowed of these."""


def _require_second_person(board: BoardContext, author: Actor, text: str) -> None:
    """Raise `SecondPersonNeeded` if the chart gives people roles that no second person allowed."""
    with board.database.reading() as session:
        gained = _gained_duties(session, _readable_chart(session), chart.parse_cached(text))
    requests.require_all(board, author, Kind.DUTY, gained)


def _gained_duties(
    session: Session, before: OrgChart | None, after: OrgChart
) -> list[tuple[str, str]]:
    named = {person for d in after.duties for person in (*d.people, *d.substitutes)}
    if not named:
        return []
    query = select(Person.person_id, Person.role).where(Person.person_id.in_(named), Person.active)
    roles = {row.person_id: row.role for row in session.execute(query)}
    return gained_duties(_duties(before), _duties(after), roles)


def _duties(found: OrgChart | None) -> dict[tuple[str, str | None], frozenset[str]]:
    duties = found.duties if found else ()
    return {(d.role, d.institution): frozenset((*d.people, *d.substitutes)) for d in duties}


def replace_chart(
    session: Session, text: str, author: Actor, now: datetime, expected_revision: int | None = None
) -> AppliedChart:
    """Apply a chart in the caller's transaction, which must end with `record_chart`."""
    after = chart.parse_cached(text)
    _require_known_institutions(session, after, text)
    held = revisions.lock_latest(session)
    if expected_revision is not None and expected_revision != held:
        raise Stale(what=t("org.chart.name"))
    before, positions = _readable_chart(session), handover.positions(session)
    gained = _gained_duties(session, before, after)
    used = requests.use_all(session, author, Kind.DUTY, gained, now)
    revision = revisions.apply_chart(session, text, str(author), now)
    found = tuple(chart_diff.diff_charts(before, after))
    passing = tuple(handover.plan_reassignments(positions, after))
    return AppliedChart(
        revision, held, chart.fingerprint(text), found, passing, tuple(gained), tuple(used)
    )


def _require_known_institutions(session: Session, after: OrgChart, text: str) -> None:
    """Raise `Misconfigured` if an autonomy rule is for an institution that is not registered."""
    if not any(rule.institution for rule in after.autonomy):
        return
    unknown = find_unknown_institutions(after, registry.institution_ids(session))
    if problems := validation.locate_inconsistencies(text, unknown):
        raise chart.chart_error("org_chart.yaml", problems)


def record_chart(
    session: Session,
    applied: AppliedChart,
    author: Actor,
    now: datetime,
    *,
    back_to: int | None = None,
) -> None:
    """Hand over the work of leaving agents and log the applied chart; nothing if it was running."""
    if applied.revision == applied.before:
        return
    handover.lock_work(session, applied.reassignments)
    for reassignment in applied.reassignments:
        handover.reassign(session, reassignment, author, now)
    log.append(
        session,
        EntryKind.ORG_APPLIED,
        actor=str(author),
        now=now,
        detail={
            "revision": applied.revision,
            "before": applied.before,
            "back_to": back_to,
            "sha256": applied.sha256,
            "changes": _change_lines(applied.changes),
        },
        revision=applied.revision,
        changes=len(applied.changes),
        note="" if back_to is None else t_default("org.back_to", number=back_to),
    )
    requests.record_used(session, author, Kind.DUTY, applied.duties, applied.used, now)


def rollback(
    board: BoardContext, number: int, author: Actor, expected_revision: int | None = None
) -> int:
    """Make an earlier revision's text the newest revision. Raises `NotFound` if there is none."""
    text = chart_text(board, number)
    return apply_chart(board, text, author, expected_revision, back_to=number)


def chart_text(board: BoardContext, number: int) -> str:
    """Return a revision's chart as it was written. Raises `NotFound` if there is none."""
    with board.database.reading() as session:
        return revisions.chart_text(session, number)


def preview(board: BoardContext, text: str) -> ChartPreview:
    """Return what applying a chart would do now. Raises `Misconfigured` if it is invalid."""
    after = chart.parse_cached(text)
    with board.database.reading() as session:
        _require_known_institutions(session, after, text)
        running = revisions.latest(session)
        before = _readable_chart(session)
        differ = running is None or revisions.get_revision(session, running).sha256 != (
            chart.fingerprint(text)
        )
        found = chart_diff.diff_charts(before, after)
        passing = handover.plan_reassignments(handover.positions(session), after)
        counts = handover.open_tasks(session, [h.agent_id for h in passing])
        going = [(h, counts[h.agent_id]) for h in passing if h.agent_id in counts]
        named = {p for d in after.duties for p in (*d.people, *d.substitutes)}
        unknown_people = sorted(named - approver_assignments.named_accounts(session, after.duties))
        asks_engineer = any(ENGINEER in policy.roles for policy in after.approvals.values())
        unowned = approver_assignments.servers_without_engineer(session) if asks_engineer else []
        wording = differ and not found
        return ChartPreview(running, wording, found, going, unknown_people, unowned)


def changes_between(board: BoardContext, before: int, after: int) -> list[ChartChange]:
    """Return the differences between two revisions."""
    with board.database.reading() as session:
        old, new = (revisions.chart_at(session, n) for n in (before, after))
    return chart_diff.diff_charts(old, new)


def changes_in(board: BoardContext, number: int) -> list[ChartChange]:
    """Return the differences of a revision from the one before it."""
    with board.database.reading() as session:
        older = revisions.history(session, before=number, limit=1)
        new = revisions.chart_at(session, number)
        old = revisions.chart_at(session, older[0].number) if older else None
    return chart_diff.diff_charts(old, new)


def revision(board: BoardContext, number: int) -> ChartRevision:
    """Return one revision. Raises `NotFound` if there is none."""
    with board.database.reading() as session:
        return revisions.get_revision(session, number)


def history(board: BoardContext, page: Keyset) -> Slice[ChartRevision]:
    """Return one page of the revisions, newest first."""
    with board.database.reading() as session:
        found = revisions.history(session, before=page.before, limit=page.size + 1)
    return cut_slice(found, page, key=lambda revision: revision.number)


def running(board: BoardContext) -> tuple[int | None, OrgChart]:
    """Return the number of the running revision and its chart."""
    with board.database.reading() as session:
        return revisions.latest(session), revisions.running_chart(session)


def last_good(board: BoardContext) -> tuple[int, OrgChart, bool]:
    """Return the newest chart that this version can read, and whether it is the running one."""
    with board.database.reading() as session:
        number, found = revisions.last_good_chart(session)
        return number, found, number == revisions.latest(session)


def running_text(board: BoardContext) -> tuple[int, str]:
    """Return the running revision and its text. Raises `Misconfigured` before the first apply."""
    with board.database.reading() as session:
        number = revisions.latest(session)
        if number is None:
            raise Misconfigured(what="org_chart.yaml", why=t("org.chart.none_applied"))
        return number, revisions.chart_text(session, number)


def _readable_chart(session: Session) -> OrgChart | None:
    """Return the running chart, or `None` if this version cannot read what an older one wrote."""
    try:
        return revisions.running_chart(session)
    except Misconfigured:
        return None


def _change_lines(found: Sequence[ChartChange]) -> list[str]:
    lines = [change.audit_text() for change in found[:_MAX_LISTED]]
    if len(found) > _MAX_LISTED:
        lines.append(t_default("org.change.more", count=len(found) - _MAX_LISTED))
    return lines or [t_default("org.change.wording")]


@repeat_on_conflict
def import_directory(board: BoardContext, names: Directory, passwords: dict[str, str]) -> None:
    """Write institutions, servers and people; `passwords` apply to accounts without one."""
    with board.database.transaction() as session:
        registry.enrol(session, names, passwords)


def has_chart(board: BoardContext) -> bool:
    """Return whether an org chart has ever been applied."""
    with board.database.reading() as session:
        return revisions.latest(session) is not None
