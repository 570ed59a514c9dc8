"""Notices of an issue that a person has muted are on their page only."""

from __future__ import annotations

import json

import pytest
from board_env import ENGINEER, LEAD, PM, BoardEnv
from sqlalchemy import select

from guardia.board.core import outbox
from guardia.board.core.actors import Actor
from guardia.board.core.model import OutboxEntry
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.core.notices import Notice
from guardia.board.issues import following
from guardia.board.notifications import dispatch
from guardia.board.organization import chart as organization_chart
from guardia.org import chart


def notify(env: BoardEnv, kind: NoticeKind, sr_id: int) -> list[str]:
    """Notify two people; return whose copies are due or sent, by account."""
    now = env.board.clock()
    with env.board.database.transaction() as session:
        outbox.notify(session, kind, "알림", ["pm", "lead"], now, sr_id=sr_id)
        session.flush()
        number = session.scalar(select(OutboxEntry.outbox_id).order_by(-OutboxEntry.outbox_id))
    assert number is not None
    dispatch.dispatch(env.board, number)
    with env.board.database.reading() as session:
        rows = session.scalars(select(Notice).where(Notice.outbox_id == number)).all()
    return sorted(row.person_id for row in rows if row.due_at is not None)


@pytest.mark.parametrize(
    ("kind", "later"),
    [(NoticeKind.COMMENT, ["lead"]), (NoticeKind.MENTION, ["lead"])],
)
def test_a_muted_issue_is_announced_on_the_page_only(
    env: BoardEnv, kind: NoticeKind, later: list[str]
) -> None:
    rules = {"media": ["mail"], "digest": "30m"}
    given = chart.shipped_chart_path().read_text("utf-8")
    organization_chart.apply_chart(
        env.board, f"{given}\nnotifications: {json.dumps(rules)}\n", Actor.operator("test")
    )
    sr_id = env.create_issue()
    following.follow(env.board, PM, sr_id, "MUTED")
    following.follow(env.board, LEAD, sr_id, "FOLLOWING")
    assert notify(env, kind, sr_id) == later
    # Another issue is not muted.
    assert notify(env, kind, env.create_issue(sender=ENGINEER.name)) == ["lead", "pm"]
