"""Choices in channels without buttons: people answer with the number or the words of one.

What they choose is handled like a pressed button. Numbers are short, so they count for an hour
only, and only for what the room was shown last.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.core.choices import Choice, from_stored, to_stored
from guardia.board.core.context import BoardContext
from guardia.board.core.model import Issue, OutboxEntry
from guardia.board.intake import chat_log, limits, presses
from guardia.board.intake.model import RoomChoices
from guardia.board.issues.conversation import ConversationReply, Press, RoomLine
from guardia.db.engine import repeat_on_conflict
from guardia.settings import Settings
from guardia.text import matching_form

RULE = "choice"
"""Rule name under which the log stores a line that chose."""
_PERIOD = timedelta(hours=1)
_NUMBER = re.compile(r"\(?([1-9]\d?)(?:번(?:이요|요)?|[.)])?", re.ASCII)
_MAX_LENGTH = 120


@repeat_on_conflict
def remember(board: BoardContext, line: RoomLine, choices: tuple[Choice, ...]) -> None:
    """Keep what the answer to a line lets people choose from."""
    row = {"choices": to_stored(choices), "offered_at": board.clock()}
    new = insert(RoomChoices).values(channel=line.channel, room=line.room, **row)
    with board.database.transaction() as session:
        session.execute(new.on_conflict_do_update(index_elements=["channel", "room"], set_=row))


def choose(board: BoardContext, line: RoomLine, settings: Settings) -> ConversationReply | None:
    """Carry out the choice that a line names; `None` for other lines."""
    if line.has_buttons or len(line.text) > _MAX_LENGTH:
        return None
    chosen = _chosen(board, line)
    if chosen is None:
        return None
    if refusal := limits.refusal(board, line, settings):
        return refusal
    if not _log(board, line):
        # A repeated delivery: by now the number may mean another choice.
        return ConversationReply()
    press = Press(
        line.channel,
        line.account,
        line.sender,
        line.room,
        line.thread,
        chosen.act,
        chosen.value,
        line.board_url,
    )
    reply = presses.handle_press(board, settings, press, board.current_time() + _PERIOD)
    text = "\n".join(part for part in (reply.text, reply.link) if part)
    return ConversationReply(text, reply.choices)


@repeat_on_conflict
def _chosen(board: BoardContext, line: RoomLine) -> Choice | None:
    after = board.current_time() - _PERIOD
    with board.database.reading() as session:
        shown = max(
            (*_answered(session, line, after), *_sent(session, line, after)),
            key=lambda found: found[0],
            default=None,
        )
    return None if shown is None else _named(line.text, shown[1])


def _named(text: str, choices: tuple[Choice, ...]) -> Choice | None:
    """Return the choice that a text names by its number or its words."""
    said = " ".join(matching_form(text).split()).rstrip(".!")
    found = _NUMBER.fullmatch(said)
    if found is not None and int(found[1]) <= len(choices):
        return choices[int(found[1]) - 1]
    same = [c for c in choices if " ".join(matching_form(c.label).split()) == said]
    return same[0] if len(same) == 1 else None


_Shown = tuple[datetime, tuple[Choice, ...]]


def _answered(session: Session, line: RoomLine, after: datetime) -> list[_Shown]:
    row = session.get(RoomChoices, (line.channel, line.room))
    known = row is not None and row.offered_at > after
    return [(row.offered_at, from_stored(row.choices))] if row is not None and known else []


def _sent(session: Session, line: RoomLine, after: datetime) -> list[_Shown]:
    """Return the choices of the last message that has some."""
    channel = func.coalesce(func.nullif(OutboxEntry.channel, ""), Issue.channel)
    query = (
        select(OutboxEntry.created_at, OutboxEntry.choices)
        .outerjoin(Issue, Issue.sr_id == OutboxEntry.sr_id)
        .where(
            channel == line.channel,
            OutboxEntry.room == line.room,
            OutboxEntry.created_at > after,
            OutboxEntry.choices != [],
        )
        .order_by(OutboxEntry.outbox_id.desc())
        .limit(1)
    )
    return [(row.created_at, from_stored(row.choices)) for row in session.execute(query)]


@repeat_on_conflict
def _log(board: BoardContext, line: RoomLine) -> bool:
    with board.database.transaction() as session:
        return chat_log.log_line(session, line, RULE, board.clock()) is not None
