"""Giving one's decisions to another for a time: delegation, and absence."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import update

from guardia.board import audit
from guardia.board.desk.core import Desk
from guardia.errors import Invalid, NotFound
from guardia.i18n import t
from guardia.org.access import allowed, require
from guardia.org.directory import PersonName
from guardia.org.model import Delegation, Person


def delegate(
    desk: Desk,
    by: PersonName,
    to: str,
    *,
    begins: datetime | None = None,
    ends: datetime,
    principal: str | None = None,
    absent: bool = False,
) -> int:
    """Let ``to`` decide in one's role and name until ``ends``; returns its number.

    An administrator may do so for someone else (``principal``). ``absent``: the principal is not
    notified meanwhile, only the delegate. What is delegated cannot be passed on.
    """
    now = desk.clock()
    begin, whose = begins or now, principal or by.id
    require(by, "delegation.set" if whose == by.id else "delegation.set_others")
    if ends <= max(begin, now):
        raise Invalid(what=t("desk.delegation.until"), why=t("desk.delegation.over"))
    with desk.database.transaction() as session:
        people = {p: session.get(Person, p) for p in (whose, to)}
        for name, row in people.items():
            if row is None or not row.active:
                raise NotFound(what=name)
        cards = {name: row.name_card() for name, row in people.items() if row is not None}
        one = len({c.identity or c.id for c in cards.values()}) == 1
        if one or not allowed(cards[to], "approval.answer"):
            raise Invalid(what=to, why=t("desk.delegation.not_to"))
        if not allowed(cards[whose], "approval.decide"):
            raise Invalid(what=whose, why=t("desk.delegation.nothing"))
        given = Delegation(
            principal_id=whose,
            delegate_id=to,
            begins_at=begin,
            ends_at=ends,
            absent=absent,
            set_by=by.id,
            created_at=now,
        )
        session.add(given)
        session.flush()
        audit.append(
            session,
            "delegated",
            actor=f"person:{by.id}",
            now=now,
            detail={
                "delegation": given.delegation_id,
                "principal": whose,
                "delegate": to,
                "begins": begin.isoformat(),
                "ends": ends.isoformat(),
                "absent": absent,
            },
            principal=cards[whose].name,
            delegate=cards[to].name,
            ends=ends.isoformat(timespec="minutes"),
        )
        return given.delegation_id


def revoke(desk: Desk, by: PersonName, to: str, *, principal: str | None = None) -> int:
    """End what was delegated to ``to``; returns how many delegations that were."""
    now, whose = desk.clock(), principal or by.id
    require(by, "delegation.set" if whose == by.id else "delegation.set_others")
    with desk.database.transaction() as session:
        ended = session.scalars(
            update(Delegation)
            .where(
                Delegation.principal_id == whose,
                Delegation.delegate_id == to,
                Delegation.revoked_at.is_(None),
                Delegation.ends_at > now,
            )
            .values(revoked_at=now)
            .returning(Delegation.delegation_id)
        ).all()
        if ended:
            audit.append(
                session,
                "delegation_revoked",
                actor=f"person:{by.id}",
                now=now,
                detail={"delegations": list(ended), "principal": whose, "delegate": to},
                principal=whose,
                delegate=to,
            )
        return len(ended)
