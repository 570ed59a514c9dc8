"""Changes of one account within a transaction: what takes effect, and what must be asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from guardia.board.accounts import account_fields
from guardia.board.accounts.account_fields import audit_detail, record
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.rights import history, requests
from guardia.board.rights.history import ChangedRight
from guardia.board.rights.policy import PRIVILEGED, Kind
from guardia.org.directory import PersonInfo
from guardia.org.model import Person


@dataclass(slots=True)
class PendingEntries:
    """What is appended to the audit log at the end of a transaction."""

    entries: list[tuple[EntryKind, Person, dict[str, Any]]] = field(default_factory=list)
    asked: list[tuple[Kind, str, str, dict[str, Any]]] = field(default_factory=list)
    alone: list[str] = field(default_factory=list)

    def close(
        self, session: Session, board: BoardContext, by: Actor, now: datetime, reason: str = ""
    ) -> int | None:
        """Write everything; returns the first request that waits."""
        session.flush()
        for kind, row, what in self.entries:
            record(session, board, by, kind, row, what)
        numbers = [
            requests.ask(session, by, kind, person, subject, now, wanted=wanted, reason=reason)
            for kind, person, subject, wanted in self.asked
        ]
        requests.report_alone(session, by, self.alone, now)
        return numbers[0] if numbers else None


def create_row(
    session: Session,
    board: BoardContext,
    by: Actor,
    row: Person,
    person: PersonInfo,
    pending: PendingEntries,
    now: datetime,
    *,
    alone: bool | None = None,
) -> None:
    """Fill a new account; closed with a request if its role needs a second person."""
    account_fields.fill(session, row, person)
    human = person.identity or person.id
    if row.role in PRIVILEGED:
        if alone is None:
            alone = requests.is_alone(session, by, human, now)
        row.active = alone
        if alone:
            pending.alone.append(f"{row.person_id} {row.role}")
        else:
            pending.asked.append((Kind.OPEN, row.person_id, row.role, {"role": row.role}))
    session.add(row)
    session.flush()
    kind = "role" if row.active is not False else "closed"
    history.record(session, ChangedRight(row.person_id, kind, None, row.role), str(by), now)
    pending.entries.append((EntryKind.PERSON_ADDED, row, audit_detail(row)))


def change_role(
    session: Session, by: Actor, row: Person, role: str, pending: PendingEntries, now: datetime
) -> None:
    """Change a role, or ask for it if it is one of approvers."""
    if role == row.role:
        return
    if role in PRIVILEGED and row.active is not False:
        human = requests.human_of(session, row.person_id)
        if not requests.is_alone(session, by, human, now):
            wanted = {"role": role, "before": row.role}
            pending.asked.append((Kind.ROLE, row.person_id, role, wanted))
            return
        pending.alone.append(f"{row.person_id} {role}")
    history.record(session, ChangedRight(row.person_id, "role", row.role, role), str(by), now)
    row.role = role


def change_identity(
    session: Session,
    by: Actor,
    row: Person,
    identity: str | None,
    pending: PendingEntries,
    now: datetime,
) -> None:
    """Change who is behind an account, or ask for it if that parts an approver's accounts."""
    if identity == row.identity:
        return
    if account_fields.separates(session, row, identity):
        human = requests.human_of(session, row.person_id)
        if not requests.is_alone(session, by, human, now):
            wanted = {"identity": identity, "before": row.identity}
            pending.asked.append((Kind.IDENTITY, row.person_id, identity or "-", wanted))
            return
        pending.alone.append(f"{row.person_id} {identity}")
    change = ChangedRight(row.person_id, "identity", row.identity, identity)
    history.record(session, change, str(by), now)
    row.identity = identity
