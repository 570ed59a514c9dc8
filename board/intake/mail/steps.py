"""Which steps of a conversation read a mail: a sender can be forged, so it depends on who it is."""

from __future__ import annotations

from guardia.board.assignment import answers
from guardia.board.core.context import BoardContext
from guardia.board.intake import conversation, spoken_choices, thread_replies
from guardia.board.intake.command_step import command_step
from guardia.board.intake.conversation import Step
from guardia.board.intake.link_code_parser import parse_link_code
from guardia.board.intake.mail.senders import MailSender
from guardia.board.issues.conversation import ConversationReply, RoomLine
from guardia.settings import Settings

_OF_STRANGERS: frozenset[Step] = frozenset({answers.small_talk})
"""Steps that change nothing."""
_OF_PROVED = _OF_STRANGERS | {
    answers.answer_question,
    command_step,
    spoken_choices.choose,
}
"""Steps that ask themselves what the owner of an address may do."""


def answer(
    board: BoardContext,
    settings: Settings,
    line: RoomLine,
    sender: MailSender,
    *,
    in_thread: bool,
) -> ConversationReply | None:
    """Return the answer of the first step that answers, or `None`: a request, or a comment.

    In a room, everybody may stop. Mails come from outside: only known staff stop and decide. A code
    links the address from which it comes, if that is proved.
    """
    replies = (step(board, line, settings) for step in _steps(line, sender, in_thread=in_thread))
    return next((reply for reply in replies if reply is not None), None)


def _steps(line: RoomLine, sender: MailSender, *, in_thread: bool) -> list[Step]:
    """Return the steps in their order, without those that comment and open: `incoming` does that.

    In a thread, what none of the steps before the comment answers is one.
    """
    comment = conversation.STEPS.index(thread_replies.add_to_issue)
    known = [*conversation.STEPS[:comment]]
    if not in_thread:
        known += conversation.STEPS[comment + 1 : -1]
    if sender.is_staff or (sender.verified and parse_link_code(line.text) is not None):
        return known
    permitted = _OF_PROVED if sender.verified else _OF_STRANGERS
    return [one for one in known if one in permitted]
