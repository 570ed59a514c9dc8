"""Link a messenger account to a person by a one-time code said in a room."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import select

from guardia.board.accounts.messenger_links import LINK_RULE, _hash, _link
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.intake import chat_log
from guardia.board.issues import receiving
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Throttled
from guardia.i18n import t
from guardia.org import throttle
from guardia.org.model import LinkCode, Person

_MAX_ATTEMPTS = 5


class LinkResult(StrEnum):
    """Outcome of a code said in a room."""

    LINKED = "linked"
    UNKNOWN = "unknown"
    """The code does not exist or has expired."""
    TAKEN = "taken"
    """The account belongs to another person."""
    NAMELESS = "nameless"
    """The messenger does not name its user."""


@repeat_on_conflict
def link_account(board: BoardContext, line: receiving.NewIssue, code: str) -> LinkResult | None:
    """Link the sender's account to the person for whom the code was made.

    Returns `None` for a repeated delivery. Raises `Throttled` after too many guesses. The log
    keeps the line without the code.
    """
    now = board.clock()
    if line.account:
        _throttle(board, f"link|{line.channel}:{line.account}", now)
    with board.database.transaction() as session:
        if chat_log.log_line(session, line, LINK_RULE, now, text=t("intake.code_said")) is None:
            return None
        if not line.account:
            return LinkResult.NAMELESS
        person = session.scalar(
            select(Person)
            .join(LinkCode, LinkCode.person_id == Person.person_id)
            .where(LinkCode.code_hash == _hash(code), LinkCode.expires_at > now, Person.active)
        )
        if person is None:
            return LinkResult.UNKNOWN
        actor = Actor.person(person.person_id)
        if not _link(session, board, actor, person, line.channel, line.account):
            return LinkResult.TAKEN
        return LinkResult.LINKED


@repeat_on_conflict
def _throttle(board: BoardContext, key: str, now: datetime) -> None:
    with board.database.transaction() as session:
        if throttle.register_attempt(session, {key: _MAX_ATTEMPTS}, now) is None:
            raise Throttled()
