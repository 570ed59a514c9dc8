"""Store people's commands, each with its entries in the audit log."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

from pydantic.dataclasses import dataclass
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.command.lifecycle import CommandState
from guardia.board.command.model import CommandRecord
from guardia.board.command.structure import Command
from guardia.board.core.actors import Actor
from guardia.board.core.model import Directive
from guardia.errors import NotFound, Refused, Stale
from guardia.i18n import t, t_default
from guardia.org.directory import PersonInfo
from guardia.text import MAX_BODY, CleanStr, mask_secrets, trim

MAX_WORDS = 500
"""Characters of a line that are kept; more are not read either."""
_STARTED = (CommandState.CONFIRM, CommandState.SCHEDULED, CommandState.RUNNING)
_DIGITS = 16


@dataclass(frozen=True, slots=True)
class TypedLine:
    """A line that a person typed, with where."""

    text: CleanStr
    channel: str
    context_id: int | None = None
    """The issue on whose page or in whose thread it was typed."""
    room: CleanStr = ""
    thread: CleanStr = ""

    @property
    def words(self) -> str:
        """The line as it is kept: without secrets and personal numbers."""
        return mask_secrets(trim(self.text, MAX_WORDS))


def add(
    session: Session,
    person: PersonInfo,
    line: TypedLine,
    command: Command,
    state: CommandState,
    now: datetime,
    **values: Any,
) -> CommandRecord:
    """Store a command, and log it unless only a question was asked back."""
    rights = None if person.allowed_actions is None else sorted(person.allowed_actions)
    row = CommandRecord(
        person_id=person.id,
        rights=rights,
        channel=line.channel,
        room=line.room,
        thread=line.thread,
        context_id=line.context_id,
        text=line.words,
        structure=command.as_dict(),
        state=state.value,
        created_at=now,
        **values,
    )
    session.add(row)
    session.flush()
    if state in _STARTED:
        log_given(session, row, now)
    return row


def log_given(session: Session, row: CommandRecord, now: datetime) -> None:
    """Log a command with its text and structure."""
    by = Actor.person(row.person_id)
    detail = {
        "command": row.command_id,
        "text": row.text,
        "structure": masked(row.structure),
        "channel": row.channel,
        "state": row.state,
        "run_at": row.run_at.isoformat() if row.run_at else None,
    }
    log.append(
        session,
        EntryKind.COMMANDED,
        actor=str(by),
        now=now,
        detail=detail,
        who=row.person_id,
        text=row.text,
    )


def end(
    session: Session,
    row: CommandRecord,
    state: CommandState,
    text: str,
    now: datetime,
    by: Actor | None = None,
) -> None:
    """End a command and log its result; call it last in the transaction."""
    row.state, row.outcome, row.ended_at = state.value, trim(text, MAX_BODY), now
    actor = by or Actor.person(row.person_id)
    detail = {"command": row.command_id, "state": state.value, "outcome": row.outcome}
    log.append(
        session,
        EntryKind.COMMAND_ENDED,
        actor=str(actor),
        now=now,
        sr_id=row.sr_id,
        detail=detail,
        who=row.person_id,
        state=t_default(f"commands.state.{state}"),
        text=row.text,
    )


def masked(structure: dict[str, Any]) -> dict[str, Any]:
    """Return a structure without secrets and personal numbers in its texts."""
    params = structure.get("params") or {}
    hidden = {k: mask_secrets(v) if isinstance(v, str) else v for k, v in params.items()}
    return structure | ({"params": hidden} if hidden else {})


def token(row: CommandRecord) -> str:
    """Return what a button of a command carries: it is void once anything of it has changed."""
    bound = [row.command_id, row.person_id, row.structure, row.answers, row.context_id]
    text = json.dumps(bound, sort_keys=True, ensure_ascii=False)
    return f"{row.command_id}.{hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]}"


def take(
    session: Session, person: PersonInfo, value: str, state: CommandState, now: datetime
) -> CommandRecord:
    """Lock a command whose button was pressed.

    Raises `NotFound` for another person's, `Stale` if it has changed, `Refused` if it is over.
    """
    row = lock(session, person, value)
    if not hmac.compare_digest(token(row).encode(), value.encode()):
        raise Stale(what=t("commands.one"))
    if row.state != state:
        raise Refused(why=t("commands.already", state=t(f"commands.state.{row.state}")))
    if row.expires_at is not None and row.expires_at <= now:
        raise Refused(why=t("commands.expired"))
    return row


def lock(
    session: Session, person: PersonInfo, value: str, *, of_others: bool = False
) -> CommandRecord:
    """Lock a person's own command. Raises `NotFound` if there is none of this number."""
    number = value.partition(".")[0]
    known = number.isdecimal() and number.isascii() and len(number) < 19
    row = session.get(CommandRecord, int(number), with_for_update=True) if known else None
    if row is None or (row.person_id != person.id and not of_others):
        raise NotFound(what=t("commands.one"))
    return row


def last_directive(session: Session, sr_id: int | None) -> int:
    """Return the number of the last directive on an issue, 0 if there was none."""
    query = select(func.max(Directive.directive_id)).where(Directive.sr_id == sr_id)
    return session.scalar(query) or 0
