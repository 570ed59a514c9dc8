"""Give commands as a person, and read what became of them."""

from __future__ import annotations

from typing import Any

from board_env import LEAD, BoardEnv
from sqlalchemy import text

from guardia.board.command import answers, giving
from guardia.board.command.records import TypedLine
from guardia.board.command.replies import CommandReply
from guardia.org.directory import PersonInfo


def say(
    env: BoardEnv,
    words: str,
    person: PersonInfo = LEAD,
    sr_id: int | None = None,
    **more: Any,
) -> CommandReply:
    """Give a command."""
    line = TypedLine(words, more.pop("channel", "web"), sr_id, **more)
    return giving.give(env.board, person, line)


def press(
    env: BoardEnv, reply: CommandReply, act: str, person: PersonInfo = LEAD, number: int = 0
) -> CommandReply:
    """Press one of the buttons of a reply."""
    found = [c.value for c in reply.choices if c.act == act]
    return answers.press(env.board, person, act, found[number])


def rows(env: BoardEnv, query: str) -> list[Any]:
    """Return the rows of a query."""
    with env.board.database.reading() as session:
        return [tuple(row) for row in session.execute(text(query))]


def one(env: BoardEnv, query: str) -> Any:
    """Return the first value of a query."""
    return rows(env, query)[0][0]
