"""Addresses of the issue list: everything that a person has chosen is in them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from guardia.board.issue_views.columns import SHIPPED, SORTED_BY
from guardia.board.tracker.filter_terms import parse
from guardia.board.tracker.issue_list import IssueQuery, States
from guardia.board.tracker.issue_sort import Sort

_STATES = {"open", "closed", "issue", "진행", "종료", "요청"}
_SORT = re.compile(r"(?:^|(?<=\s))-?(?:sort|정렬):\S*\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ListAddress:
    """What the address of a list names."""

    words: str = ""
    state: States = ""
    view: int | None = None
    columns: tuple[str, ...] = SHIPPED

    @property
    def plain_words(self) -> str:
        """The filter without a state, which tabs and columns add."""
        return _without_state(self.words)

    def with_page(self, **cursor: str) -> str:
        """Return the address of a page of the list."""
        return self._url(**cursor)

    def with_state(self, state: States) -> str:
        """Return the address of the same list with open, closed or all issues."""
        return replace(self, state=state, words=_without_state(self.words))._url()

    def with_sort(self, column: str, sort: Sort) -> str:
        """Return the address of the list by a column; a second time, the other way around."""
        field = SORTED_BY[column]
        first = Sort(field, field in ("created", "updated"))
        new = replace(first, descending=not first.descending) if sort == first else first
        words = f"{_SORT.sub('', self.words).strip()} sort:{new}".strip()
        return replace(self, words=words)._url()

    def path(self, path: str) -> str:
        """Return the address of another page over the same list."""
        return path + self._url().removeprefix("/issues")

    def __str__(self) -> str:
        """Return the address of the first page."""
        return self._url()

    def _url(self, **more: str) -> str:
        words: dict[str, str] = {}
        if self.view is not None:
            words["view"] = str(self.view)
        if self.state:
            words["state"] = self.state
        if self.words or self.view is not None:
            words["q"] = self.words
        if self.columns != SHIPPED:
            words["columns"] = ",".join(self.columns)
        words |= more
        return "/issues?" + urlencode(words) if words else "/issues"


def _without_state(words: str) -> str:
    """Return a filter without `is:open` and the like, which a state tab replaces."""
    terms, problems = parse(words)
    if problems:
        return words
    kept = [
        term.written for term in terms if not (term.key == "is" and set(term.values) <= _STATES)
    ]
    return " ".join(kept)


def saved_words(query: IssueQuery, state: States) -> str:
    """Return the filter of a list as a view keeps it, with the state that was applied."""
    if query.state == "" and state == "all":
        return query.words
    return f"is:{'issue' if state == 'all' else state} {query.words}".strip()
