"""Send what waited for the end of quiet hours or for a digest."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from guardia.board.core.context import BoardContext
from guardia.board.core.notices import Notice
from guardia.board.notifications import audience
from guardia.board.notifications.copies import send_copies
from guardia.board.notifications.dispatch import running_chart
from guardia.db.engine import repeat_on_conflict
from guardia.i18n import t_default

_SHOWN = 20


def process_due(board: BoardContext) -> None:
    """Send the waiting notices of everyone for whom one is due, as one message each."""
    query = select(Notice.person_id).where(Notice.due_at <= board.clock())
    with board.database.reading() as session:
        people = session.scalars(query.distinct().order_by(Notice.person_id)).all()
    for person in people:
        _send(board, person)


@repeat_on_conflict
def _send(board: BoardContext, person: str) -> None:
    now = board.clock()
    with board.database.transaction() as session:
        query = (
            select(Notice)
            .where(Notice.person_id == person, Notice.due_at.is_not(None))
            .order_by(Notice.notice_id)
            .with_for_update(skip_locked=True)
        )
        waiting = list(session.scalars(query))
        # Another host was first, or nothing of it is due yet.
        if not any(n.due_at is not None and n.due_at <= now for n in waiting):
            return
        for one in waiting:
            one.due_at = None
        chart = running_chart(session)
        unread = [n for n in waiting if n.read_at is None]
        if chart is None or not unread:
            return
        wanted = audience.preferences(session, [person])[person]
        media = chart.notifications.media if wanted.media is None else wanted.media
        send_copies(session, chart, unread[-1], wanted, now, media=tuple(media), text=_text(unread))


def _text(notices: Sequence[Notice]) -> str:
    if len(notices) == 1:
        return notices[0].text
    lines = [f"- {' '.join(n.text.split())}" for n in notices[-_SHOWN:]]
    return "\n".join([t_default("notices.digest", count=len(notices)), *lines])
