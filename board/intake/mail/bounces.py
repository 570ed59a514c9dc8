"""Mark a reply as undelivered on its issue."""

from __future__ import annotations

from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.model import OutboxEntry
from guardia.board.intake.mail.message import Bounce
from guardia.board.intake.mail.senders import CHANNEL
from guardia.board.intake.mail.threads import OurMail
from guardia.board.issues import comments
from guardia.db.engine import repeat_on_conflict
from guardia.i18n import t_default


@repeat_on_conflict
def mark_undelivered(board: BoardContext, ours: OurMail, bounce: Bounce) -> None:
    """Record that one of our mails came back, once; people read it on the issue."""
    error = f"bounced {bounce.status}".strip()
    with board.database.transaction() as session:
        row = session.get(OutboxEntry, ours.outbox_id, with_for_update=True)
        if row is None or row.sr_id != ours.sr_id or (row.last_error or "").startswith("bounced"):
            return
        row.last_error = error
        # The address of the report is foreign; the one that we wrote to is not.
        text = t_default("mail.bounced", to=row.room, status=bounce.status or "-")
        author = Actor.channel(CHANNEL)
        comments.write_comment(
            session, ours.sr_id, author, text, board.clock(), wakes_mentioned=False
        )
