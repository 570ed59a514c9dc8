"""Acknowledge an emergency by the button in a messenger."""

from __future__ import annotations

from guardia.board.core.context import BoardContext
from guardia.board.issues.conversation import Press, PressReply
from guardia.board.notifications import on_call
from guardia.errors import NotFound
from guardia.i18n import t
from guardia.org import identity
from guardia.settings import Settings


def press_acknowledge(board: BoardContext, _settings: Settings, press: Press) -> PressReply:
    """Acknowledge for the person to whom the account belongs; a stranger changes nothing."""
    with board.database.reading() as session:
        known = identity.person_of_account(session, press.channel, press.account)
        person = known.as_info() if known is not None and known.active else None
    if person is None or not press.value.isascii() or not press.value.isdigit():
        raise NotFound(what=t("notices.alarm", id=press.value))
    done = on_call.acknowledge(board, person, int(press.value))
    key = "acknowledged" if done.is_first else "already"
    return PressReply(t(f"notices.{key}", id=done.on_call_id, who=done.by), replaces=done.is_first)
