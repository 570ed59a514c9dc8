"""Read site rules for pages and commands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.core.context import BoardContext
from guardia.board.core.display_names import display_names_of
from guardia.board.site_rules import store, wording
from guardia.board.site_rules.model import SiteRuleRow
from guardia.board.site_rules.terms import SiteRule, scope_keys
from guardia.errors import NotFound
from guardia.org import registry
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo

PAGE_SIZE = 20


@dataclass(frozen=True, slots=True)
class RuleView:
    """One version of a rule."""

    name: str
    version: int
    state: str
    sentence: str
    rule: SiteRule | None
    """`None` if this release cannot read it: it then forbids every change of its place."""
    removes: bool
    author: str
    reason: str
    created_at: datetime
    decided_by: str
    decided_at: datetime | None
    author_id: str = ""

    @property
    def kind(self) -> str:
        """The kind of its terms, or an empty text."""
        return self.rule.terms.kind if self.rule else ""

    @property
    def place(self) -> str:
        """Where it applies."""
        return wording.place_text(self.rule.scope) if self.rule else ""

    @property
    def terms(self) -> tuple[tuple[str, str], ...]:
        """Its terms as labels with texts."""
        return wording.describe(self.rule) if self.rule else ()


@dataclass(frozen=True, slots=True)
class RuleList:
    """One page of the rules in force, by name, and all proposals."""

    rules: tuple[RuleView, ...]
    proposals: tuple[RuleView, ...]
    following: str
    """The name after which the next page begins; empty on the last."""


@dataclass(frozen=True, slots=True)
class RuleHistory:
    """A rule with all its versions, newest first."""

    name: str
    current: RuleView | None
    proposal: RuleView | None
    versions: tuple[RuleView, ...]


def list_rules(
    board: BoardContext,
    viewer: PersonInfo | None,
    *,
    place: str = "",
    after: str = "",
    size: int = PAGE_SIZE,
) -> RuleList:
    """Return one page of rules; `viewer` is `None` for the operator.

    `place` is a server, whose rules are all that bind it, an institution, or empty for all.
    """
    if viewer is not None:
        require_permission(viewer, "rule.read")
    with board.database.reading() as session:
        query = select(SiteRuleRow).where(SiteRuleRow.state == "ACTIVE", SiteRuleRow.name > after)
        if place:
            query = query.where(SiteRuleRow.scope.in_(_keys(session, place)))
        rows = session.scalars(query.order_by(SiteRuleRow.name).limit(size + 1)).all()
        proposed = select(SiteRuleRow).where(SiteRuleRow.state == "PROPOSED")
        proposals = session.scalars(proposed.order_by(SiteRuleRow.name).limit(100)).all()
        following = rows[size - 1].name if len(rows) > size else ""
        return RuleList(_views(session, rows[:size]), _views(session, proposals), following)


def _keys(session: Session, place: str) -> tuple[str, ...]:
    institution = registry.institution_of(session, place)
    return scope_keys(place, institution) if institution else ("*", f"institution:{place}")


def rule_history(board: BoardContext, viewer: PersonInfo | None, name: str) -> RuleHistory:
    """Return a rule with its versions. Raises `NotFound` if there never was one."""
    if viewer is not None:
        require_permission(viewer, "rule.read")
    with board.database.reading() as session:
        query = select(SiteRuleRow).where(SiteRuleRow.name == name)
        views = _views(session, session.scalars(query.order_by(SiteRuleRow.version.desc())).all())
    if not views:
        raise NotFound(what=name)
    return RuleHistory(
        name,
        next((view for view in views if view.state == "ACTIVE"), None),
        next((view for view in views if view.state == "PROPOSED"), None),
        views,
    )


def rules_in_force(board: BoardContext) -> tuple[RuleView, ...]:
    """Return all rules in force, by name, for an export."""
    with board.database.reading() as session:
        query = select(SiteRuleRow).where(SiteRuleRow.state == "ACTIVE")
        return _views(session, session.scalars(query.order_by(SiteRuleRow.name)).all())


def _views(session: Session, rows: Iterable[SiteRuleRow]) -> tuple[RuleView, ...]:
    known = list(rows)
    actors = {actor for row in known for actor in (row.author, row.decided_by) if actor}
    names = display_names_of(session, actors)
    return tuple(
        RuleView(
            name=row.name,
            version=row.version,
            state=row.state,
            sentence=row.sentence,
            rule=store.parse_stored(row.body),
            removes=row.removes,
            author=names.get(row.author, row.author),
            reason=row.reason,
            created_at=row.created_at,
            decided_by=names.get(row.decided_by or "", row.decided_by or ""),
            decided_at=row.decided_at,
            author_id=row.author,
        )
        for row in known
    )
