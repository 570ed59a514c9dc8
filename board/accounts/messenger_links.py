"""Link messenger accounts to people.

Display names in a messenger are not reliable; a link holds the messenger's own id of its user. An
administrator creates it, or the person proves ownership by saying a one-time code in a room.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.model import Issue
from guardia.board.rights import requests
from guardia.board.rights.policy import PRIVILEGED, Kind
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, NotFound
from guardia.i18n import t
from guardia.org import identity
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import ChannelAccount, LinkCode, Person
from guardia.text import trim

LINK_RULE = "link"
"""Rule name under which the messenger log stores a line that contained a code."""
CODE_LIFETIME = timedelta(minutes=10)
CHANNELS = identity.MESSENGERS
# Without letters and digits that look alike; 8 of them are 39 bits.
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_MAX_LENGTH = 128


@dataclass(frozen=True, slots=True)
class MessengerLink:
    """A messenger account and its owner."""

    channel: str
    account: str
    person: PersonInfo
    linked_at: datetime


def list_links(
    board: BoardContext, person: PersonInfo, *, everybody: bool = False
) -> list[MessengerLink]:
    """Return a person's own linked accounts, or all, which requires the permission to link them."""
    if everybody:
        require_permission(person, "account.link")
    query = select(ChannelAccount, Person).join(
        Person, Person.person_id == ChannelAccount.person_id
    )
    if not everybody:
        query = query.where(ChannelAccount.person_id == person.id)
    with board.database.reading() as session:
        found = session.execute(query.order_by(Person.name, ChannelAccount.account))
        return [MessengerLink(a.channel, a.account, p.as_info(), a.linked_at) for a, p in found]


def link(
    board: BoardContext, by: PersonInfo | Actor, person_id: str, channel: str, account: str
) -> None:
    """Link an account to a person. Raises `Invalid` if it is linked to another person.

    Its lines count as the person's, so for an approver a second person must have allowed it.
    """
    actor = _require_permission(by)
    account = trim(account)
    if channel == "mail":  # mail servers ignore case, and senders write it as they like
        account = account.lower()
    if channel not in CHANNELS or not account or len(account) > _MAX_LENGTH:
        why = t("board.account.form", channels=", ".join(CHANNELS))
        raise Invalid(what=f"{channel}:{account}"[:_MAX_LENGTH], why=why)
    with board.database.reading() as session:
        known = session.get(Person, person_id)
        linked = session.get(ChannelAccount, (channel, account))
    privileged = known is not None and known.role in PRIVILEGED
    if not privileged or (linked is not None and linked.person_id == person_id):
        return _link_to(board, actor, person_id, channel, account, [])
    if linked is not None:
        raise Invalid(what=f"{channel}:{account}", why=t("board.account.taken"))
    grant = [(person_id, f"{channel}:{account}")]
    requests.require_all(board, actor, Kind.MESSENGER, grant)
    return _link_to(board, actor, person_id, channel, account, grant)


@repeat_on_conflict
def _link_to(
    board: BoardContext,
    actor: Actor,
    person_id: str,
    channel: str,
    account: str,
    grant: list[tuple[str, str]],
) -> None:
    now = board.clock()
    with board.database.transaction() as session:
        person = session.get(Person, person_id)
        if person is None:
            raise NotFound(what=person_id)
        used = requests.use_all(session, actor, Kind.MESSENGER, grant, now)
        if not _link(session, board, actor, person, channel, account):
            raise Invalid(what=f"{channel}:{account}", why=t("board.account.taken"))
        if grant:
            requests.record_used(session, actor, Kind.MESSENGER, grant, used, now)


@repeat_on_conflict
def unlink(board: BoardContext, by: PersonInfo | Actor, channel: str, account: str) -> None:
    """Remove the link of an account; its lines are those of an unknown sender again."""
    actor = _require_permission(by)
    with board.database.transaction() as session:
        row = session.get(ChannelAccount, (channel, account), with_for_update=True)
        if row is None:
            raise NotFound(what=f"{channel}:{account}")
        session.delete(row)
        session.flush()
        _record(session, board, EntryKind.ACCOUNT_UNLINKED, actor, row.person_id, channel, account)


@repeat_on_conflict
def create_code(board: BoardContext, person: PersonInfo) -> str:
    """Create a code to say in a room within `CODE_LIFETIME`; earlier ones become void."""
    require_permission(person, "account.link_own")
    code = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    now = board.clock()
    values = {"code_hash": _hash(code), "expires_at": now + CODE_LIFETIME}
    with board.database.transaction() as session:
        session.execute(delete(LinkCode).where(LinkCode.expires_at <= now))
        session.execute(
            insert(LinkCode)
            .values(person_id=person.id, **values)
            .on_conflict_do_update(index_elements=[LinkCode.person_id], set_=values)
        )
    return f"{code[:4]}-{code[4:]}"


def _require_permission(by: PersonInfo | Actor) -> Actor:
    """Return the actor after checking a person's permission; an operator's was checked before."""
    if isinstance(by, Actor):
        return by
    require_permission(by, "account.link")
    return Actor.of(by)


def _link(
    session: Session, board: BoardContext, actor: Actor, person: Person, channel: str, account: str
) -> bool:
    now = board.clock()
    session.execute(delete(LinkCode).where(LinkCode.person_id == person.person_id))
    made = session.scalar(
        insert(ChannelAccount)
        .values(
            channel=channel,
            account=account,
            person_id=person.person_id,
            linked_by=str(actor),
            linked_at=now,
        )
        .on_conflict_do_nothing()
        .returning(ChannelAccount.person_id)
    )
    if made is None:
        row = session.get(ChannelAccount, (channel, account))
        return row is not None and row.person_id == person.person_id
    # Issues that this account requested before are theirs too, and so not theirs to approve.
    theirs = select(Issue.sr_id).where(
        Issue.requester_account == f"{channel}:{account}", Issue.requester_id.is_(None)
    )
    numbers = session.scalars(theirs.order_by(Issue.sr_id).with_for_update(key_share=True)).all()
    session.execute(
        update(Issue)
        .where(Issue.sr_id.in_(numbers))
        .values(requester_id=person.person_id)
        .execution_options(synchronize_session=False)
    )
    _record(session, board, EntryKind.ACCOUNT_LINKED, actor, person.person_id, channel, account)
    return True


def _record(
    session: Session,
    board: BoardContext,
    kind: EntryKind,
    actor: Actor,
    person: str,
    channel: str,
    account: str,
) -> None:
    log.append(
        session,
        kind,
        actor=str(actor),
        now=board.clock(),
        detail={"person": person, "channel": channel, "account": account},
        person=person,
        account=f"{channel}:{account}",
    )


def _hash(code: str) -> str:
    return hashlib.sha256(code.replace("-", "").upper().encode()).hexdigest()
