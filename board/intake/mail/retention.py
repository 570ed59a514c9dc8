"""Forget who wrote a mail that led to no issue, and its subject, after the talk's retention."""

from __future__ import annotations

from sqlalchemy import update

from guardia.board.core.context import BoardContext
from guardia.board.intake.context_rules import applied_chart
from guardia.board.intake.mail.model import MailRecord
from guardia.db.engine import repeat_on_conflict
from guardia.org.chat_rules import ChatRules


@repeat_on_conflict
def forget_old_mails(board: BoardContext) -> int:
    """Blank sender and subject of old mails without an issue; return how many.

    Their message ids stay: a mailbox that is read again from its beginning must not have an old
    mail handled twice.
    """
    chart = applied_chart(board)
    before = board.clock() - (chart.talk if chart else ChatRules()).keep
    old = (
        update(MailRecord)
        .where(
            MailRecord.sr_id.is_(None),
            MailRecord.received_at < before,
            (MailRecord.sender != "") | (MailRecord.subject != ""),
        )
        .values(sender="", subject="")
        .returning(MailRecord.mail_id)
    )
    with board.database.transaction() as session:
        return len(session.scalars(old).all())
