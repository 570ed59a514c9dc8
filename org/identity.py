"""The human behind an account: one human may hold several, on the board and in messengers."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ARRAY, Text, any_, bindparam, func, select
from sqlalchemy.orm import Session

from guardia.db.statement import Statement
from guardia.org.model import ChannelAccount, Person

MESSENGERS = ("mattermost", "slack", "jandi", "mail")
"""Channels whose users are people."""
_IDENTITY = func.coalesce(Person.identity, Person.person_id)
_ACCOUNTS = bindparam("accounts", type_=ARRAY(Text()))
_BEHIND = select(_IDENTITY).where(Person.person_id == any_(_ACCOUNTS))
_OF_SAME_PEOPLE = Statement(select(Person.person_id, _IDENTITY).where(_IDENTITY.in_(_BEHIND)))


def accounts_of_same_people(session: Session, accounts: Collection[str]) -> dict[str, str]:
    """Return every account of the humans behind these accounts, with the human's identity.

    Closed accounts are included. Unknown accounts are left out: each counts as a human of its own.
    """
    if not accounts:
        return {}
    found = _OF_SAME_PEOPLE.run(session, {"accounts": list(accounts)})
    return dict(found.fetchall())


def person_of_account(session: Session, channel: str, account: str) -> Person | None:
    """Return the owner of a messenger account, or `None` if it is not linked."""
    if not account:
        return None
    link = session.get(ChannelAccount, (channel, account))
    return session.get(Person, link.person_id) if link else None
