"""Search for issues: GitHub's qualifiers, and those of the board's own filter."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from sqlalchemy import ColumnElement, and_, exists, false, func, not_, select, true

from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Comment, Issue
from guardia.board.github_api import issue_query, paging, repositories
from guardia.board.github_api.addresses import Addresses
from guardia.board.github_api.issue_bodies import NOT_PLANNED, issue_bodies
from guardia.board.github_api.issue_query import IssueListFilter
from guardia.board.github_api.paging import PageRequest
from guardia.board.github_api.search_terms import SearchTerm, parse, read_number
from guardia.board.github_api.shapes import SearchResult
from guardia.board.issues import visibility
from guardia.board.issues.model import IssueLabel, IssueLock
from guardia.board.tracker import issue_filters
from guardia.errors import Invalid, NotFound
from guardia.i18n import t
from guardia.org.directory import PersonInfo
from guardia.org.model import Institution, Person

MOST = 1000
"""Results that are reachable, as on GitHub."""
_Condition = ColumnElement[bool]


def search_issues(
    board: BoardContext,
    viewer: PersonInfo,
    addresses: Addresses,
    query: str,
    page: PageRequest,
    *,
    sort: str = "",
    order: str = "desc",
) -> SearchResult:
    """Return one page of found issues. Raises `Invalid` for a query that cannot be read."""
    page.require_reachable(MOST)
    terms = parse(query)
    own = [_condition(board, viewer, term) for term in terms.own]
    field = sort or terms.sort or "created"
    wanted = IssueListFilter(sort=field, direction=terms.direction or order)
    with board.database.reading() as session:
        found = (
            select(Issue)
            .outerjoin(Institution, Institution.inst_id == Issue.inst_id)
            .outerjoin(Person, Person.person_id == Issue.assignee_id)
            .where(visibility.visible_to(viewer), *own)
            .where(*issue_filters.conditions(terms.rest, viewer))
        )
        rows = issue_query.find(session, found, wanted, page)
        return SearchResult(
            total_count=paging.MOST if rows.total is None else rows.total,
            incomplete_results=rows.total is None,
            items=issue_bodies(session, viewer, addresses, rows.rows),
        )


def _condition(board: BoardContext, viewer: PersonInfo, term: SearchTerm) -> _Condition:
    found = _FINDERS[term.key](board, viewer, term.value)
    return not_(func.coalesce(found, false())) if term.negated else found


def _repo(board: BoardContext, viewer: PersonInfo, value: str) -> _Condition:
    owner, _, name = value.partition("/")
    try:
        return repositories.find(board, viewer, owner, name).condition()
    except NotFound as error:
        # GitHub's words: it does not say which of the two it is.
        raise Invalid(what="q", why=t("github.no_repository", name=value)) from error


def _owner(board: BoardContext, viewer: PersonInfo, value: str) -> _Condition:
    return _repo(board, viewer, f"{value}/{repositories.ALL}")


def _is(_board: BoardContext, _viewer: PersonInfo, value: str) -> _Condition:
    is_locked = exists().where(IssueLock.sr_id == Issue.sr_id)
    if value in {"open", "closed"}:
        return _state(_board, _viewer, value)
    known = {"locked": is_locked, "unlocked": ~is_locked, "issue": true(), "private": true()}
    return known.get(value, false())


def _state(_board: BoardContext, viewer: PersonInfo, value: str) -> _Condition:
    if value not in {"open", "closed"}:
        return false()
    return and_(*issue_query.conditions(IssueListFilter(state=value), viewer))


def _author(_board: BoardContext, viewer: PersonInfo, value: str) -> _Condition:
    return and_(*issue_query.conditions(IssueListFilter(state="all", creator=value), viewer))


def _label(_board: BoardContext, _viewer: PersonInfo, value: str) -> _Condition:
    names = [name for part in value.split(",") if (name := part.strip())]
    return func.coalesce(_any([issue_query.has_label(name) for name in names]), false())


def _any(conditions: list[_Condition]) -> _Condition:
    found: _Condition = false()
    for one in conditions:
        found = found | one
    return found


def _no(_board: BoardContext, _viewer: PersonInfo, value: str) -> _Condition:
    has_label = exists().where(IssueLabel.sr_id == Issue.sr_id)
    return ~has_label if value == "label" else true()


def _comments(_board: BoardContext, _viewer: PersonInfo, value: str) -> _Condition:
    bounds = read_number(value)
    if bounds is None:
        raise Invalid(what="q", why=f"comments:{value}")
    query = select(func.count()).where(Comment.sr_id == Issue.sr_id, Comment.deleted_at.is_(None))
    return query.correlate(Issue).scalar_subquery().between(*bounds)


def _reason(_board: BoardContext, _viewer: PersonInfo, value: str) -> _Condition:
    if value.replace(" ", "_") == "not_planned":
        return Issue.status.in_(NOT_PLANNED)
    return Issue.status == State.COMPLETED if value == "completed" else false()


def _everything(_board: BoardContext, _viewer: PersonInfo, _value: str) -> _Condition:
    return true()


def _type(_board: BoardContext, _viewer: PersonInfo, value: str) -> _Condition:
    return true() if value == "issue" else false()


_FINDERS: MappingProxyType[str, Callable[[BoardContext, PersonInfo, str], _Condition]] = (
    MappingProxyType(
        {
            "repo": _repo,
            "org": _owner,
            "user": _owner,
            "in": _everything,
            "type": _type,
            "state": _state,
            "author": _author,
            "is": _is,
            "label": _label,
            "no": _no,
            "comments": _comments,
            "reason": _reason,
            "milestone": lambda _board, _viewer, _value: false(),
        }
    )
)
