"""Reads for the pages of people: the list by keyset, one account, its requests and history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from guardia.board.core.acting import require_actor
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import ActorKind
from guardia.board.rights.model import RightChange, RightRequest
from guardia.board.rights.requests import HUMAN, find_deciders, human_of, pending_requests
from guardia.errors import Misconfigured, NotFound
from guardia.org import revisions
from guardia.org.access import FAILURES
from guardia.org.account_model import AccountState
from guardia.org.directory import PersonInfo
from guardia.org.model import ChannelAccount, Institution, Person

READ = "person.read"
PAGE = 50
_SUGGESTED = 20
STATES = ("open", "closed", "locked", "expiring", "must_change", "vendor")


@dataclass(frozen=True, slots=True)
class PeopleFilter:
    """Which accounts the list shows."""

    text: str = ""
    """Part of an id, a name, a title or an identity."""
    role: str = ""
    institution: str = ""
    state: str = ""
    """One of `STATES`."""


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One account of the list."""

    person: PersonInfo
    active: bool
    locked: bool
    must_change: bool
    vendor: bool
    expires_at: datetime | None
    signed_in_at: datetime | None
    institution: str


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """One page of accounts by id."""

    rows: tuple[PersonRow, ...]
    after: str | None
    """Cursor of the next page, or `None`."""


def people_page(
    board: BoardContext,
    by: PersonInfo | Actor,
    wanted: PeopleFilter,
    *,
    after: str = "",
    size: int = PAGE,
) -> PeoplePage:
    """Return one page of the accounts that fit a filter, in the order of their ids."""
    require_actor(by, READ)
    now = board.current_time()
    query = (
        select(Person, AccountState, Institution.inst_name)
        .outerjoin(AccountState, AccountState.person_id == Person.person_id)
        .outerjoin(Institution, Institution.inst_id == Person.inst_id)
        .where(*_conditions(wanted, now), Person.person_id > after)
        .order_by(Person.person_id)
        .limit(size + 1)
    )
    with board.database.reading() as session:
        found = [_row(*row, now) for row in session.execute(query)]
    more = len(found) > size
    return PeoplePage(tuple(found[:size]), found[size - 1].person.id if more else None)


def _row(
    person: Person, state: AccountState | None, institution: str | None, now: Any
) -> PersonRow:
    locked = state is not None and state.locked_until is not None and state.locked_until > now
    return PersonRow(
        person.as_info(),
        person.active,
        locked,
        state is not None and state.must_change,
        state is not None and state.vendor,
        state.expires_at if state else None,
        state.signed_in_at if state else None,
        institution or "",
    )


def institutions_like(board: BoardContext, text: str) -> list[tuple[str, str]]:
    """Return the ids and names of the first institutions whose id or name contains a text."""
    columns = (Institution.inst_id, Institution.inst_name)
    found = or_(*(column.icontains(text.strip(), autoescape=True) for column in columns))
    query = select(*columns).where(found).order_by(Institution.inst_name).limit(_SUGGESTED)
    with board.database.reading() as session:
        return [(row.inst_id, row.inst_name) for row in session.execute(query)]


def _conditions(wanted: PeopleFilter, now: datetime) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.text:
        part = wanted.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        columns = (Person.person_id, Person.name, Person.title, Person.identity)
        found.append(or_(*(column.ilike(f"%{part}%") for column in columns)))
    if wanted.role:
        found.append(Person.role == wanted.role)
    if wanted.institution:
        found.append(Person.inst_id == wanted.institution)
    states: dict[str, ColumnElement[bool]] = {
        "open": Person.active.is_(True),
        "closed": ~Person.active,
        "locked": AccountState.locked_until > now,
        "expiring": AccountState.expires_at.is_not(None),
        "must_change": AccountState.must_change.is_(True),
        "vendor": AccountState.vendor.is_(True),
    }
    if wanted.state in states:
        found.append(states[wanted.state])
    return found


@dataclass(frozen=True, slots=True)
class AccountView:
    """One account with everything about it."""

    person: PersonInfo
    active: bool
    state: AccountState
    lock: str
    """`failures`, `person`, or empty."""
    others: tuple[PersonInfo, ...]
    """Other accounts of the same human."""
    messengers: tuple[str, ...]
    requests: tuple[RightRequest, ...]
    """What waits for a second person, or was allowed and not used yet."""
    changes: tuple[RightChange, ...]


def account(board: BoardContext, by: PersonInfo | Actor, account_id: str) -> AccountView:
    """Return an account. Raises `NotFound` if there is none."""
    require_actor(by, READ)
    now = board.current_time()
    with board.database.reading() as session:
        row = session.get(Person, account_id)
        if row is None:
            raise NotFound(what=account_id)
        state = session.get(AccountState, account_id) or AccountState(
            person_id=account_id, must_change=False, vendor=False, failures=0, lock_reason=""
        )
        locked = state.locked_until is not None and state.locked_until > now
        lock = ("failures" if state.lock_reason == FAILURES else "person") if locked else ""
        same = select(Person).where(
            HUMAN.in_([human_of(session, account_id)]), Person.person_id != account_id
        )
        return AccountView(
            row.as_info(),
            row.active,
            state,
            lock,
            tuple(p.as_info() for p in session.scalars(same.order_by(Person.person_id))),
            tuple(_messengers(session, account_id)),
            tuple(_requests(session, RightRequest.person_id == account_id)),
            tuple(
                session.scalars(
                    select(RightChange)
                    .where(RightChange.person_id == account_id)
                    .order_by(RightChange.change_id.desc())
                    .limit(20)
                )
            ),
        )


