"""Commands in rooms: lines of people with a linked account that clearly are commands.

A room is full of talk about work, and a request often sounds like an order. So a line is a command
only if it was addressed to GUARDiA, was written in the thread of an issue, or begins with the
number of one; a request that opens an issue loses nothing by staying a request.
"""

from __future__ import annotations

import re

from sqlalchemy import select

from guardia.board.command import answers, giving
from guardia.board.command.records import TypedLine
from guardia.board.command.replies import CommandReply
from guardia.board.command.structure import Command
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.model import Issue
from guardia.board.intake import chat_log, limits
from guardia.board.issues.conversation import ConversationReply, Press, PressReply, RoomLine
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Forbidden, UserError
from guardia.i18n import t
from guardia.org import identity
from guardia.org.directory import PersonInfo
from guardia.settings import Settings
from guardia.text import fold

RULE = "command"
"""Rule name under which the log stores a line that was a command."""
ACTS = ("confirm", "cancel", "choose", "undo")
_MAX_CHARACTERS = 120
_MAX_QUESTION = 50
"""A longer question about no issue is rather a report of trouble, which opens one."""
_BEGINS_WITH_ISSUE = re.compile(r"\s*(?:SR[-_ #]?|#)\s?\d{1,9}(?!\d)", re.IGNORECASE)
_CUSTOMERS_OWN = frozenset({"comment", "query"})


def command_step(
    board: BoardContext, line: RoomLine, settings: Settings
) -> ConversationReply | None:
    """Carry out a line that is a command of the person who wrote it; `None`: it is none."""
    person = _person(board, line.channel, line.account)
    if person is None or "\n" in line.text.strip():
        return None
    try:
        found = _find_command(board, line, person)
        if found is None:
            return None
        typed, command = found
        stops = command.action == "kill_all"  # never refused
        refusal = None if stops else limits.refusal(board, line, settings)
        return refusal or _carry_out(board, line, person, typed)
    except UserError as error:
        return ConversationReply(str(error))


def _find_command(
    board: BoardContext, line: RoomLine, person: PersonInfo
) -> tuple[TypedLine, Command] | None:
    """Return the line with what it commands, if it is meant as a command."""
    context_id = _issue_of_thread(board, line)
    spoken_to = line.addressed or _BEGINS_WITH_ISSUE.match(fold(line.text)) is not None
    if not (spoken_to or context_id):
        return None
    typed = TypedLine(line.text, line.channel, context_id, line.room, line.thread)
    command = giving.preview(board, person, typed).command
    # Talk in a thread is not disturbed by a question back.
    disturbs = command.action == "clarify" and not spoken_to
    meant = _is_meant(person, command, line.text) and not disturbs
    return (typed, command) if meant else None


def _carry_out(
    board: BoardContext, line: RoomLine, person: PersonInfo, typed: TypedLine
) -> ConversationReply:
    if not _log(board, line):
        return ConversationReply()  # delivered before
    return _conversation_reply(giving.give(board, person, typed), line.board_url)


def press_command(board: BoardContext, _settings: Settings, press: Press) -> PressReply:
    """Confirm, cancel, choose or take back a command of the person who pressed."""
    person = _person(board, press.channel, press.account)
    if person is None:
        raise Forbidden(who=press.sender or "-", action=t("org.right.command.give"))
    reply = answers.press(board, person, press.act, press.value)
    link = press.board_url + reply.path if reply.path else ""
    # What asks back is for this person alone, and needs its buttons: they are in the next message.
    return PressReply(_text(reply), replaces=True, link=link, choices=reply.choices)


def _is_meant(person: PersonInfo, command: Command, text: str) -> bool:
    if command.action == "none":
        return False
    asks_widely = command.action == "query" and command.sr_id is None
    most = _MAX_QUESTION if asks_widely else _MAX_CHARACTERS
    if len(text) > most and command.action != "comment":
        return False
    if person.role == "customer":
        return command.action in _CUSTOMERS_OWN and command.sr_id is not None
    return True


def _person(board: BoardContext, channel: str, account: str) -> PersonInfo | None:
    with board.database.reading() as session:
        found = identity.person_of_account(session, channel, account)
        return found.as_info() if found is not None and found.active else None


def _issue_of_thread(board: BoardContext, line: RoomLine) -> int | None:
    if not line.thread:
        return None
    place = {"channel": line.channel, "room": line.room, "thread": line.thread}
    query = select(Issue.sr_id, Issue.dedupe_key).filter_by(**place)
    with board.database.reading() as session:
        found = session.execute(query.order_by(Issue.sr_id.desc()).limit(1)).one_or_none()
    # The line that opened the issue is a request, however often it is delivered.
    return found[0] if found is not None and found[1] != line.dedupe_key else None


@repeat_on_conflict
def _log(board: BoardContext, line: RoomLine) -> bool:
    with board.database.transaction() as session:
        return chat_log.log_line(session, line, RULE, board.clock()) is not None


def _conversation_reply(reply: CommandReply, board_url: str) -> ConversationReply:
    link = f"\n{board_url}{reply.path}" if reply.path and board_url else ""
    return ConversationReply(_text(reply) + link, reply.choices)


def _text(reply: CommandReply) -> str:
    """Return the result with what was understood, so that a misreading shows at once."""
    number = f"{issue_ref(reply.sr_id)} " if reply.sr_id and not reply.text else ""
    return f"[{reply.sentence}] {number}{reply.text}".strip()
