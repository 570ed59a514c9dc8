"""Note that the person of a session has done something, for the idle time-out."""

from __future__ import annotations

from guardia.board.core.context import BoardContext
from guardia.db.engine import repeat_on_conflict
from guardia.org import access


@repeat_on_conflict
def note_use(board: BoardContext, token: str) -> None:
    """Begin the idle time of a session again."""
    now = board.current_time()
    with board.database.transaction() as session:
        access.touch_session(session, token, now)
