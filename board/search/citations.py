"""Passages that agents cite: of documents that they may use, each with a link to its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from guardia.board.core.context import BoardContext
from guardia.board.core.plan import Citation
from guardia.board.knowledge import rights
from guardia.board.search import view
from guardia.board.search.questions import FoundPassage
from guardia.board.search.view import PassageView
from guardia.org.directory import PersonInfo


@dataclass(frozen=True, slots=True)
class Reference:
    """A passage that an agent cites."""

    passage_id: int
    citation: Citation
    is_for_customers: bool
    """Whether the customers of the institution may read it, so that a comment may name it."""


def references(
    board: BoardContext,
    found: Sequence[FoundPassage],
    institution: str | None,
    server: str | None,
) -> list[Reference]:
    """Return what an agent may cite of the found passages, in their order."""
    now = board.current_time()
    usable = (rights.in_force(now), rights.usable_for(institution, server))
    customer = PersonInfo(id="", name="", title="", role="customer", institution=institution)
    rows = [{"passage": one.passage_id, "quotes": one.quotes} for one in found]
    with board.database.reading() as session:
        cited = view.passages(session, rows, *usable)
        open_to = view.passages(session, rows, *usable, rights.readable_by(customer))
    open_ids = {one.passage_id for one in open_to}
    return [Reference(one.passage_id, _citation(one), one.passage_id in open_ids) for one in cited]


def _citation(one: PassageView) -> Citation:
    heading = " > ".join(one.heading_path)
    return Citation(
        document=str(one.document_id),
        title=one.title,
        version=one.version,
        sha256=one.sha256,
        passage=f"{heading}\n{one.text}" if heading else one.text,
        path=one.path,
    )
