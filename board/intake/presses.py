"""Handle pressed buttons: one handler for each act. None of them decides an approval."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from guardia.board.assignment import answers, questions, reports
from guardia.board.core.context import BoardContext
from guardia.board.intake import command_step, offers
from guardia.board.intake.button_token import ButtonToken
from guardia.board.issues.conversation import Press, PressReply
from guardia.board.notifications import acknowledging, on_call
from guardia.errors import UserError
from guardia.i18n import t
from guardia.settings import Settings

LIFETIME = timedelta(hours=24)
"""How long a button has an effect."""

Handler = Callable[[BoardContext, Settings, Press], PressReply]

HANDLERS: dict[str, Handler] = {
    offers.ACT: offers.press_offer,
    **dict.fromkeys(command_step.ACTS, command_step.press_command),
    questions.ACT: answers.press_server,
    answers.ACCEPT: answers.press_accept,
    answers.DECLINE: answers.press_decline,
    reports.DIFFERENT: answers.press_different,
    on_call.ACT: acknowledging.press_acknowledge,
}
"""By the act of a `Choice`. A handler may be called twice for one press: messengers repeat."""


def handle_press(
    board: BoardContext, settings: Settings, press: Press, expires_at: datetime
) -> PressReply:
    """Carry out a press. What the person may not do, or is too late for, is answered in words."""
    handler = HANDLERS.get(press.act)
    if handler is None:
        return PressReply(t("intake.press.unknown"), replaces=False)
    if expires_at <= board.current_time():
        return PressReply(
            t("intake.press.expired"), replaces=True, notice=t("intake.press.expired")
        )
    try:
        return handler(board, settings, press)
    except UserError as error:
        return PressReply(str(error), replaces=False)


def press_of(
    token: ButtonToken,
    *,
    channel: str,
    account: str,
    sender: str,
    room: str = "",
    thread: str = "",
    board_url: str = "",
) -> Press:
    """Return the press of a button by a person, as the channel names them."""
    return Press(
        channel, account, sender, room, thread, token.act, token.value, board_url.rstrip("/")
    )
