"""Rules and facts that the shown passages of a document state, for those who may enter them."""

from __future__ import annotations

from sqlalchemy import select

from guardia.board.core.context import BoardContext
from guardia.board.knowledge.suggestions import StatedSentence, servers_in, suggestions
from guardia.board.knowledge.view import DocumentView
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo
from guardia.org.model import Server


def suggested(
    board: BoardContext, viewer: PersonInfo, found: DocumentView
) -> tuple[StatedSentence, ...]:
    """Return what the viewer may enter, read out of the shown passages."""
    may_rule, may_fact = (is_allowed(viewer, name) for name in ("rule.edit", "document.edit"))
    if not may_rule and not may_fact:
        return ()
    texts = [(one.ordinal, one.text) for one in found.passages]
    named = servers_in(text for _, text in texts)
    with board.database.reading() as session:
        query = select(Server.server_id).where(Server.server_id.in_(named))
        servers = set(session.scalars(query)) if named else set()
    line = found.line
    every = suggestions(texts, line.institution, line.server, servers)
    return tuple(one for one in every if (may_fact if one.kind == "fact" else may_rule))
