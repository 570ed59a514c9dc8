"""Which steps of a conversation read a mail: a sender can be forged, so it depends on who it is."""

from __future__ import annotations

from guardia.board.core.context import BoardContext
from guardia.board.intake import conversation
from guardia.board.intake.link_code_parser import parse_link_code
from guardia.board.intake.mail.senders import MailSender
from guardia.board.issues.conversation import ConversationReply, RoomLine
from guardia.settings import Settings


def answer(
    board: BoardContext, settings: Settings, line: RoomLine, sender: MailSender
) -> ConversationReply | None:
    """Return the answer of the first step that answers, or `None`: a request, or a comment.

    In a room, everybody may stop. Mails come from outside: only known staff stop and decide. A code
    links the address from which it comes, if that is proved.
    """
    if not sender.is_staff and not (sender.verified and parse_link_code(line.text)):
        return None
    *steps, _opens_an_issue = conversation.STEPS
    answers = (step(board, line, settings) for step in steps)
    return next((found for found in answers if found is not None), None)
