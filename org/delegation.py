"""Delegations and absences: whose decisions a person may make in addition to their own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import DateTime, any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from guardia.db.statement import Statement
from guardia.org.directory import PersonInfo
from guardia.org.model import INFO_COLUMNS, Delegation, Person, person_info

# Built once: composing them takes longer than running them.
_NOW = bindparam("now", type_=DateTime(timezone=True))
_IS_ACTIVE = (
    Delegation.revoked_at.is_(None),
    Delegation.begins_at <= _NOW,
    Delegation.ends_at > _NOW,
)
_PRINCIPALS = Statement(
    select(*INFO_COLUMNS)
    .join(Delegation, Delegation.principal_id == Person.person_id)
    .where(Delegation.delegate_id == bindparam("delegate"), Person.active, *_IS_ACTIVE)
    .order_by(Delegation.delegation_id)
)
_DELEGATES = Statement(
    select(Delegation.principal_id, Delegation.absent, *INFO_COLUMNS)
    .select_from(Delegation)
    .outerjoin(Person, Person.person_id == Delegation.delegate_id)
    .where(
        Delegation.principal_id
        == any_(bindparam("people", type_=ARRAY(Delegation.principal_id.type))),
        Delegation.delegate_id.is_(None) | Person.active,
        *_IS_ACTIVE,
    )
    .order_by(Delegation.delegation_id)
)


def principals(session: Session, delegate_id: str, now: datetime) -> list[PersonInfo]:
    """Return who has delegated to this person now.

    Delegations do not chain: only a person's own role can be delegated.
    """
    found = _PRINCIPALS.run(session, {"delegate": delegate_id, "now": now})
    return [person_info(*row) for row in found]


def people_who_may_act(
    session: Session, people: Sequence[PersonInfo], now: datetime
) -> list[tuple[PersonInfo, PersonInfo | None]]:
    """Return everyone who may act now for the holders of a role, with the principal or `None`.

    An absent holder is left out; their delegate, if there is one, is included.
    """
    holders = {p.id: p for p in people}
    delegations = _DELEGATES.run(session, {"people": list(holders), "now": now}).fetchall()
    away = {principal for principal, absent, *_ in delegations if absent}
    return [
        *((holder, None) for holder in holders.values() if holder.id not in away),
        *(
            (person_info(*delegate), holders[principal])
            for principal, _, *delegate in delegations
            if delegate[0] is not None  # an absence may be without a substitute
        ),
    ]
