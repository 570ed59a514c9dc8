"""Search for issues: GitHub's qualifiers, and those of the board's own filter."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from sqlalchemy import ColumnElement, Select, exists, false, func, not_, select, true
from sqlalchemy.orm import Session

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
from guardia.board.tracker import issue_search
from guardia.board.tracker.filter_terms import FilterProblem
from guardia.board.tracker.issue_filters import read_filter
from guardia.errors import Invalid, NotFound
from guardia.i18n import t
from guardia.org.directory import PersonInfo

MOST = 1000
"""Results that are reachable, as on GitHub."""
_DENSE = 0.05
"""Share of the newest issues with a word from which only the newest are searched."""
_DEPTH = 20_000
"""Issues that are searched for such a word at most."""
_MARGIN = 2
"""How many times the reachable results the searched issues hold, if older ones are like the
newest."""
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
    terms, now = parse(query), board.clock()
    own = [_condition(board, viewer, term) for term in terms.own]
    wanted = IssueListFilter(
        sort=sort or terms.sort or "created", direction=terms.direction or order
    )
    with board.database.reading() as session:
        filtered = read_filter(session, viewer, terms.rest, now)
        if filtered.problems:
            raise Invalid(what="q", why=_explain(filtered.problems))
        listed = select(Issue).where(visibility.visible_to(viewer), *own, *filtered.conditions)
        excluded = issue_search.read_words(session, filtered.excluded_texts)
        listed = listed.where(*map(issue_search.lacks, excluded))
        words = issue_search.read_words(session, filtered.texts)
        listed, is_whole = _containing(session, listed, words)
        rows = issue_query.find(session, listed, wanted, page)
        return SearchResult(
            total_count=paging.MOST if rows.total is None else rows.total,
            incomplete_results=rows.total is None or not is_whole,
            items=issue_bodies(session, viewer, addresses, rows.rows),
        )


def _containing(
    session: Session, listed: Select[Issue], words: list[issue_search.Word]
) -> tuple[Select[Issue], bool]:
    """Return the issues that contain all words, and whether those are all of them.

    Words that many issues contain are only looked for among the newest: the reachable results are
    there, and comparing all texts would take seconds.
    """
    if not words:
        return listed, True
    containing = [issue_search.contains(word) for word in words]
    sample = _newest(listed, issue_search.WINDOW)
    found = select(Issue.sr_id).where(Issue.sr_id.in_(sample), *containing)
    number = session.scalar(select(func.count()).select_from(found.subquery())) or 0
    if number < _DENSE * issue_search.WINDOW:
        return listed.where(issue_search.among_indexed(words)), True
    depth = min(_DEPTH, _MARGIN * MOST * issue_search.WINDOW // number)
    return select(Issue).where(Issue.sr_id.in_(_newest(listed, depth)), *containing), False


def _newest(listed: Select[Issue], most: int) -> Select[int]:
    newest = listed.with_only_columns(Issue.sr_id).order_by(Issue.sr_id.desc()).limit(most)
    return select(newest.cte().prefix_with("MATERIALIZED").c.sr_id)


def _explain(problems: tuple[FilterProblem, ...]) -> str:
    """Return what is wrong with the terms of a query."""
    return " ".join(t(f"issues.problem.{one.name}", **one.words) for one in problems)


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
    known = {"locked": is_locked, "unlocked": ~is_locked, "issue": true(), "private": true()}
    return known.get(value, false())


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
            "is": _is,
            "label": _label,
            "no": _no,
            "comments": _comments,
            "reason": _reason,
            "milestone": lambda _board, _viewer, _value: false(),
        }
    )
)
