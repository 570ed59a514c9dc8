"""Reactions as GitHub's clients read them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardia.board.github_api.people import Users
from guardia.board.github_api.shapes import ReactionBody, ReactionCounts
from guardia.board.issues.reaction_model import Reaction
from guardia.board.issues.reactions import ReactionView

ReactionNumbers = Mapping[tuple[int, int | None], dict[str, int]]
"""How often each reaction was given, by issue and comment."""


def numbers_of(session: Session, issues: Iterable[int]) -> ReactionNumbers:
    """Return how often each reaction was given to issues and to their comments."""
    query = (
        select(Reaction.sr_id, Reaction.comment_id, Reaction.content, func.count())
        .where(Reaction.sr_id.in_(issues))
        .group_by(Reaction.sr_id, Reaction.comment_id, Reaction.content)
    )
    found = defaultdict[tuple[int, int | None], dict[str, int]](dict)
    for number, comment, content, count in session.execute(query):
        found[number, comment][content] = count
    return found


def counts(found: ReactionNumbers, key: tuple[int, int | None], url: str) -> ReactionCounts:
    """Return the counts of one issue or comment."""
    mine = found.get(key, {})
    return ReactionCounts.model_validate({"url": url, "total_count": sum(mine.values()), **mine})


def reaction_body(users: Users, one: ReactionView) -> ReactionBody:
    """Return one reaction as a body."""
    return ReactionBody(
        id=one.reaction_id,
        node_id=f"reaction:{one.reaction_id}",
        user=users.person(one.person_id),
        content=one.content,
        created_at=one.created_at,
    )
