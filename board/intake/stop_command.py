"""TODO."""

from __future__ import annotations

from sqlalchemy.orm import Session

from guardia.board.control.kill_switch import KillResult, _kill, issued_by
from guardia.board.control.rollback import IssuedBy
from guardia.board.core.context import BoardContext
from guardia.board.intake import chat_log
from guardia.board.issues import receiving
from guardia.org import identity
from guardia.text import MAX_REASON, trim

RULE = "kill"
"""Under which the messenger's log keeps a line that stopped everything."""


def handle_stop(board: BoardContext, request: receiving.NewIssue) -> KillResult | None:
    """A line of a room that orders the stop; a repeated delivery (``None``) stops nothing again.

    Whoever may write in a watched room may stop: stopping is safe, and lifting is not done there.
    """
    now = board.clock()
    with board.database.transaction() as session:
        if chat_log.log_line(session, request, RULE, now) is None:
            return None
        by = _sender(session, request)
        reason = trim(request.text, MAX_REASON)
        return _kill(session, by, reason, request.room, now, request.account)


def _sender(session: Session, request: receiving.NewIssue) -> IssuedBy:
    """The person whose account it is; else the channel, under the name that it gave."""
    known = identity.person_of_account(session, request.channel, request.account)
    if known is not None and known.active:
        return issued_by(known.as_info())
    return IssuedBy(f"channel:{request.channel}", request.sender)
