"""Open a passage that was found: count it and lead to its place."""

from __future__ import annotations

from guardia.board.core.context import BoardContext
from guardia.board.knowledge import rights, usage
from guardia.board.search import view
from guardia.db.engine import repeat_on_conflict
from guardia.errors import NotFound
from guardia.i18n import t
from guardia.org.directory import PersonInfo


@repeat_on_conflict
def open_passage(board: BoardContext, viewer: PersonInfo, passage_id: int) -> str:
    """Return the address of a passage and count that it was opened.

    Raises `NotFound` for what the viewer may not read now.
    """
    now = board.current_time()
    readable = (rights.in_force(now), rights.readable_by(viewer))
    with board.database.transaction() as session:
        found = view.passages(session, [{"passage": passage_id}], *readable)
        if not found:
            raise NotFound(what=t("search.passage"))
        usage.add_uses(session, "opened", [passage_id])
        return found[0].path
