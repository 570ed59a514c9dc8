"""Events of channels that are answered later: each is answered once, however often it arrives."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from guardia.board.core import outbox
from guardia.board.core.context import BoardContext
from guardia.board.intake.model import IntakeEvent
from guardia.board.issues.conversation import ConversationReply
from guardia.db.engine import repeat_on_conflict

_KEPT = timedelta(days=7)
"""Longer than any channel repeats an event."""


def is_answered(board: BoardContext, channel: str, event_id: str) -> bool:
    """Return whether an event was answered before."""
    with board.database.reading() as session:
        return session.get(IntakeEvent, (channel, event_id)) is not None


@repeat_on_conflict
def answer_once(
    board: BoardContext,
    channel: str,
    event_ids: Sequence[str],
    reply: ConversationReply,
    *,
    room: str,
    thread: str = "",
    target: dict[str, Any] | None = None,
) -> None:
    """Mark the events as answered and queue the reply, unless one of them was answered before.

    Both or neither: if the process ends before this, the channel repeats the event.
    """
    now = board.clock()
    rows = [{"channel": channel, "event_id": e, "received_at": now} for e in sorted(event_ids)]
    with board.database.transaction() as session:
        new = insert(IntakeEvent).values(rows).on_conflict_do_nothing()
        added = session.scalars(new.returning(IntakeEvent.event_id)).all()
        if len(added) < len(rows) or not reply.text:
            return
        outbox.send(
            session,
            "message",
            reply.text,
            now,
            room=room,
            sr_id=None,
            choices=reply.choices,
            route=outbox.Route(channel, thread, target or {}),
        )


@repeat_on_conflict
def delete_old(board: BoardContext) -> None:
    """Forget events that no channel repeats any more."""
    before = board.clock() - _KEPT
    with board.database.transaction() as session:
        session.execute(delete(IntakeEvent).where(IntakeEvent.received_at < before))
