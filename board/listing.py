"""What pages list: issues by keyset, and the approvals that wait for the person who looks.

Everything here reads one snapshot and is limited to what the viewer may see.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, false, func, or_, select, true
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session, aliased

from guardia.board.chain import clean
from guardia.board.desk import Desk, asking
from guardia.board.lifecycle import OPEN, State
from guardia.board.model import Approval, Decision, Issue, Task
from guardia.board.policy import Capacity
from guardia.board.record_model import ChainHead
from guardia.org import identity
from guardia.org.access import allowed
from guardia.org.directory import PersonName
from guardia.org.duties import Reach
from guardia.org.model import Agent, Institution, Person

_NUMBER = re.compile(r"(?:SR-|#)?(\d{1,18})", re.IGNORECASE)
_KIN = re.compile(r"(parent|goal):(?:SR-|#)?(\d{1,18})", re.IGNORECASE)
"""``parent:12``: its children; ``goal:12``: all that serves the goal."""
_WORDS = 6
_OPEN = sorted(s.value for s in OPEN)


@dataclass(frozen=True, slots=True)
class Query:
    """Which issues; at most one of ``before`` and ``after`` is used."""

    state: Literal["open", "closed", "all"] = "open"
    words: str = ""
    before: int | None = None
    """Only issues older than this number."""
    after: int | None = None
    """Only issues newer than this number."""
    size: int = 25


@dataclass(frozen=True, slots=True)
class Row:
    """One issue in a list."""

    sr_id: int
    title: str
    status: State
    category: str | None
    priority: str | None
    institution: str | None
    servers: tuple[str, ...]
    agent: str | None
    engineer: str | None
    created_at: datetime
    updated_at: datetime
    stalled_at: datetime | None = None
    """Since when its agents go round in circles."""
    kind: str | None = None
    parent: int | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A step of an approval chain that this person can decide now."""

    sr_id: int
    title: str
    server: str | None
    category: str | None
    priority: str | None
    since: datetime
    due: datetime | None
    """When it escalates or expires."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the list."""

    rows: tuple[Row, ...]
    newer: int | None
    """Cursor for ``after``; ``None`` on the newest page."""
    older: int | None
    """Cursor for ``before``; ``None`` on the oldest page."""
    waiting: tuple[Waiting, ...]
    position: int
    """Length of the record at this snapshot: what the page has seen of what happened."""


def visible(viewer: PersonName) -> ColumnElement[bool]:
    """The issues that a person may see: customers those of their institution only."""
    if not allowed(viewer, "issue.read"):
        return false()
    if viewer.role != "customer":
        return true()
    return Issue.inst_id == viewer.institution if viewer.institution else false()


def sees(desk: Desk, viewer: PersonName, sr_id: int) -> bool:
    """Whether the issue exists for this person."""
    with desk.database.reading() as session:
        query = select(Issue.sr_id).where(Issue.sr_id == sr_id, visible(viewer))
        return session.scalar(query) is not None


def institution_of(desk: Desk, sr_id: int) -> str | None:
    """Whose issue it is, or ``None`` as long as nobody knows."""
    with desk.database.reading() as session:
        return session.scalar(select(Issue.inst_id).where(Issue.sr_id == sr_id))


def position(session: Session) -> int:
    """How long the record is in this snapshot."""
    return session.scalar(select(func.coalesce(func.max(ChainHead.size), 0))) or 0


def issues(desk: Desk, viewer: PersonName, query: Query) -> Listing:
    """One page of issues, newest first, with the approvals that wait for the viewer."""
    with desk.database.reading() as session:
        return Listing(
            *_page(session, viewer, query),
            waiting=_waiting(session, viewer, desk.clock()),
            position=position(session),
        )


def _page(
    session: Session, viewer: PersonName, query: Query
) -> tuple[tuple[Row, ...], int | None, int | None]:
    found = _rows().where(visible(viewer), *_filters(query))
    if query.after is not None:
        found = found.where(Issue.sr_id > query.after).order_by(Issue.sr_id)
    else:
        found = found.order_by(Issue.sr_id.desc())
        if query.before is not None:
            found = found.where(Issue.sr_id < query.before)
    rows = [_row(r) for r in session.execute(found.limit(query.size + 1))]
    more, rows = len(rows) > query.size, rows[: query.size]
    if query.after is None:
        newer = rows[0].sr_id if query.before is not None and rows else None
        return tuple(rows), newer, rows[-1].sr_id if more else None
    if not more:
        # Nothing newer remains, so this is the first page: show a whole one.
        return _page(session, viewer, replace(query, after=None, before=None))
    rows.reverse()
    return tuple(rows), rows[0].sr_id, rows[-1].sr_id


def _servers() -> ScalarSelect[Any]:
    names = func.array_agg(aggregate_order_by(Task.target_server, Task.task_id))
    query = select(names).where(Task.sr_id == Issue.sr_id, Task.target_server.is_not(None))
    return query.correlate(Issue).scalar_subquery()


