"""Stop everything on the command of a messenger line."""

from __future__ import annotations

from sqlalchemy.orm import Session

from guardia.board.control.kill_switch import KillResult, _kill
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.intake import chat_log
from guardia.board.issues import receiving
from guardia.org import identity
from guardia.text import MAX_REASON, trim

RULE = "kill"
"""Rule name under which the log stores a line that stopped everything."""


def handle_stop(board: BoardContext, request: receiving.NewIssue) -> KillResult:
    """Trigger the kill switch for a stop line, however often it is delivered.

    Anyone who can write in a watched room may stop: stopping is safe, and it cannot be lifted
    there. A line that arrives again after the switch was released stops again.
    """
    now = board.clock()
    with board.database.transaction() as session:
        chat_log.log_line(session, request, RULE, now)
        by = _sender(session, request)
        reason = trim(request.text, MAX_REASON)
        return _kill(session, by, reason, request.room, now, request.account)


def _sender(session: Session, request: receiving.NewIssue) -> Actor:
    """Return the person who owns the account, or the channel with the name it gave."""
    known = identity.person_of_account(session, request.channel, request.account)
    if known is not None and known.active:
        return Actor.of(known.as_info())
    return Actor.channel(request.channel, request.sender)
