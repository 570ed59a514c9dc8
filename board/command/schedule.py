"""Run scheduled commands at their moment, once across all hosts, and end what was left waiting."""

from __future__ import annotations

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from guardia.board.command import giving, records
from guardia.board.command.execution.registry import EXECUTORS
from guardia.board.command.lifecycle import LATEST_START, LONGEST_RUN, CommandState
from guardia.board.command.model import CommandRecord
from guardia.board.command.replies import CommandReply
from guardia.board.command.structure import Command
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.outbox import Route, send
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Forbidden, UserError
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import Person

_SYSTEM = Actor.system("scheduler")
_AT_ONCE = 50


def run_due(board: BoardContext) -> int:
    """Run the scheduled commands that are due; return how many. Ends what waited too long."""
    now = board.clock()
    due = (CommandRecord.state == CommandState.SCHEDULED) & (CommandRecord.run_at <= now)
    query = select(CommandRecord.command_id).where(due).order_by(CommandRecord.run_at)
    with board.database.reading() as session:
        numbers = list(session.scalars(query.limit(_AT_ONCE)))
    for number in numbers:
        _run(board, number)
    _end_waiting(board)
    return len(numbers)


def _run(board: BoardContext, number: int) -> None:
    claimed = _claim(board, number)
    if claimed is None:
        return
    row, person = claimed
    reply = giving.carry_out_claimed(board, person, row)
    _report(board, row, reply)


@repeat_on_conflict
def _claim(board: BoardContext, number: int) -> tuple[CommandRecord, PersonInfo] | None:
    """Make a due command RUNNING, or end it: late, or its person may not do it any more.

    Returns `None` if another host has it.
    """
    now = board.clock()
    with board.database.transaction() as session:
        row = session.scalar(
            select(CommandRecord)
            .where(CommandRecord.command_id == number, CommandRecord.state == "SCHEDULED")
            .with_for_update(skip_locked=True)
        )
        if row is None or row.run_at is None:
            return None
        if now - row.run_at > LATEST_START:
            _give_up(session, board, row, CommandState.MISSED, t("commands.missed"))
            return None
        try:
            person = _person(session, row)
        except UserError as error:
            _give_up(session, board, row, CommandState.REFUSED, str(error))
            return None
        row.state, row.begun_at = CommandState.RUNNING, now
        session.flush()
        session.expunge(row)
        return row, person


def _person(session: Session, row: CommandRecord) -> PersonInfo:
    """Return the person with the rights that they have now, and at most those of their token."""
    found = session.get(Person, row.person_id)
    if found is None or not found.active:
        raise Forbidden(who=row.person_id, action=t("org.right.command.give"))
    rights = None if row.rights is None else frozenset(row.rights)
    person = found.as_info().model_copy(update={"allowed_actions": rights})
    command = Command.parse(row.structure)
    require_permission(person, EXECUTORS[command.action].permission(command))
    return person


def _give_up(
    session: Session, board: BoardContext, row: CommandRecord, state: CommandState, why: str
) -> None:
    now = board.clock()
    text = t("commands.report", text=row.text, outcome=why)
    send(session, "alert", text, now, sr_id=None)
    if row.room:
        send(session, "message", text, now, room=row.room, sr_id=None, route=_route(row))
    records.end(session, row, state, why, now, _SYSTEM)


@repeat_on_conflict
def _report(board: BoardContext, row: CommandRecord, reply: CommandReply) -> None:
    """Send the result to where the command was given."""
    if not row.room:
        return
    text = t("commands.report", text=row.text, outcome=reply.text)
    with board.database.transaction() as session:
        now, sr_id = board.clock(), reply.sr_id
        send(session, "message", text, now, room=row.room, sr_id=sr_id, route=_route(row))


def _route(row: CommandRecord) -> Route:
    return Route(row.channel, row.thread)


@repeat_on_conflict
def _end_waiting(board: BoardContext) -> None:
    """End questions that were not answered in time, and commands whose process has ended."""
    now = board.clock()
    unanswered = CommandRecord.state.in_(("CLARIFY", "CONFIRM")) & (CommandRecord.expires_at <= now)
    lost = (CommandRecord.state == "RUNNING") & (CommandRecord.begun_at <= now - LONGEST_RUN)
    query = select(CommandRecord).where(or_(unanswered, lost)).order_by(CommandRecord.command_id)
    with board.database.transaction() as session:
        rows = session.scalars(query.limit(_AT_ONCE).with_for_update(skip_locked=True)).all()
        for row in rows:
            is_lost = row.state == CommandState.RUNNING
            state = CommandState.UNKNOWN if is_lost else CommandState.EXPIRED
            why = t("commands.interrupted" if is_lost else "commands.expired")
            records.end(session, row, state, why, now, _SYSTEM)