def _messengers(session: Session, account_id: str) -> list[str]:
    query = select(ChannelAccount).where(ChannelAccount.person_id == account_id)
    return [f"{r.channel}:{r.account}" for r in session.scalars(query.order_by("account"))]


def _requests(session: Session, *conditions: ColumnElement[bool]) -> Sequence[RightRequest]:
    query: Select[RightRequest] = select(RightRequest).where(
        RightRequest.state.in_(("WAITING", "APPROVED")), *conditions
    )
    return session.scalars(query.order_by(RightRequest.request_id.desc())).all()


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A request of rights for display."""

    request: RightRequest
    person: PersonInfo
    mine: bool
    """Whether the viewer may decide it."""
    duties: tuple[str, ...] = ()


def is_only_decider(board: BoardContext, viewer: PersonInfo) -> bool:
    """Return whether no one else could allow what a person asks for."""
    with board.database.reading() as session:
        own = human_of(session, viewer.id)
        return not find_deciders(session, own, board.current_time())


def requests_page(
    board: BoardContext, viewer: PersonInfo | Actor, *, before: int | None = None, size: int = PAGE
) -> tuple[list[RequestRow], list[RequestRow], int | None]:
    """Return the requests that wait, a page of the decided ones, and the cursor of the next."""
    require_actor(viewer, "right.read")
    now = board.current_time()
    decided = RightRequest.state.not_in(("WAITING",))
    with board.database.reading() as session:
        waiting = [
            *session.scalars(
                select(RightRequest)
                .where(RightRequest.state == "WAITING", RightRequest.lapses_at > now)
                .order_by(RightRequest.request_id)
                .limit(200)
            )
        ]
        query = select(RightRequest).where(decided)
        if before is not None:
            query = query.where(RightRequest.request_id < before)
        past = [*session.scalars(query.order_by(RightRequest.request_id.desc()).limit(size + 1))]
        people = _people(session, {r.person_id for r in (*waiting, *past)})
        mine: set[int] = set()
        if isinstance(viewer, PersonInfo):
            mine = {r.request_id for r in pending_requests(session, viewer, now)}
        duties = _duties(session)
        rows = [
            RequestRow(r, people[r.person_id], r.request_id in mine, duties.get(r.person_id, ()))
            for r in waiting
        ]
        shown = [RequestRow(r, people[r.person_id], False) for r in past[:size]]
    return rows, shown, past[size - 1].request_id if len(past) > size else None


def _duties(session: Session) -> dict[str, tuple[str, ...]]:
    """Return the roles of approvers that the running chart gives, by account."""
    found: dict[str, list[str]] = {}
    try:
        chart = revisions.running_chart(session)
    except Misconfigured:
        return {}
    for duty in chart.duties:
        for person in (*duty.people, *duty.substitutes):
            found.setdefault(person, []).append(f"{duty.role}:{duty.institution or '*'}")
    return {person: tuple(roles) for person, roles in found.items()}


def _people(session: Session, ids: set[str]) -> dict[str, PersonInfo]:
    query = select(Person).where(Person.person_id.in_(ids))
    return {p.person_id: p.as_info() for p in session.scalars(query)}


def count_waiting(session: Session, now: datetime) -> int:
    """Count the requests that wait."""
    query = select(func.count()).select_from(RightRequest)
    where = RightRequest.state == "WAITING", RightRequest.lapses_at > now
    return session.scalar(query.where(*where)) or 0


def names(board: BoardContext, rows: Iterable[Any]) -> dict[str, str]:
    """Return the names of everyone whom these requests or changes name, by stored actor and id."""
    ids: set[str] = set()
    for row in rows:
        ids.add(row.person_id)
        for stored in (
            getattr(row, "requested_by", None),
            getattr(row, "made_by", None),
            row.decided_by,
        ):
            actor = Actor.parse(stored)
            ids |= {actor.id} if actor is not None and actor.kind is ActorKind.PERSON else set()
    with board.database.reading() as session:
        found = _people(session, ids)
    shown = {p.id: f"{p.name} {p.title}".strip() for p in found.values()}
    return shown | {str(Actor.person(account)): name for account, name in shown.items()}


def numbers(board: BoardContext) -> dict[str, tuple[int, str]]:
    """Return what waits in the administration of people, each with the page that shows it."""
    now = board.current_time()
    locked = select(func.count()).where(AccountState.locked_until > now).scalar_subquery()
    soon = AccountState.expires_at.between(now, now + timedelta(days=30))
    expiring = select(func.count()).where(soon).scalar_subquery()
    open_ = select(func.count()).where(Person.active).scalar_subquery()
    with board.database.reading() as session:
        people, closed_out, ending = session.execute(select(open_, locked, expiring)).one()
        waiting = count_waiting(session, now)
    return {
        "waiting": (waiting, "/rights"),
        "locked": (closed_out, "/people?state=locked"),
        "expiring": (ending, "/people?state=expiring"),
        "people": (people, "/people?state=open"),
    }
