"""Answers in a conversation: to the question which server is meant, and to proposals."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.assignment import proposals, questions, reports
from guardia.board.assignment.model import Question
from guardia.board.assignment.small_talk import SmallTalk, is_small_talk, kind_of
from guardia.board.core.actors import Actor
from guardia.board.core.choices import Choice
from guardia.board.core.context import BoardContext
from guardia.board.core.model import Issue
from guardia.board.issues.conversation import ConversationReply, Press, PressReply, RoomLine
from guardia.errors import Misconfigured, NotFound, UserError
from guardia.i18n import t
from guardia.org import identity, revisions
from guardia.org.directory import PersonInfo
from guardia.settings import Settings

ACCEPT, DECLINE = "accept", "decline"
_OPEN_IN_ROOM = 10
_SHORT = 60
"""A longer line outside of the thread is a request of its own, although it names a server."""


def answer_question(
    board: BoardContext, line: RoomLine, _settings: Settings
) -> ConversationReply | None:
    """Take a line as the answer to a question that its writer was asked in this conversation.

    Below the question, in its thread, every line is one. Elsewhere only a line that names a server
    is, or that says that its writer does not know: anything else is a request of its own.
    """
    if not line.account:
        return None
    with board.database.reading() as session:
        found = _question_for(session, line)
        if found is None:
            return None
        row, by = found
        read = questions.read_words(session, row, line.text)
        in_thread = bool(line.thread) and line.thread == row.thread
        number = row.question_id
        if not (read.servers or read.unknown) and (not in_thread or is_small_talk(line.text)):
            return None
        if not in_thread and len(line.text) > _SHORT:
            return None
    try:
        text = questions.answer_number(board, number, line.text, by)
    except UserError:
        return None  # answered a moment ago: the line is not lost, it goes on as a request
    return ConversationReply(text, _buttons(board, number))


def _buttons(board: BoardContext, number: int) -> tuple[Choice, ...]:
    """Return the buttons of a question that is asked again."""
    with board.database.reading() as session:
        row = session.get(Question, number)
        return questions.buttons(row) if row is not None and row.state == "OPEN" else ()


def _question_for(session: Session, line: RoomLine) -> tuple[Question, Actor] | None:
    """Return the newest open question that a line's writer may answer, and who that is."""
    account = f"{line.channel}:{line.account}"
    query = (
        select(Question)
        .join(Issue, Issue.sr_id == Question.sr_id)
        .where(
            Question.state == "OPEN",
            Question.channel == line.channel,
            Question.room == line.room,
            Question.account == account,
            *([] if line.thread == "" else [Question.thread.in_(("", line.thread))]),
        )
        .order_by(Question.question_id.desc())
        .limit(_OPEN_IN_ROOM)
    )
    for row in session.scalars(query):
        by = questions.may_answer(session, row, line.channel, line.account)
        if by is not None:
            return row, by
    return None


def press_server(board: BoardContext, _settings: Settings, press: Press) -> PressReply:
    """Answer a question with one of its buttons."""
    number, _, position = press.value.partition(":")
    with board.database.reading() as session:
        row = session.get(Question, int(number)) if number.isdigit() else None
        if row is None or row.channel != press.channel or not position.isdigit():
            return PressReply(t("intake.press.unknown"), replaces=False)
        if row.state != "OPEN":
            # A messenger may deliver a press twice: the second one says the same.
            return PressReply(questions.outcome(session, row), replaces=True)
        by = questions.may_answer(session, row, press.channel, press.account)
        if by is None:
            return PressReply(t("assignment.question.not_yours"), replaces=False)
        if int(position) >= len(row.choices):
            return PressReply(t("intake.press.unknown"), replaces=False)
        server = str(row.choices[int(position)]["server"])
    return PressReply(questions.answer_number(board, int(number), server, by), replaces=True)


def press_accept(board: BoardContext, _settings: Settings, press: Press) -> PressReply:
    """Accept a proposal with its button."""
    person = _person(board, press)
    if person is None:
        return _link_first()
    sr_id = proposals.accept(board, person, _number(press))
    text = t("assignment.accepted", sr=sr_id, who=f"{person.name} {person.title}".strip())
    return PressReply(text, replaces=True, link=_page(press, sr_id))


def press_decline(board: BoardContext, _settings: Settings, press: Press) -> PressReply:
    """Decline a proposal with its button; the reason is that it was the button."""
    person = _person(board, press)
    if person is None:
        return _link_first()
    sr_id = proposals.decline(board, person, _number(press), t("assignment.by_button"))
    text = t("assignment.declined", sr=sr_id, who=f"{person.name} {person.title}".strip())
    return PressReply(text, replaces=True, link=_page(press, sr_id))


def press_different(board: BoardContext, _settings: Settings, press: Press) -> PressReply:
    """Undo the link of a report to an incident, for its writer."""
    sr_id = _number(press)
    try:
        reports.object_to(board, press.channel, press.account, sr_id)
    except NotFound:  # pressed twice, or the incident has ended meanwhile
        return PressReply(t("assignment.report.not_linked"), replaces=True)
    return PressReply(t("assignment.report.unlinked", sr=sr_id), replaces=True)


def _person(board: BoardContext, press: Press) -> PersonInfo | None:
    with board.database.reading() as session:
        found = identity.person_of_account(session, press.channel, press.account)
        return found.as_info() if found is not None and found.active else None


def _link_first() -> PressReply:
    return PressReply(t("assignment.link_first"), replaces=False)


def _number(press: Press) -> int:
    return int(press.value) if press.value.isdigit() else 0


def _page(press: Press, sr_id: int) -> str:
    return f"{press.board_url}/issues/{sr_id}" if press.board_url else ""


def small_talk(
    board: BoardContext, line: RoomLine, _settings: Settings
) -> ConversationReply | None:
    """Answer a greeting, and leave thanks, laughter and test lines without an issue.

    Where people talk to one another, such lines are theirs.
    """
    found = kind_of(line.text)
    if found is None or _is_between_people(board, line):
        return None
    greets = found in (SmallTalk.GREETING, SmallTalk.TEST)
    return ConversationReply(t(f"assignment.small_talk.{found}") if greets else "")


def _is_between_people(board: BoardContext, line: RoomLine) -> bool:
    with board.database.reading() as session:
        try:
            talk = revisions.running_chart(session).talk
        except Misconfigured:
            return False
    to_us = line.addressed or talk.is_addressed(line.text)
    return talk.is_chat_room(line.room) and not to_us
