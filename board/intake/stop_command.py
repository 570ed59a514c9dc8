"""Stop everything on the command of a messenger line."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.orm import Session

from guardia.board.control import emergency, kill_report, kill_switch
from guardia.board.control.kill_result import KillResult
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.local_stop import StopOrder
from guardia.board.intake import chat_log
from guardia.board.issues import receiving
from guardia.db.engine import database_time, repeat_on_conflict
from guardia.org import identity

RULE = "kill"
"""Rule name under which the log stores a line that stopped everything."""


def handle_stop(board: BoardContext, request: receiving.NewIssue) -> KillResult:
    """Trigger the kill switch for a stop line, however often it is delivered.

    Anyone who can write in a watched room may stop: stopping is safe, and it cannot be lifted
    there. A line that arrives again after the switch was released stops again. If the board does
    not accept it, this host is stopped in the name that the channel gave.
    """
    sender = Actor.channel(request.channel, request.sender)
    order = StopOrder.of(sender, request.text, room=request.room, account=request.account)
    return emergency.stop(board, order, lambda: _record(board, request, order))


@repeat_on_conflict
def _record(board: BoardContext, request: receiving.NewIssue, order: StopOrder) -> KillResult:
    with board.database.transaction() as session:
        chat_log.log_line(session, request, RULE, database_time(session))
        by = _sender(session, request)
        result = kill_switch.activate(session, replace(order, by=str(by), label=by.label))
    kill_report.send_due_reports(board)
    return result


def _sender(session: Session, request: receiving.NewIssue) -> Actor:
    """Return the person who owns the account, or the channel with the name it gave."""
    known = identity.person_of_account(session, request.channel, request.account)
    if known is not None and known.active:
        return Actor.of(known.as_info())
    return Actor.channel(request.channel, request.sender)
