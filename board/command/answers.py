"""Buttons of commands: confirm, cancel, choose, take back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from guardia.board.command import clarifying, giving, reader, records
from guardia.board.command.execution.registry import EXECUTORS
from guardia.board.command.lifecycle import CommandState
from guardia.board.command.model import CommandRecord
from guardia.board.command.reader import ReadLine
from guardia.board.command.records import TypedLine
from guardia.board.command.replies import CANCELS_OTHERS, RIGHT, CommandReply
from guardia.board.command.sentences import sentence
from guardia.board.command.structure import Command
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.db.engine import repeat_on_conflict
from guardia.errors import NotFound, Refused
from guardia.i18n import t
from guardia.org.access import is_allowed, require_permission
from guardia.org.directory import PersonInfo


def press(board: BoardContext, person: PersonInfo, act: str, value: str) -> CommandReply:
    """Carry out a button of a command: `confirm`, `cancel`, `choose`, `undo`."""
    require_permission(person, RIGHT)
    acts = {"confirm": confirm, "cancel": cancel, "choose": choose, "undo": undo}
    if act not in acts:
        raise NotFound(what=act)
    return acts[act](board, person, value)


def confirm(board: BoardContext, person: PersonInfo, value: str) -> CommandReply:
    """Carry out, or schedule, exactly what was shown, once."""
    row = _confirm(board, person, value)
    command = Command.parse(row.structure)
    if row.state == CommandState.SCHEDULED:
        return giving.scheduled_reply(row, command, sentence(reader.names_of(board), command))
    return giving.carry_out_claimed(board, person, row)


@repeat_on_conflict
def _confirm(board: BoardContext, person: PersonInfo, value: str) -> CommandRecord:
    now = board.clock()
    with board.database.transaction() as session:
        row = records.take(session, person, value, CommandState.CONFIRM, now)
        command = Command.parse(row.structure)
        require_permission(person, EXECUTORS[command.action].permission(command))
        row.run_at = giving.moment(board, command)
        row.state = CommandState.SCHEDULED if row.run_at else CommandState.RUNNING
        row.expires_at, row.begun_at = None, None if row.run_at else now
        session.flush()
        session.expunge(row)
        return row


@repeat_on_conflict
def cancel(board: BoardContext, person: PersonInfo, value: str) -> CommandReply:
    """Drop a command that has not begun: a question, a confirmation, a scheduled one."""
    now = board.clock()
    waiting = (CommandState.CLARIFY, CommandState.CONFIRM, CommandState.SCHEDULED)
    with board.database.transaction() as session:
        row = records.lock(session, person, value, of_others=is_allowed(person, CANCELS_OTHERS))
        if row.state not in waiting or (
            row.person_id != person.id and row.state != CommandState.SCHEDULED
        ):
            raise Refused(why=t("commands.already", state=t(f"commands.state.{row.state}")))
        text = t("commands.cancelled")
        records.end(session, row, CommandState.CANCELLED, text, now, Actor.of(person))
        command = Command.parse(row.structure)
        said = sentence(reader.names_of(board), command)
        return CommandReply(command, said, text, CommandState.CANCELLED, row.command_id)


def choose(board: BoardContext, person: PersonInfo, value: str) -> CommandReply:
    """Go on with a command as the person has answered."""
    line, found = _choose(board, person, value)
    return giving.go_on(board, person, line, found)


@repeat_on_conflict
def _choose(board: BoardContext, person: PersonInfo, value: str) -> tuple[TypedLine, ReadLine]:
    own, _, number = value.rpartition(".")
    now = board.clock()
    with board.database.transaction() as session:
        row = records.take(session, person, own, CommandState.CLARIFY, now)
        chosen = (
            row.options[int(number)]
            if number.isdecimal() and int(number) < len(row.options)
            else None
        )
        if chosen is None:
            raise NotFound(what=t("commands.one"))
        place: dict[str, Any] = {"room": row.room, "thread": row.thread}
        line = TypedLine(row.text, row.channel, row.context_id, **place)
        before, command = dict(row.answers), Command.parse(row.structure)
        # Answered: it goes on as a command of its own.
        row.state, row.ended_at = CommandState.ANSWERED, now
        row.outcome = t("commands.answered", answer=chosen["label"])
    return line, _read_again(board, person, line, command, before, str(chosen["value"]))


def _read_again(
    board: BoardContext,
    person: PersonInfo,
    line: TypedLine,
    command: Command,
    answers: dict[str, str],
    value: str,
) -> ReadLine:
    about = str(command.params["about"])
    found = reader.read(board, person, line.text, line.context_id, answers | {about: value})
    asked = replace(found, command=command)
    chosen = clarifying.chosen_command(asked, value)
    return replace(found, command=chosen) if chosen is not None else found


def undo(board: BoardContext, person: PersonInfo, value: str) -> CommandReply:
    """Take an own command back, unless something else was directed since."""
    line, command = _take_undo(board, person, value)
    names = reader.names_of(board)
    situation = reader.situation_of(board, person, line.context_id)
    return giving.go_on(board, person, line, ReadLine(line.text, situation, names, command))


@repeat_on_conflict
def _take_undo(board: BoardContext, person: PersonInfo, value: str) -> tuple[TypedLine, Command]:
    with board.database.transaction() as session:
        row = records.take(session, person, value, CommandState.DONE, board.clock())
        if not row.undo:
            raise Refused(why=t("commands.no_undo"))
        command = Command.parse(row.undo["command"])
        if records.last_directive(session, command.sr_id) != row.undo["after"]:
            raise Refused(why=t("commands.changed_since"))
        row.undo = {}
        words = t("commands.undo_words", text=row.text)
        place: dict[str, Any] = {"room": row.room, "thread": row.thread}
        return TypedLine(words, row.channel, row.context_id, **place), command
