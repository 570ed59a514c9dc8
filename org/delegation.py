"""Whose decisions a person may make besides their own: delegations and absences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, aliased

from guardia.org.directory import PersonInfo
from guardia.org.model import Delegation, Person


def _is_active(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        Delegation.revoked_at.is_(None),
        Delegation.begins_at <= now,
        Delegation.ends_at > now,
    )


def principals(session: Session, delegate_id: str, now: datetime) -> list[PersonInfo]:
    """Who has delegated to this person now. Never passed on: only one's own role is delegated."""
    found = session.scalars(
        select(Person)
        .join(Delegation, Delegation.principal_id == Person.person_id)
        .where(Delegation.delegate_id == delegate_id, Person.active, *_is_active(now))
        .order_by(Delegation.delegation_id)
    )
    return [p.as_info() for p in found]


def people_who_may_act(
    session: Session, people: Sequence[Person], now: datetime
) -> list[tuple[PersonInfo, PersonInfo | None]]:
    """Everyone who may act for those who hold an office now, with whose name they act in.

    An absent person is not among them; their delegate is.
    """
    delegate = aliased(Person)
    given = session.execute(
        select(Delegation.principal_id, Delegation.absent, delegate)
        .join(delegate, delegate.person_id == Delegation.delegate_id)
        .where(
            Delegation.principal_id.in_([p.person_id for p in people]),
            delegate.active,
            *_is_active(now),
        )
        .order_by(Delegation.delegation_id)
    ).all()
    away = {principal for principal, absent, _ in given if absent}
    cards = {p.person_id: p.as_info() for p in people}
    return [
        *((card, None) for card in cards.values() if card.id not in away),
        *((proxy.as_info(), cards[principal]) for principal, _, proxy in given),
    ]
