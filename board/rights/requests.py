"""Requests of rights: ask, find who may decide, use what was allowed.

What a request grants is done by the feature that it belongs to: at once when it is decided
(`accounts.right_decisions`), or by the act that is repeated once it is allowed (`require_all`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core import outbox
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.labels import log_label
from guardia.board.core.lifecycle import ActorKind
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.rights import history
from guardia.board.rights.history import ChangedRight
from guardia.board.rights.model import RightRequest
from guardia.board.rights.policy import LIFETIME, Human, Kind, may_decide
from guardia.db.engine import repeat_on_conflict
from guardia.errors import SecondPersonNeeded
from guardia.i18n import t_default
from guardia.org.access import PERMISSIONS
from guardia.org.account_model import AccountState
from guardia.org.directory import PersonInfo
from guardia.org.model import Person

HUMAN: ColumnElement[str] = func.coalesce(Person.identity, Person.person_id)


def human_of(session: Session, account: str) -> str:
    """Return the human behind an account; one that is not known is a human of its own."""
    return session.scalar(select(HUMAN).where(Person.person_id == account)) or account


def find_deciders(session: Session, human: str, now: datetime) -> list[str]:
    """Return the open accounts that may decide about a right of this human."""
    query = (
        select(Person.person_id)
        .outerjoin(AccountState, AccountState.person_id == Person.person_id)
        .where(
            Person.role.in_(PERMISSIONS["right.decide"]),
            Person.active,
            HUMAN.is_distinct_from(human),
            AccountState.expires_at.is_(None) | (AccountState.expires_at > now),
        )
    )
    return list(session.scalars(query.order_by(Person.person_id)))


def is_alone(session: Session, by: Actor, human: str, now: datetime) -> bool:
    """Return whether the operator of the host acts before there is a second person to ask.

    So the first administrator of an installation comes to be; a person never acts alone.
    """
    return by.kind is ActorKind.OPERATOR and not find_deciders(session, human, now)


def report_alone(session: Session, by: Actor, rights: Sequence[str], now: datetime) -> None:
    """Record and report that the operator of the host gave rights alone. Call it last."""
    if not rights:
        return
    text = t_default("rights.alone", who=by.label, rights=", ".join(rights))
    outbox.send(session, "alert", text, now, sr_id=None)
    officers = select(Person.person_id).where(Person.role == "security_officer", Person.active)
    outbox.notify(session, NoticeKind.ALERT, text, session.scalars(officers).all(), now, sr_id=None)
    log.append(
        session,
        EntryKind.RIGHT_BOOTSTRAPPED,
        actor=str(by),
        now=now,
        detail={"rights": list(rights)},
        rights=", ".join(rights),
    )


def ask(
    session: Session,
    by: Actor,
    kind: Kind,
    person: str,
    subject: str,
    now: datetime,
    *,
    wanted: dict[str, Any] | None = None,
    reason: str = "",
) -> int:
    """Ask for a right and notify who may decide; the same again is the request that waits.

    It appends to the audit log, so nothing else is locked after it.
    """
    lapse_old(session, now)
    values: dict[str, Any] = {
        "kind": kind.value,
        "person_id": person,
        "subject": subject,
        "state": "WAITING",
    }
    values |= {"wanted": wanted or {}, "reason": reason, "requested_by": str(by)}
    values |= {"requested_at": now, "lapses_at": now + LIFETIME}
    made = session.scalar(
        insert(RightRequest)
        .values(**values)
        .on_conflict_do_nothing()
        .returning(RightRequest.request_id)
    )
    if made is None:
        found = find_open(session, kind, person, subject)
        return found.request_id if found else 0
    human = human_of(session, person)
    words = {"number": made, "person": person, "subject": log_label("org.role", subject)}
    text = t_default(f"rights.asked.{kind}", **words)
    deciders = [d for d in find_deciders(session, human, now) if d != by.id]
    outbox.notify(session, NoticeKind.DUE, text, deciders, now, sr_id=None)
    log.append(
        session,
        EntryKind.RIGHT_REQUESTED,
        actor=str(by),
        now=now,
        detail={"request": made, "kind": kind.value, "person": person, "subject": subject}
        | {"wanted": wanted or {}, "reason": reason},
        text=text,
    )
    return int(made)


def pending_requests(session: Session, viewer: PersonInfo, now: datetime) -> list[RightRequest]:
    """Return the requests that a person may decide, the oldest first."""
    own = human_of(session, viewer.id)
    query = (
        select(RightRequest, HUMAN)
        .join(Person, Person.person_id == RightRequest.person_id)
        .where(RightRequest.state == "WAITING", RightRequest.lapses_at > now)
        .order_by(RightRequest.request_id)
    )
    rows = session.execute(query).all()
    asked = {actor.id for r, _ in rows if (actor := Actor.parse(r.requested_by)) is not None}
    people = session.execute(select(Person.person_id, HUMAN).where(Person.person_id.in_(asked)))
    humans = {str(Actor.person(row[0])): row[1] for row in people}
    decider = Human(viewer.id, own, viewer.role)
    return [r for r, human in rows if may_decide(decider, human, humans.get(r.requested_by))]


def find_open(session: Session, kind: Kind, person: str, subject: str) -> RightRequest | None:
    """Return the request that waits or is allowed, or `None`."""
    return session.scalar(
        select(RightRequest)
        .where(
            RightRequest.kind == kind.value,
            RightRequest.person_id == person,
            RightRequest.subject == subject,
            RightRequest.state.in_(("WAITING", "APPROVED")),
        )
        .with_for_update()
    )


def lapse_old(session: Session, now: datetime) -> None:
    """End the requests whose time is over."""
    session.execute(
        update(RightRequest)
        .where(RightRequest.state.in_(("WAITING", "APPROVED")), RightRequest.lapses_at <= now)
        .values(state="LAPSED")
        .execution_options(synchronize_session=False)
    )


@repeat_on_conflict
def require_all(
    board: BoardContext,
    by: Actor,
    kind: Kind,
    grants: Sequence[tuple[str, str]],
    *,
    reason: str = "",
) -> None:
    """Raise `SecondPersonNeeded` unless each grant (person, subject) is allowed; ask for others.

    In a transaction of its own, so that the requests stay. The act itself calls `use_all` in its
    transaction.
    """
    now = board.clock()
    with board.database.transaction() as session:
        lapse_old(session, now)
        missing = []
        for person, subject in grants:
            found = find_open(session, kind, person, subject)
            allowed = found is not None and found.state == "APPROVED"
            if not allowed and not is_alone(session, by, human_of(session, person), now):
                missing.append((person, subject))
        numbers = [ask(session, by, kind, *one, now, reason=reason) for one in missing]
    if numbers:
        raise SecondPersonNeeded(numbers=", ".join(f"#{number}" for number in numbers))


def use_all(
    session: Session, by: Actor, kind: Kind, grants: Sequence[tuple[str, str]], now: datetime
) -> list[RightRequest]:
    """Use what was allowed, in the transaction of the act, or raise `SecondPersonNeeded`.

    The caller records what it did with `record_used`, as the last thing.
    """
    used = []
    for person, subject in grants:
        found = find_open(session, kind, person, subject)
        if found is not None and found.state == "APPROVED" and found.lapses_at > now:
            found.state = "DONE"
            used.append(found)
        elif not is_alone(session, by, human_of(session, person), now):
            raise SecondPersonNeeded(numbers=f"{person} {subject}")
    session.flush()
    return used


def record_used(
    session: Session,
    by: Actor,
    kind: Kind,
    grants: Sequence[tuple[str, str]],
    used: Sequence[RightRequest],
    now: datetime,
) -> None:
    """Record what was given in history and audit log, as the last thing of a transaction."""
    requests = {(r.person_id, r.subject): r for r in used}
    for person, subject in grants:
        change = ChangedRight(person, kind.value, None, subject)
        history.record(session, change, str(by), now, requests.get((person, subject)))
    session.flush()
    alone = [
        f"{person} {subject}" for person, subject in grants if (person, subject) not in requests
    ]
    for one in used:
        log.append(
            session,
            EntryKind.RIGHT_USED,
            actor=str(by),
            now=now,
            detail={"request": one.request_id, "person": one.person_id, "subject": one.subject},
            number=one.request_id,
            person=one.person_id,
            subject=one.subject,
        )
    report_alone(session, by, alone, now)