def _rows() -> Select[Any]:
    return (
        select(
            Issue.sr_id,
            Issue.title,
            Issue.status,
            Issue.category,
            Issue.priority,
            func.coalesce(Institution.inst_name, Issue.inst_id).label("institution"),
            _servers().label("servers"),
            func.coalesce(Agent.title, Issue.agent_id).label("agent"),
            (Person.name + " " + Person.title).label("engineer"),
            Issue.created_at,
            Issue.updated_at,
            Issue.stalled_at,
            Issue.kind,
            Issue.parent_id.label("parent"),
        )
        .outerjoin(Institution, Institution.inst_id == Issue.inst_id)
        .outerjoin(Agent, Agent.agent_id == Issue.agent_id)
        .outerjoin(Person, Person.person_id == Issue.assignee_id)
    )


def _row(found: Any) -> Row:
    fields = found._asdict()
    fields["status"] = State(fields["status"])
    fields["servers"] = tuple(dict.fromkeys(fields["servers"] or ()))
    return Row(**fields)


def _filters(query: Query) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.state != "all":
        is_open = Issue.status.in_(_OPEN)
        conditions.append(is_open if query.state == "open" else ~is_open)
    for word in clean(query.words).split()[:_WORDS]:
        kin = _KIN.fullmatch(word)
        conditions.append(_is_kin(kin) if kin else _matches(word))
    return conditions


def _is_kin(kin: re.Match[str]) -> ColumnElement[bool]:
    column = Issue.parent_id if kin[1].lower() == "parent" else Issue.goal_id
    return column == int(kin[2])


def _matches(word: str) -> ColumnElement[bool]:
    on_server = select(Task.task_id).where(
        Task.sr_id == Issue.sr_id, Task.target_server.icontains(word, autoescape=True)
    )
    ways = [
        *(
            column.icontains(word, autoescape=True)
            for column in (Issue.title, Issue.body, Institution.inst_name, Person.name)
        ),
        on_server.exists(),
    ]
    number = _NUMBER.fullmatch(word)
    return or_(*ways, Issue.sr_id == int(number[1])) if number else or_(*ways)


def _fillable(
    viewer: PersonName, capacity: Capacity, kin: Mapping[str, str]
) -> ColumnElement[bool]:
    """Steps whose turn it is and that the viewer may fill so; ``board.policy`` as a query.

    ``kin``: every account of the humans who are concerned.
    """
    humans = {kin.get(p, p) for p in (viewer.id, capacity.principal) if p}
    parties = [account for account, human in kin.items() if human in humans]
    other = aliased(Approval)
    spent = (
        select(Decision.decision_id)
        .join(other, other.approval_id == Decision.approval_id)
        .where(
            other.task_id == Approval.task_id,
            other.plan_hash == Approval.plan_hash,
            other.state.in_(asking.STANDING),
            or_(Decision.person_id.in_(parties), Decision.principal_id.in_(parties)),
        )
    )
    escalated = Approval.escalated_at.is_not(None) & (Approval.escalate_to == capacity.role)
    return and_(
        or_(Approval.role == capacity.role, escalated),
        or_(Issue.requester_id.is_(None), Issue.requester_id.not_in(parties)),
        or_(Task.plan_author.is_(None), Task.plan_author.not_in([f"person:{p}" for p in parties])),
        ~spent.exists(),
    )


def _covered(reach: Reach) -> ColumnElement[bool]:
    """Issues of the institutions for which somebody holds a role."""
    if reach.default:
        return or_(Issue.inst_id.is_(None), Issue.inst_id.not_in(reach.but))
    return Issue.inst_id.in_(reach.but)


def _waiting(session: Session, viewer: PersonName, now: datetime) -> tuple[Waiting, ...]:
    offices = asking.offices(session, viewer, now)
    if not offices:
        return ()
    accounts = [viewer.id, *(o.capacity.principal for o in offices if o.capacity.principal)]
    kin = identity.kin(session, accounts)
    found = session.execute(
        select(
            Issue.sr_id,
            Issue.title,
            Task.target_server.label("server"),
            Task.category,
            Issue.priority,
            Approval.opened_at.label("since"),
            Approval.due_at.label("due"),
        )
        .join(Task, (Task.task_id == Approval.task_id) & (Task.plan_hash == Approval.plan_hash))
        .join(Issue, Issue.sr_id == Task.sr_id)
        .where(
            or_(*(_fillable(viewer, o.capacity, kin) & _covered(o.reach) for o in offices)),
            Approval.state == "WAITING",
            Approval.opened_at.is_not(None),
            Task.status == State.PENDING_APPROVAL.value,
            visible(viewer),
        )
        .order_by(func.coalesce(Issue.priority, "P3"), Approval.approval_id)
        .limit(20)
    )
    return tuple(Waiting(**r._asdict()) for r in found)
