"""Delegation of approval decisions for a limited time, and absence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session, aliased

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.rights import requests
from guardia.board.rights.policy import Kind
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, NotFound
from guardia.i18n import t
from guardia.org.access import is_allowed, require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import Delegation, Person


def delegate(
    board: BoardContext,
    by: PersonInfo,
    to: str,
    *,
    begins: datetime | None = None,
    ends: datetime,
    principal: str | None = None,
    absent: bool = False,
) -> int:
    """Let `to` decide in the principal's name until `ends`; return the number of the delegation.

    The principal is `by` unless an administrator names another one. If `absent`, only the delegate
    is notified during that time. A delegate cannot delegate further. What an administrator
    delegates for another person needs a second person.
    """
    principal_id = principal or by.id
    others = principal_id != by.id
    require_permission(by, "delegation.set_others" if others else "delegation.set")
    terms = _Terms(principal_id, to, begins, ends, absent)
    _check(board, terms)
    if others:
        requests.require_all(board, Actor.of(by), Kind.DELEGATION, terms.grant)
    return _delegate(board, by, terms)


@dataclass(frozen=True, slots=True)
class _Terms:
    """What is delegated."""

    principal_id: str
    to: str
    begins: datetime | None
    ends: datetime
    absent: bool

    @property
    def grant(self) -> list[tuple[str, str]]:
        """What the delegate gains."""
        return [delegation_grant(self.to, self.principal_id, self.ends)]


def delegation_grant(to: str, principal_id: str, ends: datetime) -> tuple[str, str]:
    """Return person and subject of a request for another person's decisions."""
    return to, f"{principal_id}:{ends.astimezone(UTC).isoformat(timespec='minutes')}"


def _check(board: BoardContext, terms: _Terms) -> None:
    with board.database.reading() as session:
        _cards(session, board.current_time(), terms)


def _cards(session: Session, now: datetime, terms: _Terms) -> dict[str, PersonInfo]:
    """Return both people. Raises `Invalid` if these terms are not possible."""
    principal_id, to = terms.principal_id, terms.to
    if terms.ends <= max(terms.begins or now, now):
        raise Invalid(what=t("board.delegation.until"), why=t("board.delegation.over"))
    people = {p: session.get(Person, p) for p in (principal_id, to)}
    for name, row in people.items():
        if row is None or not row.active:
            raise NotFound(what=name)
    cards = {name: row.as_info() for name, row in people.items() if row is not None}
    one = len({c.identity or c.id for c in cards.values()}) == 1
    if one or not is_allowed(cards[to], "approval.answer"):
        raise Invalid(what=to, why=t("board.delegation.not_to"))
    if not is_allowed(cards[principal_id], "approval.decide"):
        raise Invalid(what=principal_id, why=t("board.delegation.nothing"))
    return cards


@repeat_on_conflict
def _delegate(board: BoardContext, by: PersonInfo, terms: _Terms) -> int:
    now = board.clock()
    begin, ends = terms.begins or now, terms.ends
    principal_id, to, absent = terms.principal_id, terms.to, terms.absent
    grant = terms.grant if principal_id != by.id else []
    with board.database.transaction() as session:
        cards = _cards(session, now, terms)
        used = requests.use_all(session, Actor.of(by), Kind.DELEGATION, grant, now)
        given = Delegation(
            principal_id=principal_id,
            delegate_id=to,
            begins_at=begin,
            ends_at=ends,
            absent=absent,
            set_by=by.id,
            created_at=now,
        )
        session.add(given)
        session.flush()
        log.append(
            session,
            EntryKind.DELEGATED,
            actor=str(Actor.of(by)),
            now=now,
            detail={
                "delegation": given.delegation_id,
                "principal": principal_id,
                "delegate": to,
                "begins": begin.isoformat(),
                "ends": ends.isoformat(),
                "absent": absent,
            },
            principal=cards[principal_id].name,
            delegate=cards[to].name,
            ends=ends.isoformat(timespec="minutes"),
        )
        requests.record_used(session, Actor.of(by), Kind.DELEGATION, grant, used, now)
        return given.delegation_id


@repeat_on_conflict
def revoke(board: BoardContext, by: PersonInfo, to: str, *, principal: str | None = None) -> int:
    """End all delegations to `to`; return how many were ended."""
    principal_id = principal or by.id
    _require_revoke(by, principal_id)
    with board.database.transaction() as session:
        return _end(session, board, by, principal_id, to, Delegation.delegate_id == to)


