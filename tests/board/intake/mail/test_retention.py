"""Mails that led to no issue are forgotten as talk is, but never handled twice."""

from __future__ import annotations

from datetime import timedelta

from board_env import BoardEnv
from sqlalchemy import select

from guardia.board.intake.mail.model import MailRecord
from guardia.board.intake.mail.retention import forget_old_mails


def test_sender_and_subject_are_forgotten_and_the_message_id_stays(env: BoardEnv) -> None:
    sr_id = env.create_issue()
    now = env.board.clock()
    ages = {"old": (91, None), "new": (89, None), "issue": (400, sr_id)}
    with env.board.database.transaction() as session:
        for name, (days, number) in ages.items():
            session.add(
                MailRecord(
                    external_id=f"<{name}@mof.test>",
                    sender="hong@mof.test",
                    verified=True,
                    subject=f"{name} 안내",
                    outcome="issue" if number else "list",
                    sr_id=number,
                    received_at=now - timedelta(days=days),
                )
            )
    assert forget_old_mails(env.board) == 1
    assert forget_old_mails(env.board) == 0
    with env.board.database.reading() as session:
        m = MailRecord
        rows = session.execute(select(m.external_id, m.sender, m.subject).order_by(m.mail_id)).all()
    assert [tuple(row) for row in rows] == [
        ("<old@mof.test>", "", ""),
        ("<new@mof.test>", "hong@mof.test", "new 안내"),
        ("<issue@mof.test>", "hong@mof.test", "issue 안내"),
    ]
