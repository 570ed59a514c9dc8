"""What pages and commands read of people's commands: a person's own, and what is scheduled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from guardia.board.command import records
from guardia.board.command.buttons import open_choices
from guardia.board.command.lifecycle import CommandState
from guardia.board.command.model import CommandRecord
from guardia.board.command.reader import names_of
from guardia.board.command.replies import CANCELS_OTHERS, RIGHT, CommandReply
from guardia.board.command.sentences import sentence
from guardia.board.command.structure import Command
from guardia.board.core.context import BoardContext
from guardia.board.core.model import Issue
from guardia.board.issues.visibility import visible_to
from guardia.errors import NotFound
from guardia.i18n import t
from guardia.org.access import is_allowed, require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import Person

_PAGE = 20


@dataclass(frozen=True, slots=True)
class CommandRow:
    """A command in a list."""

    command_id: int
    who: str
    text: str
    structure: dict[str, Any]
    state: CommandState
    outcome: str
    sr_id: int | None
    path: str
    created_at: datetime
    run_at: datetime | None
    token: str
    """What its buttons carry."""


@dataclass(frozen=True, slots=True)
class CommandHistory:
    """A page of a person's own commands, newest first."""

    rows: tuple[CommandRow, ...]
    older: int | None
    """Cursor of the next page; `None` on the last one."""


def history(board: BoardContext, viewer: PersonInfo, before: int | None = None) -> CommandHistory:
    """Return a person's own commands."""
    require_permission(viewer, RIGHT)
    own = CommandRecord.person_id == viewer.id
    if before is not None:
        own &= CommandRecord.command_id < before
    with board.database.reading() as session:
        rows = _rows(session, own, _PAGE + 1)
    shown = rows[:_PAGE]
    return CommandHistory(tuple(shown), shown[-1].command_id if len(rows) > _PAGE else None)


def scheduled(board: BoardContext, viewer: PersonInfo) -> tuple[CommandRow, ...]:
    """Return the scheduled commands that a person may cancel, the newest first."""
    require_permission(viewer, RIGHT)
    theirs = CommandRecord.state == CommandState.SCHEDULED
    if not is_allowed(viewer, CANCELS_OTHERS):
        theirs &= CommandRecord.person_id == viewer.id
    with board.database.reading() as session:
        return tuple(_rows(session, theirs, 100))


def _rows(session: Session, condition: ColumnElement[bool], most: int) -> list[CommandRow]:
    query = (
        select(CommandRecord, Person.name, Person.title)
        .join(Person, Person.person_id == CommandRecord.person_id)
        .where(condition)
        .order_by(CommandRecord.command_id.desc())
        .limit(most)
    )
    return [
        CommandRow(
            row.command_id,
            f"{name} {title}".strip(),
            row.text,
            row.structure,
            CommandState(row.state),
            row.outcome,
            row.sr_id,
            row.path,
            row.created_at,
            row.run_at,
            records.token(row),
        )
        for row, name, title in session.execute(query)
    ]


@dataclass(frozen=True, slots=True)
class CommandReport:
    """One command with the present state of its issue."""

    reply: CommandReply
    words: str
    issue_state: str = ""
    """The text of the state; empty without an issue."""


def result(board: BoardContext, viewer: PersonInfo, command_id: int) -> CommandReport:
    """Return a person's own command as it was answered, with its buttons if they still act.

    Raises `NotFound` for another person's.
    """
    require_permission(viewer, RIGHT)
    with board.database.reading() as session:
        row = session.get(CommandRecord, command_id)
        if row is None or row.person_id != viewer.id:
            raise NotFound(what=t("commands.one"))
        seen = (Issue.sr_id == row.sr_id) & visible_to(viewer)
        status = session.scalar(select(Issue.status).where(seen)) if row.sr_id else None
        choices = open_choices(row, board.current_time())
    command = Command.parse(row.structure)
    reply = CommandReply(
        command,
        sentence(names_of(board), command),
        row.outcome,
        CommandState(row.state),
        row.command_id,
        row.sr_id,
        row.path,
        choices,
    )
    return CommandReport(reply, row.text, t(f"state.{status}") if status else "")