@repeat_on_conflict
def revoke_one(board: BoardContext, by: PersonInfo, number: int) -> None:
    """End one current or future delegation. Raises `NotFound` if it is neither."""
    with board.database.transaction() as session:
        given = session.get(Delegation, number)
        if given is None:
            raise NotFound(what=t("board.delegation.one"))
        _require_revoke(by, given.principal_id)
        principal_id, to = given.principal_id, given.delegate_id or "-"
        if not _end(session, board, by, principal_id, to, Delegation.delegation_id == number):
            raise NotFound(what=t("board.delegation.one"))


def _require_revoke(by: PersonInfo, principal_id: str) -> None:
    require_permission(by, "delegation.set" if principal_id == by.id else "delegation.set_others")


def _end(
    session: Session,
    board: BoardContext,
    by: PersonInfo,
    principal_id: str,
    to: str,
    which: ColumnElement[bool],
) -> int:
    now = board.clock()
    ended = session.scalars(
        update(Delegation)
        .where(
            Delegation.principal_id == principal_id,
            which,
            Delegation.revoked_at.is_(None),
            Delegation.ends_at > now,
        )
        .values(revoked_at=now)
        .returning(Delegation.delegation_id)
    ).all()
    if ended:
        log.append(
            session,
            EntryKind.DELEGATION_REVOKED,
            actor=str(Actor.of(by)),
            now=now,
            detail={"delegations": list(ended), "principal": principal_id, "delegate": to},
            principal=principal_id,
            delegate=to,
        )
    return len(ended)


@dataclass(frozen=True, slots=True)
class DelegationView:
    """A delegation for display."""

    number: int
    principal: PersonInfo
    delegate: PersonInfo
    begins: datetime
    ends: datetime
    absent: bool
    in_force: bool
    """Whether it has begun."""


@dataclass(frozen=True, slots=True)
class DelegationOverview:
    """Delegations visible to a person, and the people selectable in a new one."""

    given: tuple[DelegationView, ...]
    """By the person."""
    received: tuple[DelegationView, ...]
    others: tuple[DelegationView, ...]
    """Between other people, for those who may manage them."""
    delegates: tuple[PersonInfo, ...]
    principals: tuple[PersonInfo, ...]
    """Other people for whom the person may delegate."""


def overview(board: BoardContext, person: PersonInfo) -> DelegationOverview:
    """Return the unexpired delegations of a person, or all for those who may manage them."""
    sees_all = is_allowed(person, "delegation.set_others")
    with board.database.reading() as session:
        found = _current(session, None if sees_all else person.id, board.clock())
        people: list[PersonInfo] = []
        if is_allowed(person, "delegation.set"):
            rows = session.scalars(select(Person).where(Person.active).order_by(Person.name))
            people = [p.as_info() for p in rows]
    own = {person.id}
    return DelegationOverview(
        given=tuple(g for g in found if g.principal.id in own),
        received=tuple(g for g in found if g.delegate.id in own),
        others=tuple(g for g in found if not {g.principal.id, g.delegate.id} & own),
        delegates=tuple(p for p in people if is_allowed(p, "approval.answer")),
        principals=tuple(
            p for p in people if sees_all and p.id not in own and is_allowed(p, "approval.decide")
        ),
    )


def _current(session: Session, principal_id: str | None, now: datetime) -> list[DelegationView]:
    principal, delegate = aliased(Person), aliased(Person)
    query = (
        select(Delegation, principal, delegate)
        .join(principal, principal.person_id == Delegation.principal_id)
        .join(delegate, delegate.person_id == Delegation.delegate_id)
        .where(Delegation.revoked_at.is_(None), Delegation.ends_at > now)
        .order_by(Delegation.begins_at, Delegation.delegation_id)
    )
    if principal_id is not None:
        own = (Delegation.principal_id == principal_id) | (Delegation.delegate_id == principal_id)
        query = query.where(own)
    return [
        DelegationView(
            number=d.delegation_id,
            principal=p.as_info(),
            delegate=q.as_info(),
            begins=d.begins_at,
            ends=d.ends_at,
            absent=d.absent,
            in_force=d.begins_at <= now,
        )
        for d, p, q in session.execute(query)
    ]
