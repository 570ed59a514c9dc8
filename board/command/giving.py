"""People's commands: read a line, ask back or for confirmation, carry it out, take it back.

Every command is a row whose state is changed before anything is done, so that each is carried out
at most once, on each of its buttons.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from guardia.board.command import clarifying, reader, records
from guardia.board.command.buttons import open_choices
from guardia.board.command.execution import directives as directive_acts
from guardia.board.command.execution.order import Order, Outcome
from guardia.board.command.execution.registry import EXECUTORS
from guardia.board.command.lifecycle import (
    ANSWER_TIME,
    FARTHEST,
    UNDO_TIME,
    CommandState,
)
from guardia.board.command.model import CommandRecord
from guardia.board.command.reader import ReadLine
from guardia.board.command.records import TypedLine
from guardia.board.command.replies import RIGHT, CommandReply
from guardia.board.command.sentences import sentence
from guardia.board.command.structure import NONE, Command
from guardia.board.core.context import BoardContext
from guardia.board.core.labels import format_time
from guardia.db.engine import OUTAGE_ERRORS, repeat_on_conflict
from guardia.errors import GuardiaError, Invalid, UserError
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo

log = logging.getLogger(__name__)

_EFFECTS = ("abort", "rollback")


def preview(board: BoardContext, person: PersonInfo, line: TypedLine) -> CommandReply:
    """Read a line and say what it would do; nothing is stored or done."""
    require_permission(person, RIGHT)
    found = reader.read(board, person, line.text, line.context_id)
    command = found.command
    if command.action in ("none", "clarify"):
        return CommandReply(command, _sentence(found), _question(command))
    executor = EXECUTORS[command.action]
    try:
        require_permission(person, executor.permission(command))
        moment(board, command)
    except UserError as error:
        return CommandReply(command, _sentence(found), str(error))
    text = t("commands.will_confirm") if executor.confirmed(command) else ""
    return CommandReply(command, _sentence(found), text)


def give(
    board: BoardContext, person: PersonInfo, line: TypedLine, *, confirmed: bool = False
) -> CommandReply:
    """Carry a line out, or ask back; with `confirmed`, the person has seen what it does."""
    require_permission(person, RIGHT)
    found = reader.read(board, person, line.text, line.context_id)
    if found.command.action == "none":
        return CommandReply(NONE, _sentence(found), t("commands.none"))
    return go_on(board, person, line, found, confirmed=confirmed)


# --- From a line to its end ---------------------------------------------------------------------


def go_on(
    board: BoardContext,
    person: PersonInfo,
    line: TypedLine,
    found: ReadLine,
    *,
    confirmed: bool = False,
) -> CommandReply:
    command = found.command
    if command.action == "clarify":
        return _ask_back(board, person, line, found)
    if command.action == "kill_all":
        return _stop(board, person, line, found)
    executor = EXECUTORS[command.action]
    try:
        require_permission(person, executor.permission(command))
        run_at = moment(board, command)
        if executor.confirmed(command) and not confirmed:
            return _ask_confirmation(board, person, line, found)
    except UserError as error:
        return _refuse(board, person, line, found, str(error))
    if run_at is not None:
        return _schedule(board, person, line, found, run_at)
    order = _begin(board, person, line, found)
    return _carry_out(board, order, _sentence(found))


def moment(board: BoardContext, command: Command) -> datetime | None:
    """Return when a command is to be carried out; `None`: at once.

    Raises `Invalid` for a moment that is past or too far.
    """
    if "at" not in command.params:
        return None
    moment, now = datetime.fromisoformat(command.params["at"]), board.current_time()
    if not now - timedelta(minutes=1) < moment < now + FARTHEST:
        why = t("commands.not_this_moment", days=FARTHEST.days)
        raise Invalid(what=format_time(moment, "short"), why=why)
    return None if EXECUTORS[command.action].asked_early(command) else moment


def _order(
    board: BoardContext,
    person: PersonInfo,
    row: CommandRecord,
    command: Command,
    found: ReadLine | None = None,
) -> Order:
    names = found.names if found else reader.names_of(board)
    place = {"channel": row.channel, "room": row.room, "thread": row.thread}
    return Order(board, person, command, names, row.text, command_id=row.command_id, **place)


@repeat_on_conflict
def _begin(board: BoardContext, person: PersonInfo, line: TypedLine, found: ReadLine) -> Order:
    now = board.clock()
    with board.database.transaction() as session:
        state = CommandState.RUNNING
        row = records.add(session, person, line, found.command, state, now, begun_at=now)
        return _order(board, person, row, found.command, found)


def _carry_out(board: BoardContext, order: Order, said: str) -> CommandReply:
    """Run the executor of a command that is RUNNING, and keep the result."""
    state, outcome = CommandState.DONE, Outcome("")
    try:
        outcome = EXECUTORS[order.command.action].run(order)
    except UserError as error:
        state, outcome = CommandState.REFUSED, Outcome(str(error))
    except GuardiaError as error:
        state, outcome = CommandState.UNKNOWN, Outcome(str(error))
    row = _finish(board, order, state, outcome)
    return CommandReply(
        order.command,
        said,
        outcome.text,
        state,
        row.command_id,
        outcome.sr_id,
        outcome.path,
        open_choices(row, board.current_time()),
    )


def carry_out_claimed(board: BoardContext, person: PersonInfo, row: CommandRecord) -> CommandReply:
    """Carry out a stored command that its caller has made RUNNING."""
    command = Command.parse(row.structure)
    said = sentence(reader.names_of(board), command)
    return _carry_out(board, _order(board, person, row, command), said)


@repeat_on_conflict
def _finish(
    board: BoardContext, order: Order, state: CommandState, outcome: Outcome
) -> CommandRecord:
    now = board.clock()
    with board.database.transaction() as session:
        row = session.get_one(CommandRecord, order.command_id, with_for_update=True)
        row.sr_id, row.path = outcome.sr_id, outcome.path
        if outcome.undo is not None:
            after = records.last_directive(session, outcome.sr_id)
            row.undo = {"command": outcome.undo.as_dict(), "after": after}
            row.expires_at = now + UNDO_TIME
        records.end(session, row, state, outcome.text, now)
        session.expunge(row)
        return row


def _stop(
    board: BoardContext, person: PersonInfo, line: TypedLine, found: ReadLine
) -> CommandReply:
    """Stop everything first and write down afterwards who commanded it: nothing may delay it."""
    require_permission(person, "control.kill")
    place = {"channel": line.channel, "room": line.room, "thread": line.thread}
    order = Order(board, person, found.command, found.names, line.words, command_id=0, **place)
    outcome = EXECUTORS["kill_all"].run(order)
    said = _sentence(found)
    try:
        order = _begin(board, person, line, found)
        _finish(board, order, CommandState.DONE, outcome)
    except OUTAGE_ERRORS as error:
        log.error("the command to stop could not be recorded: %s", type(error).__name__)
    return CommandReply(
        found.command, said, outcome.text, CommandState.DONE, order.command_id, None, outcome.path
    )


@repeat_on_conflict
def _refuse(
    board: BoardContext, person: PersonInfo, line: TypedLine, found: ReadLine, why: str
) -> CommandReply:
    now = board.clock()
    with board.database.transaction() as session:
        row = records.add(session, person, line, found.command, CommandState.REFUSED, now)
        records.end(session, row, CommandState.REFUSED, why, now)
        said = _sentence(found)
        return CommandReply(found.command, said, why, CommandState.REFUSED, row.command_id)


@repeat_on_conflict
def _schedule(
    board: BoardContext,
    person: PersonInfo,
    line: TypedLine,
    found: ReadLine,
    moment: datetime,
) -> CommandReply:
    now = board.clock()
    with board.database.transaction() as session:
        state = CommandState.SCHEDULED
        row = records.add(session, person, line, found.command, state, now, run_at=moment)
        return scheduled_reply(row, found.command, _sentence(found))


def scheduled_reply(row: CommandRecord, command: Command, said: str) -> CommandReply:
    assert row.run_at is not None
    text = t("commands.scheduled", at=format_time(row.run_at, "short"))
    choices = open_choices(row, row.created_at)
    state, number = CommandState.SCHEDULED, row.command_id
    return CommandReply(command, said, text, state, number, None, "/console", choices)


# --- Questions back -----------------------------------------------------------------------------


def _question(command: Command) -> str:
    if command.action == "none":
        return t("commands.none")
    return t(f"commands.ask.{command.params['about']}")


def _sentence(found: ReadLine) -> str:
    return sentence(found.names, found.command)


@repeat_on_conflict
def _ask_back(
    board: BoardContext, person: PersonInfo, line: TypedLine, found: ReadLine
) -> CommandReply:
    choices = clarifying.options(board, person, found)
    text, now = _question(found.command), board.clock()
    if not choices:
        return CommandReply(found.command, _sentence(found), text + " " + t("commands.type_it"))
    with board.database.transaction() as session:
        row = records.add(
            session,
            person,
            line,
            found.command,
            CommandState.CLARIFY,
            now,
            options=[{"value": o.value, "label": o.label} for o in choices],
            answers=dict(found.situation.answers),
            expires_at=now + ANSWER_TIME,
            outcome=text,
        )
        return CommandReply(
            found.command,
            _sentence(found),
            text,
            CommandState.CLARIFY,
            row.command_id,
            choices=open_choices(row, now),
        )


@repeat_on_conflict
def _ask_confirmation(
    board: BoardContext, person: PersonInfo, line: TypedLine, found: ReadLine
) -> CommandReply:
    effect, now = _effect(board, person, line, found), board.clock()
    minutes = int(ANSWER_TIME.total_seconds() // 60)
    text = t("commands.confirm", effect=effect, minutes=minutes)
    with board.database.transaction() as session:
        state, waits = CommandState.CONFIRM, {"expires_at": now + ANSWER_TIME, "outcome": text}
        row = records.add(session, person, line, found.command, state, now, **waits)
        return CommandReply(
            found.command,
            _sentence(found),
            text,
            state,
            row.command_id,
            found.command.sr_id,
            choices=open_choices(row, now),
        )


def _effect(board: BoardContext, person: PersonInfo, line: TypedLine, found: ReadLine) -> str:
    """Return what a command would do. Raises a `UserError` if it cannot be done now."""
    command = found.command
    if command.action in _EFFECTS:
        order = Order(board, person, command, found.names, line.words, line.channel, 0)
        return directive_acts.effect(order, command.action)
    work = command.params.get("action_type", "")
    key = f"run_{work}" if work else command.action
    return f"{_sentence(found)} {t(f'commands.effect.{key}')}"
